// SPDX-License-Identifier: Apache-2.0
#include "daemon/sleep_watch.hpp"

#include "base/log.hpp"

#include <sdbus-c++/sdbus-c++.h>

namespace mtkey::daemon {
namespace {
constexpr const char* kLogind = "org.freedesktop.login1";
constexpr const char* kManager = "org.freedesktop.login1.Manager";
} // namespace

SleepWatch::SleepWatch(sdbus::IConnection& connection, CardService& card)
    : card_(card),
      logind_(sdbus::createProxy(connection, kLogind, "/org/freedesktop/login1")),
      bus_(sdbus::createProxy(connection, "org.freedesktop.DBus", "/org/freedesktop/DBus")) {
    logind_->uponSignal("PrepareForSleep").onInterface(kManager).call([this](const bool& sleeps) {
        check_sender(sleeps);
    });
    logind_->finishRegistration();
    take_lock();
}

SleepWatch::~SleepWatch() = default;

/// The bus matches senders of broadcasts alone: anybody can send us a signal of that name.
void SleepWatch::check_sender(bool sleeps) {
    const auto* message = logind_->getCurrentlyProcessedMessage();
    const std::string sender = message != nullptr ? message->getSender() : "";
    try {
        bus_->callMethodAsync("GetNameOwner")
            .onInterface("org.freedesktop.DBus")
            .withArguments(std::string(kLogind))
            .uponReplyInvoke(
                [this, sleeps, sender](const sdbus::Error* error, const std::string& owner) {
                    if (error == nullptr && owner == sender) {
                        told(sleeps);
                    } else {
                        log(LogLevel::Warning, "somebody plays logind", {{"sender", sender}});
                    }
                });
    } catch (const sdbus::Error& error) {
        log(LogLevel::Warning, "sleep is not noticed", {{"reason", error.what()}});
    }
}

void SleepWatch::told(bool sleeps) {
    if (!sleeps) {
        log(LogLevel::Info, "the system is awake");
        card_.wake_up();
        take_lock();
        return;
    }
    log(LogLevel::Info, "the system is about to sleep");
    // The answer may come so late that there is a lock for the next time.
    auto lock = std::make_shared<UniqueFd>(std::move(lock_));
    card_.prepare_for_sleep([lock] { lock->reset(); });
}

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
