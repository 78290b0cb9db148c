// SPDX-License-Identifier: Apache-2.0
#include "uicc/ber_tlv.hpp"

#include <cassert>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kUnused = 0xFF;
constexpr std::uint8_t kFiller = 0x00;
constexpr std::uint8_t kMoreTagOctets = 0x1F; // low bits of the first octet
constexpr std::uint8_t kContinued = 0x80;     // of a following tag octet
constexpr std::uint8_t kOneLengthOctet = 0x81;
constexpr std::uint8_t kTwoLengthOctets = 0x82;
} // namespace

Result<std::uint8_t> TlvReader::take() {
    if (rest_.empty()) {
        return fail(Errc::Malformed, "BER-TLV object cut short");
    }
    const auto octet = rest_.front();
    rest_ = rest_.subspan(1);
    return octet;
}

Result<std::uint32_t> TlvReader::take_tag() {
    std::uint32_t tag = MTKEY_TRY(take());
    if ((tag & kMoreTagOctets) != kMoreTagOctets) {
        return tag;
    }
    for (int more = 0; more < 2; ++more) {
        const auto octet = MTKEY_TRY(take());
        tag = tag << 8 | octet;
        if ((octet & kContinued) == 0) {
            return tag;
        }
    }
    return fail(Errc::Malformed, "BER-TLV tag of more than three octets");
}

Result<std::size_t> TlvReader::take_length() {
    const auto first = MTKEY_TRY(take());
    if (first < 0x80) {
        return first;
    }
    if (first != kOneLengthOctet && first != kTwoLengthOctets) {
        return fail(Errc::Malformed, "BER-TLV length form not in use on a UICC");
    }
    std::size_t length = MTKEY_TRY(take());
    if (first == kTwoLengthOctets) {
        length = length << 8 | MTKEY_TRY(take());
    }
    return length;
}

Result<std::optional<Tlv>> TlvReader::next() {
    while (!rest_.empty() && rest_.front() == kFiller) {
        rest_ = rest_.subspan(1);
    }
    if (rest_.empty() || rest_.front() == kUnused) {
        rest_ = {};
        return std::nullopt;
    }
    const auto read = [this]() -> Result<Tlv> {
        const auto tag = MTKEY_TRY(take_tag());
        const auto length = MTKEY_TRY(take_length());
        if (length > rest_.size()) {
            return fail(Errc::Malformed, "BER-TLV object longer than what holds it");
        }
        const Tlv object{tag, rest_.first(length)};
        rest_ = rest_.subspan(length);
        return object;
    };
    auto object = read();
    if (!object) {
        rest_ = {};
        return std::unexpected(std::move(object).error());
    }
    return *object;
}

Result<std::optional<ByteView>> find_tlv(ByteView octets, std::uint32_t tag) {
    TlvReader reader(octets);
    while (const auto object = MTKEY_TRY(reader.next())) {
        if (object->tag == tag) {
            return object->value;
        }
    }
    return std::nullopt;
}

void append_tlv(Bytes& out, std::uint32_t tag, ByteView value) {
    assert(tag <= 0xFFFFFF && value.size() <= 0xFFFF);
    if (tag > 0xFFFF) {
        out.push_back(static_cast<std::uint8_t>(tag >> 16));
    }
    if (tag > 0xFF) {
        out.push_back(static_cast<std::uint8_t>(tag >> 8 & 0xFF));
    }
    out.push_back(static_cast<std::uint8_t>(tag & 0xFF));
    if (value.size() > 0xFF) {
        out.push_back(kTwoLengthOctets);
        append_u16(out, value.size());
    } else {
        if (value.size() > 0x7F) {
            out.push_back(kOneLengthOctet);
        }
        out.push_back(static_cast<std::uint8_t>(value.size()));
    }
    append(out, value);
}

} // namespace mtkey::uicc
