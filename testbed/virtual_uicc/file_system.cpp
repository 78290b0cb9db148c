// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/file_system.hpp"

#include "testbed/virtual_uicc/fcp.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::testbed {
namespace {

constexpr std::uint16_t kMasterFile = 0x3F00;
constexpr std::uint16_t kCurrentApplication = 0x7FFF;
constexpr std::size_t kShortestAid = 5; // the RID
constexpr std::uint8_t kSfiBit = 0x80;
constexpr std::uint8_t kSfiMask = 0x1F;
constexpr std::uint8_t kAbsoluteRecord = 0x04;
constexpr std::uint8_t kOccurrenceMask = 0x03;
constexpr std::uint8_t kNextOccurrence = 0x02;

/// P2 of SELECT (TS 102 221 clause 11.1.1.2).
bool wants_nothing(std::uint8_t p2) {
    return (p2 & 0x0C) == 0x0C;
}
bool wants_fcp(std::uint8_t p2) {
    return (p2 & 0x0C) == 0x04;
}
bool terminates(std::uint8_t p2) {
    return (p2 & 0x60) == 0x40;
}

Answer with_data(ByteView data) {
    return {SecretBytes(data), sw::kOk};
}

} // namespace

ElementaryFile* Directory::find(std::uint16_t fid_wanted) {
    const auto found = std::ranges::find(files, fid_wanted, &ElementaryFile::fid);
    return found == files.end() ? nullptr : &*found;
}

FileSystem::FileSystem(std::vector<Directory> directories) : directories_(std::move(directories)) {}

/// One file identifier further; nothing else than the children, the MF and the active application
/// is in reach.
std::optional<FileSystem::Place> FileSystem::step(Place from, std::uint16_t fid,
                                                  std::size_t application) const {
    if (fid == kMasterFile) {
        return Place{};
    }
    if (application != 0 && (fid == kCurrentApplication || fid == directories_[application].fid)) {
        return Place{application, std::nullopt};
    }
    const auto& files = directories_[from.directory].files;
    const auto found = std::ranges::find(files, fid, &ElementaryFile::fid);
    if (found == files.end()) {
        return std::nullopt;
    }
    return Place{from.directory, static_cast<std::size_t>(found - files.begin())};
}

std::optional<FileSystem::Place> FileSystem::walk(Place from, ByteView path,
                                                  std::size_t application) const {
    std::optional<Place> place = from;
    while (!path.empty() && place) {
        if (place->file) {
            return std::nullopt; // a file has no children
        }
        place = step(*place, static_cast<std::uint16_t>(path[0] << 8 | path[1]), application);
        path = path.subspan(2);
    }
    return place;
}

Answer FileSystem::select(const uicc::CommandApdu& command, Selection& at) const {
    const ByteView data = command.data.reveal();
    if (!wants_nothing(command.p2) && !wants_fcp(command.p2)) {
        return refuse(sw::kWrongParameters);
    }
    if (command.p1 == 0x04) {
        return select_by_name(command.p2, data, at);
    }
    if ((command.p2 & ~0x0C) != 0) {
        return refuse(sw::kWrongParameters);
    }
    std::optional<Place> place;
    switch (command.p1) {
    case 0x00:
        if (data.size() != 0 && data.size() != 2) {
            return refuse(sw::kWrongLength);
        }
        place = data.empty() ? Place{} : walk({at.directory, std::nullopt}, data, at.application);
        break;
    case 0x08:
    case 0x09:
        if (data.empty() || data.size() % 2 != 0) {
            return refuse(sw::kWrongLength);
        }
        place = walk({command.p1 == 0x09 ? at.directory : 0, std::nullopt}, data, at.application);
        break;
    default:
        return refuse(sw::kWrongParameters);
    }
    return place ? selected(*place, command.p2, at) : refuse(sw::kFileNotFound);
}

/// A part of the AID will do; the next occurrence is the next application that it fits.
Answer FileSystem::select_by_name(std::uint8_t p2, ByteView aid, Selection& at) const {
    const std::uint8_t occurrence = p2 & kOccurrenceMask;
    if (aid.size() < kShortestAid || (occurrence != 0 && occurrence != kNextOccurrence)) {
        return refuse(sw::kFileNotFound);
    }
    std::size_t number = occurrence == kNextOccurrence ? at.application + 1 : 1;
    while (number < directories_.size() &&
           !(aid.size() <= directories_[number].aid.size() &&
             std::ranges::equal(aid, std::span(directories_[number].aid).first(aid.size())))) {
        ++number;
    }
    if (number >= directories_.size()) {
        return refuse(sw::kFileNotFound);
    }
    if (terminates(p2)) {
        at = {};
        return done();
    }
    at.application = number;
    return selected({number, std::nullopt}, p2, at);
}

Answer FileSystem::selected(Place place, std::uint8_t p2, Selection& at) const {
    at.directory = place.directory;
    at.file = place.file;
    const Directory& current = directories_[place.directory];
    const ElementaryFile* file = place.file ? &current.files[*place.file] : nullptr;
    const std::uint16_t sw = file != nullptr && file->deactivated ? sw::kDeactivated : sw::kOk;
    if (wants_nothing(p2)) {
        return refuse(sw);
    }
    return {SecretBytes(file != nullptr ? fcp_of(*file, current.pin_reference) : fcp_of(current)),
            sw};
}

