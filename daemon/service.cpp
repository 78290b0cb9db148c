// SPDX-License-Identifier: Apache-2.0
#include "daemon/service.hpp"

#include "base/boot_id.hpp"
#include "base/encoding.hpp"
#include "base/random.hpp"
#include "daemon/bus.hpp"
#include "daemon/card_worker.hpp"
#include "daemon/clock_watch.hpp"
#include "daemon/key_keeper.hpp"
#include "daemon/mt.hpp"
#include "daemon/past_keeper.hpp"
#include "daemon/reactor.hpp"
#include "daemon/transport_host.hpp"

#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <utility>

namespace mtkey::daemon {
namespace {
// Devices get this long to take our BYE.
constexpr std::chrono::milliseconds kGoodbye{300};
// What a reboot with a clock that was set back is measured by (docs/store.md section 7).
constexpr std::chrono::hours kNoteTime{1};

/// Writes down how late it is, hour by hour.
void note_time_again(Reactor::Timer& timer, PastKeeper& past, const Clock& clock) {
    timer.at(clock.boot_now() + kNoteTime, [&timer, &past, &clock] {
        past.note_time();
        note_time_again(timer, past, clock);
    });
}
/// The UICC was bootstrapped by somebody else than who wrote the store. When the store is known to
/// be the newest of this boot that was another terminal; else it may be an old copy that somebody
/// has put back, which nothing but the UICC can tell (docs/store.md section 6).
void settle_contradiction(KeyKeeper& keeper, PastKeeper& past, Mt& mt, CardWorker& card) {
    const auto forget = [&past] {
        static_cast<void>(past.change([](keys::BootstrapPast& one) {
            one.context.reset();
            one.anchor.reset();
        }));
    };
    if (card.state().agreed_in_this_boot && keeper.newest_of_this_boot()) {
        log(LogLevel::Warning, "another terminal has bootstrapped with the UICC");
        forget();
        return;
    }
    const Error why{Errc::BtidStale, 0,
                    "the UICC has been bootstrapped since this key store was written: it is an old "
                    "copy, or another terminal has used the card; devices establish anew"};
    log_warning("the key store is not believed", why);
    if (const auto done = keeper.distrust(why); done) {
        forget(); // it has done its work; while the file stands it must be seen again
        card.assume_busy_past();
    } else {
        log_error("the key store cannot be set aside", done.error());
    }
    mt.store_emptied();
}

} // namespace

Result<int> run_service(const Config& config) {
    SystemClock clock;
    SystemRandom random;
    FileOps files;
    Reactor reactor;
    const auto keeper = MTKEY_TRY(KeyKeeper::open(config, files, clock, random));
    PastKeeper past(*keeper, clock, to_hex(MTKEY_TRY(system_boot_id())));
    CardWorker card(reactor, config, clock, random, past, real_ports(config.uicc));
    Mt mt(reactor, config, clock, random, card, *keeper);
    TransportHost transports(reactor, mt);
    const auto bus = MTKEY_TRY(Bus::create(reactor, mt, transports, *keeper, config.bus_address));
    mt.set_events(bus->events());
    transports.set_changed([&bus](const std::string& name) { bus->transport_changed(name); });
    bool contradicted = false;
    card.set_changed([&] {
        if (card.state().contradicts_past && !std::exchange(contradicted, true)) {
            settle_contradiction(*keeper, past, mt, card);
            card.contradiction_settled();
        }
        mt.card_changed();
    });
    card.set_run_failed([&mt](const Error& error) {
        if (mt.events().bootstrap_failed) {
            mt.events().bootstrap_failed(error);
        }
    });

    const auto hour = reactor.timer();
    note_time_again(*hour, past, clock);
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
    if (const auto noted = keeper->note_time(); !noted) {
        log_warning("the key store cannot be written", noted.error());
    }
    if (!ended) {
        // A card or pcscd that hangs must not hold up the end; memory and handles go with it.
        log(LogLevel::Warning, "the card does not answer; ending without it");
        keeper->close();
        ::_exit(status);
    }
    return status;
}

} // namespace mtkey::daemon
