// SPDX-License-Identifier: Apache-2.0
// What one run leaves to the next: TMPI and the announced challenge.
#include "run_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::gba {
namespace {

const std::string kServer = "Bootstrapping Server; Release-6; 3gpp-gba-tmpi";
const std::string kLifetime = "2030-01-01T12:00:00Z";
const std::string kTmpi = text(example()["tmpi"]);
const std::string kImpi = text(example()["identities"]["impi"]);

std::string parameter(const HttpRequest& request, std::string_view name) {
    const auto field = request.headers.single("Authorization").value().value();
    const auto parameters = aka::DigestParameters::parse_challenge(field).value();
    return std::string(parameters.get(name).value_or("(none)"));
}

/// A 200 of a BSF that knows of TMPI, with `more` behind its Authentication-Info.
fakes::ScriptedHttp::Responder accepting_with(const Numbers& numbers, const std::string& more = {},
                                              const std::string& server = kServer) {
    return [=](const HttpRequest& request) {
        const auto body = document(kLifetime);
        auto response = ok(info_for(request, numbers.res(), body) + more, body);
        if (!server.empty()) {
            response.headers.add("Server", server);
        }
        return response;
    };
}

struct GbaMe : RunFixture {
    GbaMe() : RunFixture(ModePolicy::PreferUicc, false) {}
    void expect_success(const std::string& more = {}, const std::string& server = kServer) {
        http.expect(HttpRequest{}, unauthorized(kGbaMe.nonce()));
        card.expect(g3_command(), g3_answer());
        http.expect(accepting_with(kGbaMe, more, server));
    }
};

struct GbaU : RunFixture {
    void expect_success(const std::string& more = {}) {
        http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
        card.expect(dd_command(), dd_answer());
        http.expect(accepting_with(kGbaU, more));
    }
    /// AUTHENTICATE(DE) with BSF_Id, and a key whose first 24 octets are in the TMPI of the
    /// example.
    void expect_derivation(const std::string& answer = "") {
        const std::string bsf_id = to_hex(as_octets(kBsfFqdn)) + "0100000100";
        const std::string impi = to_hex(as_octets(kImpi));
        const auto length = [](const std::string& hex) {
            return to_hex(std::array{static_cast<std::uint8_t>(hex.size() / 2)});
        };
        const std::string data = "de" + length(bsf_id) + bsf_id + length(impi) + impi;
        const auto key = to_hex(from_base64(kTmpi.substr(0, 32)).value()) + "0011223344556677";
        card.expect("00880084" + length(data) + data + "00",
                    answer.empty() ? "db20" + key + "9000" : answer);
    }
};

HttpResponse unknown_tmpi() {
    auto response = status(401);
    response.headers.add("WWW-Authenticate",
                         "Digest realm=\"" + kBsfFqdn +
                             "\", nonce=\"\", algorithm=AKAv1-MD5, qop=\"auth-int\"");
    return response;
}

// ---- TMPI (TS 33.220 clause B.4)

TEST(Tmpi, IsTheNextUsername) {
    GbaMe run;
    for (int number = 0; number < 2; ++number) {
        run.random.push_hex(std::string(64, '0'));
        run.expect_success();
        auto context = run.start();
        ASSERT_TRUE(context) << describe(context.error());
        EXPECT_EQ(run.memory.tmpi, kTmpi); // by another implementation
        EXPECT_EQ(context->impi(), kImpi) << "P2 of every derivation stays the IMPI";
    }
    ASSERT_EQ(run.http.requests().size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(parameter(run.http.requests()[i], "username"), i < 2 ? kImpi : kTmpi);
        EXPECT_EQ(run.http.requests()[i].headers.single("User-Agent").value(),
                  "Bootstrapping Client Agent; 3gpp-gba-tmpi");
    }
    EXPECT_TRUE(run.finished()) << run.card.trouble();
}

// RAND is another in each of these sets, and TMPI with it.
TEST(Tmpi, OfTheForeignVectors) {
    for (const auto& set : vectors::load("gba_kat.json")["sets"]) {
        GbaMe run;
        run.http = fakes::ScriptedHttp(text(set["realm"]));
        run.settings.impi = text(set["impi"]);
        auto challenge = status(401);
        challenge.headers.add("WWW-Authenticate", "Digest realm=\"" + text(set["realm"]) +
                                                      "\", nonce=\"" + text(set["nonce"]) +
                                                      "\", algorithm=AKAv1-MD5, qop=auth-int");
        run.http.expect(HttpRequest{}, challenge);
        const std::string res = text(set["res"]);
        run.card.expect("008800812210" + text(set["rand"]) + "10" + text(set["autn"]) + "00",
                        "db08" + res + "10" + text(set["ck"]) + "10" + text(set["ik"]) + "9000");
        run.http.expect([&](const HttpRequest& request) {
            auto response = accepting(vectors::hex(res), document(kLifetime))(request);
            response->headers.add("Server", "x 3gpp-gba-tmpi");
            return response;
        });
        ASSERT_TRUE(run.start());
        EXPECT_EQ(run.memory.tmpi, text(set["tmpi"]));
    }
}

TEST(Tmpi, OnlyWhenBothKnowOfIt) {
    for (const auto& [server, known] :
         {std::pair("3gpp-gba-tmpi", true), std::pair("a;3gpp-gba-tmpi;b", true),
          std::pair("BSF/1.0 3gpp-gba-tmpi", true), std::pair("", false),
          std::pair("BSF/1.0", false), std::pair("3gpp-gba-tmpi2", false),
          std::pair("x3gpp-gba-tmpi", false), std::pair("3gpp-gba", false)}) {
        GbaMe run;
        run.memory = {kBsfFqdn, kImpi, "old@tmpi.bsf.3gppnetwork.org", std::nullopt};
        run.expect_success({}, server);
        ASSERT_TRUE(run.start());
        EXPECT_EQ(run.memory.tmpi.has_value(), known) << server; // the old one goes in any case
        EXPECT_NE(run.memory.tmpi, "old@tmpi.bsf.3gppnetwork.org");
    }
    GbaMe never;
    never.settings.tmpi = TmpiPolicy::Never;
    never.expect_success();
    ASSERT_TRUE(never.start());
    EXPECT_FALSE(never.memory.tmpi);
    EXPECT_EQ(never.http.requests().front().headers.single("User-Agent").value(),
              "Bootstrapping Client Agent");
}

TEST(Tmpi, CostsACommandInGbaU) {
    for (const auto policy : {TmpiPolicy::Auto, TmpiPolicy::Never}) {
        GbaU run;
        run.settings.tmpi = policy;
        run.expect_success();
        ASSERT_TRUE(run.start());
        EXPECT_FALSE(run.memory.tmpi);
        EXPECT_TRUE(run.finished()) << run.card.trouble();
    }
    GbaU always;
    always.settings.tmpi = TmpiPolicy::Always;
    always.expect_success();
    always.expect_derivation();
    const auto context = always.start();
    ASSERT_TRUE(context);
    EXPECT_EQ(always.memory.tmpi, kTmpi);
    EXPECT_EQ(context->counts().bootstrapping_authenticates, 1U);
    EXPECT_TRUE(always.finished()) << always.card.trouble();
}

TEST(Tmpi, IsNoConditionOfABootstrapping) {
    for (const char* answer : {"6985", "9862", "6f00",
                               "db00"
                               "9000"}) {
        GbaU run;
        run.settings.tmpi = TmpiPolicy::Always;
        run.expect_success();
        run.expect_derivation(answer);
        EXPECT_TRUE(run.start()) << answer;
        EXPECT_FALSE(run.memory.tmpi) << answer;
        EXPECT_TRUE(run.finished()) << run.card.trouble();
    }
}

TEST(Tmpi, UnknownToTheBsf) {
    auto no_header = status(401);
    for (const auto& refusal : {unknown_tmpi(), no_header, status(403), status(404), status(400)}) {
        GbaMe run;
        run.memory = {kBsfFqdn, kImpi, kTmpi, std::nullopt};
        run.http.expect(HttpRequest{}, refusal);
        run.expect_success({}, "");
        const auto context = run.start();
        ASSERT_TRUE(context) << refusal.status << describe(context.error());
        EXPECT_EQ(context->counts().http_exchanges, 3U);
        EXPECT_EQ(context->counts().bootstrapping_authenticates, 1U);
        EXPECT_EQ(parameter(run.http.requests()[0], "username"), kTmpi);
        EXPECT_EQ(parameter(run.http.requests()[1], "username"), kImpi);
        EXPECT_EQ(parameter(run.http.requests()[2], "username"), kImpi);
        EXPECT_FALSE(run.memory.tmpi);
    }
    // Once: what the BSF says to the IMPI is its last word.
    GbaMe run;
    run.memory = {kBsfFqdn, kImpi, kTmpi, std::nullopt};
    run.http.expect(HttpRequest{}, status(403));
    run.http.expect(HttpRequest{}, status(403));
    EXPECT_EQ(run.start().error().code, Errc::BsfRejected);
    EXPECT_TRUE(run.finished());
    EXPECT_EQ(run.card.played(), 0U);
}

// The IMPI is not shown because a BSF is out of order.
TEST(Tmpi, IsKeptWhileTheBsfIsAway) {
    for (const unsigned number : {500U, 503U, 429U}) {
        GbaMe run;
        run.memory = {kBsfFqdn, kImpi, kTmpi, std::nullopt};
        run.http.expect(HttpRequest{}, status(number));
        EXPECT_EQ(run.start().error().code, Errc::BsfUnreachable);
        EXPECT_EQ(run.memory.tmpi, kTmpi);
        EXPECT_TRUE(run.finished());
    }
    GbaMe run;
    run.memory = {kBsfFqdn, kImpi, kTmpi, std::nullopt};
    run.http.expect(HttpRequest{}, fail(Errc::BsfUnreachable, "scripted"));
    EXPECT_FALSE(run.start());
    EXPECT_EQ(run.memory.tmpi, kTmpi);
}

TEST(Tmpi, WithARefusedAnswerIsForgotten) {
    for (const unsigned number : {401U, 403U}) {
        GbaMe run;
        run.memory = {kBsfFqdn, kImpi, kTmpi, std::nullopt};
        run.http.expect(HttpRequest{}, unauthorized(kGbaMe.nonce()));
        run.card.expect(g3_command(), g3_answer());
        run.http.expect(HttpRequest{}, status(number));
        EXPECT_EQ(run.start().error().code, Errc::BsfRejected);
        EXPECT_FALSE(run.memory.tmpi);
    }
}

TEST(UbMemory, IsOfOneBsfAndOneIdentity) {
    for (const auto& [bsf, impi] : {std::pair<std::string, std::string>("other.example.org", kImpi),
                                    std::pair<std::string, std::string>(kBsfFqdn, "a@b.c")}) {
        GbaMe run;
        run.memory = {bsf, impi, kTmpi, DigestChallenge{}};
        run.expect_success({}, "");
        ASSERT_TRUE(run.start());
        EXPECT_EQ(parameter(run.http.requests().front(), "username"), kImpi);
        EXPECT_EQ(run.memory.bsf_fqdn, kBsfFqdn);
        EXPECT_EQ(run.memory.impi, kImpi);
    }
}

// ---- nextnonce (RFC 7616 section 3.5)

std::string next_nonce(const Numbers& numbers) {
    return ", nextnonce=\"" + numbers.nonce() + "\"";
}
/// The challenge of the worked example's other mode stands for the next one.
std::string dd_next() {
    return dd_command(kGbaMe);
}
HttpResponse third_challenge() {
    return unauthorized(to_base64(Bytes(32, 0x33)));
}
const std::string kDdThird =
    "0088008423dd10" + std::string(32, '3') + "10" + std::string(32, '3') + "00";

/// A run that has left the next challenge.
struct Announced : GbaU {
    Announced() {
        expect_success(next_nonce(kGbaMe));
        EXPECT_TRUE(start());
        EXPECT_TRUE(memory.next_challenge.has_value());
        EXPECT_TRUE(finished());
        random.push_hex(std::string(128, '7'));
    }
};

TEST(NextNonce, SavesAnExchange) {
    Announced run;
    run.card.expect(dd_next(), dd_answer());
    run.http.expect(accepting_with(kGbaU));
    const auto context = run.start();
    ASSERT_TRUE(context) << describe(context.error());
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    EXPECT_EQ(context->counts().http_exchanges, 1U);
    EXPECT_EQ(context->counts().bootstrapping_authenticates, 1U);
    EXPECT_EQ(run.http.connects(), 1U);
    const auto& request = run.http.requests().back();
    EXPECT_EQ(parameter(request, "nonce"), kGbaMe.nonce());
    EXPECT_EQ(parameter(request, "nc"), "00000001"); // a nonce of its own
    EXPECT_EQ(parameter(request, "opaque"), text(example()["digest_constants"]["opaque"]));
    EXPECT_EQ(parameter(request, "username"), kImpi);
    EXPECT_FALSE(run.memory.next_challenge) << "for one use";
}

TEST(NextNonce, MayBeSwitchedOff) {
    Announced run;
    run.settings.use_next_nonce = false;
    run.expect_success();
    EXPECT_TRUE(run.start());
    EXPECT_TRUE(run.finished()) << run.card.trouble();
}

TEST(NextNonce, StaleOne) {
    Announced run;
    run.card.expect(dd_next(), dd_answer());
    run.http.expect(HttpRequest{}, third_challenge());
    run.card.expect(kDdThird, dd_answer());
    run.http.expect(accepting_with(kGbaU));
    const auto context = run.start();
    ASSERT_TRUE(context) << describe(context.error());
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    EXPECT_EQ(context->counts().bootstrapping_authenticates, 2U);
    EXPECT_EQ(context->counts().http_exchanges, 2U);
}

// A BSF that has forgotten all: what it announced, and who has that TMPI.
TEST(NextNonce, StaleUnderAnUnknownTmpi) {
    Announced run;
    run.memory.tmpi = kTmpi;
    run.card.expect(dd_next(), dd_answer());
    run.http.expect(HttpRequest{}, unknown_tmpi());
    run.http.expect(HttpRequest{}, third_challenge());
    run.card.expect(kDdThird, dd_answer());
    run.http.expect(accepting_with(kGbaU));
    const auto context = run.start();
    ASSERT_TRUE(context) << describe(context.error());
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    EXPECT_EQ(context->counts().bootstrapping_authenticates, 2U);
    EXPECT_EQ(context->counts().http_exchanges, 3U);
    const auto& requests = run.http.requests();
    EXPECT_EQ(parameter(requests[requests.size() - 3], "username"), kTmpi);
    EXPECT_EQ(parameter(requests[requests.size() - 2], "username"), kImpi);
    EXPECT_EQ(parameter(requests[requests.size() - 1], "username"), kImpi);
}

// Two challenges are all, whatever the second one meets.
TEST(NextNonce, StaleOneIsTheOnlyOther) {
    Announced again;
    again.card.expect(dd_next(), dd_answer());
    again.http.expect(HttpRequest{}, third_challenge());
    again.card.expect(kDdThird, dd_answer());
    again.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    EXPECT_EQ(again.start().error().code, Errc::BsfRejected);
    EXPECT_TRUE(again.finished()) << again.card.trouble();

    Announced out_of_sync;
    out_of_sync.card.expect(dd_next(), dd_answer());
    out_of_sync.http.expect(HttpRequest{}, third_challenge());
    out_of_sync.card.expect(kDdThird, sync_answer());
    EXPECT_EQ(out_of_sync.start().error().code, Errc::SyncFailure);
    EXPECT_TRUE(out_of_sync.finished()) << out_of_sync.card.trouble();

    Announced the_same;
    the_same.card.expect(dd_next(), dd_answer());
    the_same.http.expect(HttpRequest{}, unauthorized(kGbaMe.nonce()));
    EXPECT_EQ(the_same.start().error().code, Errc::BsfBadAnswer);
    EXPECT_TRUE(the_same.finished()) << the_same.card.trouble();

    Announced no_challenge;
    no_challenge.card.expect(dd_next(), dd_answer());
    no_challenge.http.expect(HttpRequest{}, unknown_tmpi());
    EXPECT_EQ(no_challenge.start().error().code, Errc::BsfBadAnswer);
    EXPECT_TRUE(no_challenge.finished()) << no_challenge.card.trouble();
}

TEST(NextNonce, OutOfSync) {
    Announced run;
    run.card.expect(dd_next(), sync_answer());
    run.http.expect(HttpRequest{}, third_challenge());
    run.card.expect(kDdThird, dd_answer());
    run.http.expect(accepting_with(kGbaU));
    ASSERT_TRUE(run.start());
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    const auto& resynchronisation = run.http.requests()[2];
    EXPECT_EQ(parameter(resynchronisation, "nonce"), kGbaMe.nonce());
    EXPECT_EQ(parameter(resynchronisation, "auts"), text(example()["resync"]["auts_b64"]));

    Announced twice;
    twice.card.expect(dd_next(), sync_answer());
    twice.http.expect(HttpRequest{}, third_challenge());
    twice.card.expect(kDdThird, sync_answer());
    EXPECT_EQ(twice.start().error().code, Errc::SyncFailure);
    EXPECT_TRUE(twice.finished()) << twice.card.trouble();
}

// rspauth does not cover it: whoever changes it on the way gets a MAC failure out of the card, and
// the run after that begins as if nothing had been announced.
TEST(NextNonce, ThatTheCardDoesNotBelieve) {
    Announced run;
    run.card.expect(dd_next(), "9862");
    run.expect_success();
    const auto context = run.start();
    ASSERT_TRUE(context) << "altered on the way, perhaps: another is asked for";
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    EXPECT_EQ(context->counts().bootstrapping_authenticates, 2U);
    // Once: the fresh one is the last.
    Announced again;
    again.card.expect(dd_next(), "9862");
    again.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    again.card.expect(dd_command(), "9862");
    EXPECT_EQ(again.start().error().code, Errc::MacFailure);
    EXPECT_TRUE(again.finished()) << again.card.trouble();
}

TEST(NextNonce, IsLookedAtAsStrictlyAsAChallenge) {
    const auto nonce = kGbaMe.nonce();
    for (const std::string& value :
         {std::string("abc"), std::string(), nonce.substr(0, 40), nonce + "=", " " + nonce,
          to_base64(Bytes(31, 1)), kGbaU.nonce()}) { // the last: what was just answered
        GbaU run;
        run.expect_success(", nextnonce=\"" + value + "\"");
        EXPECT_TRUE(run.start()) << value; // the bootstrapping is good all the same
        EXPECT_FALSE(run.memory.next_challenge) << value;
    }
    auto with_data = from_base64(nonce).value();
    with_data.push_back(7);
    GbaU run;
    run.expect_success(", nextnonce=" + to_base64(with_data));
    EXPECT_TRUE(run.start());
    EXPECT_EQ(run.memory.next_challenge.value().nonce, to_base64(with_data));
}

// The card is not touched for a BSF that is not there.
TEST(NextNonce, WaitsForAConnection) {
    Announced run;
    run.http.connect_result = fail(Errc::IoFailed, "scripted");
    EXPECT_EQ(run.start().error().code, Errc::BsfUnreachable);
    EXPECT_TRUE(run.memory.next_challenge);
    EXPECT_EQ(run.card.played(), 1U);
    run.http.connect_result = {};
    run.card.expect(dd_next(), dd_answer());
    run.http.expect(accepting_with(kGbaU));
    EXPECT_TRUE(run.start());
}

// Before the connection nobody has been authenticated; with it, 3G context on a UICC with GBA is as
// good as with a challenge that was asked for.
TEST(NextNonce, BehindTls) {
    for (const bool tls : {true, false}) {
        RunFixture run(ModePolicy::MeOnly, true);
        run.http.set_authenticated(tls);
        run.memory = {kBsfFqdn, kImpi, std::nullopt,
                      accept_challenge(unauthorized(kGbaMe.nonce()).headers, kBsfFqdn).value()};
        if (!tls) {
            EXPECT_EQ(run.start().error().code, Errc::ConfigInvalid);
            EXPECT_EQ(run.card.played(), 0U);
            continue;
        }
        run.card.expect(g3_command(), g3_answer());
        run.http.expect(accepting_with(kGbaMe));
        EXPECT_TRUE(run.start());
        EXPECT_TRUE(run.finished()) << run.card.trouble();
    }
}

// ---- nc, and what may be sent again

TEST(NonceCount, CountsAResentAnswer) {
    RunFixture run;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    run.http.expect(HttpRequest{}, fail(Errc::LinkLost, "kept connection"));
    run.http.expect(accepting(kGbaU.res(), document(kLifetime)));
    ASSERT_TRUE(run.start());
    EXPECT_TRUE(run.finished());
    const auto& requests = run.http.requests();
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_EQ(parameter(requests[1], "nc"), "00000001");
    EXPECT_EQ(parameter(requests[2], "nc"), "00000002");
    EXPECT_EQ(parameter(requests[1], "cnonce"), parameter(requests[2], "cnonce"));
    EXPECT_NE(parameter(requests[1], "response"), parameter(requests[2], "response"));
    // The client may repeat by itself only what consumes nothing.
    EXPECT_TRUE(requests[0].repeatable);
    EXPECT_FALSE(requests[1].repeatable);
    EXPECT_FALSE(requests[2].repeatable);
}

// Authentication-Info of the first of two requests does not answer the second.
TEST(NonceCount, BelongsToTheRequest) {
    RunFixture run;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    run.http.expect(HttpRequest{}, fail(Errc::LinkLost, "kept connection"));
    run.http.expect([](const HttpRequest& request) {
        auto field = std::string(request.headers.single("Authorization").value().value());
        field.replace(field.find("nc=00000002"), 11, "nc=00000001");
        const auto body = document(kLifetime);
        const auto parameters = aka::DigestParameters::parse_challenge(field).value();
        aka::DigestInputs inputs;
        inputs.username = parameters.get("username").value();
        inputs.realm = parameters.get("realm").value();
        inputs.nonce = parameters.get("nonce").value();
        inputs.cnonce = parameters.get("cnonce").value();
        return ok("qop=auth-int, rspauth=\"" +
                      aka::digest_rspauth(inputs, kGbaU.res(), as_octets(body)) + "\", cnonce=\"" +
                      inputs.cnonce + "\", nc=00000001",
                  body);
    });
    EXPECT_EQ(run.start().error().code, Errc::BsfUntrusted);
}

TEST(NonceCount, StartsAnewWithEachNonce) {
    RunFixture run;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), sync_answer());
    run.http.expect(HttpRequest{}, fail(Errc::LinkLost, "kept connection"));
    run.http.expect(HttpRequest{}, unauthorized(kGbaMe.nonce()));
    run.card.expect(dd_next(), dd_answer());
    run.http.expect(accepting(kGbaU.res(), document(kLifetime)));
    ASSERT_TRUE(run.start());
    const auto& requests = run.http.requests();
    ASSERT_EQ(requests.size(), 4U);
    EXPECT_EQ(parameter(requests[1], "nc"), "00000001");
    EXPECT_EQ(parameter(requests[2], "nc"), "00000002");
    EXPECT_EQ(parameter(requests[2], "auts"), text(example()["resync"]["auts_b64"]));
    EXPECT_EQ(parameter(requests[3], "nc"), "00000001");
}

