// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/subscriber_file.hpp"
#include "fakes/fixed_random.hpp"
#include "fakes/manual_clock.hpp"
#include "network/bsf/authentication_centre.hpp"
#include "network/bsf/ub_handler.hpp"
#include "network/bsf/zn_handler.hpp"
#include "testbed/virtual_uicc/card.hpp"
#include "uicc/transmit.hpp"
#include "vectors/vector_file.hpp"

#include <memory>
#include <string>
#include <vector>

namespace mtkey::integration {

inline const vectors::Json& example() {
    static const auto json = vectors::load("worked_example.json");
    return json;
}
inline std::string text(const vectors::Json& value) {
    return value;
}

/// The simulated card where a reader would be: T=0 octets down and up.
class CardInReader final : public uicc::RawCard {
public:
    explicit CardInReader(testbed::Card card) : card_(std::move(card)) {}
    [[nodiscard]] Result<SecretBytes> exchange(ByteView command) override {
        ++exchanges_;
        return card_.transmit(command);
    }
    [[nodiscard]] const testbed::Card& card() const { return card_; }
    [[nodiscard]] unsigned exchanges() const { return exchanges_; }

private:
    testbed::Card card_;
    unsigned exchanges_ = 0;
};

/// Everything above the T=0 mapping, in hex: command in its T=1 form, answer with its status word.
class RecordingChannel final : public uicc::CardChannel {
public:
    struct Line {
        std::string command;
        std::string answer;
        friend bool operator==(const Line&, const Line&) = default;
    };

    explicit RecordingChannel(uicc::CardChannel& channel) : channel_(channel) {}
    [[nodiscard]] Result<uicc::ResponseApdu> transmit(const uicc::CommandApdu& command) override {
        auto response = channel_.transmit(command);
        const auto status = response ? response->sw : std::uint16_t{0};
        lines_.push_back({to_hex(command.encode().reveal()),
                          (response ? to_hex(response->data.reveal()) : "") +
                              to_hex(std::array{static_cast<std::uint8_t>(status >> 8),
                                                static_cast<std::uint8_t>(status & 0xFF)})});
        return response;
    }
    [[nodiscard]] std::vector<Line> take() { return std::exchange(lines_, {}); }

private:
    uicc::CardChannel& channel_;
    std::vector<Line> lines_;
};

/// A server's handler where its socket would be; keeps what went over.
class DirectExchange final : public HttpExchange {
public:
    using Handler = std::function<HttpResponse(const HttpRequest&)>;
    struct Line {
        HttpRequest request;
        HttpResponse response;
    };

    DirectExchange(std::string fqdn, bool authenticated, Handler handler)
        : fqdn_(std::move(fqdn)), authenticated_(authenticated), handler_(std::move(handler)) {}
    [[nodiscard]] std::string_view fqdn() const override { return fqdn_; }
    [[nodiscard]] bool authenticated() const override { return authenticated_; }
    [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest& request) override {
        lines_.push_back({request, handler_(request)});
        return lines_.back().response;
    }
    [[nodiscard]] const std::vector<Line>& lines() const { return lines_; }

private:
    std::string fqdn_;
    bool authenticated_;
    Handler handler_;
    std::vector<Line> lines_;
};

/// Value of a header that stands once; empty otherwise.
inline std::string header(const HttpHeaders& headers, std::string_view name) {
    const auto value = headers.single(name);
    return value && *value ? std::string(**value) : std::string();
}

/// Card, BSF and clock of the worked example: one subscriber whose card and whose HSS know the same
/// K.
struct Network {
    /// `mode`: of the subscription, "gba-u" or "gba-me". `sqn_ms`: the card's, in hex.
    Network(const std::string& mode, bool card_has_gba, const std::string& sqn_ms)
        : centre(subscribers(mode), random),
          ub({.fqdn = text(example()["identities"]["bsf_fqdn"]),
              .lifetime = std::chrono::hours(24),
              .gba_u = {}},
             centre, store, clock, random),
          reader(make_card(card_has_gba, sqn_ms)),
          mapped(reader, uicc::Protocol::T0),
          card(mapped) {}

    /// RAND and opaque of the BSF's next challenge.
    void next_challenge(const std::string& rand, const std::string& opaque) {
        random.push_hex(rand);
        random.push_hex(opaque);
    }

    static std::vector<aka::Subscriber> subscribers(const std::string& mode) {
        const auto milenage = example()["milenage"];
        const auto line = [](const std::string& name, const std::string& value) {
            return name + " = \"" + value + "\"\n";
        };
        return aka::parse_subscribers("[[subscriber]]\nmnc_length = 2\n" +
                                          line("imsi", example()["identities"]["imsi"]) +
                                          line("k", milenage["k"]) + line("opc", milenage["opc"]) +
                                          line("amf", milenage["amf"]) +
                                          line("sqn", milenage["sqn"]) + line("mode", mode),
                                      "subscribers.toml")
            .value();
    }
    static testbed::Card make_card(bool gba, const std::string& sqn_ms) {
        testbed::CardProfile profile;
        profile.iccid = "8900101000000000018";
        profile.imsi = text(example()["identities"]["imsi"]);
        profile.gba = gba;
        profile.local_key = gba;
        profile.naf_key_centers = {text(example()["identities"]["naf_fqdn"])};
        return testbed::Card::create(profile, std::move(subscribers("gba-u").front().algorithm),
                                     vectors::array<6>(sqn_ms))
            .value();
    }

    // One day before the lifetime of the example, which is the BSF's default.
    fakes::ManualClock clock{"2029-12-31T12:00:00Z"};
    fakes::FixedRandom random; ///< of the BSF
    bsf::AuthenticationCentre centre;
    bsf::BootstrappingStore store{centre.database(), clock, "memory"};
    bsf::UbHandler ub;
    CardInReader reader;
    uicc::MappedChannel mapped;
    RecordingChannel card;
};

} // namespace mtkey::integration
