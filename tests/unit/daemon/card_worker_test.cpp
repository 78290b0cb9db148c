// SPDX-License-Identifier: Apache-2.0
// The card worker's thread between a reactor and the simulated card: who asks while a run is under
// way gets its result.
#include "daemon/card_worker.hpp"

#include "store/key_store.hpp"
#include "unit/daemon/card_fixture.hpp"
#include "unit/daemon/procedure_link.hpp"

#include <gtest/gtest.h>

namespace mtkey::daemon {
namespace {

/// Tells once of the card of the rig.
class OneReport final : public ReaderWatch {};

Config with_devices(unsigned number) {
    Config out;
    keys::NafEntry naf;
    naf.naf_id = CardRig::naf_id();
    out.nafs = {naf};
    for (unsigned i = 0; i < number; ++i) {
        out.devices.push_back(DeviceRule{"urn:device:" + std::to_string(i), true, "", ""});
    }
    return out;
}

TEST(CardWorker, HundredAtOnceAreOneRun) {
    constexpr unsigned kDevices = 80;
    constexpr unsigned kCallers = 20; // as D-Bus calls them, half of them with force
    CardRig rig({}, with_devices(kDevices));
    Reactor reactor;
    auto ports = rig.ports();
    ports.watch = [&rig](const uicc::ReaderMonitor::Callback& tell) {
        tell(rig.report());
        return Result<std::unique_ptr<ReaderWatch>>(std::make_unique<OneReport>());
    };
    CardWorker card(reactor, rig.config, rig.clock, rig.random, rig.past, std::move(ports));
    store::MemoryKeyStore store;
    Mt mt(reactor, rig.config, rig.clock, rig.random, card, store);

    std::vector<std::unique_ptr<ProcedureLink>> links;
    unsigned established = 0;
    unsigned called = 0;
    const auto count = [&](unsigned& what) {
        ++what;
        if (established + called == kDevices + kCallers) {
            reactor.stop(0);
        }
    };
    const auto ask_all = [&] {
        for (unsigned i = 0; i < kDevices; ++i) {
            links.push_back(std::make_unique<ProcedureLink>(mt, [&, i] {
                const auto event = links[i]->exchange();
                ASSERT_TRUE(event);
                EXPECT_TRUE(std::holds_alternative<local::EstablishmentReceived>(*event)) << i;
                count(established);
            }));
            EXPECT_FALSE(links[i]->key_info("urn:device:" + std::to_string(i)).b_tid);
            links[i]->ask(CardRig::naf_id(), std::nullopt);
            EXPECT_FALSE(links[i]->exchange()) << "an answer before there is one";
            if (i < kCallers) {
                card.bootstrap({.force = i % 2 == 0}, [&](const Result<void>& done) {
                    EXPECT_TRUE(done);
                    count(called);
                });
            }
        }
    };
    bool asked = false;
    card.set_changed([&] {
        mt.card_changed();
        if (card.state().state == CardState::State::Ready && !std::exchange(asked, true)) {
            reactor.post(ask_all);
        }
    });
    ASSERT_TRUE(card.start());
    const auto guard = reactor.timer();
    guard->at(SystemClock().boot_now() + std::chrono::minutes(1), [&reactor] { reactor.stop(1); });
    EXPECT_EQ(reactor.run(), 0) << "not all were answered";
    EXPECT_TRUE(card.stop());
    EXPECT_EQ(established, kDevices);
    EXPECT_EQ(called, kCallers);
    EXPECT_EQ(rig.authenticates - rig.derivations, 1U);
    EXPECT_EQ(rig.derivations, 1U) << "one NAF, one key";
    EXPECT_EQ(rig.exchanges, 2U);
    EXPECT_EQ(rig.past.get().runs.size(), 1U) << "and it counts as one";
    EXPECT_EQ(card.statistics().at("gba_runs_refused"), 0U);
    links.clear();
}

} // namespace
} // namespace mtkey::daemon
