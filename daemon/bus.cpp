// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus.hpp"

#include "daemon/bus_filter.hpp"
#include "daemon/bus_objects.hpp"
#include "daemon/bus_store.hpp"
#include "daemon/sleep_watch.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <sdbus-c++/sdbus-c++.h>

namespace mtkey::daemon {
namespace {
constexpr const char* kBusName = "org.mtkeyd1";
// Others than the bus want to have their turn, whatever it brings.
constexpr int kMessagesPerTurn = 16;
constexpr std::size_t kOpenCalls = 32; // of one sender

/// A signal that cannot be sent (bus gone) is no reason to fail what it tells of.
template <typename Work>
void quietly(Work work) {
    try {
        work();
    } catch (const sdbus::Error& error) {
        log(LogLevel::Warning, "D-Bus signal lost", {{"reason", error.what()}});
    }
}
} // namespace

class Bus::Impl {
public:
    Impl(Reactor& reactor, Mt& mt, TransportHost& transports, KeyKeeper& keeper,
         const std::string& address, OwnUser own_user)
        : reactor_(reactor),
          mt_(mt),
          keeper_(keeper),
          connection_(address.empty() ? sdbus::createSystemBusConnection()
                                      : sdbus::createSessionBusConnectionWithAddress(address)),
          filter_(*connection_, clock_),
          authorisation_(*connection_, own_user),
          pins_(reactor),
          context_{*connection_,   mt,    transports,  keeper,
                   authorisation_, pins_, open_calls_, [this] { return session_path_; }},
          sleep_(*connection_, mt.card()),
          timer_(reactor.timer()) {
        manager_ = std::make_unique<ManagerObject>(context_);
        store_ = std::make_unique<StoreObject>(context_);
        for (const auto& view : transports.views()) {
            transports_[view.name] = std::make_unique<TransportObject>(context_, view.name);
        }
        for (const auto& view : mt.devices()) {
            devices_[view.device_id] = std::make_unique<DeviceObject>(context_, view.device_id);
        }
        card_changed();
        // Exported first, named last: nobody sees us half built.
        connection_->requestName(kBusName);
        watch_ = reactor_.watch(connection_->getEventLoopPollData().fd,
                                [this](bool, bool) { process(); });
        if (keeper_.info().distrusted) {
            store_quarantined();
        }
        process();
    }

