// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_modem/modem_profile.hpp"

#include "base/config_table.hpp"

namespace mtkey::testbed {
namespace {

Result<std::chrono::milliseconds> time(ConfigTable& table, std::string_view key,
                                       std::int64_t fallback) {
    return std::chrono::milliseconds(MTKEY_TRY(table.number_or(key, fallback, 0, 3'600'000)));
}

Result<unsigned> number(ConfigTable& table, std::string_view key, std::int64_t fallback,
                        std::int64_t most) {
    return static_cast<unsigned>(MTKEY_TRY(table.number_or(key, fallback, 0, most)));
}

Result<ModemProfile> read(ConfigTable table) {
    using Quoting = ModemProfile::Quoting;
    using Where = ModemProfile::Where;
    ModemProfile out;
    out.echo = MTKEY_TRY(table.flag_or("echo", out.echo));
    out.errors = MTKEY_TRY(number(table, "errors", out.errors, 2));
    const auto quoting =
        MTKEY_TRY(table.word_or("quoting", "quoted", {"quoted", "bare", "no-space"}));
    out.quoting = quoting == "quoted" ? Quoting::Quoted
                  : quoting == "bare" ? Quoting::Bare
                                      : Quoting::NoSpace;
    out.lower_case = MTKEY_TRY(table.flag_or("lower_case", false));
    out.no_status_word = MTKEY_TRY(table.flag_or("no_status_word", false));
    out.fetches = MTKEY_TRY(table.flag_or("fetches", false));
    out.bare_session = MTKEY_TRY(table.flag_or("bare_session", false));
    out.no_csim = MTKEY_TRY(table.flag_or("no_csim", false));
    out.no_channels = MTKEY_TRY(table.flag_or("no_channels", false));
    out.first_session = MTKEY_TRY(number(table, "first_session", out.first_session, 1'000'000));
    out.unsolicited = MTKEY_TRY(table.texts_or_none("unsolicited"));
    const auto where =
        MTKEY_TRY(table.word_or("unsolicited_at", "before", {"before", "between", "after"}));
    out.unsolicited_at = where == "before"    ? Where::Before
                         : where == "between" ? Where::Between
                                              : Where::After;
    out.removed_line = MTKEY_TRY(table.text_or("removed_line", ""));
    out.inserted_line = MTKEY_TRY(table.text_or("inserted_line", ""));
    out.delay = MTKEY_TRY(time(table, "delay_milliseconds", 0));
    out.card_timeout = MTKEY_TRY(time(table, "card_timeout_milliseconds", 0));
    out.hang_up_at = MTKEY_TRY(number(table, "hang_up_at", 0, 1'000'000));
    out.return_after = MTKEY_TRY(time(table, "return_after_milliseconds", 500));
    MTKEY_CHECK(table.finish());
    return out;
}

} // namespace

Result<ModemProfile> read_modem_file(const std::string& path) {
    if (path.empty()) {
        return ModemProfile{};
    }
    return read(MTKEY_TRY(ConfigTable::load(path, Trust::Config)));
}

Result<ModemProfile> parse_modem_file(std::string_view text, const std::string& path) {
    return read(MTKEY_TRY(ConfigTable::parse(text, path)));
}

} // namespace mtkey::testbed
