// SPDX-License-Identifier: Apache-2.0
#include "local/messages.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mtkey::local {
namespace {

using test::hex;

TEST(Messages, EverySampleComesBackAsItWas) {
    for (const auto& sample : test::samples()) {
        const auto again = test::recode(sample.type, sample.octets);
        ASSERT_TRUE(again) << sample.name << ": " << again.error().context;
        EXPECT_EQ(to_hex(*again), to_hex(sample.octets)) << sample.name;
    }
}

TEST(Messages, FieldsArriveWhereTheyBelong) {
    const Hello hello = decode_hello(encode(test::hello(Role::Mt))).value();
    EXPECT_EQ(hello.role, Role::Mt);
    EXPECT_EQ(hello.versions, std::vector<std::uint8_t>{1});
    EXPECT_TRUE(hello.capabilities.empty());
    EXPECT_EQ(hello.nonce, test::counting<32>(0x80));
    EXPECT_EQ(hello.largest_frame, 4096U);
    EXPECT_EQ(hello.mt_id, test::kMtId);

    const KeyInfo info = decode_key_info(encode(test::key_info(true))).value();
    ASSERT_EQ(info.nafs.size(), 2U);
    EXPECT_EQ(info.nafs[0].naf_id, test::naf_id());
    EXPECT_EQ(info.nafs[0].key_center_uri, "https://" + test::kFqdn + ":8443/key");
    EXPECT_FALSE(info.nafs[1].key_center_uri);
    EXPECT_EQ(info.b_tid, test::kBtid);
    EXPECT_FALSE(decode_key_info(encode(test::key_info(false))).value().b_tid);

    auto request = test::establishment_request(false);
    request.reason = Reason::BtidUnknownToNetwork;
    const auto l3 = decode_establishment_request(encode(request)).value();
    EXPECT_EQ(l3.naf_id, test::naf_id());
    EXPECT_EQ(l3.device_id, test::kDeviceId);
    EXPECT_FALSE(l3.b_tid);
    EXPECT_EQ(l3.reason, Reason::BtidUnknownToNetwork);

    const auto l4 = decode_establishment_answer(encode(test::establishment_answer())).value();
    EXPECT_EQ(l4.est_id, test::counting<16>(0xA0));
    EXPECT_EQ(l4.b_tid, test::kBtid);
    EXPECT_EQ(l4.profile, "draft-1");
    EXPECT_EQ(l4.mode, "gba-u");
    for (const auto& [mode, known] :
         {std::pair{"gba-me", true}, {"gba-2g", true}, {"gba", false}}) {
        auto answer = test::establishment_answer();
        answer.mode = mode;
        EXPECT_EQ(decode_establishment_answer(encode(answer)).has_value(), known) << mode;
    }
    EXPECT_EQ(l4.ks_expires, test::seconds(1'893'499'200));
    EXPECT_EQ(l4.seconds_left, 86'400U);

    const Confirm confirm = decode_confirm_body(encode_body(test::confirm())).value();
    EXPECT_EQ(confirm.est_id, test::counting<16>(0xA0));
    EXPECT_EQ(confirm.naf_id, test::naf_id());
    EXPECT_EQ(confirm.expires, test::seconds(1'893'495'600));
    const ConfirmAck ack = decode_confirm_ack_body(encode_body(test::confirm_ack())).value();
    EXPECT_EQ(ack.status, ConfirmAck::Status::Stored);
    EXPECT_EQ(ack.expires, test::seconds(1'893'495'600));

    const auto error = decode_error(encode(test::error_message(ErrorCode::BtidChanged))).value();
    EXPECT_EQ(error.code, ErrorCode::BtidChanged);
    EXPECT_EQ(error.retry_after, 60U);
    EXPECT_EQ(error.text, "ask again in a minute");
    EXPECT_EQ(error.b_tid, test::kBtid);
}

TEST(Messages, EveryOctetCountsInTheTranscript) {
    std::set<Bytes> seen;
    for (const auto& sample : test::samples()) {
        seen.insert(sample.octets);
    }
    EXPECT_EQ(seen.size(), test::samples().size()); // no two shapes share octets
}

TEST(Messages, HelloOfALaterVersionStaysReadable) {
    // a known HELLO with three more keys: 7, 24 and 1000, of other types
    Bytes octets = encode(test::hello(Role::Device));
    octets[0] = 0xA8;
    append(octets, hex("07"
                       "a10181f6"));
    EXPECT_FALSE(decode_hello(octets)) << "null is outside the subset even there";
    octets = encode(test::hello(Role::Device));
    octets[0] = 0xA8;
    append(octets, hex("07"
                       "a1018102"
                       "1818"
                       "4101"
                       "1903e8"
                       "6161"));
    EXPECT_EQ(decode_hello(octets).value().nonce, test::hello(Role::Device).nonce);
}

// HELLO itself is the first of the four.
TEST(Messages, UnknownPartsOfHelloNestFourDeep) {
    const auto taken = [](const char* value) {
        Bytes octets = encode(test::hello(Role::Device));
        octets[0] = 0xA6;
        append(octets, hex("07"));
        append(octets, hex(value));
        return decode_hello(octets).has_value();
    };
    EXPECT_TRUE(taken("818180"));
    EXPECT_TRUE(taken("a101a101a0"));
    EXPECT_FALSE(taken("81818180"));
    EXPECT_FALSE(taken("a101a101a101a0"));
}

TEST(Messages, TextOfErrorIsMadeHarmless) {
    const auto received = [](std::string_view text) {
        Bytes octets = hex("a20100"
                           "03"
                           "79");
        append_u16(octets, text.size());
        append(octets, as_octets(text));
        return decode_error(octets).value().text;
    };
    const std::string terminal(300, '\x1b');
    EXPECT_EQ(received(terminal), std::string(197, '?') + "...");
    EXPECT_EQ(received(std::string(256, 'a')), std::string(197, 'a') + "...");
    EXPECT_EQ(received(std::string(255, 'a') + "\xc3\xbc").size(), 200U);

    ErrorMessage error;
    error.text = "a\nb\x7f" + std::string(400, 'c');
    error.retry_after = 0xFFFFFFFF;
    const auto sent = decode_error(encode(error)).value();
    EXPECT_EQ(sent.text.size(), 200U);
    EXPECT_EQ(sent.text.substr(0, 5), "a?b?c");
    EXPECT_EQ(sent.retry_after, kLongestRetryAfter);
}

TEST(Messages, OnlyBtidChangedCarriesOne) {
    ErrorMessage error = test::error_message(ErrorCode::Card);
    error.b_tid = test::kBtid;
    EXPECT_FALSE(decode_error(encode(error)).value().b_tid);
}

struct UriRow {
    const char* behind_host; ///< behind "the FQDN with https://"
    bool good;
};
constexpr UriRow kUris[] = {
    {"", true},         {"/", true},          {"/a/b?c=d", false},  {":443", true},
    {":65535/x", true}, {":1", true},         {":0", false},        {":65536", false},
    {":123456", false}, {":", false},         {":/x", false},       {":80x", false},
    {"x", false},       {".evil.org", false}, {"@evil.org", false}, {":443@evil.org", false},
    {"?x", false},      {"#x", false},        {"/x#y", false},      {"/ x", false},
    {"/a@b", true},     {"/", true},          {"/a/b:c", true},     {":443/a", true},
    {"\\evil", false},  {"/\\evil", false},   {":0443", false},     {"/\x01", false},
};

TEST(Messages, KeyCenterUriStaysOnItsHost) {
    for (const auto& row : kUris) {
        KeyInfo info = test::key_info(false);
        info.nafs[0].key_center_uri = "https://" + test::kFqdn + row.behind_host;
        EXPECT_EQ(decode_key_info(encode(info)).has_value(), row.good) << row.behind_host;
    }
    const auto parsed =
        parse_key_center_uri("https://" + test::kFqdn + ":8443/a/b", test::kFqdn).value();
    EXPECT_EQ(parsed.port, 8443);
    EXPECT_EQ(parsed.path, "/a/b");
    const auto bare = parse_key_center_uri("https://" + test::kFqdn, test::kFqdn).value();
    EXPECT_EQ(bare.port, 443);
    EXPECT_EQ(bare.path, "");
    const std::string long_path = "https://" + test::kFqdn + "/" + std::string(255, 'a');
    EXPECT_TRUE(parse_key_center_uri(long_path.substr(0, 255), test::kFqdn));
    EXPECT_FALSE(parse_key_center_uri(long_path.substr(0, 256), test::kFqdn));
    for (const std::string& uri :
         {"http://" + test::kFqdn, "HTTPS://" + test::kFqdn, test::kFqdn,
          "https://evil.org/" + test::kFqdn, std::string("https://"), "https://x@" + test::kFqdn,
          "https://" + test::kFqdn.substr(1)}) {
        KeyInfo info = test::key_info(false);
        info.nafs[0].key_center_uri = uri;
        EXPECT_FALSE(decode_key_info(encode(info))) << uri;
    }
}

TEST(Messages, TimesAreKeptWithinTheirRange) {
    ConfirmAck ack = test::confirm_ack();
    ack.expires = test::seconds(-5);
    EXPECT_EQ(decode_confirm_ack_body(encode_body(ack)).value().expires, test::seconds(0));
    ack.expires = test::seconds(253'402'300'800);
    EXPECT_EQ(decode_confirm_ack_body(encode_body(ack)).value().expires,
              test::seconds(253'402'300'799));
    EXPECT_FALSE(decode_confirm_ack_body(hex("a20100021b0000003afff44180"))); // one second later
    EXPECT_TRUE(decode_confirm_ack_body(hex("a20100021b0000003afff4417f")));
}

TEST(Messages, EveryErrorCodeHasOneErrcAndComesBack) {
    std::set<Errc> seen;
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        const auto code = static_cast<ErrorCode>(i);
        EXPECT_EQ(error_code_from(errc_from(code)), code) << i;
        seen.insert(errc_from(code));
    }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(ErrorCode::Internal) + 1);
    EXPECT_EQ(error_code_from(Errc::PinBlocked), ErrorCode::Card);
    EXPECT_EQ(error_code_from(Errc::BsfUnreachable), ErrorCode::Network);
    EXPECT_EQ(error_code_from(Errc::LimitExceeded), ErrorCode::RetryAfter);
    EXPECT_EQ(error_code_from(Errc::StoreFailed), ErrorCode::Internal);
    EXPECT_EQ(errc_from(ErrorCode::Pending), Errc::DeviceNotApproved);
}

} // namespace
} // namespace mtkey::local
