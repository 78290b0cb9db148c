// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/digest.hpp"
#include "fakes/fixed_random.hpp"
#include "fakes/manual_clock.hpp"
#include "fakes/scripted_card.hpp"
#include "fakes/scripted_http.hpp"
#include "gba/bootstrapping.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mtkey::gba {

inline const std::string kBsfFqdn = "bsf.mnc001.mcc001.pub.3gppnetwork.org";

inline const vectors::Json& example() {
    static const auto json = vectors::load("worked_example.json");
    return json;
}
inline std::string text(const vectors::Json& value) {
    return value;
}

/// "gba_u" or "gba_me" of the worked example, in the forms that scripts need.
struct Numbers {
    explicit Numbers(const char* name) : json(example()[name]) {}
    vectors::Json json;
    [[nodiscard]] std::string nonce() const { return text(json["ub"]["nonce"]); }
    [[nodiscard]] std::string authorization() const {
        return text(json["ub"]["authorization_header"]);
    }
    [[nodiscard]] std::string rspauth() const { return text(json["ub"]["rspauth"]); }
    [[nodiscard]] Bytes res() const { return vectors::hex(text(json["ub"]["password_hex"])); }
};
inline const Numbers kGbaU("gba_u");
inline const Numbers kGbaMe("gba_me");

inline std::string dd_command(const Numbers& numbers = kGbaU) {
    const auto raw = text(numbers.json["ub"]["nonce_raw"]);
    return "0088008423dd10" + raw.substr(0, 32) + "10" + raw.substr(32) + "00";
}
inline std::string g3_command(const Numbers& numbers = kGbaMe) {
    const auto raw = text(numbers.json["ub"]["nonce_raw"]);
    return "008800812210" + raw.substr(0, 32) + "10" + raw.substr(32) + "00";
}
inline std::string dd_answer() {
    return text(example()["gba_u"]["card_answer_bootstrap"]) + "9000";
}
inline std::string g3_answer() {
    return text(example()["gba_me"]["card_answer_no_kc"]) + "9000";
}
inline std::string sync_answer() {
    return text(example()["resync"]["card_answer"]) + "9000";
}

inline HttpResponse unauthorized(const std::string& nonce) {
    HttpResponse response{.status = 401, .headers = {}, .body = {}};
    response.headers.add("WWW-Authenticate",
                         "Digest realm=\"" + kBsfFqdn + "\", nonce=\"" + nonce +
                             "\", algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"" +
                             text(example()["digest_constants"]["opaque"]) + "\"");
    return response;
}
inline HttpResponse status(unsigned number) {
    return {.status = number, .headers = {}, .body = {}};
}

/// Authentication-Info of a BSF that knows RES, for the body and the request that it answers.
inline std::string info_for(const HttpRequest& request, ByteView res, std::string_view body) {
    const auto field = request.headers.single("Authorization").value().value();
    const auto parameters = aka::DigestParameters::parse_challenge(field).value();
    aka::DigestInputs inputs;
    inputs.username = parameters.get("username").value();
    inputs.realm = parameters.get("realm").value();
    inputs.nonce = parameters.get("nonce").value();
    inputs.cnonce = parameters.get("cnonce").value();
    inputs.nc = parameters.get("nc").value();
    EXPECT_EQ(parameters.get("response"), aka::digest_response(inputs, res, {}));
    EXPECT_FALSE(parameters.get("auts"));
    return "qop=auth-int, rspauth=\"" + aka::digest_rspauth(inputs, res, as_octets(body)) +
           "\", cnonce=\"" + inputs.cnonce + "\", nc=" + inputs.nc;
}
inline HttpResponse ok(std::string info, std::string body,
                       const std::string& type = "application/vnd.3gpp.bsf+xml") {
    HttpResponse response{.status = 200, .headers = {}, .body = std::move(body)};
    response.headers.add("Authentication-Info", std::move(info));
    response.headers.add("Content-Type", type);
    return response;
}
inline fakes::ScriptedHttp::Responder accepting(Bytes res, std::string body) {
    return [res = std::move(res), body = std::move(body)](const HttpRequest& request) {
        return ok(info_for(request, res, body), body);
    };
}
inline std::string document(const std::string& lifetime, const std::string& more = {},
                            const std::string& b_tid = text(example()["btid"])) {
    return R"(<?xml version="1.0" encoding="UTF-8"?><BootstrappingInfo xmlns="uri:3gpp-gba"><btid>)" +
           b_tid + "</btid><lifetime>" + lifetime + "</lifetime>" + more + "</BootstrappingInfo>";
}

/// One run with everything around it under the test's control; the worked example unless changed.
struct RunFixture {
    explicit RunFixture(ModePolicy policy = ModePolicy::PreferUicc, bool card_has_gba = true) {
        settings.impi = text(example()["identities"]["impi"]);
        settings.card_has_gba = card_has_gba;
        settings.policy = policy;
        settings.lifetime_cap = std::chrono::hours(24 * 3650);
        const auto cnonce = text(example()["digest_constants"]["cnonce"]);
        for (int i = 0; i < 2; ++i) {
            random.push_hex(cnonce);
        }
        events.before_bootstrapping_command = [this](Mode mode) -> Result<void> {
            EXPECT_EQ(mode, Mode::GbaU);
            announced.push_back(card.played());
            return {};
        };
        events.card_without_gba = [this] { ++without_gba; };
    }
    [[nodiscard]] Result<Context> start() {
        return bootstrap(card, http, clock, random, settings, events, &memory);
    }
    [[nodiscard]] bool finished() const { return http.finished() && card.finished(); }

    /// SELECT EF_GBABP and UPDATE BINARY of the worked example.
    void expect_gbabp(const std::string& select_sw = "9000",
                      const std::string& update_sw = "9000") {
        settings.gbabp_size = 120;
        card.expect(kSelectGbabp, select_sw);
        if (select_sw == "9000") {
            card.expect(text(example()["gba_u"]["apdu_update_binary_btid_lifetime"]), update_sw);
        }
    }
    static constexpr const char* kSelectGbabp = "00a4000c026fd6";

    fakes::ScriptedHttp http{kBsfFqdn};
    test::ScriptedCard card;
    fakes::ManualClock clock{"2026-01-01T00:00:00Z"};
    fakes::FixedRandom random;
    RunSettings settings;
    RunEvents events;
    UbMemory memory;
    std::vector<std::size_t> announced; ///< commands that were through at each event before DD
    int without_gba = 0;
};

} // namespace mtkey::gba
