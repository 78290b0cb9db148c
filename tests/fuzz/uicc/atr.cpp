// SPDX-License-Identifier: Apache-2.0
// Answers to reset of any octets.
#include "uicc/atr.hpp"

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

/// Written anew from its parts it is the same, up to TCK.
void check_parts(const Atr& atr, ByteView octets) {
    Bytes written{atr.inverse ? std::uint8_t{0x3F} : std::uint8_t{0x3B}, octets[1]};
    for (const auto& octet : atr.interface_octets) {
        require(octet.letter >= 'A' && octet.letter <= 'D' && octet.index >= 1);
        require(!octet.name().empty());
        written.push_back(octet.value);
    }
    append(written, atr.historical);
    const bool checked = atr.check == Atr::Check::Right || atr.check == Atr::Check::Wrong;
    require(written.size() + (checked ? 1 : 0) == octets.size());
    require(std::ranges::equal(written, octets.first(written.size())));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView octets(data, size);
    const auto atr = parse_atr(octets);
    if (!atr) {
        require(atr.error().code == Errc::Malformed);
        return 0;
    }
    require(size >= 2 && size <= 33 && (octets[1] & 0x0F) == atr->historical.size());
    check_parts(*atr, octets);
    require(!atr->protocols.empty() && atr->protocols.size() <= 15 && !atr->offers(15));
    require((atr->check == Atr::Check::NotWanted) <= (atr->protocols == Bytes{0}));
    require(atr->crc.has_value() == atr->offers(1));
    if (atr->capabilities) {
        require(atr->capabilities->logical_channels >= 1 &&
                atr->capabilities->logical_channels <= 8);
    }
    return 0;
}
