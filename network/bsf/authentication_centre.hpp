// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "network/bsf/subscriber_store.hpp"
#include "network/bsf/vector_source.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace mtkey::bsf {

/// HSS and AuC of the BSF, over the subscribers of a database. An SQN is on disk as used before its
/// vector leaves.
class AuthenticationCentre final : public VectorSource {
public:
    /// All are borrowed; each vector draws 16 octets, its RAND, and nothing else.
    AuthenticationCentre(Database& database, aka::SqnScheme scheme, const Clock& clock,
                         RandomSource& random);
    /// The same over a database of its own, in memory. SqnScheme::FixedInd.
    AuthenticationCentre(const std::vector<aka::Subscriber>& subscribers, RandomSource& random);

    [[nodiscard]] Database& database() { return database_; }

    /// Test tool: vectors carry SQN 0, and none counts. `also_after_resync`: those too that follow
    /// an AUTS.
    void issue_old_sqn(bool also_after_resync);

    [[nodiscard]] Result<IssuedVector>
    next_vector(std::string_view impi, const Resynchronisation* resync = nullptr) override;

private:
    enum class OldSqn { Never, First, Always };
    [[nodiscard]] Result<aka::Sqn> take_sqn(StoredSubscriber& subscriber,
                                            const aka::Algorithm& algorithm,
                                            const Resynchronisation* resync);

    SystemClock system_clock_;
    std::unique_ptr<Database> own_; ///< or null
    Database& database_;
    SubscriberStore subscribers_;
    aka::SqnScheme scheme_ = aka::SqnScheme::FixedInd;
    const Clock& clock_;
    RandomSource& random_;
    OldSqn old_sqn_ = OldSqn::Never;
};

} // namespace mtkey::bsf
