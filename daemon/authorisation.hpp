// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

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
    std::string why;
    /// polkit would ask the caller's user for a password, had the caller let it.
    bool interaction_would_help = false;
};
using Decided = std::function<void(const std::optional<Refusal>&)>;

/// What polkit's answer means for this caller; nothing = allowed.
[[nodiscard]] std::optional<Refusal> polkit_verdict(bool authorised, bool challenge,
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

    /// `decided` gets nothing when the caller may; called now or later from the loop.
    void check(const Caller& caller, Action action, Decided decided);

private:
    OwnUser own_user_;
    std::unique_ptr<sdbus::IProxy> polkit_;
    std::unique_ptr<sdbus::IProxy> bus_;
};

} // namespace mtkey::daemon
