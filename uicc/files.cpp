// SPDX-License-Identifier: Apache-2.0
#include "uicc/files.hpp"

#include "uicc/status.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kSelect = 0xA4;
constexpr std::uint8_t kReadBinary = 0xB0;
constexpr std::uint8_t kReadRecord = 0xB2;
constexpr std::uint8_t kByIdentifier = 0x00;
constexpr std::uint8_t kByName = 0x04;
constexpr std::uint8_t kByPathFromMf = 0x08;
constexpr std::uint8_t kReturnFcp = 0x04;
constexpr std::uint8_t kReturnNothing = 0x0C;
constexpr std::uint8_t kAbsoluteRecord = 0x04;
constexpr std::size_t kLongestFile = 4096;
constexpr std::size_t kChunk = 255;
constexpr std::uint16_t kAnyLength = 256;

std::string file_name(std::uint16_t file) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "EF %04X", file);
    return text.data();
}

Result<ResponseApdu> select(CardChannel& card, Under under, std::uint16_t file, std::uint8_t p2) {
    const std::array<std::uint8_t, 2> identifier{static_cast<std::uint8_t>(file >> 8),
                                                 static_cast<std::uint8_t>(file & 0xFF)};
    CommandApdu command;
    command.ins = kSelect;
    command.p1 = under == Under::MasterFile ? kByPathFromMf : kByIdentifier;
    command.p2 = p2;
    command.data = SecretBytes(ByteView(identifier));
    if (p2 == kReturnFcp) {
        command.le = kAnyLength;
    }
    return card.transmit(command);
}

/// Both are success: 62 83 (deactivated) is none.
Result<bool> selected(const ResponseApdu& response, std::uint16_t file) {
    if (response.ok()) {
        return true;
    }
    if (response.sw == sw::kFileNotFound) {
        return false;
    }
    return status_error(response.sw, "SELECT " + file_name(file));
}

/// Some cards tell nothing but the total size (tag 81: an upper bound), some a size that is too
/// large: the end of the file is what READ BINARY says.
Result<Bytes> read_selected(CardChannel& card, std::uint16_t file, const Fcp& fcp) {
    const bool exact = fcp.file_size.has_value();
    const auto told = exact ? fcp.file_size : fcp.total_size;
    const auto wanted = std::min(told.value_or(kLongestFile), kLongestFile);
    Bytes content;
    while (content.size() < wanted) {
        CommandApdu command;
        command.ins = kReadBinary;
        command.p1 = static_cast<std::uint8_t>(content.size() >> 8);
        command.p2 = static_cast<std::uint8_t>(content.size() & 0xFF);
        command.le = exact ? static_cast<std::uint16_t>(std::min(wanted - content.size(), kChunk))
                           : kAnyLength;
        const auto response = MTKEY_TRY(card.transmit(command));
        if (response.sw == sw::kWrongOffset && !content.empty()) {
            break;
        }
        if (!response.ok() && response.sw != sw::kEndOfFile) {
            return status_error(response.sw, "READ BINARY " + file_name(file));
        }
        append(content, response.data.reveal());
        if (exact && response.ok() && content.empty()) {
            // The FCP has told of octets. As an empty service table it would pass for a card
            // without GBA.
            return fail(Errc::CardFailed, file_name(file) + ": no octets", response.sw);
        }
        if (content.size() > kLongestFile) {
            return fail(Errc::CardFailed, file_name(file) + " is too long", response.sw);
        }
        // A card that gives nothing and calls it success must not keep us here.
        if (response.sw == sw::kEndOfFile || response.data.empty() ||
            (!exact && response.data.size() < kAnyLength)) {
            break;
        }
    }
    return content;
}
} // namespace

std::unexpected<Error> status_error(std::uint16_t sw, std::string what) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), " answered %04X", sw);
    return fail(sw == sw::kSecurityNotSatisfied ? Errc::PinRequired : Errc::CardFailed,
                what + text.data(), sw);
}

Result<ResponseApdu> select_aid(CardChannel& card, ByteView aid, bool want_fcp) {
    if (aid.size() < 5 || aid.size() > 16) {
        return fail(Errc::InvalidArgument, "an AID has 5 to 16 octets");
    }
    CommandApdu command;
    command.ins = kSelect;
    command.p1 = kByName;
    command.p2 = want_fcp ? kReturnFcp : kReturnNothing;
    command.data = SecretBytes(aid);
    if (want_fcp) {
        command.le = kAnyLength;
    }
    auto response = MTKEY_TRY(card.transmit(command));
    if (!response.ok()) {
        return status_error(response.sw, "SELECT of the application");
    }
    return response;
}

Result<std::optional<Fcp>> select_file(CardChannel& card, Under under, std::uint16_t file) {
    const auto response = MTKEY_TRY(select(card, under, file, kReturnFcp));
    if (!MTKEY_TRY(selected(response, file))) {
        return std::nullopt;
    }
    if (response.data.empty()) {
        return Fcp{};
    }
    auto fcp = parse_fcp(response.data.reveal());
    if (!fcp) {
        return fail(Errc::CardFailed, file_name(file) + ": " + fcp.error().context, response.sw);
    }
    return std::move(*fcp);
}

Result<bool> select_file_quietly(CardChannel& card, Under under, std::uint16_t file) {
    return selected(MTKEY_TRY(select(card, under, file, kReturnNothing)), file);
}

Result<std::optional<Bytes>> read_transparent(CardChannel& card, Under under, std::uint16_t file) {
    const auto fcp = MTKEY_TRY(select_file(card, under, file));
    if (!fcp) {
        return std::nullopt;
    }
    return MTKEY_TRY(read_selected(card, file, *fcp));
}

Result<std::optional<std::vector<Bytes>>> read_records(CardChannel& card, Under under,
                                                       std::uint16_t file, unsigned limit) {
    const auto fcp = MTKEY_TRY(select_file(card, under, file));
    if (!fcp) {
        return std::nullopt;
    }
    // Absolute record numbers end at FE.
    limit = std::min(limit, 254U);
    if (fcp->record_count != 0) {
        limit =
            std::min(limit, static_cast<unsigned>(std::min<std::size_t>(fcp->record_count, limit)));
    }
    const bool length_known = fcp->record_length >= 1 && fcp->record_length <= 255;
    std::vector<Bytes> records;
    for (unsigned number = 1; number <= limit; ++number) {
        CommandApdu command;
        command.ins = kReadRecord;
        command.p1 = static_cast<std::uint8_t>(number);
        command.p2 = kAbsoluteRecord;
        command.le = length_known ? static_cast<std::uint16_t>(fcp->record_length) : kAnyLength;
        const auto response = MTKEY_TRY(card.transmit(command));
        if (response.sw == sw::kRecordNotFound) {
            break;
        }
        if (!response.ok() && response.sw != sw::kEndOfFile) {
            return status_error(response.sw, "READ RECORD " + file_name(file));
        }
        if (response.data.empty()) {
            return fail(Errc::CardFailed, "READ RECORD " + file_name(file) + " gave nothing",
                        response.sw);
        }
        const auto octets = response.data.reveal();
        records.emplace_back(octets.begin(), octets.end());
    }
    return records;
}

} // namespace mtkey::uicc
