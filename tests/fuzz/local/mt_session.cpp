// SPDX-License-Identifier: Apache-2.0
// A peer that says anything at any time to an MT whose owner answers everything. Input: settings
// octet, then commands: 0 n octets (raw), 1 type n payload (a good frame around any payload), 2
// seconds (time passes), 3 sample (a good one).
#include "unit/local/samples.hpp"

#include "local/device_session.hpp"

#include <cstdlib>

using namespace mtkey;
using namespace mtkey::local;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

struct Owner {
    MtSession& session;
    const BootTime& now;
    bool refuses;
    int requests = 0;
    int ends = 0;

    void operator()(const ResumeAsked& asked) {
        require(!asked.resume.tags.empty());
        ++requests;
        session.answer_resume(test::resume_answer(refuses ? ResumeAnswer::Status::Wait
                                                          : ResumeAnswer::Status::Unknown),
                              now);
    }
    void operator()(const KeyInfoAsked&) {
        ++requests;
        refuses ? session.refuse(test::error_message(ErrorCode::Pending), now)
                : session.answer_key_info(test::key_info(true), now);
    }
    void operator()(const EstablishmentAsked&) {
        ++requests;
        static_cast<void>(session.answer_establishment(test::establishment_answer(), now));
    }
    void operator()(const ConfirmAsked& asked) {
        ++requests;
        require(encode_confirm_body(asked.confirm) == asked.body);
        session.answer_confirm(test::confirm_ack(), asked.mac, now);
    }
    void operator()(const PeerGone&) {
        ++ends;
        require(session.finished());
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    SessionSettings settings;
    settings.framing = (data[0] & 1) != 0 ? Framing::Cobs : Framing::LengthPrefixed;
    test::CountingRandom random(1);
    BootTime now{};
    MtSession session(settings, random, std::nullopt, now);
    Owner owner{session, now, (data[0] & 2) != 0};
    static const auto samples = test::samples();
    std::uint16_t number = 0;
    const auto frame = [&](std::uint8_t type, ByteView payload) {
        Frame out;
        out.direction = kdf::Direction::DeviceToMt;
        out.type = type;
        out.payload.assign(payload.begin(), payload.end());
        out.sequence = number++;
        Bytes octets;
        append_frame(octets, settings.framing, out);
        return octets;
    };
    if ((data[0] & 4) == 0) {
        session.receive(frame(1, encode(test::hello(Role::Device))), now);
    }
    ByteView rest(data + 1, size - 1);
    const auto take = [&](std::size_t count) {
        const ByteView taken = rest.first(std::min(count, rest.size()));
        rest = rest.subspan(taken.size());
        return taken;
    };
    const auto octet = [&] {
        const ByteView taken = take(1);
        return taken.empty() ? std::uint8_t{0} : taken[0];
    };
    while (!rest.empty()) {
        switch (octet() % 4) {
        case 0:
            session.receive(take(octet()), now);
            break;
        case 1: {
            const std::uint8_t type = octet();
            session.receive(frame(type, take(octet())), now);
            break;
        }
        case 2:
            now += std::chrono::seconds(octet() % 32);
            session.on_time(now);
            break;
        default: {
            const auto& sample = samples[octet() % samples.size()];
            session.receive(frame(static_cast<std::uint8_t>(sample.type), sample.octets), now);
        }
        }
        while (auto event = session.next_event()) {
            std::visit(owner, *event);
        }
        require(session.take_output().size() < 64 * 1024);
        require(owner.requests <= 64 && owner.ends <= 1);
        require(session.finished() || session.deadline() > now);
    }
    return 0;
}
