// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/authorisation.hpp"
#include "daemon/bus_objects.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <sdbus-c++/sdbus-c++.h>
#include <string>

// How every object of the bus answers its calls.
namespace mtkey::daemon {

inline sdbus::Error to_bus(const Error& error) {
    return sdbus::Error("org.mtkeyd1.Error." + std::string(info(error.code).name), describe(error));
}

inline sdbus::Error to_bus(const Refusal& refusal) {
    if (refusal.interaction_would_help) {
        return sdbus::Error("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                            refusal.why);
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
    explicit Reply(sdbus::Result<Outputs...>&& result) : result_(std::move(result)) {}
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
    }
    std::optional<sdbus::Result<Outputs...>> result_;
};

/// Asks for authorisation, then works. `work` gets the reply and may keep it. `interactive`: what
/// the caller says beside the flag of its message, which not every client can set.
template <typename... Outputs, typename Work>
void authorised(BusContext& context, sdbus::IObject& object, sdbus::Result<Outputs...>&& result,
                Action action, Work work, bool interactive = false) {
    auto reply = std::make_shared<Reply<Outputs...>>(std::move(result));
    const auto guarded = [reply](auto&& body) {
        try {
            body();
        } catch (const std::exception& problem) {
            log(LogLevel::Error, "D-Bus call failed", {{"reason", problem.what()}});
            reply->refuse(Error{Errc::Internal, 0, {}});
        }
    };
    guarded([&] {
        auto caller = current_caller(object);
        caller.interactive = caller.interactive || interactive;
        context.authorisation.check(caller, action,
                                    [reply, work, guarded](const std::optional<Refusal>& refusal) {
                                        if (refusal) {
                                            reply->refuse(*refusal);
                                            return;
                                        }
                                        guarded([&] { work(reply); });
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
