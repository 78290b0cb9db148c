// SPDX-License-Identifier: Apache-2.0
#include "local/device_session.hpp"

#include "local/codec.hpp"
#include "local/connection.hpp"

#include <cassert>
#include <deque>

namespace mtkey::local {

class DeviceSession::Impl {
public:
    Impl(const SessionSettings& settings, RandomSource& random, BootTime now)
        : connection(settings, Role::Device, random, std::nullopt, now) {}

    void receive(ByteView octets);
    void report_end();
    /// Sends a request unless the connection has ended or another one is open (a broken invariant
    /// of the owner).
    [[nodiscard]] bool request(MessageType type, Bytes payload);

    Connection connection;
    std::deque<DeviceEvent> events;  ///< at most HELLO's, one answer, and the end
    std::optional<MessageType> open; ///< the request that the MT has not answered yet
    std::size_t tags = 0;            ///< of the RESUME that is open
    EstablishmentRequest wanted;     ///< of the L3 that is open
    Bytes l1, l2, l3;                ///< what TH_est will cover; l2 empty: L3 is not allowed

private:
    void handle(const Message& message);
    void handle_error(const Message& message);
    [[nodiscard]] Result<void> take_answer(const Message& message);
    [[nodiscard]] Result<void> take_resume_answer(ByteView payload);
    [[nodiscard]] Result<void> take_establishment_answer(ByteView payload);
    [[nodiscard]] Result<void> take_confirm_ack(ByteView payload);
};

namespace {

MessageType answer_to(MessageType request) {
    switch (request) {
    case MessageType::Resume:
        return MessageType::ResumeAnswer;
    case MessageType::KeyInfoRequest:
        return MessageType::KeyInfo;
    case MessageType::EstablishmentRequest:
        return MessageType::EstablishmentAnswer;
    default:
        return MessageType::ConfirmAck;
    }
}

} // namespace

void DeviceSession::Impl::receive(ByteView octets) {
    while (auto message = connection.next(octets)) {
        handle(*message);
    }
    report_end();
}

void DeviceSession::Impl::report_end() {
    if (auto reason = connection.take_reason()) {
        events.emplace_back(PeerGone{std::move(*reason)});
    }
}

bool DeviceSession::Impl::request(MessageType type, Bytes payload) {
    if (connection.ended()) {
        return false;
    }
    assert(connection.connected() && !open);
    if (!connection.connected() || open) {
        return false;
    }
    open = type;
    // L4 may have to wait for a whole bootstrapping: there only liveness and the session's time
    // count.
    if (type == MessageType::EstablishmentRequest) {
        connection.expect_nothing();
    } else {
        connection.expect_message();
    }
    connection.send(type, std::move(payload));
    report_end();
    return true;
}

void DeviceSession::Impl::handle(const Message& message) {
    if (message.type == MessageType::Hello) {
        events.emplace_back(Connected{connection.peer_hello(), connection.th_conn()});
        return;
    }
    if (message.type == MessageType::Error) {
        handle_error(message);
        return;
    }
    if (!open || message.type != answer_to(*open)) {
        connection.violated("message type " + std::to_string(static_cast<unsigned>(message.type)) +
                            " was not asked for");
        return;
    }
    if (auto taken = take_answer(message); !taken) {
        connection.violated(taken.error().context);
        return;
    }
    open.reset();
    connection.expect_nothing();
}

void DeviceSession::Impl::handle_error(const Message& message) {
    auto error = decode_error(message.payload);
    if (!error) {
        connection.violated(error.error().context);
        return;
    }
    // After these two the MT does not go on, and without a request there is nothing to refuse.
    if (!open || error->code == ErrorCode::Protocol || error->code == ErrorCode::Version) {
        connection.end(errc_from(error->code), error->text);
        return;
    }
    open.reset();
    connection.expect_nothing();
    events.emplace_back(PeerRefused{std::move(*error)});
}

Result<void> DeviceSession::Impl::take_answer(const Message& message) {
    switch (message.type) {
    case MessageType::ResumeAnswer:
        return take_resume_answer(message.payload);
    case MessageType::KeyInfo: {
        auto info = MTKEY_TRY(decode_key_info(message.payload));
        l2 = message.payload;
        events.emplace_back(KeyInfoReceived{std::move(info)});
        return {};
    }
    case MessageType::EstablishmentAnswer:
        return take_establishment_answer(message.payload);
    default:
        return take_confirm_ack(message.payload);
    }
}

Result<void> DeviceSession::Impl::take_resume_answer(ByteView payload) {
    auto sealed = MTKEY_TRY(decode_sealed(payload));
    auto answer = MTKEY_TRY(decode_resume_answer(sealed));
    if (answer.status != ResumeAnswer::Status::Unknown && answer.index >= tags) {
        return fail(Errc::ProtocolViolation, "RESUME-ANSWER names a tag that was not sent");
    }
    events.emplace_back(ResumeAnswered{std::move(answer), std::move(sealed.body)});
    return {};
}

Result<void> DeviceSession::Impl::take_establishment_answer(ByteView payload) {
    auto answer = MTKEY_TRY(decode_establishment_answer(payload));
    if (answer.naf_id != wanted.naf_id || (wanted.b_tid && answer.b_tid != *wanted.b_tid)) {
        return fail(Errc::ProtocolViolation, "L4 is about another NAF_ID or B-TID than L3");
    }
    events.emplace_back(
        EstablishmentReceived{std::move(answer), connection.th_est(l1, l2, l3, payload)});
    return {};
}

Result<void> DeviceSession::Impl::take_confirm_ack(ByteView payload) {
    auto sealed = MTKEY_TRY(decode_sealed(payload));
    if (!sealed.mac) {
        return fail(Errc::ProtocolViolation, "CONFIRM-ACK without MAC");
    }
    const auto ack = MTKEY_TRY(decode_confirm_ack_body(sealed.body));
    events.emplace_back(ConfirmAcknowledged{ack, std::move(sealed.body), *sealed.mac});
    return {};
}

DeviceSession::DeviceSession(SessionSettings settings, RandomSource& random, BootTime now)
    : impl_(std::make_unique<Impl>(settings, random, now)) {
    impl_->report_end();
}
DeviceSession::~DeviceSession() = default;
DeviceSession::DeviceSession(DeviceSession&&) noexcept = default;
DeviceSession& DeviceSession::operator=(DeviceSession&&) noexcept = default;

void DeviceSession::receive(ByteView octets, BootTime now) {
    impl_->connection.set_time(now);
    impl_->receive(octets);
}

void DeviceSession::link_ended(BootTime now) {
    impl_->connection.set_time(now);
    impl_->connection.end(Errc::LinkLost, "the link has ended");
    impl_->report_end();
}

void DeviceSession::on_time(BootTime now) {
    impl_->connection.set_time(now);
    impl_->connection.on_time();
    impl_->report_end();
}

BootTime DeviceSession::deadline() const {
    return impl_->connection.deadline();
}

Bytes DeviceSession::take_output() {
    return impl_->connection.take_output();
}

std::optional<DeviceEvent> DeviceSession::next_event() {
    if (impl_->events.empty()) {
        return std::nullopt;
    }
    DeviceEvent event = std::move(impl_->events.front());
    impl_->events.pop_front();
    return event;
}

bool DeviceSession::finished() const {
    return impl_->connection.ended();
}

void DeviceSession::resume(const Resume& resume) {
    impl_->tags = resume.tags.size();
    static_cast<void>(impl_->request(MessageType::Resume, encode(resume)));
}

void DeviceSession::request_key_info(const KeyInfoRequest& request) {
    Bytes payload = encode(request);
    impl_->l1 = payload;
    impl_->l2.clear();
    static_cast<void>(impl_->request(MessageType::KeyInfoRequest, std::move(payload)));
}

void DeviceSession::request_establishment(const EstablishmentRequest& request) {
    assert(impl_->connection.ended() || !impl_->l2.empty());
    Bytes payload = encode(request);
    impl_->l3 = payload;
    impl_->wanted = request;
    static_cast<void>(impl_->request(MessageType::EstablishmentRequest, std::move(payload)));
}

void DeviceSession::confirm(const Confirm& confirm, const Mac& mac) {
    static_cast<void>(
        impl_->request(MessageType::Confirm, encode(SealedBody{encode_body(confirm), mac})));
}

void DeviceSession::close() {
    impl_->connection.close();
}

void DeviceSession::give_up(const std::string& why) {
    if (!impl_->connection.ended()) {
        ErrorMessage error;
        error.code = ErrorCode::Refused;
        error.text = why;
        impl_->connection.send(MessageType::Error, encode(error));
        impl_->connection.close();
    }
}

Bytes encode_confirm_body(const Confirm& confirm) {
    return encode_body(confirm);
}

} // namespace mtkey::local
