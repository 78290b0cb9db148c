// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/mt.hpp"
#include "local/mt_session.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace mtkey::daemon {

/// The MT's part of draft clauses 5.5.1 to 5.5.3 on one connection: answers the events of a
/// local::MtSession out of the Mt. Borrows both; work that the card worker does for it comes back
/// only while it lives.
class Procedure {
public:
    /// `pump`: called when an answer was given outside of handle().
    Procedure(Mt& mt, local::MtSession& session, std::string transport, std::string peer,
              std::function<void()> pump);

    void handle(local::MtEvent event);
    /// Whom this connection serves: the device says so and a rule allows it, or it is proven().
    /// Empty = nobody yet.
    [[nodiscard]] std::string device() const { return known_ ? device_id_ : std::string(); }
    /// The device has shown that it holds a key.
    [[nodiscard]] bool proven() const { return proven_; }

private:
    void on(const local::ResumeAsked& asked);
    void on(const local::KeyInfoAsked& asked);
    void on(const local::EstablishmentAsked& asked);
    void on(const local::ConfirmAsked& asked);
    void on(const local::PeerGone& gone);

    void given_up(Error reason);
    [[nodiscard]] bool may_be(const std::string& device_id) const {
        return device_id_.empty() || device_id_ == device_id;
    }
    [[nodiscard]] bool in_flight(const local::EstablishmentRequest& request) const;
    void bootstrap(const local::EstablishmentRequest& request);
    void derive(const kdf::NafId& naf_id, const std::string& b_tid);
    void finish(const kdf::NafId& naf_id, const std::string& b_tid, const Result<NafKey>& key);
    void answer(const kdf::NafId& naf_id, const NafKey& key);
    void refuse(const Error& error);
    void refuse_outdated(const std::string& new_b_tid); ///< a newer one is there
    /// ACK for a CONFIRM whose key is `keys`; the record is stored by now.
    void acknowledge(const local::ConfirmAsked& asked, const kdf::EstablishmentKeys& keys,
                     const kdf::TranscriptHash& th_est, UtcTime expires);
    void confirm_pending(const local::ConfirmAsked& asked, keys::Pending& pending);

    Mt& mt_;
    local::MtSession& session_;
    std::string transport_;
    std::string peer_;
    std::function<void()> pump_;
    /// Of this connection: the one of L1, or of the key that it has proven; from then on no
    /// other's.
    std::string device_id_;
    std::shared_ptr<const void> presence_; ///< of this device with the Mt
    std::string given_b_tid_;              ///< the last one that L2 or L4 has named here
    std::optional<keys::EstId> made_;      ///< by the last L4 here, not confirmed yet
    bool full_ = false;
    bool known_ = false;
    bool proven_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true); ///< callbacks hold it weakly
};

} // namespace mtkey::daemon
