// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/boot_id.hpp"
#include "store/fields.hpp"
#include "store/key_store.hpp"
#include "store/sealing.hpp"

#include <string>
#include <vector>

namespace mtkey::store {

/// What a program must remember besides keys.
struct Memory {
    std::string uicc; ///< identity of the last UICC, hashed
    Bytes bootstrap;  ///< the program's own: what it knows of its last bootstrappings
    std::vector<Tombstone> tombstones;
    bool operator==(const Memory&) const = default;
};

/// Everything that one sealed file says.
struct Snapshot {
    std::uint64_t generation = 0; ///< one more with each file that is written
    BootId boot_id{};             ///< of the boot in which it was written, and when:
    UtcTime written{};
    BootTime written_boot{};
    UtcTime high_water{}; ///< the latest wall-clock time that was ever seen
    Memory memory;
    std::vector<KeyRecord> records; ///< by KeyRecord::slot(), ascending, no two of one
};

inline constexpr std::size_t kMostRecords = 256;
inline constexpr std::size_t kMostTombstones = 2048;
inline constexpr std::size_t kMostBootstrap = 65535; ///< octets of Memory::bootstrap

/// InvalidArgument names the field that no file could hold.
[[nodiscard]] Result<void> check(const KeyRecord& record);
[[nodiscard]] Result<void> check(const Memory& memory);

/// A layout of the plaintext: written is the newest, read are all that are listed.
struct Layout {
    std::uint16_t version;
    Result<Snapshot> (*read)(FieldReader& fields);
};
inline constexpr std::uint16_t kLayoutVersion = 1;
[[nodiscard]] Result<Snapshot> read_layout_1(FieldReader& fields);
inline constexpr std::array kLayouts{Layout{kLayoutVersion, read_layout_1}};

/// Pure, and the only form in which a snapshot is written. InvalidArgument, as check().
[[nodiscard]] Result<void> encode_snapshot(const Snapshot& snapshot, PlainSink& sink);
/// Strict: what it accepts of the newest layout, encode_snapshot() would write octet by octet.
/// Malformed; VersionMismatch. KeyRecord::key_id is left zero: it follows from the other fields.
[[nodiscard]] Result<Snapshot> parse_snapshot(PlainSource& source,
                                              std::span<const Layout> layouts = kLayouts);

/// One sealed file. The same snapshot and random octets give the same file.
[[nodiscard]] Result<Bytes> seal(const Snapshot& snapshot, const Kek& kek,
                                 std::string_view store_id, RandomSource& random);

struct Opened {
    Snapshot snapshot;
    KekId sealed_under{};
};
/// Errors of Unsealer::begin() and parse_snapshot().
[[nodiscard]] Result<Opened> open(ByteView file, std::span<const Kek* const> keks,
                                  std::string_view store_id,
                                  std::span<const Layout> layouts = kLayouts);

} // namespace mtkey::store
