// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/fcp.hpp"

#include "uicc/ber_tlv.hpp"

namespace mtkey::testbed {
namespace {

using uicc::append_tlv;

constexpr std::uint8_t kReadRight = 0x01; // access mode of an EF (ISO/IEC 7816-4 clause 5.4.3.2)
constexpr std::uint8_t kUpdateRight = 0x02;
constexpr std::uint8_t kCreateRights = 0x06; // access mode of a DF: create EF, create DF

Bytes two_octets(std::size_t value) {
    Bytes out;
    append_u16(out, value);
    return out;
}

/// Access mode and security condition data objects of the expanded format.
void append_rule(Bytes& rules, std::uint8_t mode, Access access) {
    append_tlv(rules, 0x80, Bytes{mode});
    switch (access) {
    case Access::Always:
        append_tlv(rules, 0x90, {});
        break;
    case Access::Pin:
        append_tlv(rules, 0xA4, Bytes{0x83, 0x01, 0x01, 0x95, 0x01, 0x08}); // PIN1, verification
        break;
    case Access::Never:
        append_tlv(rules, 0x97, {});
        break;
    }
}

Bytes in_template(const Bytes& objects) {
    Bytes out;
    append_tlv(out, 0x62, objects);
    return out;
}

} // namespace

Bytes fcp_of(const ElementaryFile& file) {
    Bytes descriptor{0x41, 0x21};
    if (file.has_records()) {
        descriptor = {0x42, 0x21};
        append_u16(descriptor, file.record_length);
        descriptor.push_back(static_cast<std::uint8_t>(file.records()));
    }
    Bytes rules;
    append_rule(rules, kReadRight, file.read);
    append_rule(rules, kUpdateRight, file.update);
    Bytes objects;
    append_tlv(objects, 0x82, descriptor);
    append_tlv(objects, 0x83, two_octets(file.fid));
    append_tlv(objects, 0x8A, Bytes{0x05}); // operational, activated
    append_tlv(objects, 0xAB, rules);
    append_tlv(objects, 0x80, two_octets(file.content.size()));
    append_tlv(objects, 0x88,
               file.sfi == 0 ? Bytes{} : Bytes{static_cast<std::uint8_t>(file.sfi << 3)});
    return in_template(objects);
}

Bytes fcp_of(const Directory& directory) {
    Bytes rules;
    append_rule(rules, kCreateRights, Access::Never);
    const std::uint8_t pin_states = directory.pin_enabled ? 0x80 : 0x00;
    Bytes objects;
    append_tlv(objects, 0x82, Bytes{0x78, 0x21});
    append_tlv(objects, 0x83, two_octets(directory.fid));
    if (!directory.aid.empty()) {
        append_tlv(objects, 0x84, directory.aid);
    }
    append_tlv(objects, 0xA5,
               Bytes{0x80, 0x01, 0x71}); // UICC characteristics: clock stop, no preference
    append_tlv(objects, 0x8A, Bytes{0x05});
    append_tlv(objects, 0xAB, rules);
    append_tlv(objects, 0xC6, Bytes{0x90, 0x01, pin_states, 0x83, 0x01, 0x01});
    return in_template(objects);
}

} // namespace mtkey::testbed
