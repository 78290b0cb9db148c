// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "daemon/bus_limits.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sdbus {
class IConnection;
class IObject;
class IProxy;
} // namespace sdbus

namespace mtkey::daemon {

/// The actions of systemd/org.mtkeyd1.policy.
enum class Action { Bootstrap, SendPin, ManageDevices, Configure };
std::string action_id(Action action); ///< "org.mtkeyd1.bootstrap", ...

/// Who is calling: taken from the message while its handler runs.
struct Caller {
    std::string name;         ///< unique bus name
    bool interactive = false; ///< the caller lets polkit ask its user
};
Caller current_caller(const sdbus::IObject& object);

/// Why not.
struct Refusal {
    enum class Kind {
        No,
        WouldAsk, ///< polkit, for the password of the caller's user, had the caller let it
        TooMany   ///< calls of his are open already
    };
    std::string why;
    Kind kind = Kind::No;
};
/// Who may.
struct Standing {
    bool administrator = false; ///< root or our own user; another one may because polkit says so
    std::uint32_t uid = 0;
};
using Decided = std::function<void(const std::expected<Standing, Refusal>&)>;

/// What polkit's answer means for this caller; nothing = he may.
[[nodiscard]] std::optional<Refusal> polkit_refusal(bool authorised, bool challenge,
                                                    bool interactive, Action action);

/// AsksPolkit is for tests, where one user is all there is.
enum class OwnUser { Passes, AsksPolkit };

/// The one place that decides about mutating methods. Root and our own user pass; everybody else is
/// for polkit to decide, asked asynchronously on the same connection. No polkit on the bus =
/// refused.
class Authorisation {
public:
    explicit Authorisation(sdbus::IConnection& connection, OwnUser own_user = OwnUser::Passes);
    ~Authorisation();
    Authorisation(const Authorisation&) = delete;
    Authorisation& operator=(const Authorisation&) = delete;

    /// `decided` is called now or later from the loop.
    void check(const Caller& caller, Action action, Decided decided);

private:
    OwnUser own_user_;
    Seats asked_; ///< of polkit, by user
    std::unique_ptr<sdbus::IProxy> polkit_;
    std::unique_ptr<sdbus::IProxy> bus_;
};

} // namespace mtkey::daemon
