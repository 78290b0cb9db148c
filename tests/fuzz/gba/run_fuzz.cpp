// SPDX-License-Identifier: Apache-2.0
// A whole run against a BSF and a card that say what the fuzzer likes. Nobody here knows RES in
// time to compute an rspauth, so no run may succeed that asks for one. The card is never asked more
// often than design.md decision 3 allows, and one with GBA is never driven with the 3G context
// without TLS. A SIM is asked once, and with TLS alone.
#include "base/encoding.hpp"
#include "base/log.hpp"
#include "gba/bootstrapping.hpp"

#include <algorithm>
#include <cstdlib>

using namespace mtkey;

namespace {

/// Takes the input apart; gives nothing more when it is used up.
class Input {
public:
    explicit Input(ByteView rest) : rest_(rest) {}
    std::uint8_t octet() {
        const auto taken = rest_.first(std::min<std::size_t>(rest_.size(), 1));
        rest_ = rest_.subspan(taken.size());
        return taken.empty() ? std::uint8_t{0} : taken[0];
    }
    ByteView piece() {
        const std::size_t length = octet() * 4U;
        const auto taken = rest_.first(std::min(rest_.size(), length));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    std::string line() { return std::string(as_text(piece())); }

private:
    ByteView rest_;
};

class FuzzedBsf final : public HttpExchange {
public:
    FuzzedBsf(Input& input, bool tls, bool sim) : input_(input), tls_(tls), sim_(sim) {}
    [[nodiscard]] std::string_view fqdn() const override { return "bsf.example.org"; }
    [[nodiscard]] bool authenticated() const override { return tls_; }
    [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest&) override {
        if (++exchanges_ > 4) { // TMPI, IMPI, AUTS, RES
            std::abort();
        }
        HttpResponse response;
        const auto kind = input_.octet();
        response.status = kind % 4 == 0 ? kind * 4U : kind % 2 == 0 ? 200 : 401;
        if (kind >= 128) { // a challenge that is in order, so that the fuzzer gets further
            Bytes nonce(32, kind);
            if (sim_) {
                std::fill(nonce.begin() + 16, nonce.end(), std::uint8_t{0});
                nonce.resize(48, kind);
            }
            response.headers.add("WWW-Authenticate", "Digest realm=\"bsf.example.org\", nonce=\"" +
                                                         to_base64(nonce) +
                                                         "\", algorithm=AKAv1-MD5, qop=auth-int");
        } else {
            response.headers.add("WWW-Authenticate", input_.line());
        }
        response.headers.add("Authentication-Info", input_.line());
        response.headers.add("Content-Type", "application/vnd.3gpp.bsf+xml");
        response.body = input_.line();
        return response;
    }

private:
    Input& input_;
    bool tls_;
    bool sim_;
    unsigned exchanges_ = 0;
};

class FuzzedCard final : public uicc::CardChannel {
public:
    struct Limits {
        unsigned authenticates;
        bool g3;     ///< the 3G context may be used
        bool writes; ///< other commands: not before rspauth holds
        bool sim;
    };
    FuzzedCard(Input& input, Limits limits) : input_(input), limits_(limits) {}
    [[nodiscard]] Result<uicc::ResponseApdu> transmit(const uicc::CommandApdu& command) override {
        const auto data = command.data.reveal();
        const bool naf = command.p2 == 0x84 && !data.empty() && data[0] == 0xDE; // for a TMPI
        const bool allowed =
            command.ins == 0x88 && !naf
                ? ++authenticates_ <= limits_.authenticates && (command.p2 == 0x84 || limits_.g3)
                : limits_.writes;
        if (!allowed || (command.cla == 0xA0) != limits_.sim) {
            std::abort();
        }
        uicc::ResponseApdu response;
        const auto kind = input_.octet();
        response.sw = kind % 4 == 0   ? std::uint16_t{0x9862}
                      : kind % 4 == 1 ? std::uint16_t{0x9864}
                                      : std::uint16_t{0x9000};
        response.data = SecretBytes(input_.piece());
        return response;
    }

private:
    Input& input_;
    Limits limits_;
    unsigned authenticates_ = 0;
};

class StillClock final : public Clock {
public:
    [[nodiscard]] UtcTime utc_now() const override { return {}; }
    [[nodiscard]] BootTime boot_now() const override { return {}; }
};
class ZeroRandom final : public RandomSource {
public:
    [[nodiscard]] Result<void> fill(std::span<std::uint8_t> out) override {
        std::ranges::fill(out, std::uint8_t{0});
        return {};
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    set_log_level(LogLevel::Error);
    Input input({data, size});
    const auto switches = input.octet();
    const bool tls = (switches & 1) != 0;
    const bool sim = (switches & 128) != 0;
    FuzzedBsf bsf(input, tls, sim);
    const bool has_gba = (switches & 2) != 0;
    const bool require_rspauth = (switches & 32) == 0;
    const auto limits =
        sim ? FuzzedCard::Limits{tls ? 1U : 0U, true, false, true}
            : FuzzedCard::Limits{tls ? 3U : 2U, tls || !has_gba, !require_rspauth, false};
    FuzzedCard card(input, limits);
    StillClock clock;
    ZeroRandom random;
    gba::RunSettings settings;
    settings.impi = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org";
    settings.card_has_gba = has_gba;
    settings.gba_context_missing = (switches & 64) != 0;
    if (sim) {
        settings.application = uicc::DirEntry::Kind::Sim;
        settings.allow_2g = true;
    }
    settings.require_rspauth = require_rspauth;
    settings.allow_downgrade = (switches & 4) != 0;
    settings.gbabp_size = 120;
    settings.policy = (switches & 8) != 0    ? gba::ModePolicy::MeOnly
                      : (switches & 16) != 0 ? gba::ModePolicy::RequireUicc
                                             : gba::ModePolicy::PreferUicc;
    gba::UbMemory memory;
    if ((switches & 128) != 0) {
        settings.tmpi = gba::TmpiPolicy::Always;
        memory = {"bsf.example.org", settings.impi, "x@tmpi.bsf.3gppnetwork.org", std::nullopt};
        gba::DigestChallenge next;
        next.realm = memory.bsf_fqdn;
        next.nonce = to_base64(Bytes(32, 1));
        next.aka.rand.fill(1);
        next.aka.autn.fill(1);
        next.kept = true;
        if ((switches & 4) != 0) {
            memory.next_challenge = next;
        }
    }
    if (gba::bootstrap(card, bsf, clock, random, settings, {}, &memory) && require_rspauth) {
        std::abort();
    }
    return 0;
}
