// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/av_answer.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace mtkey::bsf {
namespace {

constexpr std::size_t kLongestAnswer = 2048;
constexpr std::size_t kMostMembers = 32;
constexpr std::int64_t kLongestLifetime = 366LL * 24 * 3600;

std::unexpected<Error> wrong(std::string_view why) {
    return fail(Errc::IoFailed, "its answer " + std::string(why));
}

/// A flat JSON object, borrowed from its text: a parser that copies would leave CK and IK behind.
class FlatObject {
public:
    static Result<FlatObject> parse(std::string_view text) {
        FlatObject out;
        out.rest_ = text;
        MTKEY_CHECK(out.read());
        return out;
    }

    /// A text without its quotes; nothing when it is absent or a number.
    [[nodiscard]] std::optional<std::string_view> text(std::string_view name) const {
        const auto* value = find(name);
        if (value == nullptr || value->front() != '"') {
            return std::nullopt;
        }
        return value->substr(1, value->size() - 2);
    }
    [[nodiscard]] const std::string_view* find(std::string_view name) const {
        const auto found = std::ranges::find(members_, name, &Member::name);
        return found == members_.end() ? nullptr : &found->value;
    }

private:
    struct Member {
        std::string_view name;
        std::string_view value; ///< with its quotes, or the digits of a number
    };

    void skip_space() {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
    }
    bool take(char c) {
        skip_space();
        if (!rest_.starts_with(c)) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }
    /// With the quotes; none of its characters may need an escape.
    Result<std::string_view> take_text() {
        skip_space();
        const auto end = rest_.starts_with('"') ? rest_.find('"', 1) : std::string_view::npos;
        if (end == std::string_view::npos) {
            return wrong("is not a JSON object of texts and whole numbers");
        }
        const auto out = rest_.substr(0, end + 1);
        if (std::ranges::any_of(out, [](char c) { return c < ' ' || c > '~' || c == '\\'; })) {
            return wrong("has a text with escapes, or not of printable ASCII");
        }
        rest_.remove_prefix(end + 1);
        return out;
    }
    Result<std::string_view> take_value() {
        skip_space();
        if (rest_.starts_with('"')) {
            return take_text();
        }
        const auto out =
            rest_.substr(0, std::min(rest_.find_first_not_of("0123456789"), rest_.size()));
        if (out.empty()) {
            return wrong("has a value that is neither text nor whole number");
        }
        rest_.remove_prefix(out.size());
        return out;
    }
    Result<void> read_member() {
        auto name = MTKEY_TRY(take_text());
        name = name.substr(1, name.size() - 2);
        if (!take(':')) {
            return wrong("lacks a colon");
        }
        const auto value = MTKEY_TRY(take_value());
        if (find(name) != nullptr || members_.size() >= kMostMembers) {
            return wrong("has a name twice, or too many");
        }
        members_.push_back({name, value});
        return {};
    }
    Result<void> read() {
        if (rest_.size() > kLongestAnswer) {
            return wrong("is too long");
        }
        if (!take('{')) {
            return wrong("is not a JSON object");
        }
        if (!take('}')) {
            do {
                MTKEY_CHECK(read_member());
            } while (take(','));
            if (!take('}')) {
                return wrong("is not a JSON object");
            }
        }
        skip_space();
        return rest_.empty() ? Result<void>() : wrong("goes on behind the object");
    }

    std::string_view rest_;
    std::vector<Member> members_;
};

Result<SecretBytes> read_secret(const FlatObject& object, std::string_view name, std::size_t least,
                                std::size_t most) {
    const auto text = object.text(name);
    auto octets = secret_from_hex(text.value_or(""));
    if (!text || !octets || octets->size() < least || octets->size() > most) {
        return wrong("has no " + std::string(name) + ", or one of a wrong length");
    }
    return octets;
}

Result<std::array<std::uint8_t, 16>> read_public(const FlatObject& object, std::string_view name) {
    const auto octets = MTKEY_TRY(read_secret(object, name, 16, 16));
    std::array<std::uint8_t, 16> out{};
    std::ranges::copy(octets.reveal(), out.begin());
    return out;
}

Result<Mode> read_mode(const FlatObject& object) {
    if (object.find("mode") == nullptr) {
        return Mode::GbaMe;
    }
    const auto mode = parse_mode(object.text("mode").value_or(""));
    if (!mode) {
        return wrong("has a mode that is none of gba-me, gba-u, gba-2g");
    }
    return *mode;
}

Result<std::optional<std::chrono::seconds>> read_lifetime(const FlatObject& object) {
    const auto* value = object.find("lifetime_seconds");
    if (value == nullptr) {
        return std::optional<std::chrono::seconds>();
    }
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(value->data(), value->data() + value->size(), number);
    if (code != std::errc() || end != value->data() + value->size() || number < 1 ||
        number > kLongestLifetime) {
        return wrong("has a lifetime_seconds that is not 1 to 31622400");
    }
    return std::optional(std::chrono::seconds(number));
}

} // namespace

Result<std::string> write_av_request(std::string_view impi, const Resynchronisation* resync) {
    if (std::ranges::any_of(impi,
                            [](char c) { return c <= ' ' || c > '~' || c == '"' || c == '\\'; })) {
        return fail(Errc::NotFound, "subscriber");
    }
    auto out = "{\"impi\":\"" + std::string(impi) + "\"";
    if (resync != nullptr) {
        out += ",\"resync\":{\"rand\":\"" + to_hex(resync->rand) + "\",\"auts\":\"" +
               to_hex(resync->auts) + "\"}";
    }
    return out + "}\n";
}

Result<IssuedVector> parse_av_answer(std::string_view text) {
    const auto object = MTKEY_TRY(FlatObject::parse(text));
    if (const auto error = object.text("error")) {
        if (*error == "unknown-subscriber") {
            return fail(Errc::NotFound, "subscriber");
        }
        if (*error == "resync-refused") {
            return fail(Errc::Rejected, "AUTS");
        }
        return wrong("is an error that is neither unknown-subscriber nor resync-refused");
    }
    IssuedVector out;
    out.vector.rand = MTKEY_TRY(read_public(object, "rand"));
    out.vector.autn = MTKEY_TRY(read_public(object, "autn"));
    out.vector.xres = MTKEY_TRY(read_secret(object, "xres", 4, 16));
    const auto ck = MTKEY_TRY(read_secret(object, "ck", 16, 16));
    const auto ik = MTKEY_TRY(read_secret(object, "ik", 16, 16));
    out.vector.ck = Secret<16>(ck.reveal().first<16>());
    out.vector.ik = Secret<16>(ik.reveal().first<16>());
    out.mode = MTKEY_TRY(read_mode(object));
    out.lifetime = MTKEY_TRY(read_lifetime(object));
    return out;
}

} // namespace mtkey::bsf
