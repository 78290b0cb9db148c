// SPDX-License-Identifier: Apache-2.0
// BER-TLV, FCP and command APDUs out of any octets.
#include "uicc/apdu.hpp"
#include "uicc/ber_tlv.hpp"
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

/// Objects lie inside the octets, one behind the other; written anew they say the same.
void check_tlv(ByteView octets) {
    TlvReader reader(octets);
    const std::uint8_t* after = octets.data();
    while (true) {
        const auto object = reader.next();
        if (!object || !*object) {
            const auto again = reader.next();
            require(again && !*again);
            return;
        }
        const auto value = (*object)->value;
        require(value.data() >= after &&
                value.data() + value.size() <= octets.data() + octets.size());
        after = value.data() + value.size();
        Bytes written;
        append_tlv(written, (*object)->tag, value);
        const auto found = find_tlv(written, (*object)->tag);
        require(found && *found && std::ranges::equal(**found, value));
    }
}

void check_fcp(ByteView octets) {
    const auto fcp = parse_fcp(octets);
    if (!fcp) {
        return;
    }
    require(fcp->record_length <= 0xFFFF && fcp->record_count <= 0xFF && fcp->pins.size() <= 32);
    require(fcp->df_name.size() <= octets.size());
    if (const auto reference = required_pin(*fcp)) {
        require((*reference >= 1 && *reference <= 8) || *reference == 0x11);
        require(std::ranges::any_of(fcp->pins, [&](const PinStatus& pin) {
            return pin.reference == *reference && pin.enabled;
        }));
    }
}

void check_command(ByteView octets) {
    if (const auto command = parse_command(octets)) {
        const auto again = command->encode();
        require(std::ranges::equal(again.reveal(), octets));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView octets(data, size);
    check_tlv(octets);
    check_fcp(octets);
    check_command(octets);
    return 0;
}
