// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/file_access.hpp"

#include "uicc/status.hpp"

#include <algorithm>

namespace mtkey::tools {
namespace {
constexpr std::uint8_t kSelect = 0xA4;
constexpr std::uint8_t kReadBinary = 0xB0;
constexpr std::uint8_t kReadRecord = 0xB2;
constexpr std::size_t kLongestFile = 0x8000; // READ BINARY has 15 bits for the offset
constexpr std::size_t kChunk = 255;
constexpr std::array<std::uint8_t, 2> kMasterFile{0x3F, 0x00};

Result<Selected> select(uicc::CardChannel& card, std::uint8_t p1, ByteView data) {
    uicc::CommandApdu command;
    command.ins = kSelect;
    command.p1 = p1;
    command.p2 = 0x04; // with its FCP
    command.data = SecretBytes(data);
    command.le = 256;
    const auto response = MTKEY_TRY(card.transmit(command));
    const auto octets = response.data.reveal();
    Selected selected{response.sw, {octets.begin(), octets.end()}, {}};
    if (auto fcp = uicc::parse_fcp(octets)) {
        selected.fcp = *std::move(fcp);
    }
    return selected;
}

Result<uicc::ResponseApdu> read(uicc::CardChannel& card, std::uint8_t ins, std::uint8_t p1,
                                std::uint8_t p2, std::size_t le) {
    uicc::CommandApdu command;
    command.ins = ins;
    command.p1 = p1;
    command.p2 = p2;
    command.le = static_cast<std::uint16_t>(le);
    return card.transmit(command);
}

Result<Bytes> read_transparent(uicc::CardChannel& card, const uicc::Fcp& fcp,
                               const std::string& name) {
    const auto size = std::min(fcp.file_size.value_or(kChunk), kLongestFile);
    Bytes content;
    while (content.size() < size) {
        const auto offset = content.size();
        const auto response = MTKEY_TRY(
            read(card, kReadBinary, static_cast<std::uint8_t>(offset >> 8),
                 static_cast<std::uint8_t>(offset & 0xFF), std::min(kChunk, size - offset)));
        if (!response.ok() && response.sw != uicc::sw::kEndOfFile) {
            return uicc::status_error(response.sw, "READ BINARY " + name);
        }
        append(content, response.data.reveal());
        if (response.data.empty() || response.sw == uicc::sw::kEndOfFile) {
            break;
        }
    }
    return content;
}

Result<std::vector<Bytes>> read_all_records(uicc::CardChannel& card, const uicc::Fcp& fcp,
                                            const std::string& name) {
    constexpr std::size_t kMostRecords = 254;
    const auto count =
        fcp.record_count == 0 ? kMostRecords : std::min(fcp.record_count, kMostRecords);
    const auto length =
        fcp.record_length >= 1 && fcp.record_length <= 256 ? fcp.record_length : 256;
    std::vector<Bytes> records;
    for (std::size_t number = 1; number <= count; ++number) {
        const auto response =
            MTKEY_TRY(read(card, kReadRecord, static_cast<std::uint8_t>(number), 0x04, length));
        if (response.sw == uicc::sw::kRecordNotFound) {
            break;
        }
        if (!response.ok() && response.sw != uicc::sw::kEndOfFile) {
            return uicc::status_error(response.sw, "READ RECORD " + name);
        }
        const auto octets = response.data.reveal();
        records.emplace_back(octets.begin(), octets.end());
    }
    return records;
}
} // namespace

bool Selected::found() const {
    return sw == 0x9000 || (sw >> 8) == 0x91;
}

Result<Selected> select_path(uicc::CardChannel& card, ByteView path) {
    if (path.size() < 2 || path.size() > 16 || path.size() % 2 != 0) {
        return fail(Errc::InvalidArgument, "a path has 1 to 8 file identifiers of four digits");
    }
    if (std::ranges::equal(path.first(2), kMasterFile)) {
        return path.size() == 2 ? select(card, 0x00, path) : select(card, 0x08, path.subspan(2));
    }
    return select(card, path.size() == 2 ? 0x00 : 0x09, path);
}

Result<Selected> select_aid(uicc::CardChannel& card, ByteView aid) {
    return select(card, 0x04, aid);
}

Result<std::vector<Bytes>> read_selected(uicc::CardChannel& card, const uicc::Fcp& fcp,
                                         const std::string& name) {
    using Structure = uicc::Fcp::Structure;
    if (fcp.structure == Structure::LinearFixed || fcp.structure == Structure::Cyclic) {
        return read_all_records(card, fcp, name);
    }
    if (fcp.structure == Structure::Directory) {
        return fail(Errc::InvalidArgument, name + " is a directory");
    }
    std::vector<Bytes> content;
    content.push_back(MTKEY_TRY(read_transparent(card, fcp, name)));
    return content;
}

std::string kind_name(uicc::DirEntry::Kind kind) {
    switch (kind) {
    case uicc::DirEntry::Kind::Usim:
        return "usim";
    case uicc::DirEntry::Kind::Isim:
        return "isim";
    case uicc::DirEntry::Kind::Sim:
        return "sim";
    case uicc::DirEntry::Kind::Other:
        break;
    }
    return "other";
}

std::string structure_name(uicc::Fcp::Structure structure) {
    switch (structure) {
    case uicc::Fcp::Structure::Transparent:
        return "transparent";
    case uicc::Fcp::Structure::LinearFixed:
        return "linear fixed";
    case uicc::Fcp::Structure::Cyclic:
        return "cyclic";
    case uicc::Fcp::Structure::Directory:
        return "directory";
    case uicc::Fcp::Structure::Unknown:
        break;
    }
    return "unknown";
}

} // namespace mtkey::tools
