// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/answer.hpp"
#include "uicc/apdu.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace mtkey::testbed {

enum class Access { Always, Pin, Never };

/// An elementary file (TS 102 221 clause 8.2.2). Contents are no secrets: keys have no file.
struct ElementaryFile {
    std::uint16_t fid = 0;
    std::uint8_t sfi = 0;          ///< 0 = none
    std::size_t record_length = 0; ///< 0 = transparent
    Bytes content{};
    Access read = Access::Pin;
    Access update = Access::Never;

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
    bool pin_enabled = false; ///< for the PIN status template

    [[nodiscard]] ElementaryFile* find(std::uint16_t fid_wanted);
};

/// The MF and one application, what is selected in them, and the commands on files (TS 102 221
/// clause 11.1).
class FileSystem {
public:
    FileSystem(Directory master_file, Directory application);

    /// As after a reset: the MF is selected, no application is active.
    void reset();
    [[nodiscard]] bool application_active() const { return application_active_; }
    /// The application is active and the current directory.
    [[nodiscard]] bool in_application() const { return in_application_; }
    Directory& application() { return application_; }

    Answer select(const uicc::CommandApdu& command);
    Answer status(const uicc::CommandApdu& command) const;
    /// `pin`: the application's PIN is verified or disabled.
    Answer read_binary(const uicc::CommandApdu& command, bool pin);
    Answer update_binary(const uicc::CommandApdu& command, bool pin);
    Answer read_record(const uicc::CommandApdu& command, bool pin);
    Answer update_record(const uicc::CommandApdu& command, bool pin);

private:
    /// A place in the tree: a directory, and a file in it or none.
    struct Place {
        bool application = false;
        std::optional<std::size_t> file;
    };
    [[nodiscard]] const Directory& directory(bool application) const {
        return application ? application_ : master_file_;
    }
    [[nodiscard]] std::optional<Place> step(Place from, std::uint16_t fid) const;
    [[nodiscard]] std::optional<Place> walk(Place from, ByteView path) const;
    Answer select_by_name(std::uint8_t p2, ByteView aid);
    Answer selected(Place place, std::uint8_t p2);
    /// The selected file, or the one with this SFI, which is selected by it. In the error: the
    /// status word.
    std::expected<ElementaryFile*, std::uint16_t> addressed(std::uint8_t sfi);
    std::expected<ElementaryFile*, std::uint16_t> binary(const uicc::CommandApdu& command, bool pin,
                                                         Access ElementaryFile::* right);
    std::expected<std::span<std::uint8_t>, std::uint16_t>
    record(const uicc::CommandApdu& command, bool pin, Access ElementaryFile::* right);

    Directory master_file_;
    Directory application_;
    bool application_active_ = false;
    bool in_application_ = false;
    std::optional<std::size_t> file_; ///< in the current directory
};

} // namespace mtkey::testbed
