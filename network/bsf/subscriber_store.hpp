// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/sqn_generation.hpp"
#include "aka/subscriber_file.hpp"
#include "network/bsf/database.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::bsf {

/// <IMSI>@ims.mnc<MNC>.mcc<MCC>.3gppnetwork.org, MNC of three digits (TS 23.003 clause 13.3).
std::string impi_of(std::string_view imsi, unsigned mnc_length);

/// One subscriber as the database has it. What is read is checked like a subscriber file.
struct StoredSubscriber {
    std::string impi;
    std::string imsi;
    aka::SubscriberKeys keys;
    aka::Amf amf{};
    aka::GbaMode mode = aka::GbaMode::GbaU;
    std::optional<std::chrono::seconds> lifetime;
    aka::SqnState sqn;
    std::int64_t entry = 0; ///< another number for a subscriber that was removed and added again
};

/// The HSS's data. Everything here is under the database's lock, which the caller holds; what
/// changes is the caller's transaction.
class SubscriberStore {
public:
    explicit SubscriberStore(Database& database);

    /// False, and nothing changed, when the IMSI is there already.
    [[nodiscard]] Result<bool> add(const aka::Subscriber& subscriber);
    /// With the subscriber's contexts. False when there is none.
    [[nodiscard]] Result<bool> remove(std::string_view imsi);
    /// NotFound for a stranger; IoFailed names the database for a row that no mtkey-bsf has
    /// written.
    [[nodiscard]] Result<StoredSubscriber> find(std::string_view impi);
    [[nodiscard]] Result<void> set_sqn(std::string_view impi, const aka::SqnState& sqn);
    /// By IMSI, those behind `after`, `most` of them: the secure heap does not hold everybody's
    /// keys at once.
    [[nodiscard]] Result<std::vector<StoredSubscriber>> list(std::string_view after,
                                                             std::int64_t most);
    [[nodiscard]] Result<std::size_t> size();

private:
    [[nodiscard]] Result<StoredSubscriber> read(const Query& row) const;

    Statement add_;
    Statement remove_;
    Statement remove_contexts_;
    Statement find_;
    Statement set_sqn_;
    Statement list_;
    Statement size_;
};

/// Of an import.
struct Imported {
    std::size_t added = 0;
    std::size_t kept = 0; ///< there already: keys, SQN and all stay as they are
};
/// All or none, in one transaction. Takes the lock.
Result<Imported> import_subscribers(Database& database,
                                    const std::vector<aka::Subscriber>& subscribers);

/// Takes the lock.
Result<std::size_t> count_subscribers(Database& database);

} // namespace mtkey::bsf
