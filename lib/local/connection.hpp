// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local/codec.hpp"
#include "local/mt_session.hpp"

namespace mtkey::local {

// DRAFT-GAP(local-liveness): timers and what they mean, docs/local-interface.md section 6.
inline constexpr std::chrono::seconds kPingAfter{10}; ///< of silence
inline constexpr std::chrono::seconds kDeadAfter{30}; ///< of silence
inline constexpr std::chrono::seconds kHelloAgainAfter{
    1}; ///< COBS: octets of the first ones may be lost
inline constexpr std::uint64_t kMostThrownAway =
    64 * 1024; ///< on a reliable link, before the first frame

struct Message {
    MessageType type{};
    Bytes payload;
};

/// What both ends of a connection share: frames, HELLO, liveness, timers and the end. Owned by one
/// session.
/// DRAFT-GAP(local-hello): versions, nonces and the beginning, docs/local-interface.md section 2.4.
class Connection {
public:
    Connection(const SessionSettings& settings, Role role, RandomSource& random,
               std::optional<std::string> mt_id, BootTime now);

    void set_time(BootTime now) { now_ = now; }
    void on_time();
    [[nodiscard]] BootTime deadline() const;

    /// The next message for the session: what the procedure is made of, ERROR, and the peer's HELLO
    /// once, when it completes the connection. Takes octets off the front; nothing = all taken, or
    /// the connection has ended.
    [[nodiscard]] std::optional<Message> next(ByteView& octets);
    void send(MessageType type, Bytes payload);
    [[nodiscard]] Bytes take_output() { return std::exchange(output_, {}); }
    /// Most octets of a payload that the peer takes.
    [[nodiscard]] std::size_t payload_limit() const { return limit_ - kFrameHeader; }

    /// From now on the peer has `step_timeout` and `extra` for its next message.
    void expect_message(std::chrono::seconds extra = {});
    void expect_nothing() { step_end_.reset(); }

    void violated(const std::string& what);   ///< ERROR protocol, then the end
    void end(Errc code, std::string context); ///< for a reason that the owner is told
    void close();                             ///< BYE, then the end; the owner knows
    [[nodiscard]] bool connected() const { return connected_; }
    [[nodiscard]] bool ended() const { return ended_; }
    /// Why the connection ended, once; nothing after close().
    [[nodiscard]] std::optional<Error> take_reason() { return std::exchange(reason_, {}); }

    [[nodiscard]] const Hello& peer_hello() const { return peer_hello_; }
    [[nodiscard]] const kdf::TranscriptHash& th_conn() const { return th_conn_; }
    /// Over both HELLO, L1 to L4.
    [[nodiscard]] kdf::TranscriptHash th_est(ByteView l1, ByteView l2, ByteView l3,
                                             ByteView l4) const;

private:
    [[nodiscard]] std::optional<Message> handle(Frame frame);
    [[nodiscard]] bool handle_before_hello(const Frame& frame);
    [[nodiscard]] bool take_hello(const Frame& frame);
    void handle_other_hello(const Frame& frame);
    void send_hello();
    [[nodiscard]] bool
    has_room() const; ///< for what the peer makes us send without asking the owner
    [[nodiscard]] ByteView device_hello() const {
        return role_ == Role::Device ? own_octets_ : peer_octets_;
    }
    [[nodiscard]] ByteView mt_hello() const {
        return role_ == Role::Device ? peer_octets_ : own_octets_;
    }

    SessionSettings settings_;
    Role role_;
    FrameReader reader_;
    std::size_t limit_; ///< octets of header and payload that the peer takes
    Bytes output_;
    std::uint16_t next_number_ = 0;

    Bytes own_octets_; ///< HELLO as it went over the link
    Bytes peer_octets_;
    Hello peer_hello_;
    kdf::TranscriptHash th_conn_{};
    bool connected_ = false;
    bool procedure_begun_ = false; ///< something else than HELLO came
    bool said_bye_to_stranger_ = false;

    BootTime now_;
    std::optional<BootTime> began_; ///< nothing: a tty on which nobody has spoken yet
    BootTime heard_;
    BootTime next_hello_;
    BootTime next_ping_;
    std::optional<BootTime> step_end_;

    bool ended_ = false;
    std::optional<Error> reason_;
};

} // namespace mtkey::local
