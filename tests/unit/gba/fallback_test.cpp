// SPDX-License-Identifier: Apache-2.0
#include "run_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::gba {
namespace {

// How a card is driven when it and the BSF disagree. Each row: what the card answers in turn, and
// how often it may be asked. The same RAND and AUTN go into both commands.
enum class Command { Dd, G3 };
struct Answer {
    Command command;
    std::string sw; ///< a status word, "sync" or "ok"
};
struct Row {
    const char* name;
    ModePolicy policy;
    bool card_has_gba;
    bool tls;
    bool allow_downgrade;
    std::vector<Answer> answers;
    std::optional<Mode> mode; ///< none = the run fails
    Errc error = Errc::Internal;
    bool asks = false; ///< the BSF, though the card is not
};

constexpr auto kPrefer = ModePolicy::PreferUicc;
constexpr auto kRequire = ModePolicy::RequireUicc;
constexpr auto kMeOnly = ModePolicy::MeOnly;

std::vector<Row> rows() {
    using enum Command;
    const auto u = Mode::GbaU;
    const auto me = Mode::GbaMe;
    const auto none = std::nullopt;
    std::vector<Row> table{
        {"gba card", kPrefer, true, false, false, {{Dd, "ok"}}, u},
        {"plain card", kPrefer, false, false, false, {{G3, "ok"}}, me},
        {"gba card, required", kRequire, true, false, false, {{Dd, "ok"}}, u},
        {"plain card, required", kRequire, false, true, true, {}, none, Errc::NotSupportedByCard},
        {"plain card, me only", kMeOnly, false, false, false, {{G3, "ok"}}, me},
        {"gba card, me only, TLS", kMeOnly, true, true, false, {{G3, "ok"}}, me},
        // A replayed challenge of an ordinary AKA must not open this card.
        {"gba card, me only, no TLS",
         kMeOnly,
         true,
         false,
         true,
         {},
         none,
         Errc::ConfigInvalid,
         true},

        {"MAC failure", kPrefer, true, false, false, {{Dd, "9862"}}, none, Errc::MacFailure},
        {"MAC failure, downgrade allowed, no TLS",
         kPrefer,
         true,
         false,
         true,
         {{Dd, "9862"}},
         none,
         Errc::MacFailure},
        {"MAC failure, TLS, downgrade not allowed",
         kPrefer,
         true,
         true,
         false,
         {{Dd, "9862"}},
         none,
         Errc::MacFailure},
        {"MAC failure, downgrade", kPrefer, true, true, true, {{Dd, "9862"}, {G3, "ok"}}, me},
        {"MAC failure twice",
         kPrefer,
         true,
         true,
         true,
         {{Dd, "9862"}, {G3, "9862"}},
         none,
         Errc::MacFailure},
        {"MAC failure, required",
         kRequire,
         true,
         true,
         true,
         {{Dd, "9862"}},
         none,
         Errc::MacFailure},
        {"MAC failure of a plain card",
         kPrefer,
         false,
         true,
         true,
         {{G3, "9862"}},
         none,
         Errc::MacFailure},
        {"MAC failure, me only, gba card",
         kMeOnly,
         true,
         true,
         false,
         {{G3, "9862"}, {Dd, "ok"}},
         u},
        {"MAC failure twice, me only, gba card",
         kMeOnly,
         true,
         true,
         true,
         {{G3, "9862"}, {Dd, "9862"}},
         none,
         Errc::MacFailure},
        {"MAC failure, me only, then no gba",
         kMeOnly,
         true,
         true,
         true,
         {{G3, "9862"}, {Dd, "9864"}},
         none,
         Errc::MacFailure},
        {"MAC failure, me only, plain card",
         kMeOnly,
         false,
         true,
         true,
         {{G3, "9862"}},
         none,
         Errc::MacFailure},

        {"no context, then MAC failure",
         kPrefer,
         true,
         true,
         false,
         {{Dd, "9864"}, {G3, "9862"}},
         none,
         Errc::MacFailure},
        {"no context, required",
         kRequire,
         true,
         true,
         true,
         {{Dd, "9864"}},
         none,
         Errc::NotSupportedByCard},
        {"no context, no TLS",
         kPrefer,
         true,
         false,
         true,
         {{Dd, "9864"}},
         none,
         Errc::ConfigInvalid},
        {"no 3G context either",
         kPrefer,
         true,
         true,
         false,
         {{Dd, "9864"}, {G3, "9864"}},
         none,
         Errc::NotSupportedByCard},
        {"plain card without a 3G context",
         kPrefer,
         false,
         true,
         true,
         {{G3, "9864"}},
         none,
         Errc::NotSupportedByCard},

        {"PIN", kPrefer, true, true, true, {{Dd, "6982"}}, none, Errc::PinRequired},
        {"conditions", kPrefer, true, true, true, {{Dd, "6985"}}, none, Errc::CardFailed},
        {"memory", kPrefer, true, true, true, {{Dd, "6581"}}, none, Errc::CardFailed},
        {"key freshness", kPrefer, true, true, true, {{Dd, "9865"}}, none, Errc::KeyFreshness},

        // Resynchronisation and fallback together: the counts of design.md decision 3.
        {"sync", kPrefer, true, false, false, {{Dd, "sync"}, {Dd, "ok"}}, u},
        {"sync, plain card", kPrefer, false, false, false, {{G3, "sync"}, {G3, "ok"}}, me},
        {"sync twice",
         kPrefer,
         true,
         true,
         true,
         {{Dd, "sync"}, {Dd, "sync"}},
         none,
         Errc::SyncFailure},
        {"sync, then MAC failure",
         kPrefer,
         true,
         false,
         false,
         {{Dd, "sync"}, {Dd, "9862"}},
         none,
         Errc::MacFailure},
        {"sync, then downgrade",
         kPrefer,
         true,
         true,
         true,
         {{Dd, "sync"}, {Dd, "9862"}, {G3, "ok"}},
         me},
        {"downgrade, then sync: the other command stays",
         kPrefer,
         true,
         true,
         true,
         {{Dd, "9862"}, {G3, "sync"}, {G3, "ok"}},
         me},
        {"no context, then sync, TLS",
         kPrefer,
         true,
         true,
         false,
         {{Dd, "9864"}, {G3, "sync"}, {G3, "ok"}},
         me},
        {"sync, then no context, no TLS",
         kPrefer,
         true,
         false,
         false,
         {{Dd, "sync"}, {Dd, "9864"}},
         none,
         Errc::ConfigInvalid},
        {"sync, then no context, TLS",
         kPrefer,
         true,
         true,
         false,
         {{Dd, "sync"}, {Dd, "9864"}, {G3, "ok"}},
         me},
        {"downgrade, sync, MAC failure: three commands are all",
         kPrefer,
         true,
         true,
         true,
         {{Dd, "9862"}, {G3, "sync"}, {G3, "9862"}},
         none,
         Errc::MacFailure},
        {"sync, downgrade, sync",
         kPrefer,
         true,
         true,
         true,
         {{Dd, "sync"}, {Dd, "9862"}, {G3, "sync"}},
         none,
         Errc::SyncFailure},
    };
    for (const char* sw : {"9864", "6a81", "6a86", "6b00", "6d00"}) {
        table.push_back({sw, kPrefer, true, true, false, {{Dd, sw}, {G3, "ok"}}, me});
    }
    // A GSM session, not a card without GBA.
    table.push_back({"6e00", kPrefer, true, true, true, {{Dd, "6e00"}}, none, Errc::CardFailed});
    return table;
}

void play(RunFixture& run, const Row& row) {
    run.http.set_authenticated(row.tls);
    run.settings.allow_downgrade = row.allow_downgrade;
    if (row.asks || !row.answers.empty()) {
        run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    }
    const Numbers* challenge = &kGbaU; // another one after AUTS
    for (const auto& [command, sw] : row.answers) {
        const bool dd = command == Command::Dd;
        const auto asked = dd ? dd_command(*challenge) : g3_command(*challenge);
        std::string answer = sw;
        if (sw == "ok") {
            answer = dd ? dd_answer() : g3_answer();
            run.http.expect(
                accepting((dd ? kGbaU : kGbaMe).res(), document("2030-01-01T12:00:00Z")));
        } else if (sw == "sync") {
            answer = sync_answer();
            // Only the first is answered with AUTS.
            if (challenge == &kGbaU) {
                challenge = &kGbaMe;
                run.http.expect(HttpRequest{}, unauthorized(challenge->nonce()));
            }
        }
        run.card.expect(asked, answer);
    }
}

TEST(Fallback, Table) {
    for (const auto& row : rows()) {
        SCOPED_TRACE(row.name);
        RunFixture run(row.policy, row.card_has_gba);
        play(run, row);
        const auto result = run.start();
        EXPECT_TRUE(run.finished()) << run.card.trouble();
        EXPECT_LE(run.card.played(), row.tls ? 3U : 2U);
        std::vector<std::size_t> announced;
        for (std::size_t i = 0; i < row.answers.size(); ++i) {
            if (row.answers[i].command == Command::Dd) {
                announced.push_back(i);
            }
        }
        EXPECT_EQ(run.announced, announced);
        if (!row.mode) {
            ASSERT_FALSE(result);
            EXPECT_EQ(result.error().code, row.error) << describe(result.error());
            continue;
        }
        ASSERT_TRUE(result) << describe(result.error());
        EXPECT_EQ(result->mode(), *row.mode);
        EXPECT_EQ(result->counts().bootstrapping_authenticates, row.answers.size());
    }
}

TEST(Fallback, CardWithoutItsGbaIsReportedWhenThe3gContextHasAnswered) {
    using enum Command;
    const struct {
        bool tls;
        std::vector<Answer> answers;
        int reported;
    } cases[]{
        {true, {{Dd, "9864"}, {G3, "ok"}}, 1},
        {true, {{Dd, "9864"}, {G3, "sync"}, {G3, "ok"}}, 1},
        {true, {{Dd, "9864"}, {G3, "9862"}}, 0},
        {true, {{Dd, "9864"}, {G3, "9864"}}, 0},
        {false, {{Dd, "9864"}}, 0},
        {true, {{Dd, "9862"}, {G3, "ok"}}, 0},
    };
    for (const auto& each : cases) {
        RunFixture run;
        play(run, {"", kPrefer, true, each.tls, true, each.answers, {}});
        EXPECT_EQ(run.start().has_value(), each.answers.back().sw == "ok");
        EXPECT_EQ(run.without_gba, each.reported);
    }
}

TEST(Fallback, RememberedCardBeginsWithThe3gContextAndKeepsItsGuard) {
    RunFixture known;
    known.settings.gba_context_missing = true;
    play(known, {"", kPrefer, true, true, false, {{Command::G3, "ok"}}, {}});
    const auto context = known.start();
    ASSERT_TRUE(context) << describe(context.error());
    EXPECT_EQ(context->mode(), Mode::GbaMe);
    EXPECT_TRUE(known.finished()) << known.card.trouble();

    RunFixture no_tls;
    no_tls.settings.gba_context_missing = true;
    play(no_tls, {"", kPrefer, true, false, true, {}, {}, {}, true});
    EXPECT_EQ(no_tls.start().error().code, Errc::ConfigInvalid);
    EXPECT_EQ(no_tls.card.played(), 0U);
}

TEST(Fallback, ModesHaveNames) {
    EXPECT_EQ(to_text(Mode::GbaU), "gba-u");
    EXPECT_EQ(to_text(Mode::GbaMe), "gba-me");
}

} // namespace
} // namespace mtkey::gba
