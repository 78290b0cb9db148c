// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/authorisation.hpp"
#include "daemon/bus_message.hpp"
#include "daemon/bus_objects.hpp"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <sdbus-c++/sdbus-c++.h>
#include <string>
#include <string_view>
#include <type_traits>

// How every object of the bus answers its calls.
namespace mtkey::daemon {

inline sdbus::Error to_bus(const Error& error) {
    return sdbus::Error("org.mtkeyd1.Error." + std::string(info(error.code).name), describe(error));
}

inline sdbus::Error to_bus(const Refusal& refusal) {
    switch (refusal.kind) {
    case Refusal::Kind::WouldAsk:
        return sdbus::Error("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                            refusal.why);
    case Refusal::Kind::TooMany:
        return sdbus::Error("org.freedesktop.DBus.Error.LimitsExceeded", refusal.why);
    case Refusal::Kind::No:
        break;
    }
    return to_bus(Error{Errc::NotAuthorized, 0, refusal.why});
}

inline std::uint64_t seconds(UtcTime time) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.time_since_epoch().count()));
}

/// One answer for one call: a reply that nobody gave says Cancelled instead of leaving the caller
/// to wait.
template <typename... Outputs>
class Reply {
public:
    /// `seat` is kept until the answer.
    Reply(sdbus::Result<Outputs...>&& result, Seats::Seat seat)
        : result_(std::move(result)), seat_(std::move(seat)) {}
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    ~Reply() {
        if (result_) {
            refuse(Error{Errc::Cancelled, 0, {}});
        }
    }
    void give(const Outputs&... values) {
        send([&](const auto& result) { result.returnResults(values...); });
    }
    void refuse(const auto& error) { // Error or Refusal
        send([&](const auto& result) { result.returnError(to_bus(error)); });
    }

private:
    template <typename Action>
    void send(Action action) {
        if (!result_) {
            return;
        }
        try {
            action(*result_);
        } catch (const sdbus::Error& error) {
            log(LogLevel::Warning, "answer could not be sent", {{"reason", error.what()}});
        }
        result_.reset();
        seat_.reset();
    }
    std::optional<sdbus::Result<Outputs...>> result_;
    Seats::Seat seat_;
};

/// What answers the call that is being handled, without what came with it.
template <typename... Outputs>
sdbus::Result<Outputs...> answer_of(const sdbus::IObject& object,
                                    sdbus::Result<Outputs...>&& result) {
    const auto* call = static_cast<const sdbus::MethodCall*>(object.getCurrentlyProcessedMessage());
    return call != nullptr ? sdbus::Result<Outputs...>(without_load(*call)) : std::move(result);
}

/// Asks for authorisation, then works. `work` gets the reply and may keep it, and, if it wants,
/// the caller's Standing. `interactive`: what the caller says beside the flag of its message, which
/// not every client can set.
template <typename... Outputs, typename Work>
void authorised(BusContext& context, sdbus::IObject& object, sdbus::Result<Outputs...>&& result,
                Action action, Work work, bool interactive = false) {
    auto caller = current_caller(object);
    caller.interactive = caller.interactive || interactive;
    const auto seat = context.open_calls.take(caller.name);
    auto reply = std::make_shared<Reply<Outputs...>>(answer_of(object, std::move(result)), seat);
    if (!seat) {
        reply->refuse(Refusal{"too many calls wait for an answer", Refusal::Kind::TooMany});
        return;
    }
    const auto guarded = [reply](auto&& body) {
        try {
            body();
        } catch (const std::exception& problem) {
            log(LogLevel::Error, "D-Bus call failed", {{"reason", problem.what()}});
            reply->refuse(Error{Errc::Internal, 0, {}});
        }
    };
    guarded([&] {
        context.authorisation.check(
            caller, action,
            [reply, work, guarded](const std::expected<Standing, Refusal>& standing) {
                if (!standing) {
                    reply->refuse(standing.error());
                    return;
                }
                guarded([&] {
                    if constexpr (std::is_invocable_v<const Work&, decltype(reply), Standing>) {
                        work(reply, *standing);
                    } else {
                        work(reply);
                    }
                });
            });
    });
}

template <typename T>
T option(const std::map<std::string, sdbus::Variant>& options, const std::string& key, T fallback) {
    const auto found = options.find(key);
    if (found == options.end()) {
        return fallback;
    }
    try {
        return found->second.get<T>();
    } catch (const sdbus::Error&) {
        throw sdbus::Error("org.freedesktop.DBus.Error.InvalidArgs",
                           "option '" + key + "' has a wrong type");
    }
}

/// The option that every method with options has. Throws when there are others than it and `known`:
/// what nobody asked for would be kept, descriptors too, while polkit asks a person.
inline bool interactive(const std::map<std::string, sdbus::Variant>& options,
                        std::initializer_list<std::string_view> known = {}) {
    for (const auto& [key, value] : options) {
        if (key != "interactive" && std::ranges::find(known, key) == known.end()) {
            throw sdbus::Error("org.freedesktop.DBus.Error.InvalidArgs",
                               "there is no option '" + printable(key) + "'");
        }
    }
    return option(options, "interactive", false);
}

template <typename... Outputs>
auto finish(std::shared_ptr<Reply<Outputs...>> reply) {
    return [reply](const Result<void>& done) {
        if (done) {
            reply->give();
        } else {
            reply->refuse(done.error());
        }
    };
}

} // namespace mtkey::daemon