    ~Impl() { watch_.reset(); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    /// Lets sd-bus read, dispatch and write, for one turn of the loop; then waits for what it asks
    /// for.
    void process() {
        try {
            int left_over = kMessagesPerTurn;
            while (left_over > 0 && connection_->processPendingRequest()) {
                --left_over;
            }
            if (left_over == 0) {
                flush();
            }
            const auto poll = connection_->getEventLoopPollData();
            watch_->want_write((poll.events & 4 /* POLLOUT */) != 0);
            if (const auto left = poll.getRelativeTimeout()) {
                const auto wait = std::chrono::duration_cast<BootClock::duration>(*left) +
                                  std::chrono::milliseconds(1);
                timer_->at(clock_.boot_now() + wait, [this] { process(); });
            } else {
                timer_->cancel();
            }
        } catch (const std::bad_alloc&) {
            throw; // no fault of the bus
        } catch (const std::exception& error) {
            // The bus has gone: end with success of nothing; the service manager starts us again.
            log(LogLevel::Error, "D-Bus connection lost", {{"reason", error.what()}});
            watch_.reset();
            reactor_.stop(1);
        }
    }

    /// After signals and answers given outside of process(), which sd-bus may have queued, and when
    /// a turn was not enough.
    void flush() {
        if (watch_ && !posted_) {
            posted_ = true;
            reactor_.post([this] {
                posted_ = false;
                if (watch_) {
                    process();
                }
            });
        }
    }

    void card_changed() {
        quietly([this] {
            show_uicc();
            show_session();
            show_nafs();
            if (const auto state = manager_->State(); state != shown_state_) {
                shown_state_ = state;
                manager_->getObject().emitPropertiesChangedSignal("org.mtkeyd1.Manager1",
                                                                  {"State"});
            }
        });
        flush();
    }

    void device_changed(const std::string& device_id) {
        quietly([&] {
            const auto found = devices_.find(device_id);
            if (found == devices_.end()) {
                if (mt_.device(device_id)) {
                    auto object = std::make_unique<DeviceObject>(context_, device_id);
                    object->getObject().emitInterfacesAddedSignal();
                    devices_[device_id] = std::move(object);
                }
            } else if (mt_.device(device_id)) {
                found->second->getObject().emitPropertiesChangedSignal("org.mtkeyd1.Device1");
            } else {
                found->second->getObject().emitInterfacesRemovedSignal();
                devices_.erase(found);
            }
        });
        flush();
    }

    void transport_changed(const std::string& name) {
        quietly([&] {
            if (const auto found = transports_.find(name); found != transports_.end()) {
                found->second->getObject().emitPropertiesChangedSignal("org.mtkeyd1.Transport1");
            }
        });
        flush();
    }

    void established(const Established& done) {
        quietly([&] {
            if (const auto found = devices_.find(done.device_id); found != devices_.end()) {
                const auto ends =
                    static_cast<std::uint64_t>(done.expires.time_since_epoch().count());
                found->second->emitKeyEstablished({{"procedure", sdbus::Variant(done.procedure)},
                                                   {"mode", sdbus::Variant(done.mode)},
                                                   {"naf", sdbus::Variant(done.naf)},
                                                   {"expires", sdbus::Variant(ends)}});
            }
        });
        flush();
    }

    void procedure_failed(const std::string& device_id, const Error& error) {
        quietly([&] {
            if (const auto found = devices_.find(device_id); found != devices_.end()) {
                found->second->emitProcedureFailed(std::string(info(error.code).name),
                                                   describe(error));
            }
        });
        flush();
    }

    void bootstrap_failed(const Error& error) {
        quietly([&] {
            manager_->emitBootstrapFailed(std::string(info(error.code).name), describe(error));
        });
        flush();
    }

    void store_quarantined() {
        quietly([this] {
            const auto state = keeper_.info();
            if (!state.distrusted) {
                return;
            }
            manager_->emitStoreQuarantined(std::string(info(state.distrusted->code).name),
                                           describe(*state.distrusted), state.kept_as);
            manager_->getObject().emitPropertiesChangedSignal("org.mtkeyd1.Manager1",
                                                              {"StoreState"});
            store_->getObject().emitPropertiesChangedSignal("org.mtkeyd1.Store1", {"Quarantined"});
        });
        flush();
    }

private:
    void show_uicc() {
        const bool present = !mt_.card().state().reader.empty();
        if (present && !uicc_) {
            uicc_ = std::make_unique<UiccObject>(context_);
            shown_uicc_ = uicc_->all();
            uicc_->getObject().emitInterfacesAddedSignal();
        } else if (!present && uicc_) {
            uicc_->getObject().emitInterfacesRemovedSignal();
            uicc_.reset();
        } else if (uicc_ && uicc_->all() != shown_uicc_) {
            shown_uicc_ = uicc_->all();
            uicc_->getObject().emitPropertiesChangedSignal("org.mtkeyd1.Uicc1");
        }
    }

    void show_session() {
        const auto facts = mt_.context();
        const std::string b_tid = facts ? facts->b_tid : std::string();
        if (b_tid == session_b_tid_) {
            return;
        }
        if (session_) {
            session_->getObject().emitInterfacesRemovedSignal();
            session_.reset();
            session_path_ = "/";
        }
        session_b_tid_ = b_tid;
        if (!b_tid.empty()) {
            session_path_ = std::string(kRootPath) + "/session/" + std::to_string(++sessions_);
            session_ = std::make_unique<SessionObject>(context_, session_path_);
            session_->getObject().emitInterfacesAddedSignal();
        }
    }

    void show_nafs() {
        const auto& entries = mt_.nafs().entries();
        const auto same = [](const keys::NafEntry& a, const keys::NafEntry& b) {
            return a.naf_id == b.naf_id && a.origin == b.origin;
        };
        if (std::ranges::equal(entries, shown_nafs_, same)) {
            return;
        }
        for (auto& object : nafs_) {
            object->getObject().emitInterfacesRemovedSignal();
        }
        nafs_.clear();
        shown_nafs_ = entries;
        for (const auto& entry : entries) {
            nafs_.push_back(std::make_unique<NafObject>(
                context_, entry, static_cast<std::uint32_t>(nafs_.size() + 1)));
            nafs_.back()->getObject().emitInterfacesAddedSignal();
        }
    }

    Reactor& reactor_;
    Mt& mt_;
    KeyKeeper& keeper_;
    std::unique_ptr<sdbus::IConnection> connection_;
    SystemClock clock_;
    CallFilter filter_;
    Authorisation authorisation_;
    PinReader pins_;
    Seats open_calls_{kOpenCalls, SIZE_MAX};
    std::string session_path_ = "/";
    BusContext context_;
    std::unique_ptr<ManagerObject> manager_;
    std::unique_ptr<StoreObject> store_;
    std::string shown_state_;
    std::unique_ptr<UiccObject> uicc_;
    UiccObject::All shown_uicc_;
    std::unique_ptr<SessionObject> session_;
    std::string session_b_tid_;
    unsigned sessions_ = 0;
    std::vector<std::unique_ptr<NafObject>> nafs_;
    std::vector<keys::NafEntry> shown_nafs_;
    std::map<std::string, std::unique_ptr<DeviceObject>> devices_;
    std::map<std::string, std::unique_ptr<TransportObject>> transports_;
    SleepWatch sleep_;
    std::unique_ptr<Reactor::Timer> timer_;
    std::unique_ptr<Reactor::Watch> watch_;
    bool posted_ = false; ///< process() will be called
};

Bus::Bus(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Bus::~Bus() = default;

Result<std::unique_ptr<Bus>> Bus::create(Reactor& reactor, Mt& mt, TransportHost& transports,
                                         KeyKeeper& keeper, const std::string& address,
                                         OwnUser own_user) {
    try {
        return std::unique_ptr<Bus>(
            new Bus(std::make_unique<Impl>(reactor, mt, transports, keeper, address, own_user)));
    } catch (const std::exception& error) {
        return fail(Errc::NotReady, "D-Bus " + (address.empty() ? "system bus" : address) + ": " +
                                        printable(error.what()) +
                                        "; is the bus running and is the name org.mtkeyd1 free and "
                                        "allowed (org.mtkeyd1.conf in dbus-1/system.d)?");
    }
}

MtEvents Bus::events() {
    MtEvents out;
    out.card_changed = [this] { impl_->card_changed(); };
    out.device_changed = [this](const std::string& id) { impl_->device_changed(id); };
    out.established = [this](const Established& done) { impl_->established(done); };
    out.procedure_failed = [this](const std::string& id, const Error& error) {
        impl_->procedure_failed(id, error);
    };
    out.bootstrap_failed = [this](const Error& error) { impl_->bootstrap_failed(error); };
    out.store_quarantined = [this] { impl_->store_quarantined(); };
    return out;
}

void Bus::transport_changed(const std::string& name) {
    impl_->transport_changed(name);
}

} // namespace mtkey::daemon
