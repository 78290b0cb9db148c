// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card_file.hpp"

#include "base/encoding.hpp"
#include "testbed/virtual_uicc/card_file_tables.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::testbed {
namespace {

constexpr std::string_view kTestIccid = "8988211000000000018";

Result<Secret<16>> read_key(ConfigTable& table, std::string_view key) {
    std::string text = MTKEY_TRY(table.text(key));
    const auto octets = secret_from_hex(text);
    wipe(text);
    if (!octets || octets->size() != 16) {
        return table.error(key, "is no key", "write 32 hex digits");
    }
    return Secret<16>(octets->reveal().first<16>());
}

Result<std::unique_ptr<aka::Algorithm>> read_algorithm(ConfigTable table) {
    const std::string name = MTKEY_TRY(table.word_or("algorithm", "milenage", {"milenage", "xor"}));
    Secret<16> k = MTKEY_TRY(read_key(table, "k"));
    std::unique_ptr<aka::Algorithm> out;
    if (name == "xor") {
        out = aka::xor_test(std::move(k));
    } else {
        if (table.has("op") == table.has("opc")) {
            return table.error("opc", "and op: one of them is needed", "write exactly one");
        }
        Secret<16> opc = table.has("op") ? aka::opc_from_op(k, MTKEY_TRY(read_key(table, "op")))
                                         : MTKEY_TRY(read_key(table, "opc"));
        out = aka::milenage(std::move(k), std::move(opc));
    }
    MTKEY_CHECK(table.finish());
    return out;
}

Result<void> read_pins(ConfigTable& table, CardProfile& profile) {
    profile.pin = MTKEY_TRY(secret_text_or_none(table, "pin"));
    profile.pin_attempts =
        static_cast<unsigned>(MTKEY_TRY(table.number_or("pin_attempts", 3, 1, 15)));
    const auto add = [&](std::uint8_t reference, std::optional<SecretBytes> digits) {
        if (digits) {
            profile.more_pins.push_back({reference, std::move(*digits), profile.pin_attempts});
        }
    };
    add(kUniversalPin, MTKEY_TRY(secret_text_or_none(table, "universal_pin")));
    add(kAdm1, MTKEY_TRY(secret_text_or_none(table, "adm")));
    for (auto& pin : MTKEY_TRY(table.tables("pin_of_application"))) {
        const auto reference = MTKEY_TRY(pin.number_or("reference", 2, 2, 8));
        auto digits = MTKEY_TRY(secret_text_or_none(pin, "pin"));
        const auto attempts = MTKEY_TRY(pin.number_or("attempts", 3, 1, 15));
        MTKEY_CHECK(pin.finish());
        if (!digits) {
            return pin.error("pin", "is missing", "write 4 to 8 digits");
        }
        profile.more_pins.push_back({static_cast<std::uint8_t>(reference), std::move(*digits),
                                     static_cast<unsigned>(attempts)});
    }
    return {};
}

Result<void> read_sqn(ConfigTable& table, CardFile& out) {
    if (const auto octets = MTKEY_TRY(octets_or_none(table, "sqn", 6))) {
        out.sqn.emplace();
        std::ranges::copy(*octets, out.sqn->begin());
    }
    out.profile.sqn.ind_bits =
        static_cast<unsigned>(MTKEY_TRY(table.number_or("ind_bits", 5, 0, 8)));
    out.profile.sqn.limit =
        static_cast<std::uint64_t>(MTKEY_TRY(table.number_or("sqn_limit", 0, 0, INT64_MAX)));
    out.state = MTKEY_TRY(table.text_or("state", ""));
    if (!out.state.empty()) {
        out.state = table.resolve(out.state);
    }
    return {};
}

Result<CardFile> read(ConfigTable table) {
    CardFile out;
    auto& profile = out.profile;
    profile.sim = MTKEY_TRY(table.word_or("kind", "uicc", {"uicc", "sim"})) == "sim";
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
    profile.arr = MTKEY_TRY(table.flag_or("arr", false));
    profile.channels = static_cast<unsigned>(MTKEY_TRY(table.number_or("channels", 4, 1, 20)));
    MTKEY_CHECK(read_pins(table, profile));
    MTKEY_CHECK(read_sqn(table, out));
    ConfigTable gba_u = MTKEY_TRY(table.table("gba_u"));
    profile.gba_u.modify_mac = MTKEY_TRY(gba_u.flag_or("modify_mac", true));
    profile.gba_u.flip_res = MTKEY_TRY(gba_u.flag_or("flip_res", true));
    MTKEY_CHECK(gba_u.finish());
    if (table.has("key")) {
        out.algorithm = MTKEY_TRY(read_algorithm(MTKEY_TRY(table.table("key"))));
    }
    for (auto& application : MTKEY_TRY(table.tables("application"))) {
        profile.applications.push_back(
            MTKEY_TRY(read_application(std::move(application), profile)));
    }
    for (auto& file : MTKEY_TRY(table.tables("file"))) {
        profile.files.push_back(MTKEY_TRY(read_file_profile(std::move(file))));
    }
    for (auto& fault : MTKEY_TRY(table.tables("fault"))) {
        out.faults.push_back(MTKEY_TRY(read_fault(std::move(fault))));
    }
    profile.quirks = MTKEY_TRY(read_quirks(MTKEY_TRY(table.table("quirks"))));
    MTKEY_CHECK(table.finish());
    return out;
}

} // namespace

Result<CardFile> read_card_file(const std::string& path) {
    CardFile out = MTKEY_TRY(read(MTKEY_TRY(ConfigTable::load(path, Trust::Config))));
    if (out.algorithm) {
        MTKEY_CHECK(ConfigTable::load(path, Trust::Private));
    }
    return out;
}

Result<CardFile> parse_card_file(std::string_view text, const std::string& path) {
    return read(MTKEY_TRY(ConfigTable::parse(text, path)));
}

} // namespace mtkey::testbed
