// SPDX-License-Identifier: Apache-2.0
#include "local/connection.hpp"

#include <algorithm>
#include <array>

namespace mtkey::local {

namespace {

constexpr std::chrono::hours kFarAway{
    24}; // no timer runs; finite, so that owners can compute with it
constexpr std::size_t kMostUnasked = 16 * 1024;

kdf::Direction sent_by(Role role) {
    return role == Role::Device ? kdf::Direction::DeviceToMt : kdf::Direction::MtToDevice;
}

Role other(Role role) {
    return role == Role::Device ? Role::Mt : Role::Device;
}

MessageType type_of(const Frame& frame) {
    return static_cast<MessageType>(frame.type);
}

} // namespace

Connection::Connection(const SessionSettings& settings, Role role, RandomSource& random,
                       std::optional<std::string> mt_id, BootTime now)
    : settings_(settings),
      role_(role),
      reader_(settings.framing, sent_by(other(role)),
              std::clamp(settings.largest_frame, kSmallestFrame, kLargestFrame)),
      limit_(kSmallestFrame),
      now_(now),
      heard_(now),
      next_hello_(now),
      next_ping_(now) {
    settings_.largest_frame = std::clamp(settings.largest_frame, kSmallestFrame, kLargestFrame);
    Hello hello;
    hello.role = role;
    hello.versions = {kProtocolVersion};
    hello.largest_frame = static_cast<std::uint32_t>(settings_.largest_frame);
    hello.mt_id = std::move(mt_id);
    if (auto filled = random.fill(hello.nonce); !filled) {
        end(filled.error().code, "no nonce for HELLO: " + filled.error().context);
        return;
    }
    own_octets_ = encode(hello);
    // The device speaks first; the MT answers, so that it says nothing into ttys where something
    // else listens.
    if (role_ == Role::Device) {
        send_hello();
    }
    if (role_ == Role::Device || settings_.framing == Framing::LengthPrefixed) {
        began_ = now;
    }
}

void Connection::send_hello() {
    next_hello_ = now_ + kHelloAgainAfter;
    send(MessageType::Hello, own_octets_);
}

bool Connection::has_room() const {
    return output_.size() < kMostUnasked;
}

void Connection::send(MessageType type, Bytes payload) {
    if (ended_) {
        return;
    }
    if (payload.size() > payload_limit()) {
        end(Errc::LimitExceeded, "message is longer than the peer's largest frame");
        return;
    }
    Frame frame;
    frame.direction = sent_by(role_);
    frame.type = static_cast<std::uint8_t>(type);
    frame.payload = std::move(payload);
    frame.sequence = next_number_++;
    append_frame(output_, settings_.framing, frame);
}

std::optional<Message> Connection::next(ByteView& octets) {
    if (!octets.empty() && !began_) {
        began_ = now_;
    }
    while (!ended_) {
        auto frame = reader_.next(octets);
        if (!frame) {
            violated(frame.error().context);
        } else if (!*frame) {
            if (settings_.framing == Framing::LengthPrefixed && !connected_ &&
                reader_.thrown_away() > kMostThrownAway) {
                end(Errc::ProtocolViolation, "peer does not speak the local interface");
            }
            return std::nullopt;
        } else if (auto message = handle(std::move(**frame))) {
            return message;
        }
    }
    return std::nullopt;
}

/// Nothing where the session has nothing to do with the frame.
std::optional<Message> Connection::handle(Frame frame) {
    const MessageType type = type_of(frame);
    if (!connected_) {
        if (!handle_before_hello(frame)) {
            return std::nullopt;
        }
        return Message{MessageType::Hello, peer_octets_};
    }
    if (type == MessageType::Hello) {
        handle_other_hello(frame);
        return std::nullopt;
    }
    if (!frame.in_sequence) {
        close();
        reason_ = Error{Errc::LinkLost, 0, "a frame was lost"};
        return std::nullopt;
    }
    if (frame.channel != 0) {
        violated("channel " + std::to_string(frame.channel) + " is not open");
        return std::nullopt;
    }
    procedure_begun_ = true;
    heard_ = now_;
    next_ping_ = now_ + kPingAfter;
    if (type == MessageType::Ping || type == MessageType::Pong || type == MessageType::Bye) {
        if (!decode_empty(frame.payload)) {
            violated("PING, PONG or BYE with a content");
        } else if (type == MessageType::Bye) {
            end(Errc::LinkLost, "peer said BYE");
        } else if (type == MessageType::Ping && has_room()) {
            send(MessageType::Pong, encode_empty());
        }
        return std::nullopt;
    }
    return Message{type, std::move(frame.payload)};
}

/// True when the frame completed the connection. Whatever is no HELLO of the peer is not the
/// beginning yet.
bool Connection::handle_before_hello(const Frame& frame) {
    if (take_hello(frame)) {
        return connected_ && !ended_;
    }
    if (role_ == Role::Device && type_of(frame) == MessageType::Error) {
        const auto error = decode_error(frame.payload);
        if (error && error->code == ErrorCode::Version) {
            reader_.accept();
            end(Errc::VersionMismatch, error->text);
        }
    } else if (role_ == Role::Mt && settings_.framing == Framing::Cobs && !said_bye_to_stranger_) {
        // A device that talks on in a connection of which we know nothing: our number tells it to
        // begin again.
        said_bye_to_stranger_ = true;
        send(MessageType::Bye, encode_empty());
    }
    return false;
}

/// True when the frame is a HELLO of the other role, even if nothing can come of it.
bool Connection::take_hello(const Frame& frame) {
    if (type_of(frame) != MessageType::Hello || frame.channel != 0) {
        return false;
    }
    auto hello = decode_hello(frame.payload);
    if (!hello || hello->role == role_) {
        return false;
    }
    reader_.accept();
    peer_hello_ = std::move(*hello);
    peer_octets_ = frame.payload;
    if (std::ranges::find(peer_hello_.versions, kProtocolVersion) == peer_hello_.versions.end()) {
        ErrorMessage error;
        error.code = ErrorCode::Version;
        error.text = "no version in common, here: 1";
        send(MessageType::Error, encode(error));
        end(Errc::VersionMismatch, "peer speaks none of our versions");
        return true;
    }
    limit_ = std::min<std::size_t>(settings_.largest_frame, peer_hello_.largest_frame);
    reader_.set_largest_frame(limit_);
    connected_ = true;
    heard_ = now_;
    next_ping_ = now_ + kPingAfter;
    if (role_ == Role::Mt) {
        send_hello();
    }
    const std::array<kdf::TranscriptPart, 2> parts{
        {{kdf::Direction::DeviceToMt, device_hello()}, {kdf::Direction::MtToDevice, mt_hello()}}};
    th_conn_ = kdf::transcript_hash(kdf::kConnectionLabel, parts);
    return true;
}

/// A HELLO after the first one. On a tty the device repeats its own until ours arrives, and either
/// end may start again without the other noticing; on a reliable link there is no such thing.
void Connection::handle_other_hello(const Frame& frame) {
    if (settings_.framing == Framing::LengthPrefixed) {
        violated("second HELLO");
        return;
    }
    if (role_ == Role::Mt && !procedure_begun_) {
        if (has_room() && !take_hello(frame)) {
            violated("HELLO that is none");
        }
        return;
    }
    if (role_ == Role::Device && frame.in_sequence && frame.payload == peer_octets_) {
        return; // the answer to one of our repetitions
    }
    end(Errc::LinkLost, "peer began a new connection");
}

void Connection::expect_message(std::chrono::seconds extra) {
    step_end_ = now_ + settings_.step_timeout + extra;
}

BootTime Connection::deadline() const {
    BootTime earliest = now_ + kFarAway;
    if (ended_ || !began_) {
        return earliest;
    }
    earliest = std::min(earliest, *began_ + settings_.session_timeout);
    if (connected_) {
        earliest =
            std::min({earliest, next_ping_, heard_ + kDeadAfter, step_end_.value_or(earliest)});
    } else {
        earliest = std::min(earliest, *began_ + settings_.hello_timeout);
        if (role_ == Role::Device && settings_.framing == Framing::Cobs) {
            earliest = std::min(earliest, next_hello_);
        }
    }
    return earliest;
}

void Connection::on_time() {
    if (ended_ || !began_) {
        return;
    }
    const auto time_out = [&](const char* what) {
        if (connected_) {
            close();
            reason_ = Error{Errc::TimedOut, 0, what};
        } else {
            end(Errc::TimedOut, what);
        }
    };
    if (now_ >= *began_ + settings_.session_timeout) {
        time_out("the session has lasted long enough");
    } else if (!connected_ && now_ >= *began_ + settings_.hello_timeout) {
        time_out("no HELLO from the peer");
    } else if (connected_ && now_ >= heard_ + kDeadAfter) {
        time_out("no sign of life from the peer");
    } else if (connected_ && step_end_ && now_ >= *step_end_) {
        time_out("the peer's next message did not come");
    } else if (connected_ && now_ >= next_ping_) {
        next_ping_ = now_ + kPingAfter;
        send(MessageType::Ping, encode_empty());
    } else if (!connected_ && role_ == Role::Device && settings_.framing == Framing::Cobs &&
               now_ >= next_hello_) {
        send_hello();
    }
}

void Connection::violated(const std::string& what) {
    if (connected_ && !ended_) {
        ErrorMessage error;
        error.code = ErrorCode::Protocol;
        error.text = what;
        send(MessageType::Error, encode(error));
    }
    end(Errc::ProtocolViolation, what);
}

void Connection::end(Errc code, std::string context) {
    if (!ended_) {
        ended_ = true;
        reason_ = Error{code, 0, std::move(context)};
    }
}

void Connection::close() {
    if (!ended_ && connected_) {
        send(MessageType::Bye, encode_empty());
    }
    ended_ = true;
}

kdf::TranscriptHash Connection::th_est(ByteView l1, ByteView l2, ByteView l3, ByteView l4) const {
    using enum kdf::Direction;
    const std::array<kdf::TranscriptPart, 6> parts{{{DeviceToMt, device_hello()},
                                                    {MtToDevice, mt_hello()},
                                                    {DeviceToMt, l1},
                                                    {MtToDevice, l2},
                                                    {DeviceToMt, l3},
                                                    {MtToDevice, l4}}};
    return kdf::transcript_hash(kdf::kEstablishmentLabel, parts);
}

} // namespace mtkey::local
