// SPDX-License-Identifier: Apache-2.0
// A run with a SIM: TS 33.220 annex I with the numbers of worked_example.json.
#include "gba/gba_2g.hpp"

#include "base/encoding.hpp"
#include "run_fixture.hpp"

namespace mtkey::gba {
namespace {

const vectors::Json& numbers() {
    static const auto json = example()["gba_2g"];
    return json;
}
std::string nonce() {
    return text(numbers()["nonce"]);
}
std::string run_command() {
    return "a088000010" + text(numbers()["rand"]) + "00";
}
std::string sim_answer() {
    return text(numbers()["sres"]) + text(numbers()["kc"]) + "9000";
}

/// A nonce of these octets in the place of the example's.
std::string changed(const std::function<void(Bytes&)>& change) {
    auto octets = from_base64(nonce()).value();
    change(octets);
    return to_base64(octets);
}

struct SimRun : RunFixture {
    explicit SimRun(ModePolicy policy = ModePolicy::PreferUicc) : RunFixture(policy, false) {
        settings.application = uicc::DirEntry::Kind::Sim;
        settings.allow_2g = true;
        http.set_authenticated(true);
    }
    void expect_error(Errc code) {
        const auto context = start();
        ASSERT_FALSE(context);
        EXPECT_EQ(context.error().code, code) << describe(context.error());
        EXPECT_TRUE(finished()) << card.trouble();
    }
};

TEST(Nonce2g, FortyEightOctetsWithSixteenZeros) {
    const auto parsed = parse_2g_nonce(nonce());
    ASSERT_TRUE(parsed) << describe(parsed.error());
    EXPECT_EQ(to_hex(parsed->rand), numbers()["rand"]);
    EXPECT_EQ(to_hex(parsed->ks_input), numbers()["ks_input"]);
    for (std::size_t bit = 16 * 8; bit < 32 * 8; ++bit) {
        EXPECT_FALSE(parse_2g_nonce(changed([bit](Bytes& octets) {
            octets[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        }))) << bit;
    }
    for (const std::size_t size : {0U, 16U, 32U, 33U, 47U, 49U, 64U}) {
        EXPECT_FALSE(parse_2g_nonce(changed([size](Bytes& octets) { octets.resize(size); })))
            << size;
    }
    EXPECT_FALSE(parse_2g_nonce(nonce() + "="));
    EXPECT_FALSE(parse_2g_nonce(kGbaMe.nonce()));
}

TEST(Run2g, WorkedExample) {
    SimRun run;
    const auto body = document("2026-01-02T00:00:00Z");
    run.http.expect([](const HttpRequest& request) -> Result<HttpResponse> {
        EXPECT_EQ(request.headers.single("User-Agent").value(),
                  "Bootstrapping Client Agent; 3gpp-gba-tmpi");
        return unauthorized(nonce());
    });
    run.http.expect(accepting(vectors::hex(numbers()["res"]), body));
    run.card.expect(run_command(), sim_answer());
    auto context = run.start();
    ASSERT_TRUE(context) << describe(context.error());
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    EXPECT_EQ(context->mode(), Mode::Gba2g);
    EXPECT_EQ(to_text(context->mode()), "gba-2g");
    EXPECT_EQ(context->b_tid(), example()["btid"]);
    EXPECT_EQ(context->counts().bootstrapping_authenticates, 1U);
    EXPECT_TRUE(run.announced.empty());
    // Ks_NAF needs no card.
    const kdf::NafId naf{"naf.example.org", kdf::kDefaultUaId};
    const auto key = context->ks_naf(nullptr, naf);
    ASSERT_TRUE(key) << describe(key.error());
    const auto expected =
        kdf::ks_ext_naf(vectors::secret<32>(numbers()["ks"]), vectors::array<16>(numbers()["rand"]),
                        run.settings.impi, naf);
    EXPECT_TRUE(**key == *expected);
}

TEST(Run2g, MeOnlyMeansTheSameAndRequireUiccNoSim) {
    SimRun me(ModePolicy::MeOnly);
    me.http.expect([](const HttpRequest&) { return unauthorized(nonce()); });
    me.http.expect(accepting(vectors::hex(numbers()["res"]), document("2026-01-02T00:00:00Z")));
    me.card.expect(run_command(), sim_answer());
    EXPECT_TRUE(me.start());
    SimRun(ModePolicy::RequireUicc).expect_error(Errc::NotSupportedByCard);
}

TEST(Run2g, SwitchIsOff) {
    SimRun run;
    run.settings.allow_2g = false;
    run.expect_error(Errc::ConfigInvalid); // before anything is said to anybody
    EXPECT_TRUE(run.http.requests().empty());
}

TEST(Run2g, NotWithoutTls) {
    SimRun run;
    run.http.set_authenticated(false);
    run.http.expect([](const HttpRequest&) { return unauthorized(nonce()); });
    run.expect_error(Errc::ConfigInvalid);
    EXPECT_EQ(run.card.played(), 0U);
}

// No challenge but one of its own reaches the SIM: no part of a 3G vector, not with server data
// either.
TEST(Run2g, ChallengeOfAUsim) {
    for (const auto& other :
         {kGbaMe.nonce(), kGbaU.nonce(), changed([](Bytes& octets) { octets[31] = 1; }),
          changed([](Bytes& octets) { octets.push_back(0); }),
          changed([](Bytes& octets) { octets.pop_back(); })}) {
        SimRun run;
        run.http.expect([&](const HttpRequest&) { return unauthorized(other); });
        run.expect_error(Errc::BsfBadAnswer);
        EXPECT_EQ(run.card.played(), 0U);
    }
}

TEST(Run2g, ChallengeOfASimToAUsim) {
    for (const bool gba : {false, true}) {
        RunFixture run(ModePolicy::PreferUicc, gba);
        run.http.set_authenticated(true);
        run.http.expect([](const HttpRequest&) { return unauthorized(nonce()); });
        const auto context = run.start();
        ASSERT_FALSE(context);
        EXPECT_EQ(context.error().code, Errc::BsfBadAnswer);
        EXPECT_EQ(run.card.played(), 0U);
    }
}

TEST(Run2g, OneChallengeAndNoMore) {
    SimRun run;
    run.http.expect([](const HttpRequest&) { return unauthorized(nonce()); });
    run.http.expect([](const HttpRequest&) { return unauthorized(nonce()); });
    run.card.expect(run_command(), sim_answer());
    run.expect_error(Errc::BsfRejected);
}

TEST(Run2g, SimThatRefuses) {
    for (const auto& [word, code] :
         {std::pair{"9804", Errc::PinRequired}, {"6f00", Errc::CardFailed}}) {
        SimRun run;
        run.http.expect([](const HttpRequest&) { return unauthorized(nonce()); });
        run.card.expect(run_command(), word);
        run.expect_error(code);
    }
}

TEST(Run2g, WrongRspauth) {
    SimRun run;
    run.http.expect([](const HttpRequest&) { return unauthorized(nonce()); });
    run.http.expect([](const HttpRequest& request) -> Result<HttpResponse> {
        const auto body = document("2026-01-02T00:00:00Z");
        const auto info = info_for(request, vectors::hex(numbers()["res"]), body);
        return ok(info, body + " ");
    });
    run.card.expect(run_command(), sim_answer());
    run.expect_error(Errc::BsfUntrusted);
}

} // namespace
} // namespace mtkey::gba
