// SPDX-License-Identifier: Apache-2.0
// The worked example of docs/local-interface.md: every value in the document is what the code
// makes. The document's values come from tests/interop/cbor/local_interface.py, which shares no
// code with lib/.
#include "base/hash.hpp"
#include "exchange.hpp"
#include "vectors/source_root.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace mtkey::local {
namespace {

using test::Exchange;

std::map<std::string, std::string> read_document() {
    std::ifstream file(vectors::source_root() + "/docs/local-interface.md");
    std::map<std::string, std::string> values;
    std::string line;
    while (std::getline(file, line) && line != "```values") {
    }
    std::string name;
    while (std::getline(file, line) && line != "```") {
        if (line.starts_with("  ")) {
            values[name] += line.substr(2);
        } else {
            const auto equals = line.find(" =");
            name = line.substr(0, equals);
            values[name] = line.substr(std::min(line.size(), equals + 3));
        }
    }
    return values;
}

class Document : public testing::Test {
protected:
    /// Compares and ticks off.
    void is(const std::string& name, ByteView octets) {
        EXPECT_TRUE(document_.contains(name)) << name;
        EXPECT_EQ(document_[name], to_hex(octets)) << name;
        seen_.insert(name);
    }
    void all_seen() const {
        for (const auto& [name, value] : document_) {
            EXPECT_TRUE(seen_.contains(name)) << name << " is in the document and was not compared";
        }
        EXPECT_GE(seen_.size(), 40U);
    }

private:
    std::map<std::string, std::string> document_ = read_document();
    std::set<std::string> seen_;
};

Bytes expanded(const Bytes& key, std::string_view purpose) {
    const auto out = kdf::expand(key, purpose, {});
    return {out.reveal().begin(), out.reveal().end()};
}

TEST_F(Document, WorkedExample) {
    // The sessions themselves make the octets; nothing is assembled here but what the document
    // shows on its own.
    Exchange exchange(Framing::LengthPrefixed);
    std::vector<std::pair<Role, Frame>> said;
    Bytes link;
    std::vector<Bytes> frames;
    exchange.wire = [&](Role from, Bytes& octets) {
        FrameReader reader(Framing::LengthPrefixed,
                           from == Role::Device ? kdf::Direction::DeviceToMt
                                                : kdf::Direction::MtToDevice,
                           kLargestFrame);
        ByteView rest(octets);
        std::size_t left = rest.size();
        while (auto frame = reader.next(rest).value()) {
            reader.accept();
            frames.emplace_back(octets.end() - static_cast<std::ptrdiff_t>(left),
                                octets.end() - static_cast<std::ptrdiff_t>(rest.size()));
            left = rest.size();
            said.emplace_back(from, std::move(*frame));
        }
    };
    exchange.pump();
    ASSERT_TRUE(exchange.device.outcome.acknowledged);

    const char* const names[] = {"hello_device", "hello_mt", "l1",      "l2",
                                 "l3",           "l4",       "confirm", "ack"};
    ASSERT_EQ(said.size(), std::size(names) + 1);
    for (std::size_t i = 0; i < std::size(names); ++i) {
        is(names[i], said[i].second.payload);
        is(std::string("frame_") + names[i], frames[i]);
    }
    is("frame_bye", frames.back());

    const auto& outcome = exchange.device.outcome;
    is("ks_local_mt", test::ks_local_mt().reveal());
    is("th_conn", outcome.th_conn.value());
    is("th_est", outcome.th_est.value());
    const auto extracted = hmac_sha256(*outcome.th_est, {test::ks_local_mt().reveal()});
    const Bytes k_est(extracted.reveal().begin(), extracted.reveal().end());
    is("k_est", k_est);
    is("k_channel", expanded(k_est, "channel"));
    const auto keys = kdf::establishment_keys(test::ks_local_mt(), *outcome.th_est);
    is("k_confirm_device", keys.confirm_device.reveal());
    is("k_confirm_mt", keys.confirm_mt.reveal());
    is("k_id", keys.key_id.reveal());
    is("k_channel", keys.channel.reveal());
    is("k_application", keys.application.reveal());
    is("application_key",
       kdf::application_key(keys.application, "chat", "org.example.Chat").reveal());
    is("confirm_body", encode_confirm_body(test::confirm()));
    is("confirm_mac", outcome.confirm_mac.value());
    is("ack_body", encode_confirm_ack_body(test::confirm_ack()));
    is("ack_mac", decode_sealed(said[7].second.payload).value().mac.value());

    is("l2_full", encode(test::key_info(false)));
    is("l3_full", encode(test::establishment_request(false)));

    // on a tty
    test::CountingRandom random(0);
    SessionSettings tty{.framing = Framing::Cobs, .largest_frame = kTtyFrame};
    const BootTime now{};
    DeviceSession device(tty, random, now);
    is("tty_hello_device", device.take_output());
    device.on_time(now + std::chrono::seconds(1));
    is("tty_hello_device_again", device.take_output());
    const auto on_tty = [](MessageType type, Bytes payload, std::uint16_t number) {
        Frame frame;
        frame.direction = kdf::Direction::MtToDevice;
        frame.type = static_cast<std::uint8_t>(type);
        frame.payload = std::move(payload);
        frame.sequence = number;
        Bytes out;
        append_frame(out, Framing::Cobs, frame);
        return out;
    };
    is("tty_ping_mt", on_tty(MessageType::Ping, encode_empty(), 256));
    is("tty_l2", on_tty(MessageType::KeyInfo, encode(test::key_info(true)), 1));

    // a later connection
    test::CountingRandom device_random(0x20);
    test::CountingRandom mt_random(0xA0);
    const SessionSettings settings{};
    DeviceSession again(settings, device_random, now);
    MtSession mt(settings, mt_random, std::nullopt, now);
    const auto payload_of = [](const Bytes& frame) { return ByteView(frame).subspan(8); };
    Bytes octets = again.take_output();
    is("hello_device_2", payload_of(octets));
    mt.receive(octets, now);
    octets = mt.take_output();
    is("hello_mt_2", payload_of(octets));
    again.receive(octets, now);
    const auto connected = std::get<Connected>(again.next_event().value());
    is("th_conn_2", connected.th_conn);
    const Tag tag = kdf::resume_tag(keys.key_id, connected.th_conn);
    is("tag", tag);
    again.resume({{tag}});
    octets = again.take_output();
    is("resume", payload_of(octets));
    mt.receive(octets, now);
    ASSERT_EQ(std::get<ResumeAsked>(mt.next_event().value()).resume.tags.at(0), tag);
    ResumeAnswer answer;
    answer.status = ResumeAnswer::Status::Known;
    const Bytes body = encode_resume_answer_body(answer);
    answer.mac = kdf::resume_answer_mac(keys.confirm_mt, *outcome.th_est, connected.th_conn, body);
    is("resume_answer_body", body);
    is("resume_answer_mac", *answer.mac);
    mt.answer_resume(answer, now);
    octets = mt.take_output();
    is("resume_answer", payload_of(octets));
    again.receive(octets, now);
    EXPECT_EQ(std::get<ResumeAnswered>(again.next_event().value()).answer.mac, answer.mac);

    ErrorMessage pending;
    pending.code = ErrorCode::Pending;
    pending.retry_after = 60;
    pending.text = "waiting for approval";
    is("error_pending", encode(pending));
    all_seen();
}

/// The table of errors in the document is the one in the code.
TEST(DocumentErrors, TableOfTheDocument) {
    std::ifstream file(vectors::source_root() + "/docs/local-interface.md");
    std::stringstream text;
    text << file.rdbuf();
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        const auto row =
            text.str().find("\n| " + std::to_string(i) + " | ", text.str().find("## 7."));
        ASSERT_NE(row, std::string::npos) << i;
        const std::string line =
            text.str().substr(row + 1, text.str().find('\n', row + 1) - row - 1);
        const std::string reported =
            " | " + std::string(info(errc_from(static_cast<ErrorCode>(i))).name) + " |";
        EXPECT_TRUE(line.ends_with(reported)) << line << " should end with" << reported;
    }
}

} // namespace
} // namespace mtkey::local
