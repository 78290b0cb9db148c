// SPDX-License-Identifier: Apache-2.0
#include "daemon/service.hpp"

#include "base/random.hpp"
#include "daemon/bus.hpp"
#include "daemon/card_worker.hpp"
#include "daemon/clock_watch.hpp"
#include "daemon/memory_file.hpp"
#include "daemon/mt.hpp"
#include "daemon/past_keeper.hpp"
#include "daemon/reactor.hpp"
#include "daemon/transport_host.hpp"
#include "store/key_store.hpp"

#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace mtkey::daemon {
namespace {
// Devices get this long to take our BYE.
constexpr std::chrono::milliseconds kGoodbye{300};
} // namespace

Result<int> run_service(const Config& config) {
    SystemClock clock;
    SystemRandom random;
    Reactor reactor;
    store::MemoryKeyStore store;
    MemoryFile memory(config.state_dir);
    PastKeeper past(memory, clock, boot_id());
    CardWorker card(reactor, config, clock, random, past, real_ports(config.uicc));
    Mt mt(reactor, config, clock, random, card, store);
    TransportHost transports(reactor, mt);
    const auto bus = MTKEY_TRY(Bus::create(reactor, mt, transports, config.bus_address));
    mt.set_events(bus->events());
    transports.set_changed([&bus](const std::string& name) { bus->transport_changed(name); });
    card.set_changed([&mt] { mt.card_changed(); });
    card.set_run_failed([&mt](const Error& error) {
        if (mt.events().bootstrap_failed) {
            mt.events().bootstrap_failed(error);
        }
    });

    const ClockWatch clock_watch(reactor, [&mt] { mt.sweep(); });
    const auto goodbye = reactor.timer();
    reactor.on_termination([&](int) {
        log(LogLevel::Notice, "ending");
        sd_notify(0, "STOPPING=1");
        transports.stop_all();
        goodbye->at(clock.boot_now() + kGoodbye, [&reactor] { reactor.stop(0); });
    });

    MTKEY_CHECK(card.start());
    transports.start_all();
    sd_notify(0, "READY=1");
    log(LogLevel::Notice, "ready", {{"version", MTKEY_VERSION}});
    const int status = reactor.run();
    const bool ended = card.stop();
    // What the worker has left for us holds answers of the bus: they go out, or die, before it
    // does.
    reactor.drain();
    // The objects below the bus tell it of their end no more.
    mt.set_events({});
    transports.set_changed({});
    if (!ended) {
        // A card or pcscd that hangs must not hold up the end; memory and handles go with it.
        log(LogLevel::Warning, "the card does not answer; ending without it");
        store.clear();
        ::_exit(status);
    }
    return status;
}

} // namespace mtkey::daemon
