// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/access.hpp"
#include "testbed/virtual_uicc/answer.hpp"
#include "uicc/apdu.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace mtkey::testbed {

/// An elementary file (TS 102 221 clause 8.2.2). Contents are no secrets: keys have no file.
struct ElementaryFile {
    std::uint16_t fid = 0;
    std::uint8_t sfi = 0;          ///< 0 = none
    std::size_t record_length = 0; ///< 0 = transparent
    Bytes content{};
    Access read = Access::Pin;
    Access update = Access::Never;
    std::uint8_t arr_record = 0; ///< of its conditions in EF_ARR; 0 = they stand in the FCP
    bool deactivated = false;

    [[nodiscard]] bool has_records() const { return record_length != 0; }
    [[nodiscard]] std::size_t records() const { return content.size() / record_length; }
    /// Borrowed; `number` counts from 0.
    [[nodiscard]] std::span<std::uint8_t> record(std::size_t number) {
        return std::span(content).subspan(number * record_length, record_length);
    }
};

/// MF or ADF.
struct Directory {
    std::uint16_t fid = 0;
    Bytes aid{}; ///< of an ADF
    std::vector<ElementaryFile> files{};
    // For the PIN status template:
    std::uint8_t pin_reference = kFirstApplicationPin;
    bool pin_enabled = false;
    bool universal_pin = false; ///< there is one, and it is enabled

    [[nodiscard]] ElementaryFile* find(std::uint16_t fid_wanted);
};

/// What is selected on one logical channel. Directory 0 is the MF.
struct Selection {
    std::size_t application = 0; ///< the active one; 0 = none
    std::size_t directory = 0;
    std::optional<std::size_t> file; ///< in that directory
    [[nodiscard]] bool in_application() const { return directory != 0; }
};

/// The MF and its applications, and the commands on them (TS 102 221 clause 11.1). Where a command
/// starts from is the caller's: a selection for each logical channel.
class FileSystem {
public:
    /// The first one is the MF.
    explicit FileSystem(std::vector<Directory> directories);

    Directory& directory(std::size_t number) { return directories_[number]; }

    Answer select(const uicc::CommandApdu& command, Selection& at) const;
    Answer status(const uicc::CommandApdu& command, const Selection& at) const;
    Answer read_binary(const uicc::CommandApdu& command, Selection& at, Rights rights);
    Answer update_binary(const uicc::CommandApdu& command, Selection& at, Rights rights);
    Answer read_record(const uicc::CommandApdu& command, Selection& at, Rights rights);
    Answer update_record(const uicc::CommandApdu& command, Selection& at, Rights rights);

private:
    struct Place {
        std::size_t directory = 0;
        std::optional<std::size_t> file;
    };
    [[nodiscard]] std::optional<Place> step(Place from, std::uint16_t fid,
                                            std::size_t application) const;
    [[nodiscard]] std::optional<Place> walk(Place from, ByteView path,
                                            std::size_t application) const;
    Answer select_by_name(std::uint8_t p2, ByteView aid, Selection& at) const;
    Answer selected(Place place, std::uint8_t p2, Selection& at) const;
    /// The selected file, or the one with this SFI, which is selected by it. In the error: the
    /// status word.
    std::expected<ElementaryFile*, std::uint16_t> addressed(std::uint8_t sfi, Selection& at);
    std::expected<ElementaryFile*, std::uint16_t> binary(const uicc::CommandApdu& command,
                                                         Selection& at, Rights rights,
                                                         Access ElementaryFile::* condition);
    std::expected<std::span<std::uint8_t>, std::uint16_t>
    record(const uicc::CommandApdu& command, Selection& at, Rights rights,
           Access ElementaryFile::* condition);

    std::vector<Directory> directories_;
};

} // namespace mtkey::testbed
