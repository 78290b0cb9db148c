// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "daemon/card_service.hpp"
#include "daemon/config.hpp"
#include "daemon/reactor.hpp"
#include "keys/naf_list.hpp"
#include "keys/pending.hpp"
#include "store/key_store.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mtkey::daemon {

/// One external device as D-Bus shows it.
struct DeviceView {
    std::string device_id;
    bool approved = false;
    std::string key_state; ///< "none", "pending", "established", "expired", "suspended", "revoked"
    std::string naf;
    UtcTime expires{};
    UtcTime last_seen{};
    std::string transport;
    bool operator==(const DeviceView&) const = default;
};

/// A finished establishment, for Device1.KeyEstablished.
struct Established {
    std::string device_id;
    std::string procedure; ///< "full", "optimised"
    std::string mode;
    std::string naf;
    UtcTime expires{};
};

/// What the bus is told. Called on the reactor's thread.
struct MtEvents {
    std::function<void()> card_changed;
    std::function<void(const std::string& device_id)> device_changed; ///< or is shown no more
    std::function<void(const Established&)> established;
    std::function<void(const std::string& device_id, const Error&)> procedure_failed;
    std::function<void(const Error&)> bootstrap_failed;
    std::function<void()> store_quarantined;
};

/// The mobile terminal: NAF list, approvals, pending and confirmed keys of all devices. Sessions
/// and D-Bus act on it; it owns no connection. Reactor thread only.
class Mt {
public:
    Mt(Reactor& reactor, const Config& config, const Clock& clock, RandomSource& random,
       CardService& card, store::KeyStore& store);

    void set_events(MtEvents events) { events_ = std::move(events); }
    [[nodiscard]] const MtEvents& events() const { return events_; }

    [[nodiscard]] const Config& config() const { return config_; }
    [[nodiscard]] const Clock& clock() const { return clock_; }
    [[nodiscard]] RandomSource& random() { return random_; }
    [[nodiscard]] CardService& card() { return card_; }
    [[nodiscard]] store::KeyStore& store() { return store_; }
    [[nodiscard]] keys::PendingTable& pending() { return pending_; }
    [[nodiscard]] const keys::NafList& nafs() const { return nafs_; }

    /// The context when the UICC is there and both clocks allow it.
    [[nodiscard]] std::optional<keys::ContextFacts> context() const;
    /// By the present context's B-TID, or by this one.
    [[nodiscard]] bool tombstoned(std::string_view device_id) const;
    [[nodiscard]] bool tombstoned(std::string_view device_id, std::string_view b_tid) const {
        return tombstones_.contains(device_id, b_tid);
    }

    /// A device said who it is at this place; notes it for D-Bus and tells whether a rule allows
    /// it. Of those that no rule names the last ones are noted.
    bool meet(const std::string& device_id, const std::string& transport, const std::string& peer);
    /// To be held by the connection of a device that was met: while it is there, others make room.
    [[nodiscard]] std::shared_ptr<const void> presence(const std::string& device_id) const;
    [[nodiscard]] std::vector<DeviceView> devices() const;
    [[nodiscard]] std::optional<DeviceView> device(const std::string& device_id) const;

    /// Deletes key and pending key; a tombstone keeps them from being derived again. UnknownDevice;
    /// StoreFailed: the key is used no more, its deletion is tried again later.
    Result<void> forget(const std::string& device_id);
    /// Those of all devices. StoreFailed, likewise.
    Result<void> forget_all();
    /// The store has been emptied: its keys were those of an old copy.
    void store_emptied();
    /// A stored key has served. Written with the next change of the store.
    void used(const std::string& device_id) { store_.used(device_id, clock_.utc_now()); }
    /// Wipes what has ended by now, shows what may not be used any more, or again, and sets the
    /// timer for what ends next. What the timer does; also for a clock that was set.
    void sweep();
    /// When that is; nothing = there is nothing that could end.
    [[nodiscard]] std::optional<BootTime> next_end() const;
    /// After put/erase/pending changes: tells D-Bus, arms the next expiry.
    void changed(const std::string& device_id);
    void count(const std::string& counter) { ++statistics_[counter]; }
    [[nodiscard]] Statistics statistics() const;

    /// From the card service, after its state has changed.
    void card_changed();

private:
    struct Seen {
        bool by_rule = false; ///< a rule of the configuration names it, whatever it says
        bool approved = false;
        UtcTime last_seen{};
        std::string transport;
        std::uint64_t meeting = 0;            ///< number of the last one
        std::shared_ptr<const void> presence; ///< shared with its connections
    };
    void make_room_for_a_stranger();
    [[nodiscard]] DeviceView view(const std::string& device_id, const Seen& seen) const;
    Result<void> end_keys(const std::vector<std::string>& device_ids, const char* why);
    void end_what_no_rule_allows();
    void learn_time();
    [[nodiscard]] bool gone(const store::KeyRecord& record) const;
    void tell(const std::string& device_id);
    void arm();

    const Config& config_;
    const Clock& clock_;
    RandomSource& random_;
    CardService& card_;
    store::KeyStore& store_;
    MtEvents events_;
    keys::NafList nafs_;
    keys::PendingTable pending_;
    keys::Tombstones tombstones_;
    std::map<std::string, Seen> seen_;
    std::uint64_t meetings_ = 0;
    std::map<std::string, DeviceView> told_; ///< as D-Bus knows them
    bool end_failed_ = false;                ///< what has ended could not be written
    BootTime end_again_{};                   ///< and is tried again then
    bool time_asked_ = false;                ///< the network, by a run that has not failed
    BootTime ask_time_again_{};
    std::string ended_b_tid_; ///< of the context that the card service drops now
    Statistics statistics_;
    std::string last_b_tid_;
    std::unique_ptr<Reactor::Timer> sweep_timer_;
};

} // namespace mtkey::daemon
