// SPDX-License-Identifier: Apache-2.0
// What of a context outlives the daemon, and what of it outlives the next bootstrapping.
#include "unit/daemon/inline_card.hpp"

#include <gtest/gtest.h>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;
using State = CardState::State;

kdf::NafId naf_id(const std::string& fqdn) {
    return kdf::make_naf_id(fqdn, kdf::kDefaultUaId).value();
}

Config with_nafs(const std::vector<std::string>& fqdns = {"kc.example.org"}) {
    Config out;
    for (const auto& fqdn : fqdns) {
        keys::NafEntry entry;
        entry.naf_id = naf_id(fqdn);
        out.nafs.push_back(std::move(entry));
    }
    return out;
}

/// A rig whose daemon has bootstrapped.
struct Resumed {
    explicit Resumed(Config config = with_nafs(),
                     const std::function<void(testbed::CardProfile&)>& shape = {})
        : rig({}, std::move(config), shape), card(rig) {
        card.bootstrap({}, [](const auto& done) { EXPECT_TRUE(done); });
        b_tid = card.b_tid();
        EXPECT_NE(b_tid, "");
        started = rig.clock.boot_now();
    }
    [[nodiscard]] NafKey key(const std::string& fqdn = "kc.example.org") {
        std::optional<NafKey> out;
        card.naf_key(naf_id(fqdn), b_tid, [&](Result<NafKey> key) {
            EXPECT_TRUE(key);
            if (key) {
                out = *std::move(key);
            }
        });
        return out ? std::move(*out) : NafKey{};
    }
    [[nodiscard]] std::uint64_t resumed() const { return card.statistics().at("contexts_resumed"); }
    void expect_resumed() {
        EXPECT_EQ(card.b_tid(), b_tid);
        EXPECT_EQ(resumed(), 1U);
    }
    void expect_nothing() {
        EXPECT_EQ(card.state().state, State::Ready);
        EXPECT_EQ(card.b_tid(), "");
        EXPECT_EQ(resumed(), 0U);
    }

    CardRig rig;
    InlineCard card;
    std::string b_tid;
    BootTime started;
};

TEST(CardResume, RestartGoesOnWithoutTheNetwork) {
    Resumed one;
    const auto before = one.key().ks_naf.clone();
    const auto exchanges = one.rig.exchanges;
    const auto authenticates = one.rig.authenticates;
    const auto facts = *one.card.state().context;
    one.rig.clock.advance(1h);
    one.card.restart();
    one.expect_resumed();
    EXPECT_EQ(one.card.state().mode, gba::Mode::GbaU);
    EXPECT_EQ(one.rig.authenticates, authenticates + 1) << "the DE that makes it believable";
    EXPECT_EQ(one.rig.derivations, 2U);
    const auto& again = *one.card.state().context;
    EXPECT_EQ(again.expires, facts.expires);
    EXPECT_EQ(again.created, facts.created);
    EXPECT_EQ(again.local_end, facts.local_end);
    EXPECT_EQ(again.deadline, facts.deadline);
    EXPECT_EQ(again.use_deadline, facts.use_deadline);
    EXPECT_TRUE(one.key().ks_naf == before);
    EXPECT_EQ(one.rig.authenticates, authenticates + 1) << "it is cached";
    EXPECT_EQ(one.rig.exchanges, exchanges);
    one.card.restart(); // and once more
    one.expect_resumed();
}

TEST(CardResume, NotWhereATombstoneWasSet) {
    Resumed one;
    one.card.keep_from_resuming("another@bsf");
    one.card.restart();
    one.expect_resumed();
    one.card.keep_from_resuming(one.b_tid);
    one.card.restart();
    one.expect_nothing();
}

TEST(CardResume, OncePerStart) {
    Resumed one;
    one.card.restart();
    const auto reads = one.rig.reads;
    one.card.work().readers_changed(one.rig.report(false));
    ++one.rig.insertions;
    one.card.work().readers_changed(one.rig.report());
    one.card.look();
    EXPECT_EQ(one.card.state().state, State::Ready);
    EXPECT_EQ(one.card.b_tid(), "") << "B-TID goes with the card";
    one.card.restart();
    one.expect_nothing();
    EXPECT_GT(one.rig.reads, reads);
}

