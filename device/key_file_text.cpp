// SPDX-License-Identifier: Apache-2.0
// The key file as text: JSON, read strictly. Keys pass through memory that is wiped.
#include "device/key_file.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "kdf/local_mt.hpp"

#include <algorithm>
#include <map>
#include <new>
#include <nlohmann/json.hpp>

namespace mtkey::device {
namespace {

/// Wipes what the JSON library gives back: its strings hold a key for a moment.
template <typename T>
struct WipingAllocator {
    using value_type = T;
    WipingAllocator() = default;
    template <typename U>
    explicit(false) WipingAllocator(const WipingAllocator<U>&) {}
    T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
    void deallocate(T* memory, std::size_t count) {
        wipe({reinterpret_cast<std::uint8_t*>(memory), count * sizeof(T)});
        std::allocator<T>().deallocate(memory, count);
    }
    friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};
using WipedText = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;
using Json = nlohmann::basic_json<std::map, std::vector, WipedText>;

constexpr std::string_view kVersion = "1";

/// Reads the members of one object, each exactly once, and nothing else may stand there.
class Reader {
public:
    Reader(const Json& object, std::string place) : object_(object), place_(std::move(place)) {}

    Result<std::string_view> text(std::string_view name) {
        ++asked_;
        const auto found = object_.find(WipedText(name));
        if (found == object_.end() || !found->is_string()) {
            return error(name, "is missing or no text");
        }
        const auto& value = found->get_ref<const WipedText&>();
        return std::string_view(value);
    }
    Result<std::string> name(std::string_view name) {
        const auto value = MTKEY_TRY(text(name));
        if (!printable_name(value)) {
            return error(name, "is not 1 to 255 printable characters");
        }
        return std::string(value);
    }
    Result<UtcTime> time(std::string_view name) {
        const auto value = parse_utc(MTKEY_TRY(text(name)));
        if (!value) {
            return error(name, "is no time like 2030-01-01T12:00:00Z");
        }
        return *value;
    }
    template <std::size_t N>
    Result<std::array<std::uint8_t, N>> octets(std::string_view name) {
        auto value = from_hex(MTKEY_TRY(text(name)));
        if (!value || value->size() != N) {
            return error(name, "must be " + std::to_string(2 * N) + " hex digits");
        }
        std::array<std::uint8_t, N> out{};
        std::ranges::copy(*value, out.begin());
        return out;
    }
    Result<Secret<32>> key(std::string_view name) {
        auto value = secret_from_hex(MTKEY_TRY(text(name)));
        if (!value || value->size() != 32) {
            return error(name, "must be 64 hex digits");
        }
        return Secret<32>::from(value->reveal(), "key");
    }
    [[nodiscard]] Result<void> finish() const {
        if (object_.size() != asked_) {
            return fail(Errc::Malformed, place_ + ": members that do not belong there");
        }
        return {};
    }
    [[nodiscard]] std::unexpected<Error> error(std::string_view name, std::string_view what) const {
        return fail(Errc::Malformed, place_ + ": '" + std::string(name) + "' " + std::string(what));
    }

private:
    const Json& object_;
    std::string place_;
    std::size_t asked_ = 0;
};

Result<StoredKey> read_key(const Json& object, const std::string& place) {
    if (!object.is_object()) {
        return fail(Errc::Malformed, place + " is no object");
    }
    Reader reader(object, place);
    StoredKey key;
    key.mt_id = MTKEY_TRY(reader.name("mt_id"));
    const auto fqdn = kdf::canonical_fqdn(MTKEY_TRY(reader.text("naf_fqdn")));
    const auto ua = kdf::parse_ua_id(MTKEY_TRY(reader.text("naf_ua")));
    if (!fqdn || !ua) {
        return reader.error(fqdn ? "naf_ua" : "naf_fqdn", "is not valid");
    }
    key.naf_id = {*fqdn, *ua};
    key.b_tid = MTKEY_TRY(reader.name("b_tid"));
    const auto device_id = kdf::canonical_device_id(MTKEY_TRY(reader.text("device_id")));
    if (!device_id) {
        return reader.error("device_id", "is not valid");
    }
    key.device_id = *device_id;
    key.profile = MTKEY_TRY(reader.name("profile"));
    key.mode = MTKEY_TRY(reader.name("mode"));
    key.ks_local_mt = MTKEY_TRY(reader.key("ks_local_mt"));
    key.th_est = MTKEY_TRY(reader.octets<32>("th_est"));
    key.est_id = MTKEY_TRY(reader.octets<16>("est_id"));
    key.stored = MTKEY_TRY(reader.time("stored"));
    key.expires = MTKEY_TRY(reader.time("expires"));
    const auto state = MTKEY_TRY(reader.text("state"));
    if (state != "active" && state != "pending") {
        return reader.error("state", "must be active or pending");
    }
    key.state = state == "active" ? StoredKey::State::Active : StoredKey::State::Pending;
    MTKEY_CHECK(reader.finish());
    return key;
}

Result<std::vector<StoredKey>> read_document(const Json& document, const std::string& name) {
    if (!document.is_object()) {
        return fail(Errc::Malformed, name + " is no JSON object");
    }
    Reader reader(document, name);
    if (MTKEY_TRY(reader.text("version")) != kVersion) {
        return reader.error("version", "is not 1; another version of this program wrote the file");
    }
    const auto list = document.find("keys");
    if (document.size() != 2 || list == document.end() || !list->is_array()) {
        return fail(Errc::Malformed, name + ": must hold 'version' and the list 'keys' only");
    }
    if (list->size() > kMostKeys) {
        return fail(Errc::LimitExceeded,
                    name + " holds more than " + std::to_string(kMostKeys) + " keys");
    }
    std::vector<StoredKey> keys;
    for (const Json& entry : *list) {
        const std::string place = name + ": keys[" + std::to_string(keys.size()) + "]";
        auto key = MTKEY_TRY(read_key(entry, place));
        const bool twice = std::ranges::any_of(keys, [&](const StoredKey& other) {
            return other.mt_id == key.mt_id && other.state == key.state;
        });
        if (twice) {
            return fail(Errc::Malformed, place + ": a second key in the same state for this MT");
        }
        keys.push_back(std::move(key));
    }
    return keys;
}

/// Grows by itself without leaving copies of a key behind: all space is taken at the beginning.
class Writer {
public:
    explicit Writer(std::size_t room) { out_.reserve(room); }
    void raw(std::string_view text) { append(out_, as_octets(text)); }
    void member(std::string_view name, std::string_view value, bool last = false) {
        raw("      \"" + std::string(name) + "\": \"");
        for (const char c :
             value) { // printable ASCII, so these two are all that JSON wants escaped
            if (c == '"' || c == '\\') {
                raw("\\");
            }
            raw({&c, 1});
        }
        raw(last ? "\"\n" : "\",\n");
    }
    void key(std::string_view name, const Secret<32>& key) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        raw("      \"" + std::string(name) + "\": \"");
        for (const std::uint8_t octet : key.reveal()) {
            out_.push_back(static_cast<std::uint8_t>(kDigits[octet >> 4]));
            out_.push_back(static_cast<std::uint8_t>(kDigits[octet & 15]));
        }
        raw("\",\n");
    }
    Bytes take() { return std::move(out_); }

private:
    Bytes out_;
};

std::size_t room_for(const StoredKey& key) {
    // Names may double by escapes; 700: member names, punctuation and the values of fixed size.
    return 700 + 2 * (key.mt_id.size() + key.naf_id.fqdn.size() + key.b_tid.size() +
                      key.device_id.size() + key.profile.size() + key.mode.size());
}

} // namespace

