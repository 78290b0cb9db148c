// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local/mt_session.hpp"

namespace mtkey::local {

// What the device's owner of a session is told.
struct Connected {
    Hello mt_hello;
    kdf::TranscriptHash th_conn;
};
struct ResumeAnswered {
    ResumeAnswer answer;
    Bytes body; ///< the octets that the MAC covers; the owner verifies it
};
struct KeyInfoReceived {
    KeyInfo info;
};
struct EstablishmentReceived {
    EstablishmentAnswer answer;
    kdf::TranscriptHash th_est;
};
struct ConfirmAcknowledged {
    ConfirmAck ack;
    Bytes body;
    Mac mac;
};
struct PeerRefused {
    ErrorMessage error;
};
using DeviceEvent = std::variant<Connected, ResumeAnswered, KeyInfoReceived, EstablishmentReceived,
                                 ConfirmAcknowledged, PeerRefused, PeerGone>;

/// The external device's end of one connection, without I/O; the mirror of MtSession.
class DeviceSession {
public:
    DeviceSession(SessionSettings settings, RandomSource& random,
                  BootTime now); ///< HELLO is in the first output
    ~DeviceSession();
    DeviceSession(DeviceSession&&) noexcept;
    DeviceSession& operator=(DeviceSession&&) noexcept;

    void receive(ByteView octets, BootTime now);
    void link_ended(BootTime now);
    void on_time(BootTime now);
    [[nodiscard]] BootTime deadline() const;
    [[nodiscard]] Bytes take_output();
    [[nodiscard]] std::optional<DeviceEvent> next_event();
    [[nodiscard]] bool finished() const;

    // Requests, one at a time, after Connected.
    void resume(const Resume& resume);
    void request_key_info(const KeyInfoRequest& request);
    void request_establishment(const EstablishmentRequest& request);
    /// `mac` over encode_confirm_body() of the same `confirm`.
    void confirm(const Confirm& confirm, const Mac& mac);
    void close();
    /// What L4 was asked for comes to nothing: `why` is for people at the MT (draft 5.5.2 steps 11
    /// to 17). Ends the connection.
    void give_up(const std::string& why);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

Bytes encode_confirm_body(const Confirm& confirm);

} // namespace mtkey::local
