// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/authentication_centre.hpp"

#include <stdexcept>
#include <utility>

namespace mtkey::bsf {

AuthenticationCentre::AuthenticationCentre(Database& database, aka::SqnScheme scheme,
                                           const Clock& clock, RandomSource& random)
    : database_(database),
      subscribers_(database),
      scheme_(scheme),
      clock_(clock),
      random_(random) {}

AuthenticationCentre::AuthenticationCentre(const std::vector<aka::Subscriber>& subscribers,
                                           RandomSource& random)
    : own_(Database::in_memory()),
      database_(*own_),
      subscribers_(*own_),
      clock_(system_clock_),
      random_(random) {
    if (!import_subscribers(database_, subscribers)) {
        throw std::bad_alloc(); // nothing else can fail in memory
    }
}

void AuthenticationCentre::issue_old_sqn(bool also_after_resync) {
    old_sqn_ = also_after_resync ? OldSqn::Always : OldSqn::First;
}

Result<IssuedVector> AuthenticationCentre::next_vector(std::string_view impi,
                                                       const Resynchronisation* resync) {
    const auto lock = database_.lock();
    auto transaction = MTKEY_TRY(Transaction::begin(database_));
    auto subscriber = MTKEY_TRY(subscribers_.find(impi));
    const auto algorithm = aka::make_algorithm(subscriber.keys);
    const auto sqn = MTKEY_TRY(take_sqn(subscriber, *algorithm, resync));
    aka::Rand rand{};
    MTKEY_CHECK(random_.fill(rand));
    MTKEY_CHECK(subscribers_.set_sqn(impi, subscriber.sqn));
    MTKEY_CHECK(transaction.commit());
    return IssuedVector{aka::generate_vector(*algorithm, rand, sqn, subscriber.amf),
                        subscriber.mode, subscriber.lifetime, subscriber.entry};
}

Result<aka::Sqn> AuthenticationCentre::take_sqn(StoredSubscriber& subscriber,
                                                const aka::Algorithm& algorithm,
                                                const Resynchronisation* resync) {
    if (resync != nullptr) {
        const auto sqn_ms = aka::verify_auts(algorithm, resync->rand, resync->auts);
        if (!sqn_ms) {
            return fail(Errc::Rejected, "MAC-S of AUTS");
        }
        aka::resynchronise_sqn(subscriber.sqn, scheme_, *sqn_ms, clock_.utc_now());
    }
    if (old_sqn_ == OldSqn::Always || (old_sqn_ == OldSqn::First && resync == nullptr)) {
        return aka::Sqn{};
    }
    return aka::take_sqn(subscriber.sqn, scheme_, clock_.utc_now());
}

} // namespace mtkey::bsf
