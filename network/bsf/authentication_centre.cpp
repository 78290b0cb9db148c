// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/authentication_centre.hpp"

#include <utility>

namespace mtkey::bsf {
namespace {

constexpr std::uint64_t kSqnStep = 32; // one SEQ; IND is the last five bits

/// <IMSI>@ims.mnc<MNC>.mcc<MCC>.3gppnetwork.org, MNC of three digits (TS 23.003 clause 13.3).
std::string impi_of(const aka::Subscriber& subscriber) {
    const std::string mcc = subscriber.imsi.substr(0, 3);
    std::string mnc = subscriber.imsi.substr(3, subscriber.mnc_length);
    mnc.insert(0, 3 - mnc.size(), '0');
    return subscriber.imsi + "@ims.mnc" + mnc + ".mcc" + mcc + ".3gppnetwork.org";
}

} // namespace

AuthenticationCentre::AuthenticationCentre(std::vector<aka::Subscriber> subscribers,
                                           RandomSource& random)
    : random_(random) {
    for (auto& subscriber : subscribers) {
        const auto sqn = aka::sqn_to_number(subscriber.sqn);
        auto impi = impi_of(subscriber);
        subscribers_.emplace(std::move(impi), Entry{std::move(subscriber), sqn});
    }
}

Result<IssuedVector> AuthenticationCentre::next_vector(std::string_view impi) {
    const std::lock_guard lock(mutex_);
    const auto found = subscribers_.find(impi);
    if (found == subscribers_.end()) {
        return fail(Errc::NotFound, "subscriber");
    }
    auto& [subscriber, next_sqn] = found->second;
    aka::Rand rand{};
    MTKEY_CHECK(random_.fill(rand));
    const auto sqn = aka::sqn_from_number(next_sqn);
    next_sqn += kSqnStep;
    return IssuedVector{aka::generate_vector(*subscriber.algorithm, rand, sqn, subscriber.amf),
                        subscriber.mode, subscriber.lifetime};
}

Result<void> AuthenticationCentre::resynchronise(std::string_view impi, const aka::Rand& rand,
                                                 const aka::Auts& auts) {
    const std::lock_guard lock(mutex_);
    const auto found = subscribers_.find(impi);
    if (found == subscribers_.end()) {
        return fail(Errc::NotFound, "subscriber");
    }
    auto& [subscriber, next_sqn] = found->second;
    const auto sqn_ms = aka::verify_auts(*subscriber.algorithm, rand, auts);
    if (!sqn_ms) {
        return fail(Errc::Rejected, "MAC-S of AUTS");
    }
    next_sqn = aka::sqn_to_number(*sqn_ms) + kSqnStep;
    return {};
}

} // namespace mtkey::bsf
