// SPDX-License-Identifier: Apache-2.0
#include "uicc/atr.hpp"

#include <algorithm>
#include <array>

namespace mtkey::uicc {
namespace {
constexpr std::size_t kLongestAtr = 33; // TS and 32 more
constexpr std::uint8_t kDirect = 0x3B;
constexpr std::uint8_t kInverse = 0x3F;
constexpr std::uint8_t kGlobal = 15;
constexpr std::uint8_t kWithStatus = 0x00; // category indicators (ISO/IEC 7816-4 clause 12.1.1.2)
constexpr std::uint8_t kTlvOnly = 0x80;
constexpr std::uint8_t kCapabilitiesTag = 7;

// ISO/IEC 7816-3 tables 7 and 8; 0 = reserved.
constexpr std::array<unsigned, 16> kClockDividers{372, 372, 558, 744,  1116, 1488, 1860, 0,
                                                  0,   512, 768, 1024, 1536, 2048, 0,    0};
constexpr std::array<unsigned, 16> kBaudDividers{0,  1,  2, 4, 8, 16, 32, 64,
                                                 12, 20, 0, 0, 0, 0,  0,  0};

class Reader {
public:
    explicit Reader(ByteView rest) : rest_(rest) {}
    Result<std::uint8_t> next() {
        if (rest_.empty()) {
            return fail(Errc::Malformed, "ATR cut short");
        }
        const auto octet = rest_.front();
        rest_ = rest_.subspan(1);
        return octet;
    }
    Result<ByteView> take(std::size_t count) {
        if (count > rest_.size()) {
            return fail(Errc::Malformed, "ATR cut short");
        }
        const auto out = rest_.first(count);
        rest_ = rest_.subspan(count);
        return out;
    }
    [[nodiscard]] std::size_t left() const { return rest_.size(); }

private:
    ByteView rest_;
};

/// TA1, TB1, TC1, TD1, TA2, ...: the upper half of T0 and of each TD says which of the next follow.
Result<void> read_interface(Reader& reader, std::uint8_t t0, Atr& atr) {
    std::uint8_t present = t0 >> 4;
    std::optional<std::uint8_t> protocol;
    for (unsigned index = 1; present != 0; ++index) {
        // TA1, TB1, TC1, TA2 and TB2 are global; TC2 is about T=0 whatever TD1 says.
        std::optional<std::uint8_t> about = index <= 2 ? std::nullopt : protocol;
        std::uint8_t next_present = 0;
        for (unsigned bit = 0; bit < 4; ++bit) {
            if ((present >> bit & 1) == 0) {
                continue;
            }
            const auto value = MTKEY_TRY(reader.next());
            const auto letter = static_cast<char>('A' + static_cast<int>(bit));
            if (letter == 'C' && index == 2) {
                about = std::uint8_t{0};
            }
            if (letter == 'D') {
                about.reset();
                protocol = value & 0x0F;
                next_present = value >> 4;
                if (*protocol != kGlobal && !atr.offers(*protocol)) {
                    atr.protocols.push_back(*protocol);
                }
            }
            atr.interface_octets.push_back({letter, index, value, about});
        }
        present = next_present;
    }
    return {};
}

/// The first one of this kind about this protocol, behind index 2.
const InterfaceOctet* find(const Atr& atr, char letter, std::uint8_t protocol) {
    const auto found = std::ranges::find_if(atr.interface_octets, [&](const InterfaceOctet& octet) {
        return octet.index > 2 && octet.letter == letter && octet.protocol == protocol;
    });
    return found == atr.interface_octets.end() ? nullptr : &*found;
}
const InterfaceOctet* at(const Atr& atr, char letter, unsigned index) {
    const auto found = std::ranges::find_if(atr.interface_octets, [&](const InterfaceOctet& octet) {
        return octet.index == index && octet.letter == letter;
    });
    return found == atr.interface_octets.end() ? nullptr : &*found;
}

void interpret(Atr& atr) {
    if (const auto* ta1 = at(atr, 'A', 1)) {
        atr.clock_divider = kClockDividers[ta1->value >> 4];
        atr.baud_divider = kBaudDividers[ta1->value & 0x0F];
    }
    if (const auto* tc1 = at(atr, 'C', 1)) {
        atr.extra_guard_time = tc1->value;
    }
    if (const auto* ta2 = at(atr, 'A', 2)) {
        atr.specific_protocol = ta2->value & 0x0F;
    }
    if (const auto* tc2 = at(atr, 'C', 2)) {
        atr.waiting_integer = tc2->value;
    }
    if (const auto* ifsc = find(atr, 'A', 1)) {
        atr.information_field = ifsc->value;
    }
    if (atr.offers(1)) {
        const auto* check = find(atr, 'C', 1);
        atr.crc = check != nullptr && (check->value & 1) != 0;
    }
    if (const auto* classes = find(atr, 'A', kGlobal)) {
        constexpr std::array kNames{"5 V", "3 V", "1.8 V"}; // class A, B, C
        for (std::size_t i = 0; i < kNames.size(); ++i) {
            if ((classes->value >> i & 1) != 0) {
                atr.voltages.emplace_back(kNames[i]);
            }
        }
    }
}

CardCapabilities capabilities_of(ByteView value) {
    CardCapabilities out;
    const auto first = value[0];
    out.select_by_full_name = (first & 0x80) != 0;
    out.select_by_partial_name = (first & 0x40) != 0;
    out.select_by_path = (first & 0x20) != 0;
    out.select_by_identifier = (first & 0x10) != 0;
    out.short_identifiers = (first & 0x04) != 0;
    out.records = (first & 0x02) != 0;
    if (value.size() == 3) {
        const auto third = value[2];
        out.command_chaining = (third & 0x80) != 0;
        out.extended_length = (third & 0x40) != 0;
        // None assigned at all is one channel too; 7 stands for eight or more.
        out.logical_channels = (third & 0x18) == 0 ? 1 : (third & 0x07) + 1U;
    }
    return out;
}

/// Compact TLV: tag and length share an octet. What makes no sense there makes no ATR wrong.
std::optional<CardCapabilities> find_capabilities(ByteView historical) {
    if (historical.empty()) {
        return std::nullopt;
    }
    auto objects = historical.subspan(1);
    if (historical[0] == kWithStatus && objects.size() >= 3) {
        objects = objects.first(objects.size() - 3);
    } else if (historical[0] != kTlvOnly) {
        return std::nullopt;
    }
    while (!objects.empty()) {
        const std::size_t length = objects[0] & 0x0F;
        if (length > objects.size() - 1) {
            return std::nullopt;
        }
        if (objects[0] >> 4 == kCapabilitiesTag && length >= 1 && length <= 3) {
            return capabilities_of(objects.subspan(1, length));
        }
        objects = objects.subspan(1 + length);
    }
    return std::nullopt;
}

bool wants_check(const Atr& atr) {
    return std::ranges::any_of(atr.interface_octets, [](const InterfaceOctet& octet) {
        return octet.letter == 'D' && (octet.value & 0x0F) != 0;
    });
}
} // namespace

std::string InterfaceOctet::name() const {
    return std::string("T") + letter + std::to_string(index);
}

bool Atr::offers(std::uint8_t protocol) const {
    return std::ranges::find(protocols, protocol) != protocols.end();
}

Result<Atr> parse_atr(ByteView octets) {
    if (octets.size() > kLongestAtr) {
        return fail(Errc::Malformed, "ATR of more than 33 octets");
    }
    Reader reader(octets);
    Atr atr;
    const auto ts = MTKEY_TRY(reader.next());
    if (ts != kDirect && ts != kInverse) {
        return fail(Errc::Malformed, "ATR that begins with neither 3B nor 3F");
    }
    atr.inverse = ts == kInverse;
    const auto t0 = MTKEY_TRY(reader.next());
    MTKEY_CHECK(read_interface(reader, t0, atr));
    if (atr.protocols.empty()) {
        atr.protocols.push_back(0);
    }
    const auto historical = MTKEY_TRY(reader.take(t0 & 0x0F));
    atr.historical.assign(historical.begin(), historical.end());
    if (wants_check(atr)) {
        std::uint8_t sum = 0;
        for (const auto octet : octets.subspan(1)) {
            sum ^= octet;
        }
        atr.check = reader.left() == 0 ? Atr::Check::Missing
                    : sum == 0         ? Atr::Check::Right
                                       : Atr::Check::Wrong;
        if (reader.left() != 0) {
            (void)reader.next();
        }
    }
    if (reader.left() != 0) {
        return fail(Errc::Malformed, "ATR with octets behind its end");
    }
    interpret(atr);
    atr.capabilities = find_capabilities(atr.historical);
    return atr;
}

} // namespace mtkey::uicc
