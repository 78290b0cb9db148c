// SPDX-License-Identifier: Apache-2.0
#include "daemon/authorisation.hpp"

#include "base/log.hpp"
#include "daemon/bus_message.hpp"

#include <map>
#include <sdbus-c++/sdbus-c++.h>
#include <unistd.h>

namespace mtkey::daemon {
namespace {

constexpr std::uint32_t kAllowUserInteraction = 1;
constexpr auto kPolkitTimeout = std::chrono::minutes(2); // a person may have to type a password
// Questions to polkit that are open; a user can have as many connections to the bus as he likes.
constexpr std::size_t kAskedForOneUser = 8;
constexpr std::size_t kAskedInAll = 32;

} // namespace

std::string action_id(Action action) {
    switch (action) {
    case Action::Bootstrap:
        return "org.mtkeyd1.bootstrap";
    case Action::SendPin:
        return "org.mtkeyd1.send-pin";
    case Action::ManageDevices:
        return "org.mtkeyd1.manage-devices";
    case Action::Configure:
        return "org.mtkeyd1.configure";
    }
    return "org.mtkeyd1.configure";
}

Caller current_caller(const sdbus::IObject& object) {
    const auto* message = object.getCurrentlyProcessedMessage();
    if (message == nullptr) {
        return {};
    }
    return Caller{message->getSender(), allows_interaction(*message)};
}

std::optional<Refusal> polkit_refusal(bool authorised, bool challenge, bool interactive,
                                      Action action) {
    if (authorised) {
        return std::nullopt;
    }
    const std::string id = action_id(action);
    if (!challenge) {
        return Refusal{id + ": polkit says no"};
    }
    if (!interactive) {
        return Refusal{id + ": polkit wants to ask the user, and the caller does not let it",
                       Refusal::Kind::WouldAsk};
    }
    return Refusal{id + ": polkit found nobody to ask (is an agent running?)"};
}

Authorisation::Authorisation(sdbus::IConnection& connection, OwnUser own_user)
    : own_user_(own_user),
      asked_(kAskedForOneUser, kAskedInAll),
      polkit_(sdbus::createProxy(connection, "org.freedesktop.PolicyKit1",
                                 "/org/freedesktop/PolicyKit1/Authority")),
      bus_(sdbus::createProxy(connection, "org.freedesktop.DBus", "/org/freedesktop/DBus")) {}

Authorisation::~Authorisation() = default;

void Authorisation::check(const Caller& caller, Action action, Decided decided) {
    using Details = std::map<std::string, std::string>;
    using Verdict = sdbus::Struct<bool, bool, Details>;
    const auto refuse = [action, decided](std::string_view why,
                                          Refusal::Kind kind = Refusal::Kind::No) {
        decided(std::unexpected(Refusal{action_id(action) + ": " + std::string(why), kind}));
    };
    const auto ask_polkit = [this, caller, action, decided, refuse](std::uint32_t uid) {
        const auto seat = asked_.take(std::to_string(uid));
        if (!seat) {
            refuse("polkit is being asked too much already", Refusal::Kind::TooMany);
            return;
        }
        const std::map<std::string, sdbus::Variant> subject_details{
            {"name", sdbus::Variant(caller.name)}};
        const sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>> subject(
            "system-bus-name", subject_details);
        polkit_->callMethodAsync("CheckAuthorization")
            .onInterface("org.freedesktop.PolicyKit1.Authority")
            .withTimeout(kPolkitTimeout)
            .withArguments(subject, action_id(action), Details{},
                           caller.interactive ? kAllowUserInteraction : 0U, std::string())
            .uponReplyInvoke([caller, action, decided, refuse, seat, uid](const sdbus::Error* error,
                                                                          const Verdict& verdict) {
                if (error != nullptr) {
                    refuse("polkit does not answer; root may");
                } else if (const auto refused =
                               polkit_refusal(std::get<0>(verdict), std::get<1>(verdict),
                                              caller.interactive, action)) {
                    decided(std::unexpected(*refused));
                } else {
                    decided(Standing{.uid = uid});
                }
            });
    };
    try {
        bus_->callMethodAsync("GetConnectionUnixUser")
            .onInterface("org.freedesktop.DBus")
            .withTimeout(std::chrono::seconds(5))
            .withArguments(caller.name)
            .uponReplyInvoke([own_user = own_user_, decided, refuse,
                              ask_polkit](const sdbus::Error* error, const std::uint32_t& uid) {
                // An exception that leaves a reply handler would end the process
                // (sdbus-c++ 1.2).
                try {
                    if (error != nullptr) {
                        refuse("the caller has left the bus");
                    } else if (own_user == OwnUser::Passes && (uid == 0 || uid == ::geteuid())) {
                        decided(Standing{.administrator = true, .uid = uid});
                    } else {
                        ask_polkit(uid);
                    }
                } catch (const std::exception& problem) {
                    log(LogLevel::Error, "authorisation failed", {{"reason", problem.what()}});
                    refuse("internal error");
                }
            });
    } catch (const sdbus::Error& error) {
        refuse(error.what());
    }
}

} // namespace mtkey::daemon
