// SPDX-License-Identifier: Apache-2.0
// A whole run against a BSF and a card that say what the fuzzer likes. Nobody here knows RES in
// time to compute an rspauth, so no run may succeed, and the card is never asked more often than
// design.md decision 3 allows.
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
    FuzzedBsf(Input& input, bool tls) : input_(input), tls_(tls) {}
    [[nodiscard]] std::string_view fqdn() const override { return "bsf.example.org"; }
    [[nodiscard]] bool authenticated() const override { return tls_; }
    [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest&) override {
        if (++exchanges_ > 3) {
            std::abort();
        }
        HttpResponse response;
        const auto kind = input_.octet();
        response.status = kind % 4 == 0 ? kind * 4U : kind % 2 == 0 ? 200 : 401;
        if (kind >= 128) { // a challenge that is in order, so that the fuzzer gets further
            response.headers.add("WWW-Authenticate", "Digest realm=\"bsf.example.org\", nonce=\"" +
                                                         to_base64(Bytes(32, kind)) +
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
    unsigned exchanges_ = 0;
};

class FuzzedCard final : public uicc::CardChannel {
public:
    FuzzedCard(Input& input, unsigned most) : input_(input), most_(most) {}
    [[nodiscard]] Result<uicc::ResponseApdu> transmit(const uicc::CommandApdu& command) override {
        if (command.ins != 0x88 || ++authenticates_ > most_) {
            std::abort(); // nothing else is sent before rspauth holds
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
    unsigned most_;
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
    FuzzedBsf bsf(input, tls);
    FuzzedCard card(input, tls ? 3 : 2);
    StillClock clock;
    ZeroRandom random;
    gba::RunSettings settings;
    settings.impi = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org";
    settings.card_has_gba = (switches & 2) != 0;
    settings.allow_downgrade = (switches & 4) != 0;
    settings.gbabp_size = 120;
    settings.policy = (switches & 8) != 0    ? gba::ModePolicy::MeOnly
                      : (switches & 16) != 0 ? gba::ModePolicy::RequireUicc
                                             : gba::ModePolicy::PreferUicc;
    if (gba::bootstrap(card, bsf, clock, random, settings)) {
        std::abort();
    }
    return 0;
}
