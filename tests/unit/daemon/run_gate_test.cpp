// SPDX-License-Identifier: Apache-2.0
// Who may cause a bootstrapping, and when: the gate alone, and devices that ask through it.
#include "unit/daemon/inline_card.hpp"
#include "unit/daemon/procedure_link.hpp"

#include "store/key_store.hpp"

#include <gtest/gtest.h>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;
using local::ErrorCode;
using local::Reason;

std::string device(unsigned number) {
    return "urn:device:" + std::to_string(number);
}

Config with_devices(unsigned number) {
    Config out;
    keys::NafEntry naf;
    naf.naf_id = CardRig::naf_id();
    out.nafs = {naf};
    for (unsigned i = 0; i < number; ++i) {
        out.devices.push_back(DeviceRule{device(i), true, "", ""});
    }
    return out;
}

class RunGateTest : public ::testing::Test {
protected:
    RunGate gate_of(PastKeeper& past) { return {{}, clock, random, past}; }
    /// Seconds to wait; 0 = admitted.
    unsigned asks(RunGate& gate, const std::string& asked_by,
                  const std::optional<keys::ContextFacts>& context = {}) {
        const auto admitted = gate.admit({.force = true, .asked_by = asked_by}, context);
        EXPECT_TRUE(admitted || admitted.error().code == Errc::RetryAfter);
        return admitted ? 0 : admitted.error().detail;
    }
    fakes::ManualClock clock;
    SystemRandom random;
    fakes::RamMemory memory;
};

TEST_F(RunGateTest, CountsWhatBeganAndTellsTheRealTime) {
    PastKeeper past(memory, clock, "b001");
    auto gate = gate_of(past);
    EXPECT_EQ(asks(gate, "a"), 0U);
    EXPECT_EQ(asks(gate, "a"), 0U) << "a run that never began costs nothing";
    gate.began("a");
    EXPECT_EQ(asks(gate, "b"), 60U);
    clock.advance(59'001ms);
    EXPECT_EQ(asks(gate, "b"), 1U) << "not earlier";
    clock.advance(999ms);
    EXPECT_EQ(asks(gate, "b"), 0U);
}

TEST_F(RunGateTest, AdministratorIsNeverRefusedAndEndsTheBackOff) {
    PastKeeper past(memory, clock, "b001");
    auto gate = gate_of(past);
    gate.ended(fail(Errc::BsfRejected, "bsf", 403));
    EXPECT_GT(asks(gate, "a"), 400U);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(asks(gate, ""), 0U);
        gate.began("");
    }
    clock.advance(60s);
    EXPECT_EQ(asks(gate, "a"), 24U * 3600 - 60) << "but his runs count";
}

TEST_F(RunGateTest, UserHasWhatOneDeviceHasAndDoesNotEndTheBackOff) {
    PastKeeper past(memory, clock, "b001");
    auto gate = gate_of(past);
    gate.ended(fail(Errc::BsfRejected, "bsf", 403));
    EXPECT_GT(asks(gate, name_of_user(1000)), 400U);
    EXPECT_EQ(asks(gate, ""), 0U);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(asks(gate, name_of_user(1000)), 0U);
        gate.began(name_of_user(1000));
        clock.advance(60s);
    }
    EXPECT_EQ(asks(gate, name_of_user(1000)), 3600U - 180);
    EXPECT_EQ(asks(gate, name_of_user(1001)), 0U);
    EXPECT_EQ(asks(gate, "a"), 0U);
    EXPECT_EQ(asks(gate, ""), 0U);
    const auto refused = gate.admit({.asked_by = name_of_user(1000)}, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().context, "bootstrapping; root need not wait");
}

TEST_F(RunGateTest, BackOffEndsWithSuccessAndAnotherCard) {
    PastKeeper past(memory, clock, "b001");
    auto gate = gate_of(past);
    gate.met("one");
    gate.ended(fail(Errc::BsfUnreachable, "bsf"));
    EXPECT_EQ(asks(gate, "a"), 2U);
    gate.met("one");
    gate.met("");
    EXPECT_EQ(asks(gate, "a"), 2U);
    gate.met("two");
    EXPECT_EQ(asks(gate, "a"), 0U);
    gate.ended(fail(Errc::BsfUnreachable, "bsf", 503), 77s);
    EXPECT_EQ(asks(gate, "a"), 77U);
    gate.ended({});
    EXPECT_EQ(asks(gate, "a"), 0U);
}

TEST_F(RunGateTest, YoungBtidIsNotReplacedOnADevicesWord) {
    PastKeeper past(memory, clock, "b001");
    auto gate = gate_of(past);
    keys::ContextFacts context;
    context.b_tid = "b@bsf";
    context.created = clock.utc_now();
    context.local_end = clock.utc_now() + 24h;
    context.deadline = clock.boot_now() + 24h;
    context.use_deadline = clock.boot_now() + keys::kLongestUse;
    clock.advance(10s);
    EXPECT_EQ(asks(gate, "a", context), 50U);
    EXPECT_EQ(asks(gate, "a"), 0U) << "there is none";
    clock.advance(50s);
    EXPECT_EQ(asks(gate, "a", context), 0U);
}

