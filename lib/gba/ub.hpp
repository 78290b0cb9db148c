// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/digest.hpp"
#include "base/clock.hpp"
#include "base/http_message.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "gba/bootstrapping.hpp"
#include "gba/challenge.hpp"

#include <array>
#include <string>
#include <variant>

namespace mtkey::gba {

/// The HTTP side of one run (TS 24.109 clause 4, annex A). Borrows everything it is given.
/// Errors of all calls: BsfRejected (403), BsfUnreachable (5xx, 429, no connection), BsfBadAnswer
/// (anything else that is not the answer of a BSF; redirects among it), and what HttpExchange says
/// (PeerUntrusted, Cancelled, TimedOut).
class Ub {
public:
    /// `username`: the first; `with_tmpi`: whether the BSF is told that we know of TMPI.
    Ub(HttpExchange& bsf, const Clock& clock, RandomSource& random, const RunEvents& events,
       std::string username, bool with_tmpi)
        : bsf_(bsf),
          clock_(clock),
          random_(random),
          events_(events),
          username_(std::move(username)),
          with_tmpi_(with_tmpi) {}

    void identify_as(std::string username) { username_ = std::move(username); }
    /// Nothing is said yet, but the BSF is there and, with TLS, is who it should be.
    [[nodiscard]] Result<void> connect();
    /// The first request, which only says who we are; gives an accepted challenge.
    [[nodiscard]] Result<DigestChallenge> ask();
    /// AUTS with an empty password (RFC 3310 section 3.4); gives the next challenge.
    [[nodiscard]] Result<DigestChallenge> resynchronise(const DigestChallenge& challenge,
                                                        const std::array<std::uint8_t, 14>& auts);

    /// A 200 whose rspauth has been verified over `body`; nothing else of that has been looked at.
    struct Accepted {
        std::string body;
        std::optional<std::string> next_nonce;
        bool knows_tmpi = false; ///< the BSF says so
    };
    /// Answers with RES. Another challenge comes back only for one that was kept (it was stale):
    /// else a second 401 is BsfRejected. BsfUntrusted for rspauth.
    [[nodiscard]] Result<std::variant<Accepted, DigestChallenge>>
    answer(const DigestChallenge& challenge, const SecretBytes& res, bool require_rspauth);

    [[nodiscard]] unsigned exchanges() const { return exchanges_; }

private:
    [[nodiscard]] Result<HttpResponse> exchange(std::string authorization, bool repeatable);
    /// `inputs` are those of the request that was answered.
    [[nodiscard]] Result<HttpResponse> exchange(const DigestChallenge& challenge,
                                                aka::DigestInputs& inputs, ByteView password,
                                                std::string_view auts);
    void report_delay(const HttpResponse& response) const;
    [[nodiscard]] Result<DigestChallenge> challenge_of(const HttpResponse& response) const;
    [[nodiscard]] Result<aka::DigestInputs> new_inputs(const DigestChallenge& challenge);
    /// nc counts the requests with one nonce (RFC 7616 section 3.4).
    [[nodiscard]] std::string next_nc(const std::string& nonce);

    HttpExchange& bsf_;
    const Clock& clock_;
    RandomSource& random_;
    const RunEvents& events_;
    std::string username_;
    bool with_tmpi_;
    std::string counted_nonce_; ///< the last one
    unsigned nc_ = 0;           ///< its requests
    unsigned exchanges_ = 0;
};

} // namespace mtkey::gba
