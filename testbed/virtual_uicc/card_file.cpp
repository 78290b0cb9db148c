// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card_file.hpp"

#include "base/config_table.hpp"
#include "base/encoding.hpp"

#include <algorithm>

namespace mtkey::testbed {
namespace {

constexpr std::string_view kTestIccid = "8988211000000000018";

Result<CardFile> read(ConfigTable table) {
    CardFile out;
    auto& profile = out.profile;
    profile.iccid = MTKEY_TRY(table.text_or("iccid", kTestIccid));
    out.has_imsi = table.has("imsi");
    profile.imsi = MTKEY_TRY(table.text_or("imsi", ""));
    out.has_mnc_length = table.has("mnc_length");
    profile.mnc_length = static_cast<unsigned>(MTKEY_TRY(table.number_or("mnc_length", 2, 2, 3)));
    profile.gba = MTKEY_TRY(table.flag_or("gba", true));
    profile.local_key = MTKEY_TRY(table.flag_or("local_key", false));
    profile.gsm_access = MTKEY_TRY(table.flag_or("gsm_access", false));
    profile.naf_key_centers = MTKEY_TRY(table.texts_or_none("naf_key_centers"));
    profile.protocol = MTKEY_TRY(table.word_or("protocol", "t0", {"t0", "t1"})) == "t0"
                           ? Protocol::T0
                           : Protocol::T1;
    std::string pin = MTKEY_TRY(table.text_or("pin", ""));
    if (!pin.empty()) {
        profile.pin = SecretBytes(as_octets(pin));
        wipe(pin);
    }
    const std::string sqn = MTKEY_TRY(table.text_or("sqn", ""));
    if (!sqn.empty()) {
        const auto octets = from_hex(sqn);
        if (!octets || octets->size() != 6) {
            return table.error("sqn", "is no sequence number", "write 12 hex digits");
        }
        out.sqn.emplace();
        std::ranges::copy(*octets, out.sqn->begin());
    }
    ConfigTable gba_u = MTKEY_TRY(table.table("gba_u"));
    profile.gba_u.modify_mac = MTKEY_TRY(gba_u.flag_or("modify_mac", true));
    profile.gba_u.flip_res = MTKEY_TRY(gba_u.flag_or("flip_res", true));
    MTKEY_CHECK(gba_u.finish());
    MTKEY_CHECK(table.finish());
    return out;
}

} // namespace

Result<CardFile> read_card_file(const std::string& path) {
    return read(MTKEY_TRY(ConfigTable::load(path, Trust::Config)));
}

Result<CardFile> parse_card_file(std::string_view text, const std::string& path) {
    return read(MTKEY_TRY(ConfigTable::parse(text, path)));
}

} // namespace mtkey::testbed
