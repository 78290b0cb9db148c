// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "base/http_message.hpp"
#include "base/random.hpp"
#include "network/bsf/authentication_centre.hpp"
#include "network/bsf/bootstrapping_store.hpp"
#include "network/bsf/pending_challenges.hpp"
#include "network/bsf/ub_authorization.hpp"

#include <chrono>
#include <string>

namespace mtkey::bsf {

struct UbSettings {
    std::string fqdn; ///< canonical: realm, and the domain of the B-TIDs
    std::chrono::seconds lifetime{
        std::chrono::hours(24)}; ///< of Ks, where the subscription names none
    aka::GbaURules gba_u;
    bool tls = false; ///< Ub is behind it: subscribers with a SIM are served too
};

/// The network end of Ub (TS 24.109 clause 4 and annex A, RFC 3310): HTTP Digest AKAv1-MD5 with
/// qop=auth-int. Owns the challenges under way; the rest is borrowed. Safe from several threads.
///
/// What is drawn from `random`, in this order, for each challenge: RAND (16 octets, by the
/// AuthenticationCentre), then opaque (16 octets, sent as 32 hex digits), and for a subscriber with
/// a SIM Ks-input (16 octets). Nothing else is drawn; the nonce carries no server data.
class UbHandler {
public:
    static constexpr unsigned kMostResynchronisations = 2; // on the way to one bootstrapping
    static constexpr unsigned kMostRefusals = 1; // wrong answers that get another challenge

    UbHandler(UbSettings settings, AuthenticationCentre& centre, BootstrappingStore& store,
              const Clock& clock, RandomSource& random);

    [[nodiscard]] HttpResponse handle(const HttpRequest& request);
    /// Wipes the challenges that nobody answered in time.
    void purge() { pending_.purge(); }
    [[nodiscard]] std::size_t open_challenges() const { return pending_.size(); }

private:
    /// What an earlier challenge of the same run hands on to the next one.
    struct History {
        unsigned resynchronisations = 0;
        unsigned refusals = 0;
    };
    /// The Digest username and whose it is.
    struct Subscriber {
        std::string username; ///< IMPI or TMPI
        std::string impi;
    };

    [[nodiscard]] Result<HttpResponse> dispatch(const HttpRequest& request);
    [[nodiscard]] Result<HttpResponse> begin(const std::string& username);
    [[nodiscard]] Result<HttpResponse> challenge(const Subscriber& subscriber,
                                                 const History& history);
    [[nodiscard]] Result<HttpResponse> answered(const UbAuthorization& answer,
                                                std::string_view entity_body);
    [[nodiscard]] Result<HttpResponse> resynchronise(const UbAuthorization& answer,
                                                     PendingChallenge challenge);
    [[nodiscard]] Result<HttpResponse> refuse(PendingChallenge challenge, std::string_view why);
    [[nodiscard]] Result<HttpResponse> bootstrapped(const UbAuthorization& answer,
                                                    PendingChallenge challenge);

    UbSettings settings_;
    AuthenticationCentre& centre_;
    BootstrappingStore& store_;
    const Clock& clock_;
    RandomSource& random_;
    PendingChallenges pending_;
};

} // namespace mtkey::bsf
