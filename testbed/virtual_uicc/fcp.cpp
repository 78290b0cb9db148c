// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/fcp.hpp"

#include "uicc/ber_tlv.hpp"

namespace mtkey::testbed {
namespace {

using uicc::append_tlv;

constexpr std::uint8_t kReadRight = 0x01; // access mode of an EF (ISO/IEC 7816-4 clause 5.4.3.2)
constexpr std::uint8_t kUpdateRight = 0x02;
constexpr std::uint8_t kActivated = 0x05; // life cycle status
constexpr std::uint8_t kDeactivated = 0x04;
constexpr std::uint8_t kCreateRights = 0x06; // access mode of a DF: create EF, create DF

Bytes two_octets(std::size_t value) {
    Bytes out;
    append_u16(out, value);
    return out;
}

/// Access mode and security condition data objects of the expanded format.
void append_rule(Bytes& rules, std::uint8_t mode, Access access, std::uint8_t pin) {
    append_tlv(rules, 0x80, Bytes{mode});
    switch (access) {
    case Access::Always:
        append_tlv(rules, 0x90, {});
        break;
    case Access::Pin:
        append_tlv(rules, 0xA4, Bytes{0x83, 0x01, pin, 0x95, 0x01, 0x08}); // verification
        break;
    case Access::Adm:
        append_tlv(rules, 0xA4, Bytes{0x83, 0x01, kAdm1, 0x95, 0x01, 0x08});
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

Bytes access_rules(Access read, Access update, std::uint8_t pin) {
    Bytes rules;
    append_rule(rules, kReadRight, read, pin);
    append_rule(rules, kUpdateRight, update, pin);
    return rules;
}

Bytes fcp_of(const ElementaryFile& file, std::uint8_t pin_reference) {
    Bytes descriptor{0x41, 0x21};
    if (file.has_records()) {
        descriptor = {0x42, 0x21};
        append_u16(descriptor, file.record_length);
        descriptor.push_back(static_cast<std::uint8_t>(file.records()));
    }
    Bytes objects;
    append_tlv(objects, 0x82, descriptor);
    append_tlv(objects, 0x83, two_octets(file.fid));
    append_tlv(objects, 0x8A, Bytes{file.deactivated ? kDeactivated : kActivated});
    if (file.arr_record != 0) {
        const std::uint16_t arr = (file.fid & 0xFF00) == 0x2F00 ? kEfArrOfMf : kEfArrOfAdf;
        Bytes reference = two_octets(arr);
        reference.push_back(file.arr_record);
        append_tlv(objects, 0x8B, reference);
    } else {
        append_tlv(objects, 0xAB, access_rules(file.read, file.update, pin_reference));
    }
    append_tlv(objects, 0x80, two_octets(file.content.size()));
    append_tlv(objects, 0x88,
               file.sfi == 0 ? Bytes{} : Bytes{static_cast<std::uint8_t>(file.sfi << 3)});
    return in_template(objects);
}

Bytes fcp_of(const Directory& directory) {
    Bytes rules;
    append_rule(rules, kCreateRights, Access::Never, directory.pin_reference);
    // A bit for each key reference, from the most significant one (clause 9.5.2).
    std::uint8_t states = directory.pin_enabled ? 0x80 : 0x00;
    Bytes pins{0x83, 0x01, directory.pin_reference};
    if (directory.universal_pin) {
        states |= 0x40;
        // Usage qualifier: used where it replaces the application's PIN.
        append(pins, Bytes{0x95, 0x01, static_cast<std::uint8_t>(directory.pin_enabled ? 0 : 8),
                           0x83, 0x01, kUniversalPin});
    }
    Bytes pin_status{0x90, 0x01, states};
    append(pin_status, pins);
    Bytes objects;
    append_tlv(objects, 0x82, Bytes{0x78, 0x21});
    append_tlv(objects, 0x83, two_octets(directory.fid));
    if (!directory.aid.empty()) {
        append_tlv(objects, 0x84, directory.aid);
    }
    append_tlv(objects, 0xA5,
               Bytes{0x80, 0x01, 0x71}); // UICC characteristics: clock stop, no preference
    append_tlv(objects, 0x8A, Bytes{kActivated});
    append_tlv(objects, 0xAB, rules);
    append_tlv(objects, 0xC6, pin_status);
    return in_template(objects);
}

} // namespace mtkey::testbed
