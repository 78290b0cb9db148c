// SPDX-License-Identifier: Apache-2.0
// A peer that says anything at any time to a device whose owner asks whatever it may ask. Input:
// settings octet, then commands: 0 n octets (raw), 1 type n payload (a good frame around any
// payload), 2 seconds (time passes), 3 sample (a good one), 4 request.
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
    DeviceSession& session;
    bool may_ask = false; ///< connected, and the last request is answered
    bool knows_nafs = false;
    std::size_t tags = 0;
    int connections = 0;
    int ends = 0;

    void operator()(const Connected&) {
        require(++connections == 1);
        may_ask = true;
    }
    void operator()(const ResumeAnswered& event) {
        require(event.answer.status == ResumeAnswer::Status::Unknown || event.answer.index < tags);
        require(encode_resume_answer_body(event.answer) == event.body);
        answered();
    }
    void operator()(const KeyInfoReceived& event) {
        for (const auto& entry : event.info.nafs) {
            require(!entry.key_center_uri ||
                    parse_key_center_uri(*entry.key_center_uri, entry.naf_id.fqdn));
        }
        knows_nafs = true;
        answered();
    }
    void operator()(const EstablishmentReceived& event) {
        require(event.answer.naf_id == test::naf_id());
        answered();
    }
    void operator()(const ConfirmAcknowledged& event) {
        require(encode_confirm_ack_body(event.ack) == event.body);
        answered();
    }
    void operator()(const PeerRefused&) { answered(); }
    void operator()(const PeerGone&) {
        require(++ends == 1 && session.finished());
        may_ask = false;
    }
    void answered() {
        require(!may_ask); // only what was asked for is answered, once
        may_ask = true;
    }

    void ask(std::uint8_t what) {
        if (!may_ask) {
            return;
        }
        switch (what % 5) {
        case 0:
            tags = what / 5 % kMostTags + 1U;
            session.resume({std::vector<Tag>(tags)});
            break;
        case 1:
            knows_nafs = false;
            session.request_key_info({test::kDeviceId});
            break;
        case 2:
        case 3:
            if (!knows_nafs) {
                return;
            }
            session.request_establishment(test::establishment_request(what % 5 == 3));
            break;
        default:
            session.confirm(test::confirm(), test::counting<32>(0xE0));
        }
        may_ask = false;
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
    DeviceSession session(settings, random, now);
    Owner owner{session};
    static const auto samples = test::samples();
    std::uint16_t number = 0;
    const auto frame = [&](std::uint8_t type, ByteView payload) {
        Frame out;
        out.direction = kdf::Direction::MtToDevice;
        out.type = type;
        out.payload.assign(payload.begin(), payload.end());
        out.sequence = number++;
        Bytes octets;
        append_frame(octets, settings.framing, out);
        return octets;
    };
    if ((data[0] & 4) == 0) {
        session.receive(frame(1, encode(test::hello(Role::Mt))), now);
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
        while (auto event = session.next_event()) {
            std::visit(owner, *event);
        }
        switch (octet() % 5) {
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
        case 3: {
            const auto& sample = samples[octet() % samples.size()];
            session.receive(frame(static_cast<std::uint8_t>(sample.type), sample.octets), now);
            break;
        }
        default:
            owner.ask(octet());
        }
        require(session.take_output().size() < 64 * 1024);
        require(session.finished() || session.deadline() > now);
    }
    return 0;
}