TEST_F(RunGateTest, RestartRefillsNothing) {
    for (const char* boot : {"b001", "b002"}) {
        memory.text.clear();
        {
            PastKeeper past(memory, clock, "b001");
            auto gate = gate_of(past);
            for (int i = 0; i < 10; ++i) {
                gate.began("a");
            }
        }
        clock.advance(10min);
        PastKeeper past(memory, clock, boot);
        EXPECT_EQ(past.origin(), PastKeeper::Origin::Remembered);
        auto gate = gate_of(past);
        EXPECT_EQ(asks(gate, "b"), 50U * 60);
        EXPECT_EQ(asks(gate, "a"), 24U * 3600 - 600) << "each device for itself too";
    }
    memory.text.pop_back(); // not whole any more
    PastKeeper lost(memory, clock, "b002");
    auto gate = gate_of(lost);
    EXPECT_EQ(asks(gate, "b"), 0U) << "one";
    gate.began("b");
    EXPECT_GT(asks(gate, "c"), 60U);
}

/// Devices, the MT, the simulated card and our BSF, in one thread and on one clock.
struct Terminal {
    explicit Terminal(unsigned devices) : rig({}, with_devices(devices)), card(rig) {
        card.changed = [this] { mt->card_changed(); };
        start();
    }
    void start() {
        mt = std::make_unique<Mt>(reactor, rig.config, rig.clock, rig.random, card, store);
        mt->card_changed();
    }
    void restart() {
        mt.reset();
        card.changed = {};
        card.restart();
        card.changed = [this] { mt->card_changed(); };
        start();
    }
    /// AUTHENTICATE(DD) and 3G.
    [[nodiscard]] unsigned bootstrappings() const { return rig.authenticates - rig.derivations; }
    [[nodiscard]] kdf::NafId naf_id() const { return CardRig::naf_id(); }

    /// L1 to L4. Whether the device got a key; `refused` is the MT's answer if not.
    bool establish(unsigned number, bool force) {
        ProcedureLink link(*mt);
        const auto info = link.key_info(device(number));
        link.ask(naf_id(), force ? std::nullopt : info.b_tid,
                 force ? Reason::BtidUnknownToNetwork : Reason::NoKey);
        const auto event = link.exchange().value();
        optimised = info.b_tid.has_value() && !force;
        if (const auto* error = std::get_if<local::PeerRefused>(&event)) {
            refused = error->error;
            return false;
        }
        return std::holds_alternative<local::EstablishmentReceived>(event);
    }

    CardRig rig;
    InlineCard card;
    Reactor reactor; // not run
    store::MemoryKeyStore store;
    std::unique_ptr<Mt> mt;
    local::ErrorMessage refused;
    bool optimised = false;
};

TEST(Flood, HostileDevicesForceNoMoreRunsThanTheBudgetAndHonestOnesAreServed) {
    constexpr unsigned kHostile = 10;
    constexpr unsigned kHonest = kHostile;
    constexpr unsigned kRequests = 10'000;
    Terminal terminal(kHostile + 1);
    unsigned refused = 0;
    unsigned served = 0;
    for (unsigned i = 0; i < kRequests; ++i) {
        if (!terminal.establish(i % kHostile, true)) {
            ++refused;
            EXPECT_EQ(terminal.refused.code, ErrorCode::RetryAfter);
            EXPECT_GE(terminal.refused.retry_after, 1U);
            EXPECT_LE(terminal.refused.retry_after, 24U * 3600);
        }
        if (i % 100 == 99) {
            EXPECT_TRUE(terminal.establish(kHonest, false)) << i;
            EXPECT_TRUE(terminal.optimised) << i;
            ++served;
        }
        if (i % 2000 == 1999) {
            terminal.restart();
        }
        terminal.rig.clock.advance(360ms);
    }
    EXPECT_LE(terminal.bootstrappings(), 10U);
    EXPECT_GE(terminal.bootstrappings(), 2U) << "the flood was one";
    EXPECT_EQ(terminal.rig.exchanges, 2 * terminal.bootstrappings());
    EXPECT_EQ(refused + terminal.bootstrappings(), kRequests);
    EXPECT_EQ(served, 100U);

    // And when there is no B-TID: the same hour's budget, of which forced runs leave a part.
    terminal.card.discard(terminal.card.b_tid(), [](const auto& done) { EXPECT_TRUE(done); });
    ASSERT_EQ(terminal.card.b_tid(), "");
    if (!terminal.establish(kHonest, false)) {
        EXPECT_LE(terminal.refused.retry_after, 60U);
        terminal.rig.clock.advance(std::chrono::seconds(terminal.refused.retry_after));
        EXPECT_TRUE(terminal.establish(kHonest, false));
    }
    EXPECT_FALSE(terminal.optimised);
    EXPECT_LE(terminal.bootstrappings(), 10U);
}

