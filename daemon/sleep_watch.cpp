// SPDX-License-Identifier: Apache-2.0
#include "daemon/sleep_watch.hpp"

#include "base/log.hpp"

#include <sdbus-c++/sdbus-c++.h>

namespace mtkey::daemon {
namespace {
constexpr const char* kManager = "org.freedesktop.login1.Manager";
} // namespace

SleepWatch::SleepWatch(sdbus::IConnection& connection, CardService& card)
    : card_(card),
      logind_(sdbus::createProxy(connection, "org.freedesktop.login1", "/org/freedesktop/login1")) {
    logind_->uponSignal("PrepareForSleep").onInterface(kManager).call([this](const bool& sleeps) {
        if (sleeps) {
            log(LogLevel::Info, "the system falls asleep");
            card_.prepare_for_sleep([this] { lock_.reset(); });
        } else {
            log(LogLevel::Info, "the system is awake");
            card_.wake_up();
            take_lock();
        }
    });
    logind_->finishRegistration();
    take_lock();
}

SleepWatch::~SleepWatch() = default;

void SleepWatch::take_lock() {
    try {
        logind_->callMethodAsync("Inhibit")
            .onInterface(kManager)
            .withArguments(std::string("sleep"), std::string("mtkeyd"),
                           std::string("leaving the UICC"), std::string("delay"))
            .uponReplyInvoke([this](const sdbus::Error* error, const sdbus::UnixFd& lock) {
                if (error != nullptr) {
                    log(LogLevel::Debug, "no sleep lock of logind", {{"reason", error->what()}});
                } else {
                    lock_.reset(sdbus::UnixFd(lock).release());
                }
            });
    } catch (const sdbus::Error& error) {
        log(LogLevel::Debug, "no sleep lock of logind", {{"reason", error.what()}});
    }
}

} // namespace mtkey::daemon
