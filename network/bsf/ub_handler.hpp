// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "base/http_message.hpp"
#include "base/random.hpp"
#include "network/bsf/bootstrapping_store.hpp"
#include "network/bsf/faults.hpp"
#include "network/bsf/pending_challenges.hpp"
#include "network/bsf/ub_authorization.hpp"
#include "network/bsf/vector_source.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace mtkey::bsf {

/// TS 33.220 clause 4.5.2 builds the B-TID from RAND; a UE must not rely on it.
enum class BtidForm {
    Rand,   ///< base64(RAND)@fqdn
    Opaque, ///< base64(16 random octets)@fqdn
};

struct UbSettings {
    std::string fqdn; ///< canonical: realm, and the domain of the B-TIDs
    std::chrono::seconds lifetime{
        std::chrono::hours(24)}; ///< of Ks, where the subscription names none
    aka::GbaURules gba_u;
    bool next_nonce = false;    ///< the 200 gives the next run's challenge (nextnonce)
    std::size_t nonce_data = 0; ///< random octets in the nonce behind RAND and AUTN
    BtidForm b_tid = BtidForm::Rand;
    Faults faults{};
    bool tls = false; ///< Ub is behind it: subscribers with a SIM are served too
};

/// The network end of Ub (TS 24.109 clause 4 and annex A, RFC 3310): HTTP Digest AKAv1-MD5 with
/// qop=auth-int. Owns the challenges under way; the rest is borrowed. Safe from several threads.
///
/// What is drawn from `random`, in this order, for each challenge: RAND (16 octets, by the
/// AuthenticationCentre), then opaque (16 octets, sent as 32 hex digits; a nonce in advance keeps
/// the opaque that there is), then the nonce's server data, if any, and for a subscriber with a SIM
/// Ks-input (16 octets). An opaque B-TID draws 16.
class UbHandler {
public:
    static constexpr unsigned kMostResynchronisations = 2; // on the way to one bootstrapping
    static constexpr unsigned kMostRefusals = 1; // wrong answers that get another challenge

    UbHandler(UbSettings settings, VectorSource& vectors, BootstrappingStore& store,
              const Clock& clock, RandomSource& random);

    /// `address`: of the peer, as http::Peer has it. Peers share the places for open challenges.
    [[nodiscard]] HttpResponse handle(const HttpRequest& request, std::string_view address = {});
    /// Wipes the challenges that nobody answered in time.
    void purge() { pending_.purge(); }
    [[nodiscard]] std::size_t open_challenges() const { return pending_.size(); }

private:
    /// What an earlier challenge of the same run hands on to the next one.
    struct History {
        unsigned resynchronisations = 0;
        unsigned refusals = 0;
    };
    /// The Digest username, whose it is, and who asks.
    struct Subscriber {
        std::string username; ///< IMPI or TMPI
        std::string impi;
        std::string peer;
    };

    struct Issued {
        std::string nonce;
        PendingChallenge pending;
    };

    [[nodiscard]] Result<HttpResponse> dispatch(const HttpRequest& request,
                                                const std::string& peer);
    [[nodiscard]] Result<HttpResponse> begin(const std::string& username, const std::string& peer);
    /// `opaque`: empty = a fresh one. `resync`: null = none.
    [[nodiscard]] Result<Issued> issue(const Subscriber& subscriber, const History& history,
                                       const Resynchronisation* resync, std::string opaque);
    [[nodiscard]] Result<HttpResponse> challenge(const Subscriber& subscriber,
                                                 const History& history,
                                                 const Resynchronisation* resync = nullptr);
    [[nodiscard]] Result<HttpResponse>
    answered(const UbAuthorization& answer, std::string_view entity_body, const std::string& peer);
    [[nodiscard]] Result<HttpResponse> resynchronise(const UbAuthorization& answer,
                                                     PendingChallenge challenge);
    [[nodiscard]] Result<HttpResponse> refuse(PendingChallenge challenge, std::string_view why);
    [[nodiscard]] Result<HttpResponse> bootstrapped(const UbAuthorization& answer,
                                                    PendingChallenge challenge);
    [[nodiscard]] Result<BootstrappingContext> make_context(PendingChallenge& challenge);
    [[nodiscard]] std::string next_nonce(const BootstrappingContext& context,
                                         const PendingChallenge& answered);

    UbSettings settings_;
    VectorSource& vectors_;
    BootstrappingStore& store_;
    const Clock& clock_;
    RandomSource& random_;
    PendingChallenges pending_;
};

} // namespace mtkey::bsf
