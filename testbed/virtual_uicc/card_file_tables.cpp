// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card_file_tables.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <charconv>

namespace mtkey::testbed {
namespace {

std::uint16_t as_number(const Bytes& two_octets) {
    return static_cast<std::uint16_t>(two_octets[0] << 8 | two_octets[1]);
}

Result<std::vector<unsigned>> services(ConfigTable& table) {
    std::vector<unsigned> out;
    for (const auto& text : MTKEY_TRY(table.texts_or_none("services"))) {
        unsigned number = 0;
        const auto end = text.data() + text.size();
        if (std::from_chars(text.data(), end, number).ptr != end || number == 0) {
            return table.error("services", "holds no number", R"(write them as in ["17", "19"])");
        }
        out.push_back(number);
    }
    return out;
}

Result<std::optional<Access>> access(ConfigTable& table, std::string_view key) {
    if (!table.has(key)) {
        return std::nullopt;
    }
    const std::string word =
        MTKEY_TRY(table.word_or(key, "pin", {"always", "pin", "adm", "never"}));
    return word == "always" ? Access::Always
           : word == "pin"  ? Access::Pin
           : word == "adm"  ? Access::Adm
                            : Access::Never;
}

/// `content` in hex, or `records`, each filled up to the record length.
Result<void> read_content(ConfigTable& table, FileProfile& out) {
    out.content = MTKEY_TRY(octets_or_none(table, "content"));
    const auto records = MTKEY_TRY(table.texts_or_none("records"));
    if (records.empty()) {
        return {};
    }
    if (out.content || !out.record_length) {
        return table.error("records", "stands with content, or without record_length");
    }
    out.content.emplace();
    for (const auto& text : records) {
        auto record = from_hex(text);
        if (!record || record->size() > *out.record_length) {
            return table.error("records", "holds what is no record",
                               "write hex digits, at most record_length octets");
        }
        record->resize(*out.record_length, 0xFF);
        append(*out.content, *record);
    }
    return {};
}

} // namespace

Result<std::optional<Bytes>> octets_or_none(ConfigTable& table, std::string_view key,
                                            std::optional<std::size_t> octets) {
    if (!table.has(key)) {
        return std::nullopt;
    }
    auto value = from_hex(MTKEY_TRY(table.text(key)));
    if (!value || (octets && value->size() != *octets)) {
        return table.error(key, "is no hex number of that length",
                           octets ? "write " + std::to_string(2 * *octets) + " hex digits"
                                  : "write hex digits");
    }
    return std::move(*value);
}

Result<std::optional<SecretBytes>> secret_text_or_none(ConfigTable& table, std::string_view key) {
    std::string text = MTKEY_TRY(table.text_or(key, ""));
    if (text.empty()) {
        return std::nullopt;
    }
    SecretBytes out(as_octets(text));
    wipe(text);
    return out;
}

Result<ApplicationProfile> read_application(ConfigTable table, const CardProfile& card) {
    ApplicationProfile out;
    out.kind = MTKEY_TRY(table.word_or("kind", "usim", {"usim", "isim"})) == "usim"
                   ? ApplicationKind::Usim
                   : ApplicationKind::Isim;
    out.aid = MTKEY_TRY(octets_or_none(table, "aid")).value_or(Bytes());
    out.label = MTKEY_TRY(table.text_or("label", ""));
    out.pin_reference =
        static_cast<std::uint8_t>(MTKEY_TRY(table.number_or("pin_reference", 1, 1, 8)));
    out.gba = MTKEY_TRY(table.flag_or("gba", card.gba));
    out.local_key = MTKEY_TRY(table.flag_or("local_key", card.local_key));
    out.gsm_access = MTKEY_TRY(table.flag_or("gsm_access", card.gsm_access));
    out.services = MTKEY_TRY(services(table));
    out.naf_key_centers = MTKEY_TRY(table.texts_or_none("naf_key_centers"));
    if (!table.has("naf_key_centers")) {
        out.naf_key_centers = card.naf_key_centers;
    }
    if (out.kind == ApplicationKind::Isim) {
        out.impi = MTKEY_TRY(table.text_or("impi", ""));
        out.domain = MTKEY_TRY(table.text_or("domain", ""));
        out.impu = MTKEY_TRY(table.texts_or_none("impu"));
    }
    MTKEY_CHECK(table.finish());
    return out;
}

Result<FileProfile> read_file_profile(ConfigTable table) {
    FileProfile out;
    const std::string where = MTKEY_TRY(table.word_or("in", "usim", {"mf", "usim", "isim"}));
    if (where != "mf") {
        out.where = where == "usim" ? ApplicationKind::Usim : ApplicationKind::Isim;
    }
    const auto fid = MTKEY_TRY(octets_or_none(table, "fid", 2));
    if (!fid) {
        return table.error("fid", "is missing", "write 4 hex digits");
    }
    out.fid = as_number(*fid);
    out.missing = MTKEY_TRY(table.flag_or("missing", false));
    if (table.has("sfi")) {
        out.sfi = static_cast<std::uint8_t>(MTKEY_TRY(table.number_or("sfi", 0, 0, 30)));
    }
    if (table.has("record_length")) {
        out.record_length =
            static_cast<std::size_t>(MTKEY_TRY(table.number_or("record_length", 0, 0, 255)));
    }
    if (table.has("size")) {
        out.size = static_cast<std::size_t>(MTKEY_TRY(table.number_or("size", 0, 0, 32767)));
    }
    MTKEY_CHECK(read_content(table, out));
    out.read = MTKEY_TRY(access(table, "read"));
    out.update = MTKEY_TRY(access(table, "update"));
    MTKEY_CHECK(table.finish());
    return out;
}

Result<Quirks> read_quirks(ConfigTable table) {
    Quirks out;
    out.no_ef_dir = MTKEY_TRY(table.flag_or("no_ef_dir", false));
    out.ef_ad_3_octets = MTKEY_TRY(table.flag_or("ef_ad_3_octets", false));
    out.direct_data = MTKEY_TRY(table.flag_or("direct_data", false));
    out.wrong_le_on_read = MTKEY_TRY(table.flag_or("wrong_le_on_read", false));
    out.select_response_fails = MTKEY_TRY(table.flag_or("select_response_fails", false));
    out.proactive = MTKEY_TRY(table.flag_or("proactive", false));
    out.busy = static_cast<unsigned>(MTKEY_TRY(table.number_or("busy", 0, 0, 1000000)));
    out.no_logical_channels = MTKEY_TRY(table.flag_or("no_logical_channels", false));
    if (const auto fid = MTKEY_TRY(octets_or_none(table, "deactivated", 2))) {
        out.deactivated = as_number(*fid);
    }
    if (table.has("gbabp_size")) {
        out.gbabp_size =
            static_cast<std::size_t>(MTKEY_TRY(table.number_or("gbabp_size", 0, 0, 32767)));
    }
    MTKEY_CHECK(table.finish());
    return out;
}

Result<Fault> read_fault(ConfigTable table) {
    using Kind = Fault::Kind;
    constexpr std::array<std::pair<std::string_view, Kind>, 10> kinds{
        {{"remove", Kind::Remove},
         {"reset", Kind::Reset},
         {"mute", Kind::Mute},
         {"status", Kind::Status},
         {"short", Kind::Short},
         {"long", Kind::Long},
         {"endless-61xx", Kind::Endless61},
         {"endless-6cxx", Kind::Endless6c},
         {"empty", Kind::Empty},
         {"delay", Kind::Delay}}};
    std::vector<std::string_view> words;
    std::ranges::transform(kinds, std::back_inserter(words),
                           [](const auto& kind) { return kind.first; });
    Fault out;
    const std::string word = MTKEY_TRY(table.word_or("kind", "status", words));
    out.kind = std::ranges::find(kinds, word, [](const auto& kind) { return kind.first; })->second;
    constexpr std::int64_t most = 1'000'000'000;
    out.at = static_cast<std::uint64_t>(MTKEY_TRY(table.number_or("at", 1, 1, most)));
    out.since_power_up =
        MTKEY_TRY(table.word_or("since", "start", {"start", "power-up"})) == "power-up";
    out.times = static_cast<unsigned>(MTKEY_TRY(table.number_or("times", 1, 1, most)));
    if (const auto sw = MTKEY_TRY(octets_or_none(table, "sw", 2))) {
        out.sw = as_number(*sw);
    }
    out.duration =
        std::chrono::milliseconds(MTKEY_TRY(table.number_or("milliseconds", 0, 0, 3'600'000)));
    MTKEY_CHECK(table.finish());
    return out;
}

} // namespace mtkey::testbed