Result<std::vector<StoredKey>> parse_key_file(ByteView text, const std::string& name) {
    if (text.size() > kKeyFileLimit) {
        return fail(Errc::LimitExceeded, name + " is too large");
    }
    try {
        // The callback stops nesting and duplicate members, which the library would let pass.
        std::vector<std::vector<WipedText>> open;
        bool hostile = false;
        const auto watch = [&](int depth, nlohmann::detail::parse_event_t event, Json& parsed) {
            using Event = nlohmann::detail::parse_event_t;
            hostile = hostile || depth > 4;
            if (event == Event::object_start) {
                open.emplace_back();
            } else if (event == Event::object_end && !open.empty()) {
                open.pop_back();
            } else if (event == Event::key && !open.empty()) {
                const auto& member = parsed.get_ref<const WipedText&>();
                hostile = hostile || std::ranges::find(open.back(), member) != open.back().end();
                open.back().push_back(member);
            }
            return !hostile;
        };
        const Json document = Json::parse(text.begin(), text.end(), watch, false);
        if (hostile || document.is_discarded()) {
            return fail(Errc::Malformed, name + " is not valid JSON; move it away or repair it");
        }
        return read_document(document, name);
    } catch (const std::exception&) { // its text may quote the file
        return fail(Errc::Malformed, name + " cannot be read as JSON; move it away or repair it");
    }
}

Bytes encode_key_file(const std::vector<StoredKey>& keys) {
    std::size_t room = 200;
    for (const auto& key : keys) {
        room += room_for(key);
    }
    Writer out(room);
    out.raw("{\n  \"version\": \"" + std::string(kVersion) + "\",\n  \"keys\": [");
    bool first = true;
    for (const auto& key : keys) {
        out.raw(first ? "\n    {\n" : ",\n    {\n");
        first = false;
        out.member("mt_id", key.mt_id);
        out.member("naf_fqdn", key.naf_id.fqdn);
        out.member("naf_ua", to_hex(key.naf_id.ua));
        out.member("b_tid", key.b_tid);
        out.member("device_id", key.device_id);
        out.member("profile", key.profile);
        out.member("mode", key.mode);
        out.key("ks_local_mt", key.ks_local_mt);
        out.member("th_est", to_hex(key.th_est));
        out.member("est_id", to_hex(key.est_id));
        out.member("stored", format_utc(key.stored));
        out.member("expires", format_utc(key.expires));
        out.member("state", key.state == StoredKey::State::Active ? "active" : "pending", true);
        out.raw("    }");
    }
    out.raw(first ? "]\n}\n" : "\n  ]\n}\n");
    return out.take();
}

} // namespace mtkey::device