Answer FileSystem::status(const uicc::CommandApdu& command, const Selection& at) const {
    if (command.p1 > 0x02) {
        return refuse(sw::kWrongParameters);
    }
    const Directory& current = directories_[at.directory];
    switch (command.p2) {
    case 0x00:
        return with_data(fcp_of(current));
    case 0x01: {
        Bytes name;
        if (at.in_application()) {
            name = {0x84, static_cast<std::uint8_t>(current.aid.size())};
            append(name, current.aid);
        }
        return with_data(name);
    }
    case 0x0C:
        return done();
    default:
        return refuse(sw::kWrongParameters);
    }
}

std::expected<ElementaryFile*, std::uint16_t> FileSystem::addressed(std::uint8_t sfi,
                                                                    Selection& at) {
    auto& files = directories_[at.directory].files;
    if (sfi != 0) {
        const auto found = std::ranges::find(files, sfi, &ElementaryFile::sfi);
        if (found == files.end()) {
            return std::unexpected(sw::kFileNotFound);
        }
        at.file = static_cast<std::size_t>(found - files.begin());
    }
    if (!at.file) {
        return std::unexpected(sw::kNoFileSelected);
    }
    return &files[*at.file];
}

std::expected<ElementaryFile*, std::uint16_t>
FileSystem::binary(const uicc::CommandApdu& command, Selection& at, Rights rights,
                   Access ElementaryFile::* condition) {
    const bool by_sfi = (command.p1 & kSfiBit) != 0;
    if (by_sfi && ((command.p1 & ~(kSfiBit | kSfiMask)) != 0 || (command.p1 & kSfiMask) == 0)) {
        return std::unexpected(sw::kWrongParameters);
    }
    const auto file = addressed(by_sfi ? command.p1 & kSfiMask : std::uint8_t{0}, at);
    if (!file) {
        return file;
    }
    if ((*file)->has_records()) {
        return std::unexpected(sw::kWrongFileStructure);
    }
    return rights.allow((*file)->*condition) ? file : std::unexpected(sw::kSecurityStatus);
}

namespace {
std::size_t offset_of(const uicc::CommandApdu& command) {
    return (command.p1 & kSfiBit) != 0 ? command.p2
                                       : static_cast<std::size_t>(command.p1 << 8 | command.p2);
}
} // namespace

Answer FileSystem::read_binary(const uicc::CommandApdu& command, Selection& at, Rights rights) {
    const auto file = binary(command, at, rights, &ElementaryFile::read);
    if (!file) {
        return refuse(file.error());
    }
    const std::size_t offset = offset_of(command);
    const Bytes& content = (*file)->content;
    if (offset >= content.size()) {
        return refuse(sw::kWrongOffset);
    }
    const std::size_t length =
        std::min<std::size_t>(command.le.value_or(256), content.size() - offset);
    return with_data(std::span(content).subspan(offset, length));
}

Answer FileSystem::update_binary(const uicc::CommandApdu& command, Selection& at, Rights rights) {
    const auto file = binary(command, at, rights, &ElementaryFile::update);
    if (!file) {
        return refuse(file.error());
    }
    const std::size_t offset = offset_of(command);
    const ByteView data = command.data.reveal();
    Bytes& content = (*file)->content;
    if (offset >= content.size()) {
        return refuse(sw::kWrongOffset);
    }
    if (data.empty() || data.size() > content.size() - offset) {
        return refuse(sw::kWrongLength);
    }
    std::ranges::copy(data, std::span(content).subspan(offset).begin());
    return done();
}

std::expected<std::span<std::uint8_t>, std::uint16_t>
FileSystem::record(const uicc::CommandApdu& command, Selection& at, Rights rights,
                   Access ElementaryFile::* condition) {
    if ((command.p2 & 0x07) != kAbsoluteRecord || command.p1 == 0x00) {
        return std::unexpected(sw::kWrongParameters);
    }
    const auto file = addressed(static_cast<std::uint8_t>(command.p2 >> 3), at);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (!(*file)->has_records()) {
        return std::unexpected(sw::kWrongFileStructure);
    }
    if (!rights.allow((*file)->*condition)) {
        return std::unexpected(sw::kSecurityStatus);
    }
    if (command.p1 > (*file)->records()) {
        return std::unexpected(sw::kRecordNotFound);
    }
    return (*file)->record(command.p1 - 1U);
}

Answer FileSystem::read_record(const uicc::CommandApdu& command, Selection& at, Rights rights) {
    const auto found = record(command, at, rights, &ElementaryFile::read);
    return found ? with_data(*found) : refuse(found.error());
}

Answer FileSystem::update_record(const uicc::CommandApdu& command, Selection& at, Rights rights) {
    const auto found = record(command, at, rights, &ElementaryFile::update);
    if (!found) {
        return refuse(found.error());
    }
    const ByteView data = command.data.reveal();
    if (data.size() != found->size()) {
        return refuse(sw::kWrongLength);
    }
    std::ranges::copy(data, found->begin());
    return done();
}

} // namespace mtkey::testbed
