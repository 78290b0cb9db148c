// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mtkey::store {

/// Suspended: not to be used for now. Revoked: never again, kept to tell the device so. Pending, in
/// an external device's own store: the MT has not acknowledged CONFIRM and may not hold the key
/// (an MT keeps what is pending in RAM).
enum class KeyState : std::uint8_t { Confirmed = 1, Suspended, Revoked, Pending };

/// One Ks_local_MT of one (MT, external device) pair (draft 5.4.6) with what belongs to it.
struct KeyRecord {
    /// The name of the peer that the key is shared with: for an MT the Device_ID, for an external
    /// device the mt-id that the Key Center gave.
    std::string device_id;
    std::string label; ///< a person's name for the device; may be empty
    KeyState state = KeyState::Confirmed;
    std::string transport; ///< where the device was approved: instance name and transport identity
    std::string peer;
    std::string naf_fqdn;
    Bytes naf_ua; ///< 5 octets
    std::string b_tid;
    std::string mode; ///< "gba-u", "gba-me", "gba-2g"
    std::string profile;
    std::string
        uicc; ///< identity of the UICC, hashed: the key is suspended while another or none is there
    Secret<32> ks_local_mt;
    std::array<std::uint8_t, 32> th_est{};
    std::array<std::uint8_t, 16> est_id{}; ///< finds the record when its CONFIRM comes again
    Secret<32> key_id; ///< of the two above: what the device's tags are compared by
    UtcTime created{};
    UtcTime confirmed{};
    UtcTime expires{};   ///< as it was agreed, in the network's time
    UtcTime local_end{}; ///< the same by the clock here
    BootTime deadline{}; ///< and by CLOCK_BOOTTIME: both ends must lie ahead
    UtcTime last_used{};
    /// Since a reboot with a clock that was set back: UTC says nothing of this record until the
    /// time is known again.
    bool time_unknown = false;

    [[nodiscard]] KeyRecord clone() const;
    [[nodiscard]] bool pending() const { return state == KeyState::Pending; }
    /// What there is one record of: the order of all records.
    [[nodiscard]] std::pair<std::string_view, bool> slot() const { return {device_id, pending()}; }
    /// Not to be used: one of the clocks says so. UTC may be wrong, or set right again: then it is
    /// no reason to delete (threats C1).
    [[nodiscard]] bool expired(const Clock& clock) const;
    /// To be wiped: the clock that nobody sets says so.
    [[nodiscard]] bool ended(const Clock& clock) const { return clock.boot_now() >= deadline; }
    /// All that is known of the time says so.
    [[nodiscard]] bool lasts(const Clock& clock) const { return !time_unknown && !expired(clock); }
    [[nodiscard]] bool usable(const Clock& clock) const {
        return state == KeyState::Confirmed && lasts(clock);
    }
};

/// A tuple of one Ks epoch of which no key is derived again.
struct Tombstone {
    std::string device_id; ///< empty: no device of this B-TID
    std::string b_tid;
    bool operator==(const Tombstone&) const = default;
};

/// The stored keys of one program: per Device_ID at most one record, and a pending one beside it.
/// Single-threaded. put() and erase() return after the change is as durable as the store makes it:
/// only then may a peer be answered.
class KeyStore {
public:
    virtual ~KeyStore() = default;
    /// Replaces the record of this Device_ID (a pending one the pending one). LimitExceeded when
    /// full (confirmed records are never evicted).
    [[nodiscard]] virtual Result<void> put(KeyRecord record) = 0;
    /// Of these devices no key is left, pending or not, and `tombstones` are remembered in the
    /// place of those of before: one change. Unknown devices are no error. On failure their records
    /// are still there, but revoked (pending ones stay pending): they are used no more, and a
    /// restart may bring them back until end() succeeds.
    [[nodiscard]] virtual Result<void> end(std::span<const std::string> device_ids,
                                           std::vector<Tombstone> tombstones) = 0;
    [[nodiscard]] virtual std::vector<Tombstone> tombstones() const = 0;
    /// KeyRecord::last_used; on the disk with the next change.
    virtual void used(std::string_view device_id, UtcTime now) = 0;
    /// Whether what is put here outlives the program.
    [[nodiscard]] virtual bool persistent() const = 0;
    /// The wall clock is right, by somebody who knows: ends KeyRecord::time_unknown.
    virtual void trust_time() = 0;
    /// The wall clock may have been set right: ends it too, if that can be told.
    virtual void recheck_time() = 0;
    /// The one that is not pending. Borrowed until the next change; null when there is none.
    [[nodiscard]] virtual const KeyRecord* find(std::string_view device_id) const = 0;
    [[nodiscard]] virtual std::vector<const KeyRecord*> all() const = 0;
};

/// What the stores share.
[[nodiscard]] const KeyRecord* find(std::span<const KeyRecord> records, std::string_view device_id,
                                    bool pending = false);
[[nodiscard]] std::vector<const KeyRecord*> pointers(std::span<const KeyRecord> records);
[[nodiscard]] std::unexpected<Error> full(std::size_t limit);

/// Keeps records in the secure heap and nowhere else; they end with the program.
class MemoryKeyStore final : public KeyStore {
public:
    explicit MemoryKeyStore(std::size_t limit = 256) : limit_(limit) {}
    [[nodiscard]] Result<void> put(KeyRecord record) override;
    [[nodiscard]] Result<void> end(std::span<const std::string> device_ids,
                                   std::vector<Tombstone> tombstones) override;
    [[nodiscard]] std::vector<Tombstone> tombstones() const override { return tombstones_; }
    void used(std::string_view device_id, UtcTime now) override;
    [[nodiscard]] bool persistent() const override { return false; }
    void trust_time() override {}
    void recheck_time() override {}
    [[nodiscard]] const KeyRecord* find(std::string_view device_id) const override;
    [[nodiscard]] std::vector<const KeyRecord*> all() const override;

private:
    std::size_t limit_;
    std::vector<KeyRecord> records_;
    std::vector<Tombstone> tombstones_;
};

} // namespace mtkey::store