TEST(Flood, WhileTheBsfFailsNobodyIsAskedAgain) {
    Terminal terminal(2);
    terminal.rig.on_exchange = [] { return Error{Errc::BsfRejected, 403, "bsf"}; };
    EXPECT_FALSE(terminal.establish(0, false));
    EXPECT_EQ(terminal.refused.code, ErrorCode::Network);
    terminal.rig.clock.advance(61s); // of the budget
    const auto apdus = terminal.card.statistics().at("apdus");
    for (unsigned i = 0; i < 100; ++i) {
        EXPECT_FALSE(terminal.establish(i % 2, false));
        EXPECT_EQ(terminal.refused.code, ErrorCode::RetryAfter);
        EXPECT_GT(terminal.refused.retry_after, 350U);
    }
    EXPECT_EQ(terminal.rig.exchanges, 1U);
    EXPECT_EQ(terminal.card.statistics().at("apdus"), apdus);
    terminal.rig.on_exchange = {};
    terminal.rig.clock.advance(std::chrono::seconds(terminal.refused.retry_after));
    EXPECT_TRUE(terminal.establish(1, false));
}

/// 20 devices have their L2 when another one has the MT bootstrap: what each needs to finish.
unsigned most_retries(std::chrono::seconds later) {
    constexpr unsigned kDevices = 20;
    Terminal terminal(kDevices + 1);
    EXPECT_TRUE(terminal.establish(kDevices, false));
    const auto b_tid = terminal.card.b_tid();
    terminal.rig.clock.advance(61s);
    std::vector<std::unique_ptr<ProcedureLink>> links;
    for (unsigned i = 0; i < kDevices; ++i) {
        links.push_back(std::make_unique<ProcedureLink>(*terminal.mt));
        EXPECT_EQ(links.back()->key_info(device(i)).b_tid, b_tid);
    }
    EXPECT_TRUE(terminal.establish(kDevices, true));
    EXPECT_NE(terminal.card.b_tid(), b_tid);
    terminal.rig.clock.advance(later);
    unsigned most = 0;
    for (auto& link : links) {
        unsigned retries = 0;
        link->ask(terminal.naf_id(), b_tid);
        auto event = link->exchange().value();
        while (const auto* refused = std::get_if<local::PeerRefused>(&event)) {
            EXPECT_EQ(refused->error.code, ErrorCode::BtidChanged) << link->device_id;
            if (++retries > 3 || refused->error.code != ErrorCode::BtidChanged) {
                break;
            }
            link->ask(terminal.naf_id(), refused->error.b_tid);
            event = link->exchange().value();
        }
        const auto* received = std::get_if<local::EstablishmentReceived>(&event);
        EXPECT_NE(received, nullptr) << link->device_id;
        if (received != nullptr) {
            EXPECT_EQ(received->answer.b_tid, retries == 0 ? b_tid : terminal.card.b_tid());
            EXPECT_EQ(received->answer.mode, "gba-u");
        }
        most = std::max(most, retries);
    }
    EXPECT_EQ(terminal.bootstrappings(), 2U);
    return most;
}

TEST(Flood, ForcedRunBreaksNoProcedureUnderWay) {
    EXPECT_EQ(most_retries(0s), 0U);
    EXPECT_EQ(most_retries(119s), 0U);
    EXPECT_EQ(most_retries(120s), 1U);
}

TEST(Flood, ClaimAboutAnOlderBtidForcesNothing) {
    Terminal terminal(2);
    ASSERT_TRUE(terminal.establish(0, false));
    terminal.rig.clock.advance(61s);
    ProcedureLink link(*terminal.mt);
    const auto old = link.key_info(device(0)).b_tid;
    ASSERT_TRUE(terminal.establish(1, true));
    ASSERT_NE(terminal.card.b_tid(), old);
    terminal.rig.clock.advance(61s);
    link.ask(terminal.naf_id(), std::nullopt, Reason::BtidUnknownToNetwork);
    EXPECT_EQ(link.expect<local::EstablishmentReceived>().answer.b_tid, terminal.card.b_tid());
    EXPECT_EQ(terminal.bootstrappings(), 2U);
    // About the one that it has been given now it counts.
    terminal.rig.clock.advance(61s);
    link.ask(terminal.naf_id(), std::nullopt, Reason::BtidUnknownToNetwork);
    EXPECT_TRUE(std::holds_alternative<local::EstablishmentReceived>(link.exchange().value()));
    EXPECT_EQ(terminal.bootstrappings(), 3U);
}

TEST(Flood, ForgottenDeviceGetsNoKeyOfTheFormerContext) {
    Terminal terminal(2);
    ASSERT_TRUE(terminal.establish(0, false));
    terminal.rig.clock.advance(61s);
    ProcedureLink link(*terminal.mt);
    const auto old = link.key_info(device(0)).b_tid;
    for (const bool before : {true, false}) {
        if (before) {
            ASSERT_TRUE(terminal.mt->forget(device(0)));
            ASSERT_TRUE(terminal.establish(1, true));
        } else {
            ASSERT_TRUE(terminal.mt->forget(device(0)));
        }
        link.ask(terminal.naf_id(), old);
        const auto refused = link.expect<local::PeerRefused>().error;
        EXPECT_TRUE(refused.code == ErrorCode::BtidChanged || refused.code == ErrorCode::BtidStale);
    }
}

} // namespace
} // namespace mtkey::daemon