TEST(NonceCount, IsResentOnce) {
    RunFixture run;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    run.http.expect(HttpRequest{}, fail(Errc::LinkLost, "kept connection"));
    run.http.expect(HttpRequest{}, fail(Errc::LinkLost, "kept connection"));
    EXPECT_EQ(run.start().error().code, Errc::BsfUnreachable);
    EXPECT_TRUE(run.finished());
}

// ---- Retry-After

TEST(RetryAfter, IsHandedToTheCaller) {
    struct Row {
        unsigned status;
        std::vector<std::string> fields;
        int seconds; ///< -1 = nobody is told
    };
    for (const auto& row : std::vector<Row>{{503, {"120"}, 120},
                                            {429, {"120"}, 120},
                                            {503, {"0"}, 0},
                                            {503, {"86400"}, 3600},
                                            {503, {"Thu, 01 Jan 2026 00:01:00 GMT"}, 60},
                                            {503, {"Thu, 01 Jan 1970 00:00:00 GMT"}, 0},
                                            {503, {"soon"}, -1},
                                            {503, {}, -1},
                                            {503, {"1", "2"}, -1},
                                            {500, {"120"}, -1},
                                            {403, {"120"}, -1},
                                            {301, {"120"}, -1}}) {
        for (const bool behind_the_card : {false, true}) {
            RunFixture run;
            int told = -1;
            run.events.retry_after = [&](std::chrono::seconds wait) {
                EXPECT_EQ(told, -1);
                told = static_cast<int>(wait.count());
            };
            if (behind_the_card) {
                run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
                run.card.expect(dd_command(), dd_answer());
            }
            auto response = status(row.status);
            for (const auto& field : row.fields) {
                response.headers.add("Retry-After", field);
            }
            run.http.expect(HttpRequest{}, response);
            EXPECT_FALSE(run.start());
            EXPECT_EQ(told, row.seconds) << row.status;
        }
    }
}

} // namespace
} // namespace mtkey::gba
