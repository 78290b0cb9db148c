// SPDX-License-Identifier: Apache-2.0
#include "local/mt_session.hpp"

#include "local/codec.hpp"
#include "local/connection.hpp"

#include <cassert>
#include <deque>

namespace mtkey::local {

namespace {

/// A peer that asks more often in one connection is not getting anywhere.
constexpr int kMostRequests = 64;

} // namespace

SessionSettings session_settings(bool reliable, std::size_t largest_frame, SessionSettings timers) {
    timers.framing = reliable ? Framing::LengthPrefixed : Framing::Cobs;
    timers.largest_frame = largest_frame != 0 ? largest_frame
                           : reliable         ? kLargestFrame
                                              : kTtyFrame;
    return timers;
}

/// DRAFT-GAP(local-order): what may come when, docs/local-interface.md section 5.
class MtSession::Impl {
public:
    Impl(const SessionSettings& settings, RandomSource& random, std::optional<std::string> mt_id,
         BootTime now)
        : connection(settings, Role::Mt, random, std::move(mt_id), now) {}

    void receive(ByteView octets);
    void report_end();
    [[nodiscard]] bool may_answer(MessageType request);
    void answer(MessageType type, Bytes payload, BootTime now);

    Connection connection;
    std::deque<MtEvent> events;       ///< at most one request, and the end
    std::optional<MessageType> asked; ///< the request that the owner has not answered yet
    int requests = 0;
    bool gave_up = false;  ///< the device
    std::string device_id; ///< of the first L1; one connection serves one device
    Bytes l1, l2, l3;      ///< what TH_est will cover; l2 empty: L3 is not allowed

private:
    void handle(const Message& message);
    [[nodiscard]] Result<void> ask(const Message& message);
    [[nodiscard]] Result<void> ask_key_info(const Message& message);
    [[nodiscard]] Result<void> ask_establishment(const Message& message);
    [[nodiscard]] Result<void> ask_confirm(const Message& message);
};

void MtSession::Impl::receive(ByteView octets) {
    while (auto message = connection.next(octets)) {
        handle(*message);
    }
    report_end();
}

void MtSession::Impl::report_end() {
    if (auto reason = connection.take_reason()) {
        events.emplace_back(PeerGone{std::move(*reason), gave_up});
    }
}

void MtSession::Impl::handle(const Message& message) {
    switch (message.type) {
    case MessageType::Hello:
        connection.expect_message();
        return;
    case MessageType::Error:
        if (const auto error = decode_error(message.payload)) {
            gave_up = true;
            connection.end(errc_from(error->code), error->text);
        } else {
            connection.violated(error.error().context);
        }
        return;
    default:
        break;
    }
    if (asked) {
        connection.violated("request before the answer to the last one");
    } else if (++requests > kMostRequests) {
        connection.violated("too many requests in one connection");
    } else if (auto taken = ask(message); !taken) {
        connection.violated(taken.error().context);
    } else {
        asked = message.type;
        connection.expect_nothing();
    }
}

Result<void> MtSession::Impl::ask(const Message& message) {
    switch (message.type) {
    case MessageType::Resume:
        events.emplace_back(
            ResumeAsked{MTKEY_TRY(decode_resume(message.payload)), connection.th_conn()});
        return {};
    case MessageType::KeyInfoRequest:
        return ask_key_info(message);
    case MessageType::EstablishmentRequest:
        return ask_establishment(message);
    case MessageType::Confirm:
        return ask_confirm(message);
    default:
        return fail(Errc::ProtocolViolation,
                    "message type " + std::to_string(static_cast<unsigned>(message.type)) +
                        " is not for the MT");
    }
}

Result<void> MtSession::Impl::ask_key_info(const Message& message) {
    auto request = MTKEY_TRY(decode_key_info_request(message.payload));
    if (!device_id.empty() && device_id != request.device_id) {
        return fail(Errc::ProtocolViolation, "another Device_ID in the same connection");
    }
    device_id = request.device_id;
    l1 = message.payload;
    l2.clear();
    events.emplace_back(KeyInfoAsked{std::move(request)});
    return {};
}

Result<void> MtSession::Impl::ask_establishment(const Message& message) {
    if (l2.empty()) {
        return fail(Errc::ProtocolViolation, "establishment request before key info");
    }
    auto request = MTKEY_TRY(decode_establishment_request(message.payload));
    if (request.device_id != device_id) {
        return fail(Errc::ProtocolViolation, "another Device_ID in the same connection");
    }
    l3 = message.payload;
    events.emplace_back(EstablishmentAsked{std::move(request)});
    return {};
}

Result<void> MtSession::Impl::ask_confirm(const Message& message) {
    auto sealed = MTKEY_TRY(decode_sealed(message.payload));
    if (!sealed.mac) {
        return fail(Errc::ProtocolViolation, "CONFIRM without MAC");
    }
    auto confirm = MTKEY_TRY(decode_confirm_body(sealed.body));
    events.emplace_back(ConfirmAsked{std::move(confirm), std::move(sealed.body), *sealed.mac,
                                     connection.th_conn()});
    return {};
}

/// The peer may have gone while the owner made its answer: then there is nothing to do.
bool MtSession::Impl::may_answer(MessageType request) {
    if (connection.ended()) {
        return false;
    }
    assert(asked == request);
    return asked == request;
}

void MtSession::Impl::answer(MessageType type, Bytes payload, BootTime now) {
    asked.reset();
    connection.set_time(now);
    connection.expect_message();
    connection.send(type, std::move(payload));
    report_end();
}

MtSession::MtSession(SessionSettings settings, RandomSource& random,
                     std::optional<std::string> mt_id, BootTime now)
    : impl_(std::make_unique<Impl>(settings, random, std::move(mt_id), now)) {
    impl_->report_end();
}
MtSession::~MtSession() = default;
MtSession::MtSession(MtSession&&) noexcept = default;
MtSession& MtSession::operator=(MtSession&&) noexcept = default;

void MtSession::receive(ByteView octets, BootTime now) {
    impl_->connection.set_time(now);
    impl_->receive(octets);
}

void MtSession::link_ended(BootTime now) {
    impl_->connection.set_time(now);
    impl_->connection.end(Errc::LinkLost, "the link has ended");
    impl_->report_end();
}

void MtSession::on_time(BootTime now) {
    impl_->connection.set_time(now);
    impl_->connection.on_time();
    impl_->report_end();
}

BootTime MtSession::deadline() const {
    return impl_->connection.deadline();
}

Bytes MtSession::take_output() {
    return impl_->connection.take_output();
}

std::optional<MtEvent> MtSession::next_event() {
    if (impl_->events.empty()) {
        return std::nullopt;
    }
    MtEvent event = std::move(impl_->events.front());
    impl_->events.pop_front();
    return event;
}

bool MtSession::finished() const {
    return impl_->connection.ended();
}

void MtSession::answer_resume(const ResumeAnswer& answer, BootTime now) {
    if (!impl_->may_answer(MessageType::Resume)) {
        return;
    }
    SealedBody sealed{encode_body(answer), answer.mac};
    if (answer.status == ResumeAnswer::Status::Unknown) {
        sealed.mac.reset();
    }
    impl_->answer(MessageType::ResumeAnswer, encode(sealed), now);
    if (answer.status == ResumeAnswer::Status::Known) {
        impl_->connection.expect_nothing();
    } else if (answer.status == ResumeAnswer::Status::Wait) {
        impl_->connection.expect_message(std::chrono::seconds(answer.retry_after));
    }
}

void MtSession::answer_key_info(const KeyInfo& info, BootTime now) {
    if (!impl_->may_answer(MessageType::KeyInfoRequest)) {
        return;
    }
    // Entries stand in the order of preference: what the peer's largest frame has no room for goes
    // from the end.
    KeyInfo fitting = info;
    fitting.nafs.resize(std::min(fitting.nafs.size(), kMostNafs));
    Bytes payload = encode(fitting);
    while (payload.size() > impl_->connection.payload_limit() && fitting.nafs.size() > 1) {
        fitting.nafs.pop_back();
        payload = encode(fitting);
    }
    impl_->l2 = payload;
    impl_->answer(MessageType::KeyInfo, std::move(payload), now);
}

kdf::TranscriptHash MtSession::answer_establishment(const EstablishmentAnswer& answer,
                                                    BootTime now) {
    Bytes l4 = encode(answer);
    const auto th_est = impl_->connection.th_est(impl_->l1, impl_->l2, impl_->l3, l4);
    if (impl_->may_answer(MessageType::EstablishmentRequest)) {
        impl_->answer(MessageType::EstablishmentAnswer, std::move(l4), now);
    }
    return th_est;
}

void MtSession::answer_confirm(const ConfirmAck& ack, const Mac& mac, BootTime now) {
    if (!impl_->may_answer(MessageType::Confirm)) {
        return;
    }
    impl_->answer(MessageType::ConfirmAck, encode(SealedBody{encode_body(ack), mac}), now);
    if (ack.status == ConfirmAck::Status::Stored) {
        impl_->connection.expect_nothing();
    }
}

void MtSession::refuse(const ErrorMessage& error, BootTime now, bool close) {
    if (impl_->connection.ended()) {
        return;
    }
    // Without a question the device cannot tell what is refused, so that ends the connection too.
    const bool end = close || !impl_->asked;
    impl_->answer(MessageType::Error, encode(error), now);
    impl_->connection.expect_message(std::chrono::seconds(error.retry_after));
    if (end) {
        impl_->connection.close();
    }
}

void MtSession::close() {
    impl_->connection.close();
}

Bytes encode_confirm_ack_body(const ConfirmAck& ack) {
    return encode_body(ack);
}

Bytes encode_resume_answer_body(const ResumeAnswer& answer) {
    return encode_body(answer);
}

} // namespace mtkey::local
