// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "kdf/establishment.hpp"
#include "local/framing.hpp"
#include "local/messages.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace mtkey::local {

struct SessionSettings {
    Framing framing = Framing::LengthPrefixed;
    std::size_t largest_frame = kLargestFrame;
    std::chrono::milliseconds hello_timeout{10'000};
    std::chrono::milliseconds step_timeout{30'000}; ///< for the peer's next message
    std::chrono::milliseconds session_timeout{
        300'000}; ///< all in all, idle approved peers included
};
/// What a transport says about its link, in terms of a session. `largest_frame` 0: the default.
SessionSettings session_settings(bool reliable, std::size_t largest_frame,
                                 SessionSettings timers = {});

// What the MT's owner of a session is told, in the order of the wire. Each request is answered by
// exactly one call.
struct ResumeAsked {
    Resume resume;
    kdf::TranscriptHash th_conn;
};
struct KeyInfoAsked {
    KeyInfoRequest request;
};
struct EstablishmentAsked {
    EstablishmentRequest request; ///< device_id equals that of L1 on this connection
};
struct ConfirmAsked {
    Confirm confirm;
    Bytes body; ///< the exact octets that the MAC covers
    Mac mac;
    kdf::TranscriptHash th_conn;
};
struct PeerGone {
    Error reason;         ///< LinkLost after BYE or end of link, TimedOut, ProtocolViolation, ...
    bool gave_up = false; ///< by the peer's ERROR: nothing comes of what was agreed here
};
using MtEvent = std::variant<ResumeAsked, KeyInfoAsked, EstablishmentAsked, ConfirmAsked, PeerGone>;

/// The MT's end of one connection, without I/O: octets in, octets and events out. Owns framing,
/// transcript and timers; knows the order of the wire and refuses everything else with ERROR. Keys
/// stay outside; single-threaded.
class MtSession {
public:
    MtSession(SessionSettings settings, RandomSource& random, std::optional<std::string> mt_id,
              BootTime now);
    ~MtSession();
    MtSession(MtSession&&) noexcept;
    MtSession& operator=(MtSession&&) noexcept;

    void receive(ByteView octets, BootTime now);
    void link_ended(BootTime now); ///< EOF or an I/O error
    void on_time(BootTime now);    ///< call when deadline() has passed
    [[nodiscard]] BootTime deadline() const;
    [[nodiscard]] Bytes take_output(); ///< octets for the link, may be empty
    [[nodiscard]] std::optional<MtEvent> next_event();
    [[nodiscard]] bool finished() const; ///< nothing more will come: flush the output, then close

    // Answers. The device's time for its next message counts from `now`: the owner may have taken
    // long. A call that does not fit the state is a broken invariant (assert).
    void answer_resume(const ResumeAnswer& answer, BootTime now);
    void answer_key_info(const KeyInfo& info, BootTime now);
    /// Sends L4 and gives TH_est, which covers it.
    [[nodiscard]] kdf::TranscriptHash answer_establishment(const EstablishmentAnswer& answer,
                                                           BootTime now);
    /// `mac` is made by the owner over encode_confirm_ack_body() of the same `ack`.
    void answer_confirm(const ConfirmAck& ack, const Mac& mac, BootTime now);
    /// Instead of any of the answers above. The session stays usable for another try unless
    /// `close`.
    void refuse(const ErrorMessage& error, BootTime now, bool close = false);
    void close(); ///< BYE, then finished()

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// The octets that the MACs cover (the CBOR body without the MAC).
Bytes encode_confirm_ack_body(const ConfirmAck& ack);
Bytes encode_resume_answer_body(const ResumeAnswer& answer);

} // namespace mtkey::local
