// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/http_message.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "gba/challenge.hpp"

#include <array>
#include <string>

namespace mtkey::gba {

inline constexpr std::string_view kUbUserAgent = "Bootstrapping Client Agent; 3gpp-gba-tmpi";

/// The HTTP side of one run (TS 24.109 clause 4, annex A). Borrows everything it is given.
/// Errors of all three calls: BsfRejected (403), BsfUnreachable (5xx, no connection), BsfBadAnswer
/// (anything else that is not the answer of a BSF; redirects among it), and what HttpExchange says
/// (PeerUntrusted, Cancelled, TimedOut).
class Ub {
public:
    Ub(HttpExchange& bsf, const Clock& clock, RandomSource& random, std::string_view impi)
        : bsf_(bsf), clock_(clock), random_(random), impi_(impi) {}

    /// The first request, which only says who we are; gives an accepted challenge.
    [[nodiscard]] Result<DigestChallenge> ask();
    /// AUTS with an empty password (RFC 3310 section 3.4); gives the next challenge.
    [[nodiscard]] Result<DigestChallenge> resynchronise(const DigestChallenge& challenge,
                                                        const std::array<std::uint8_t, 14>& auts);
    /// Answers with RES and gives the body of the 200, whose rspauth has been verified over that
    /// body and nothing else of it looked at. BsfRejected also for a second 401; BsfUntrusted for
    /// rspauth.
    [[nodiscard]] Result<std::string> answer(const DigestChallenge& challenge,
                                             const SecretBytes& res, bool require_rspauth);

    [[nodiscard]] unsigned exchanges() const { return exchanges_; }

private:
    [[nodiscard]] Result<HttpResponse> exchange(std::string authorization);
    [[nodiscard]] Result<DigestChallenge> challenge_of(const HttpResponse& response) const;
    [[nodiscard]] Result<std::string> make_cnonce();

    HttpExchange& bsf_;
    const Clock& clock_;
    RandomSource& random_;
    std::string_view impi_;
    unsigned exchanges_ = 0;
};

} // namespace mtkey::gba
