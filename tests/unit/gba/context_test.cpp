// SPDX-License-Identifier: Apache-2.0
#include "run_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::gba {
namespace {

using namespace std::chrono_literals;

/// A context whose lifetime the BSF gave as `lifetime`; the clock stands at 2026-01-01T00:00:00Z
/// before the run.
Result<Context> context_with(RunFixture& run, const std::string& lifetime,
                             const std::string& more = {},
                             std::chrono::milliseconds answer_takes = 0ms) {
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    run.http.expect(
        [&run, answer_takes, body = document(lifetime, more)](const HttpRequest& request) {
            run.clock.advance(answer_takes);
            return accepting(kGbaU.res(), body)(request);
        });
    auto context = run.start();
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    return context;
}
std::string current_time(const std::string& time) {
    return "<Extension><currenttime>" + time + "</currenttime></Extension>";
}

TEST(Context, EndsWithItsLifetime) {
    RunFixture run;
    const auto context = context_with(run, "2026-01-02T00:00:00Z").value();
    EXPECT_EQ(format_utc(context.created()), "2026-01-01T00:00:00Z");
    EXPECT_EQ(format_utc(context.expires()), "2026-01-02T00:00:00Z");
    EXPECT_EQ(context.left(run.clock), 24h);
    run.clock.advance(24h - 1s);
    EXPECT_TRUE(context.valid(run.clock));
    EXPECT_EQ(context.left(run.clock), 1s);
    run.clock.advance(1s);
    EXPECT_FALSE(context.valid(run.clock));
    run.clock.advance(1000h);
    EXPECT_EQ(context.left(run.clock), 0s);
}

// Threats C1: neither clock alone can keep it alive.
TEST(Context, BothClocksMustSaySo) {
    for (const auto back :
         {std::chrono::seconds(1), std::chrono::seconds(24h), std::chrono::seconds(87600h)}) {
        RunFixture run;
        const auto context = context_with(run, "2026-01-02T00:00:00Z").value();
        run.clock.jump_utc(-back);
        EXPECT_TRUE(context.valid(run.clock));
        run.clock.advance(24h);
        EXPECT_FALSE(context.valid(run.clock)) << back.count(); // by CLOCK_BOOTTIME
    }
    RunFixture run;
    const auto context = context_with(run, "2026-01-02T00:00:00Z").value();
    run.clock.jump_utc(24h);
    EXPECT_FALSE(context.valid(run.clock));
    run.clock.jump_utc(-1s);
    EXPECT_TRUE(context.valid(run.clock));
}

// Threats C2: a lifetime beyond the cap is clamped, not refused.
TEST(Context, LifetimeIsClamped) {
    for (const char* lifetime :
         {"9999-12-31T23:59:59Z", "2026-01-08T00:00:01Z", "2038-01-19T03:14:08Z"}) {
        RunFixture run;
        run.settings.lifetime_cap = 24h * 7;
        const auto context = context_with(run, lifetime).value();
        EXPECT_EQ(format_utc(context.expires()), "2026-01-08T00:00:00Z");
        EXPECT_EQ(context.left(run.clock), 24h * 7);
    }
    RunFixture run;
    run.settings.lifetime_cap = 24h * 7;
    EXPECT_EQ(format_utc(context_with(run, "2026-01-07T23:59:59Z").value().expires()),
              "2026-01-07T23:59:59Z");
}

TEST(Context, LifetimeThatIsOver) {
    for (const char* lifetime :
         {"2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "1970-01-01T00:00:00Z"}) {
        RunFixture run;
        EXPECT_EQ(context_with(run, lifetime).error().code, Errc::BsfBadAnswer) << lifetime;
    }
    RunFixture run;
    EXPECT_TRUE(context_with(run, "2026-01-01T00:00:01Z"));
}

// currenttime: validity is the BSF's own difference, whatever the clock here says.
TEST(Context, WrongClockWithCurrentTime) {
    for (const char* here :
         {"1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2037-01-01T00:00:00Z"}) {
        RunFixture run;
        run.clock.set_utc(here);
        const auto context =
            context_with(run, "2026-01-01T10:00:00Z", current_time("2026-01-01T00:00:00Z")).value();
        EXPECT_EQ(format_utc(context.expires()), "2026-01-01T10:00:00Z") << here;
        EXPECT_EQ(context.left(run.clock), 10h) << here;
        run.clock.advance(10h - 1s);
        EXPECT_TRUE(context.valid(run.clock)) << here;
        run.clock.advance(1s);
        EXPECT_FALSE(context.valid(run.clock)) << here;
    }
    // A board that starts in 1970 and learns the time: CLOCK_BOOTTIME cannot be moved, so at worst
    // it asks again.
    RunFixture run;
    run.clock.set_utc("1970-01-01T00:00:00Z");
    const auto context =
        context_with(run, "2026-01-01T10:00:00Z", current_time("2026-01-01T00:00:00Z")).value();
    run.clock.set_utc("2026-01-01T00:00:01Z");
    EXPECT_FALSE(context.valid(run.clock));
}

TEST(Context, CurrentTimeBeyondLifetime) {
    for (const char* now : {"2026-01-01T10:00:00Z", "2026-01-02T00:00:00Z"}) {
        RunFixture run;
        EXPECT_EQ(context_with(run, "2026-01-01T10:00:00Z", current_time(now)).error().code,
                  Errc::BsfBadAnswer);
    }
}

TEST(Context, CurrentTimeAndCap) {
    RunFixture run;
    run.settings.lifetime_cap = 1h;
    const auto context =
        context_with(run, "2026-06-01T00:00:00Z", current_time("2026-05-01T00:00:00Z")).value();
    EXPECT_EQ(format_utc(context.expires()), "2026-05-01T01:00:00Z");
    EXPECT_EQ(context.left(run.clock), 1h);
}

// An answer that was long on its way (or held back) is not valid for longer than one that was not.
TEST(Context, SlowAnswerDoesNotProlong) {
    RunFixture run;
    const auto context =
        context_with(run, "2026-01-01T10:00:00Z", current_time("2026-01-01T00:00:00Z"), 20s)
            .value();
    EXPECT_EQ(context.left(run.clock), 10h - 20s);
}

TEST(Context, LifetimeInEfGbabpIsTheTextOfTheBsf) {
    RunFixture run;
    const std::string b_tid = text(example()["btid"]);
    const std::string lifetime = "2030-01-01T12:00:00.25Z";
    run.settings.gbabp_size = 104;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    run.http.expect(accepting(kGbaU.res(), document(" " + lifetime + "\n")));
    run.card.expect(RunFixture::kSelectGbabp, "9000");
    run.card.expect("00d6001157"
                    "3e" +
                        to_hex(as_octets(b_tid)) + "17" + to_hex(as_octets(lifetime)),
                    "9000");
    EXPECT_TRUE(run.start());
    EXPECT_TRUE(run.finished()) << run.card.trouble();
}

TEST(Context, BtidIsOpaque) {
    RunFixture run;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    run.http.expect(accepting(kGbaU.res(), document("2030-01-01T12:00:00Z", "", "!~x@y@bsf")));
    EXPECT_EQ(run.start().value().b_tid(), "!~x@y@bsf");
}

TEST(Context, NafKeysAreKeptApart) {
    RunFixture run;
    auto context = context_with(run, "2026-01-02T00:00:00Z").value();
    const auto impi = as_octets(context.impi());
    const auto first = kdf::make_naf_id("naf.example.org", vectors::hex("ff00033259")).value();
    const auto second = kdf::make_naf_id("naf.example.org", vectors::hex("ff00033258")).value();
    int number = 1;
    for (const auto& naf : {first, second}) {
        const auto octets = naf.octets();
        const auto length = [](std::size_t n) {
            return to_hex(std::array{static_cast<std::uint8_t>(n)});
        };
        run.card.expect("00880084" + length(3 + octets.size() + impi.size()) + "de" +
                            length(octets.size()) + to_hex(octets) + length(impi.size()) +
                            to_hex(impi) + "00",
                        "db20" + std::string(63, '0') + std::to_string(number) + "9000");
        const auto key = context.ks_naf(&run.card, naf).value();
        EXPECT_EQ(key->reveal().back(), number++);
    }
    EXPECT_EQ(context.ks_naf(nullptr, first).value()->reveal().back(), 1);
    EXPECT_EQ(context.ks_naf(nullptr, second).value()->reveal().back(), 2);
    EXPECT_TRUE(run.card.finished()) << run.card.trouble();
}

TEST(Context, CardWithoutKs) {
    for (const char* sw : {"6985", "6a88"}) {
        RunFixture run;
        auto context = context_with(run, "2026-01-02T00:00:00Z").value();
        const auto naf =
            kdf::make_naf_id(text(example()["identities"]["naf_fqdn"]), vectors::hex("ff00033259"))
                .value();
        run.card.expect(text(kGbaU.json["apdu_authenticate_gba_naf"]), sw);
        EXPECT_EQ(context.ks_naf(&run.card, naf).error().code, Errc::NoKsOnCard);
        EXPECT_FALSE(context.has_cached(naf));
    }
}

TEST(Context, FullSecureHeapIsAnError) {
    ASSERT_TRUE(init_secure_heap());
    const auto naf = kdf::make_naf_id("naf.example.org", kdf::kDefaultUaId).value();
    RunFixture gba_u;
    auto by_card = context_with(gba_u, "2026-01-02T00:00:00Z").value();
    RunFixture gba_me(ModePolicy::PreferUicc, false);
    gba_me.http.expect(HttpRequest{}, unauthorized(kGbaMe.nonce()));
    gba_me.card.expect(g3_command(), g3_answer());
    gba_me.http.expect(accepting(kGbaMe.res(), document("2026-01-02T00:00:00Z")));
    auto by_ks = gba_me.start().value();

    std::vector<SecretBytes> all;
    try {
        while (true) {
            all.emplace_back(std::size_t{16});
        }
    } catch (const std::bad_alloc&) {
        EXPECT_FALSE(all.empty());
    }
    EXPECT_EQ(by_ks.ks_naf(nullptr, naf).error().code, Errc::LimitExceeded);
    EXPECT_EQ(by_card.ks_naf(&gba_u.card, naf).error().code, Errc::LimitExceeded);
    all.clear();
    EXPECT_TRUE(by_ks.ks_naf(nullptr, naf));
}

} // namespace
} // namespace mtkey::gba
