// SPDX-License-Identifier: Apache-2.0
// Contents of the files in use.
#include "uicc/ef_parsers.hpp"

#include <algorithm>
#include <cstdlib>

using namespace mtkey;
using namespace mtkey::uicc;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
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
    return 0;
}