TEST(CardResume, AnotherBootCountsByUtc) {
    Resumed one;
    one.rig.clock.advance(2h);
    one.card.restart("b002");
    one.expect_resumed();
    EXPECT_EQ(one.card.state().context->deadline, one.started + 24h);
    EXPECT_EQ(one.card.state().context->use_deadline, one.started + 24h);
}

TEST(CardResume, UnknownTimeResumesNothing) {
    Resumed one;
    one.rig.clock.jump_utc(-1s);
    one.card.restart("b002");
    one.expect_nothing();
    // In the same boot CLOCK_BOOTTIME tells.
    Resumed same;
    same.rig.clock.jump_utc(-24h);
    same.card.restart();
    same.expect_resumed();
    // Ahead it is not used, and not forgotten either: the clock may be set right again.
    Resumed ahead;
    const auto derivations = ahead.rig.derivations;
    ahead.rig.clock.jump_utc(87'600h);
    ahead.card.restart();
    ahead.expect_nothing();
    EXPECT_EQ(ahead.rig.derivations, derivations);
    ahead.rig.clock.jump_utc(-87'600h);
    ahead.card.restart();
    ahead.expect_resumed();
}

TEST(CardResume, NotBeyondItsEnd) {
    for (const char* boot : {"b001", "b002"}) {
        for (const bool late : {false, true}) {
            Resumed one;
            one.rig.clock.advance(late ? 24h : 24h - 1s);
            const auto authenticates = one.rig.authenticates;
            one.card.restart(boot);
            if (late) {
                one.expect_nothing();
                EXPECT_EQ(one.rig.authenticates, authenticates);
            } else {
                one.expect_resumed();
            }
        }
    }
}

TEST(CardResume, SomebodyElsesBootstrappingIsNotOurs) {
    for (const bool remembered : {true, false}) {
        Resumed one;
        one.rig.bootstrap_elsewhere(); // RAND is new, the B-TID beside it is ours
        if (!remembered) {
            one.rig.memory.text.clear();
        }
        const auto derivations = one.rig.derivations;
        one.card.restart();
        one.expect_nothing();
        EXPECT_EQ(one.rig.derivations, derivations);
    }
}

/// Who brings back an older store shows it by what the card holds; who was cut short does not.
TEST(CardResume, OldCopyContradictsTheCard) {
    Resumed one;
    const auto old = one.rig.memory.text;
    one.card.restart();
    EXPECT_FALSE(one.card.state().contradicts_past);
    one.card.bootstrap({.force = true}, [](const auto& done) { EXPECT_TRUE(done); });
    one.card.restart("b001", [&] { one.rig.memory.text = old; });
    one.expect_nothing();
    EXPECT_TRUE(one.card.state().contradicts_past);

    Resumed in_another_boot;
    const auto older = in_another_boot.rig.memory.text;
    in_another_boot.card.bootstrap({.force = true}, [](const auto& done) { EXPECT_TRUE(done); });
    in_another_boot.rig.clock.advance(1h);
    in_another_boot.card.restart("b002", [&] { in_another_boot.rig.memory.text = older; });
    EXPECT_TRUE(in_another_boot.card.state().contradicts_past);
}

TEST(CardResume, NoRunBeforeTheContradictionIsSettled) {
    Resumed one;
    const auto old = one.rig.memory.text;
    one.card.bootstrap({.force = true}, [](const auto& done) { EXPECT_TRUE(done); });
    one.card.restart("b001", [&] { one.rig.memory.text = old; });
    ASSERT_TRUE(one.card.state().contradicts_past);
    EXPECT_TRUE(one.card.state().agreed_in_this_boot) << "when that copy was made";
    const auto exchanges = one.rig.exchanges;
    one.card.bootstrap({}, [](const auto& done) {
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Errc::NotReady);
    });
    EXPECT_EQ(one.rig.exchanges, exchanges);
    EXPECT_NE(one.rig.memory.text.find("\nanchor "), std::string::npos)
        << "what shows it is still there";
    one.card.work().contradiction_settled();
    one.card.bootstrap({}, [](const auto& done) { EXPECT_TRUE(done); });
}

TEST(CardResume, OldCopiesOfAnyKindContradict) {
    const auto contradicts = [](const char* what, auto before_the_copy, auto after_it) {
        Resumed one;
        before_the_copy(one);
        const auto old = one.rig.memory.text;
        one.card.bootstrap({.force = true}, [](const auto& done) { EXPECT_TRUE(done); });
        one.card.restart("b002", [&] {
            one.rig.memory.text = old;
            after_it(one);
        });
        if (!one.card.state().contradicts_past) { // the card could not be asked yet
            one.card.work().readers_changed(one.rig.report(false));
            ++one.rig.insertions;
            one.card.work().readers_changed(one.rig.report());
            one.card.look();
        }
        EXPECT_TRUE(one.card.state().contradicts_past) << what;
    };
    const auto nothing = [](Resumed&) {};
    contradicts("no more than that", nothing, nothing);
    contradicts("older than T_use, and than Ks", nothing,
                [](Resumed& one) { one.rig.clock.advance(30h); });
    contradicts("UTC beyond its end", nothing, [](Resumed& one) { one.rig.clock.jump_utc(72h); });
    contradicts("UTC behind", nothing, [](Resumed& one) { one.rig.clock.jump_utc(-72h); });
    contradicts(
        "no context in it",
        [](Resumed& one) {
            one.card.discard(one.b_tid, [](const auto& done) { EXPECT_TRUE(done); });
        },
        nothing);
    contradicts(
        "after a run that failed before the card was asked",
        [](Resumed& one) {
            one.rig.on_exchange = [] { return Error{Errc::BsfUnreachable, 0, {}}; };
            one.card.bootstrap({.force = true}, [](const auto& done) { EXPECT_FALSE(done); });
            one.rig.on_exchange = {};
            one.rig.clock.advance(1h);
        },
        nothing);
}

TEST(CardResume, RunThatWasCutShortContradictsNothing) {
    Resumed one;
    std::string when_begun;
    one.rig.clock.advance(1min);
    one.rig.on_answer = [&](ByteView, SecretBytes answer) -> Result<SecretBytes> {
        if (when_begun.empty()) {
            when_begun = one.rig.memory.text; // the first command of the run: it has begun
        }
        return answer;
    };
    one.card.bootstrap({.force = true, .asked_by = "d"},
                       [](const auto& done) { EXPECT_TRUE(done); });
    one.rig.on_answer = {};
    ASSERT_FALSE(when_begun.empty());
    one.card.restart("b001", [&] { one.rig.memory.text = when_begun; });
    one.expect_nothing();
    EXPECT_FALSE(one.card.state().contradicts_past);
}

TEST(CardResume, WithoutAMemoryBtidMustBeMadeOfRand) {
    Resumed one;
    one.rig.memory.text.clear();
    one.card.restart("b002");
    one.expect_resumed();
    const auto& context = *one.card.state().context;
    EXPECT_EQ(context.local_end, one.rig.clock.utc_now() + 24h) << "as EF_GBABP says";
    EXPECT_EQ(context.use_deadline, one.rig.clock.boot_now() + 24h);
    one.rig.clock.advance(1h);
    one.card.restart("b003");
    EXPECT_EQ(one.card.state().context->use_deadline, one.rig.clock.boot_now() + 23h)
        << "counts from when it was met first";

    Resumed lost;
    lost.rig.memory.text += "x";
    lost.card.restart();
    lost.expect_resumed();
}

TEST(CardResume, UiccWithoutKsHoldsNoContext) {
    for (const char* status : {"6985", "6a88"}) {
        Resumed one;
        one.rig.on_answer = [&](ByteView command, SecretBytes answer) -> Result<SecretBytes> {
            return CardRig::is_derivation(command) ? SecretBytes(from_hex(status).value())
                                                   : std::move(answer);
        };
        one.card.restart();
        one.expect_nothing();
        one.rig.on_answer = {};
        one.card.restart();
        one.expect_nothing();
    }
}

TEST(CardResume, AnotherCardTakesItsPlace) {
    Resumed one;
    one.rig.card = CardRig::make_card(
        {}, [](testbed::CardProfile& profile) { profile.iccid = "8900101000000000026"; });
    one.card.restart();
    one.expect_nothing();
}

TEST(CardResume, NotWithoutReason) {
    auto config = with_nafs({});
    Resumed without_naf(config);
    const auto authenticates = without_naf.rig.authenticates;
    without_naf.card.restart();
    without_naf.expect_nothing();
    EXPECT_EQ(without_naf.rig.authenticates, authenticates);

    Resumed one;
    one.rig.config.gba.mode = gba::ModePolicy::MeOnly;
    const auto reads = one.rig.reads;
    one.card.restart();
    one.expect_nothing();
    const auto opening = one.rig.reads - reads;
    one.rig.config.gba.mode = gba::ModePolicy::PreferUicc;
    one.card.restart();
    one.expect_resumed();
    EXPECT_EQ(one.rig.reads - reads - opening, opening)
        << "EF_GBABP is read once, to compare it and for this";
}

TEST(CardResume, PrefersANafThatTheCardKnowsAlready) {
    Resumed one(with_nafs({"first.example.org", "kc.example.org", "last.example.org"}));
    (void)one.key("kc.example.org");
    std::string derived;
    one.rig.on_command = [&](ByteView command) {
        if (CardRig::is_derivation(command)) {
            derived = as_text(command);
        }
    };
    one.card.restart();
    one.expect_resumed();
    EXPECT_TRUE(derived.contains("kc.example.org"));
    Resumed none(with_nafs({"first.example.org", "last.example.org"}));
    none.rig.on_command = [&](ByteView command) {
        if (CardRig::is_derivation(command)) {
            derived = as_text(command);
        }
    };
    none.card.restart();
    none.expect_resumed();
    EXPECT_TRUE(derived.contains("first.example.org"));
}

TEST(CardResume, MemoryThatFailsIsNoReasonToStop) {
    Resumed one;
    one.rig.memory.broken = Error{Errc::IoFailed, 28, "no space"};
    one.card.bootstrap({.force = true}, [](const auto& done) { EXPECT_TRUE(done); });
    EXPECT_NE(one.card.b_tid(), one.b_tid);
    one.card.restart(); // the file is of the bootstrapping before
    one.expect_nothing();
}

TEST(CardResume, WhatACardHasNotGotIsRememberedByItsHash) {
    CardRig rig({}, with_nafs());
    rig.config.bsf.tls = true;
    std::vector<int> contexts; // P2 of each AUTHENTICATE
    rig.on_answer = [&](ByteView command, SecretBytes answer) -> Result<SecretBytes> {
        if (command[1] != 0x88) {
            return answer;
        }
        contexts.push_back(command[3]);
        return SecretBytes(from_hex(command[3] == 0x84 ? "9864"
                                                       : "db08" + std::string(16, '1') + "10" +
                                                             std::string(32, '2') + "10" +
                                                             std::string(32, '3') + "9000")
                               .value());
    };
    InlineCard card(rig);
    const auto fails = [](const auto& done) {
        EXPECT_EQ(done.error().code, Errc::BsfRejected) << "RES is of no subscriber";
    };
    card.bootstrap({}, fails);
    EXPECT_EQ(contexts, (std::vector{0x84, 0x81}));
    for (const char* boot : {"b001", "b002"}) {
        card.restart(boot);
        contexts.clear();
        card.bootstrap({}, fails);
        EXPECT_EQ(contexts, std::vector{0x81}) << "the other is not tried again";
    }
    EXPECT_FALSE(rig.memory.text.contains(CardRig::iccid()));
    EXPECT_FALSE(rig.memory.text.contains(CardRig::imsi()));
}

TEST(CardInFlight, KeysOfTheFormerContextServeForAMoment) {
    for (const bool me_only : {false, true}) {
        auto config = with_nafs();
        config.gba.mode = me_only ? gba::ModePolicy::MeOnly : gba::ModePolicy::PreferUicc;
        Resumed one(config, [&](testbed::CardProfile& profile) { profile.gba = !me_only; });
        const auto former = one.key();
        one.rig.clock.advance(1h);
        one.card.bootstrap({.force = true}, [](const auto& done) { EXPECT_TRUE(done); });
        ASSERT_NE(one.card.b_tid(), one.b_tid);
        ASSERT_TRUE(one.card.state().former);
        EXPECT_EQ(one.card.state().former->b_tid, one.b_tid);
        const auto authenticates = one.rig.authenticates;
        const auto again = one.key();
        EXPECT_TRUE(again.ks_naf == former.ks_naf);
        EXPECT_EQ(again.b_tid, one.b_tid);
        EXPECT_EQ(again.mode, former.mode);
        EXPECT_EQ(again.ks_expires, former.ks_expires);
        EXPECT_EQ(again.ks_local_end, former.ks_local_end);
        EXPECT_EQ(again.ks_deadline, former.ks_deadline);
        EXPECT_EQ(one.rig.authenticates, authenticates);
        // Nothing more is derived from what is no more.
        one.card.naf_key(naf_id("other.example.org"), one.b_tid,
                         [](const auto& key) { EXPECT_EQ(key.error().code, Errc::BtidStale); });
        EXPECT_EQ(one.rig.authenticates, authenticates);
        const auto until = one.card.work().retry_at();
        ASSERT_TRUE(until);
        EXPECT_EQ(*until, one.card.state().former->until);
        EXPECT_EQ(*until - one.rig.clock.boot_now(), 120s);
        one.rig.clock.advance(120s);
        one.card.naf_key(CardRig::naf_id(), one.b_tid,
                         [](const auto& key) { EXPECT_EQ(key.error().code, Errc::BtidStale); });
        one.card.work().retry();
        EXPECT_FALSE(one.card.work().state().former) << "wiped";
        EXPECT_FALSE(one.card.work().retry_at());
        EXPECT_NE(one.card.b_tid(), "");
    }
}

TEST(CardInFlight, NotBeyondTheEndOfKsAndNotWithoutTheCard) {
    Resumed one;
    (void)one.key();
    one.rig.clock.advance(24h - 1min);
    one.card.bootstrap({.force = true}, [](const auto& done) { EXPECT_TRUE(done); });
    EXPECT_EQ(one.card.state().former->until - one.rig.clock.boot_now(), 1min);
    (void)one.key();
    one.card.work().readers_changed(one.rig.report(false));
    one.card.look();
    EXPECT_FALSE(one.card.state().former);
    ++one.rig.insertions;
    one.card.work().readers_changed(one.rig.report());
    one.card.look();
    EXPECT_FALSE(one.card.state().former);
    one.card.naf_key(CardRig::naf_id(), one.b_tid,
                     [](const auto& key) { EXPECT_EQ(key.error().code, Errc::BtidStale); });
}

TEST(CardInFlight, ServesWhileTheRunGoesOnAndWhenItFails) {
    Resumed one;
    (void)one.key();
    bool asked = false;
    one.rig.on_exchange = [&]() -> std::optional<Error> {
        if (one.rig.exchanges == 4) { // the card has answered
            asked = true;
            EXPECT_FALSE(one.card.work().state().context);
            EXPECT_TRUE(one.card.work().naf_key(CardRig::naf_id(), one.b_tid));
            return Error{Errc::BsfUnreachable, 0, "bsf"};
        }
        return std::nullopt;
    };
    one.card.bootstrap({.force = true}, [](const auto& done) { EXPECT_FALSE(done); });
    EXPECT_TRUE(asked);
    (void)one.key();
}

} // namespace
} // namespace mtkey::daemon
