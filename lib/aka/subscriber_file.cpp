// SPDX-License-Identifier: Apache-2.0
#include "aka/subscriber_file.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <exception>
#include <toml++/toml.h>
#include <utility>

namespace mtkey::aka {
namespace {

// What the secure heap of 256 KiB holds: reading takes twice the file, a subscriber keeps 32
// octets. A table with every key is below 256 octets.
constexpr std::size_t kLargestFile = 64 * 1024;
constexpr std::size_t kMostSubscribers = 256;
constexpr std::int64_t kLongestLifetime = 366LL * 24 * 3600;

constexpr std::array<std::string_view, 10> kKeys{
    "imsi", "mnc_length", "k", "opc", "op", "algorithm", "amf", "sqn", "mode", "lifetime_seconds"};

/// toml++ keeps values in strings of its own: everything it gives access to is wiped before it is
/// freed.
void wipe_strings(toml::node& node) {
    if (auto* text = node.as_string()) {
        wipe(text->get());
    } else if (auto* array = node.as_array()) {
        for (auto& element : *array) {
            wipe_strings(element);
        }
    } else if (auto* table = node.as_table()) {
        for (auto&& [key, value] : *table) {
            wipe_strings(value);
        }
    }
}

struct WipedTable {
    toml::table table;
    explicit WipedTable(toml::table parsed) : table(std::move(parsed)) {}
    WipedTable(const WipedTable&) = delete;
    WipedTable& operator=(const WipedTable&) = delete;
    ~WipedTable() { wipe_strings(table); }
};

/// Reads the keys of one [[subscriber]]; errors name file, line and key.
class Reader {
public:
    Reader(const toml::table& table, const std::string& file) : table_(table), file_(file) {}

    [[nodiscard]] std::unexpected<Error> wrong(std::string_view key,
                                               std::string_view remedy) const {
        const toml::node* node = table_.get(key);
        const auto line = (node != nullptr ? node->source() : table_.source()).begin.line;
        return fail(Errc::ConfigInvalid, file_ + ":" + std::to_string(line) + ": subscriber." +
                                             printable(key, 64) + ": " + std::string(remedy));
    }
    [[nodiscard]] Result<void> check_keys() const {
        for (auto&& [key, value] : table_) {
            if (std::ranges::find(kKeys, key.str()) == kKeys.end()) {
                return wrong(key.str(),
                             "unknown; allowed are imsi, mnc_length, k, opc, op, algorithm, "
                             "amf, sqn, mode, lifetime_seconds");
            }
        }
        return {};
    }
    [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }

    /// Borrowed from the table. An absent key is `fallback`.
    [[nodiscard]] Result<std::string_view> text(std::string_view key, std::string_view remedy,
                                                std::string_view fallback = {}) const {
        if (!has(key) && !fallback.empty()) {
            return fallback;
        }
        const auto* value = table_.get_as<std::string>(key);
        if (value == nullptr) {
            return wrong(key, remedy);
        }
        return std::string_view(value->get());
    }
    [[nodiscard]] Result<std::optional<std::int64_t>> number(std::string_view key,
                                                             std::int64_t least, std::int64_t most,
                                                             std::string_view remedy) const {
        if (!has(key)) {
            return std::nullopt;
        }
        const auto* value = table_.get_as<std::int64_t>(key);
        if (value == nullptr || value->get() < least || value->get() > most) {
            return wrong(key, remedy);
        }
        return value->get();
    }
    [[nodiscard]] Result<Secret<16>> secret(std::string_view key) const {
        constexpr std::string_view remedy = "write 32 hex digits in quotes";
        const auto octets = secret_from_hex(MTKEY_TRY(text(key, remedy)));
        if (!octets || octets->size() != 16) {
            return wrong(key, remedy);
        }
        return Secret<16>(octets->reveal().first<16>());
    }
    template <std::size_t N>
    [[nodiscard]] Result<std::array<std::uint8_t, N>> octets(std::string_view key,
                                                             std::string_view fallback) const {
        const std::string remedy = "write " + std::to_string(2 * N) + " hex digits in quotes";
        const auto value = from_hex(MTKEY_TRY(text(key, remedy, fallback)));
        if (!value || value->size() != N) {
            return wrong(key, remedy);
        }
        std::array<std::uint8_t, N> out{};
        std::ranges::copy(*value, out.begin());
        return out;
    }

private:
    const toml::table& table_;
    const std::string& file_;
};

Result<SubscriberKeys> read_keys(const Reader& reader) {
    constexpr std::string_view remedy = R"(write "milenage" or "xor")";
    const auto name = MTKEY_TRY(reader.text("algorithm", remedy, "milenage"));
    SubscriberKeys out;
    out.k = MTKEY_TRY(reader.secret("k"));
    if (name == "xor") {
        if (reader.has("opc") || reader.has("op")) {
            return reader.wrong(reader.has("opc") ? "opc" : "op",
                                "the XOR test algorithm has no OP; remove it");
        }
        out.kind = AlgorithmKind::XorTest;
        return out;
    }
    if (name != "milenage") {
        return reader.wrong("algorithm", remedy);
    }
    if (reader.has("opc") == reader.has("op")) {
        return reader.wrong("opc", "write exactly one of opc and op");
    }
    if (reader.has("op")) {
        out.opc = opc_from_op(out.k, MTKEY_TRY(reader.secret("op")));
    } else {
        out.opc = MTKEY_TRY(reader.secret("opc"));
    }
    return out;
}

Result<Subscriber> read_subscriber(const Reader& reader) {
    MTKEY_CHECK(reader.check_keys());
    Subscriber out;
    constexpr std::string_view imsi_remedy = "write 6 to 15 digits in quotes";
    out.imsi = std::string(MTKEY_TRY(reader.text("imsi", imsi_remedy)));
    if (out.imsi.size() < 6 || out.imsi.size() > 15 ||
        !std::ranges::all_of(out.imsi, [](char c) { return c >= '0' && c <= '9'; })) {
        return reader.wrong("imsi", imsi_remedy);
    }
    const auto mnc_length = MTKEY_TRY(reader.number("mnc_length", 2, 3, "write 2 or 3"));
    if (!mnc_length) {
        return reader.wrong("mnc_length",
                            "missing: write 2 or 3, the length of this network's MNC");
    }
    out.mnc_length = static_cast<unsigned>(*mnc_length);
    out.keys = MTKEY_TRY(read_keys(reader));
    out.algorithm = make_algorithm(out.keys);
    out.amf = MTKEY_TRY(reader.octets<2>("amf", "8000"));
    out.sqn = MTKEY_TRY(reader.octets<6>("sqn", "000000000020"));
    constexpr std::string_view mode_remedy = R"(write "gba-u" or "gba-me")";
    const auto mode = MTKEY_TRY(reader.text("mode", mode_remedy, "gba-u"));
    if (mode != "gba-u" && mode != "gba-me") {
        return reader.wrong("mode", mode_remedy);
    }
    out.mode = mode == "gba-u" ? GbaMode::GbaU : GbaMode::GbaMe;
    const auto lifetime = MTKEY_TRY(
        reader.number("lifetime_seconds", 1, kLongestLifetime, "write 1 to 31622400 (366 days)"));
    if (lifetime) {
        out.lifetime = std::chrono::seconds(*lifetime);
    }
    return out;
}

Result<std::vector<Subscriber>> read_tables(const toml::table& root, const std::string& file) {
    for (auto&& [key, value] : root) {
        if (key.str() != "subscriber") {
            return fail(Errc::ConfigInvalid,
                        file + ":" + std::to_string(value.source().begin.line) + ": " +
                            printable(key.str(), 64) +
                            ": unknown; only [[subscriber]] tables belong here");
        }
    }
    const auto* list = root.get_as<toml::array>("subscriber");
    if (list == nullptr || list->empty() || list->size() > kMostSubscribers) {
        return fail(Errc::ConfigInvalid,
                    file + ": subscriber: write one to 256 [[subscriber]] tables");
    }
    std::vector<Subscriber> out;
    for (auto&& element : *list) {
        const auto* table = element.as_table();
        if (table == nullptr) {
            return fail(Errc::ConfigInvalid, file + ":" +
                                                 std::to_string(element.source().begin.line) +
                                                 ": subscriber: write it as [[subscriber]] tables");
        }
        const Reader reader(*table, file);
        Subscriber subscriber = MTKEY_TRY(read_subscriber(reader));
        if (std::ranges::find(out, subscriber.imsi, &Subscriber::imsi) != out.end()) {
            return reader.wrong("imsi", "stands twice in this file; remove one");
        }
        out.push_back(std::move(subscriber));
    }
    return out;
}

} // namespace

std::unique_ptr<Algorithm> make_algorithm(const SubscriberKeys& keys) {
    if (keys.kind == AlgorithmKind::XorTest) {
        return xor_test(keys.k.clone());
    }
    return milenage(keys.k.clone(), keys.opc.clone());
}

Result<std::vector<Subscriber>> parse_subscribers(std::string_view text, const std::string& file) {
    try {
        const WipedTable parsed(toml::parse(text, file));
        return read_tables(parsed.table, file);
    } catch (const toml::parse_error& error) {
        // Its description may quote the text, which holds keys: the place is enough.
        const auto at = error.source().begin;
        return fail(Errc::ConfigInvalid, file + ":" + std::to_string(at.line) + ":" +
                                             std::to_string(at.column) +
                                             ": not TOML; check quotes and brackets there");
    } catch (const std::exception&) {
        return fail(Errc::ConfigInvalid, file + ": cannot be read as TOML");
    }
}

Result<std::vector<Subscriber>> read_subscribers(const std::string& path) {
    const SecretBytes text = MTKEY_TRY(read_secret_file(path, kLargestFile));
    return parse_subscribers(as_text(text.reveal()), path);
}

} // namespace mtkey::aka
