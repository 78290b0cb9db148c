// SPDX-License-Identifier: Apache-2.0
#include "uicc/ber_tlv.hpp"
#include "uicc/ef_parsers.hpp"

namespace mtkey::uicc {
namespace {
constexpr std::uint32_t kFcpTemplate = 0x62;
constexpr std::uint8_t kUniversalPin = 0x11;
constexpr std::size_t kMostPins = 32; // bits of a longer PS_DO would name nothing

Result<std::size_t> number(ByteView octets) {
    if (octets.empty() || octets.size() > 4) {
        return fail(Errc::Malformed, "FCP number of " + std::to_string(octets.size()) + " octets");
    }
    std::size_t value = 0;
    for (const auto octet : octets) {
        value = value << 8 | octet;
    }
    return value;
}

/// Tag 82 (TS 102 221 clause 11.1.1.4.3): descriptor, coding, then record length and count of files
/// with records.
Result<void> read_descriptor(ByteView value, Fcp& fcp) {
    if (value.empty()) {
        return fail(Errc::Malformed, "FCP with an empty file descriptor");
    }
    const auto descriptor = value[0];
    if ((descriptor & 0x38) == 0x38) {
        fcp.structure =
            (descriptor & 0x07) == 0 ? Fcp::Structure::Directory : Fcp::Structure::Unknown;
        return {};
    }
    switch (descriptor & 0x07) {
    case 1:
        fcp.structure = Fcp::Structure::Transparent;
        return {};
    case 2:
        fcp.structure = Fcp::Structure::LinearFixed;
        break;
    case 6:
        fcp.structure = Fcp::Structure::Cyclic;
        break;
    default:
        return {};
    }
    if (value.size() < 5) {
        return {}; // old cards: READ RECORD tells the length by 6Cxx and the count by 6A83
    }
    fcp.record_length = MTKEY_TRY(number(value.subspan(2, 2)));
    fcp.record_count = value[4];
    return {};
}

/// Tag C6: a bitmap (90), the most significant bit of which is the first key reference (83), and so
/// on. A usage qualifier (95) stands only at the universal PIN; without one it counts as in use,
/// which costs a question at most.
Result<void> read_pin_status(ByteView value, Fcp& fcp) {
    ByteView bitmap;
    TlvReader reader(value);
    while (const auto object = MTKEY_TRY(reader.next())) {
        if (object->tag == 0x90) {
            bitmap = object->value;
        } else if (object->tag == 0x95 && !object->value.empty()) {
            fcp.universal_pin_in_use = (object->value[0] & 0x08) != 0;
        } else if (object->tag == 0x83) {
            const auto index = fcp.pins.size();
            if (object->value.size() != 1 || index == kMostPins) {
                return fail(Errc::Malformed, "FCP with key references that make no sense");
            }
            fcp.pins.push_back({object->value[0], false});
        }
    }
    if (fcp.pins.size() > bitmap.size() * 8) {
        return fail(Errc::Malformed, "FCP with more key references than PIN states");
    }
    for (std::size_t i = 0; i < fcp.pins.size(); ++i) {
        fcp.pins[i].enabled = (bitmap[i / 8] >> (7 - i % 8) & 1) != 0;
    }
    fcp.has_pin_status = true;
    return {};
}
} // namespace

Result<Fcp> parse_fcp(ByteView octets) {
    const auto content = MTKEY_TRY(find_tlv(octets, kFcpTemplate));
    if (!content) {
        return fail(Errc::Malformed, "answer to SELECT without FCP");
    }
    Fcp fcp;
    TlvReader reader(*content);
    while (const auto object = MTKEY_TRY(reader.next())) {
        switch (object->tag) {
        case 0x80:
            fcp.file_size = MTKEY_TRY(number(object->value));
            break;
        case 0x81:
            fcp.total_size = MTKEY_TRY(number(object->value));
            break;
        case 0x84:
            fcp.df_name.assign(object->value.begin(), object->value.end());
            break;
        case 0x82:
            MTKEY_CHECK(read_descriptor(object->value, fcp));
            break;
        case 0xC6:
            if (!fcp.has_pin_status) {
                MTKEY_CHECK(read_pin_status(object->value, fcp));
            }
            break;
        default:
            break;
        }
    }
    return fcp;
}

std::optional<std::uint8_t> required_pin(const Fcp& fcp) {
    for (const auto& pin : fcp.pins) {
        if (pin.enabled && pin.reference >= 0x01 && pin.reference <= 0x08) {
            return pin.reference;
        }
    }
    for (const auto& pin : fcp.pins) {
        if (pin.enabled && pin.reference == kUniversalPin && fcp.universal_pin_in_use) {
            return pin.reference;
        }
    }
    return std::nullopt;
}

} // namespace mtkey::uicc
