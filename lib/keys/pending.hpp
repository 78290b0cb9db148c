// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "kdf/establishment.hpp"
#include "kdf/naf_id.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::keys {

using EstId = std::array<std::uint8_t, 16>;

/// A key that the MT has derived and no device has confirmed yet. Lives in RAM only.
struct Pending {
    EstId est_id{};
    std::string device_id;
    std::string transport;
    std::string peer;
    kdf::NafId naf_id;
    std::string b_tid;
    std::string mode;
    std::string profile;
    std::string uicc;
    Secret<32> ks_local_mt;
    kdf::TranscriptHash th_est{};
    bool full = false;       ///< made by 5.5.2 (else 5.5.3)
    UtcTime created{};       ///< by the clock here
    BootTime created_boot{}; ///< the same moment
    UtcTime ks_expires{};    ///< T_Ks in the BSF's time
    UtcTime ks_local_end{};
    BootTime ks_deadline{};
    BootTime ends{}; ///< min(1 h, end of Ks)
    unsigned wrong_confirmations = 0;
};

/// Owns the pending keys: at most one per device and 256 in all; the oldest makes room (a pending
/// key is no promise).
class PendingTable {
public:
    static constexpr std::size_t kMost = 256;
    static constexpr unsigned kWrongConfirmations = 3;
    static constexpr std::chrono::hours kLongest{1};

    void put(Pending pending);
    /// Null when unknown or ended. Borrowed until the next call.
    [[nodiscard]] Pending* find(const EstId& est_id, BootTime now);
    [[nodiscard]] const Pending* find_device(std::string_view device_id, BootTime now) const;
    void erase(const EstId& est_id);
    void erase_device(std::string_view device_id);
    /// Wipes what another identity's keys made, or what has ended; the devices whose keys these
    /// were.
    std::vector<std::string> erase_other_uicc(std::string_view uicc);
    std::vector<std::string> expire(BootTime now);
    [[nodiscard]] std::optional<BootTime> next_end() const;
    [[nodiscard]] std::size_t size() const { return pending_.size(); }

private:
    template <typename Predicate>
    std::vector<std::string> erase_where(Predicate goes);

    std::vector<Pending> pending_; ///< oldest first
};

/// Tuples whose key ended before its Ks did: within one Ks epoch they are never derived again.
/// Bounded: 1024, then the whole epoch of the B-TID counts as tombstoned (fail closed).
class Tombstones {
public:
    struct Entry {
        std::string device_id; ///< "" = any
        std::string b_tid;
    };
    [[nodiscard]] const std::vector<Entry>& all() const { return entries_; }
    void add(std::string_view device_id, std::string_view b_tid);
    [[nodiscard]] bool contains(std::string_view device_id, std::string_view b_tid) const;
    /// A new bootstrapping: the tombstones of other B-TIDs have done their work.
    /// `former`: not those of this one, whose keys may still be given out.
    void keep_only(std::string_view b_tid, std::string_view former = {});

private:
    static constexpr std::size_t kMost = 1024; ///< of those that name a device
    std::vector<Entry> entries_;
};

} // namespace mtkey::keys
