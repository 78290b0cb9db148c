// SPDX-License-Identifier: Apache-2.0
// Contents of the files in use.
#include "uicc/ef_parsers.hpp"
#include "uicc/gba_files.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>

using namespace mtkey;
using namespace mtkey::uicc;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

void check_gba_files(ByteView octets) {
    if (const auto gbabp = parse_gbabp(octets); gbabp && *gbabp) {
        require(octets.size() >= 17 && octets[0] == 16);
        require(std::ranges::equal((*gbabp)->rand, octets.subspan(1, 16)));
        const auto& [rand, b_tid, lifetime] = **gbabp;
        require(is_printable(b_tid) && b_tid.size() <= 254 && lifetime.size() <= 254);
        require(17 + b_tid.size() + lifetime.size() <= octets.size());
        require(!b_tid.empty() || lifetime.empty());
        // What fits is what a file of this size holds.
        if (!b_tid.empty() && !lifetime.empty() && 2 + b_tid.size() + lifetime.size() <= 255) {
            require(fits_gbabp(octets.size(), b_tid, lifetime));
        }
    }
    if (const auto entry = parse_gbanl_record(octets); entry && *entry) {
        require((*entry)->naf_id.size() > 5 && is_printable((*entry)->b_tid));
        require((*entry)->naf_id.size() + (*entry)->b_tid.size() + 4 <= octets.size());
    }
    if (const auto name = parse_ims_name(octets)) {
        require(!name->empty() && name->size() <= 255 && is_printable(*name));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView octets(data, size);
    if (const auto entry = parse_dir_record(octets); entry && *entry) {
        require((*entry)->aid.size() >= 5 && (*entry)->aid.size() <= 16 &&
                (*entry)->label.size() <= size);
        require((*entry)->kind == DirEntry::Kind::Other || (*entry)->aid.size() >= 7);
    }
    if (const auto iccid = parse_iccid(octets)) {
        require(iccid->size() >= 10 && iccid->size() <= 20);
    }
    if (const auto imsi = parse_imsi(octets)) {
        require(imsi->size() >= 6 && imsi->size() <= 15);
        require(std::ranges::all_of(*imsi, [](char c) { return c >= '0' && c <= '9'; }));
        const auto length = mnc_length_of_country(*imsi);
        require(!length || *length == 3);
    }
    if (const auto length = parse_mnc_length(octets)) {
        require(*length == 2 || *length == 3);
    }
    unsigned services = 0;
    for (unsigned service = 0; service <= 300; ++service) {
        services += service_available(octets, service) ? 1 : 0;
    }
    require(services <= size * 8);
    if (const auto fqdn = parse_nafkca_record(octets); fqdn && *fqdn) {
        require(!(*fqdn)->empty() && (*fqdn)->size() <= 253 &&
                (*fqdn)->find('\0') == std::string::npos);
    }
    check_gba_files(octets);
    return 0;
}
