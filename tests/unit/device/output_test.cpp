// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "device/output.hpp"
#include "unit/device/fake_mt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mtkey::device {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

StoredKey some_key() {
    StoredKey key;
    key.mt_id = "mt-one";
    key.naf_id.fqdn = "nafkc.3gppnetwork.org";
    key.b_tid = "cmFuZG9tIHBhcnQ=@bsf.example.org";
    key.mode = "gba-u";
    key.ks_local_mt = test_key("x");
    key.expires = *parse_utc("2030-01-01T12:00:00Z");
    key.state = StoredKey::State::Active;
    return key;
}

TEST(Output, EstablishedAsJson) {
    RunReport report;
    report.phases = {{"connect", std::chrono::milliseconds(1500)},
                     {"key_info", std::chrono::milliseconds(250)}};
    const std::string text =
        established_text({Outcome::Kind::Optimised, "mt-one"}, some_key(), report, true);
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    const auto json = nlohmann::json::parse(text);
    EXPECT_EQ(json["result"], "established");
    EXPECT_EQ(json["procedure"], "optimised");
    EXPECT_EQ(json["b_tid"], "cmFuZG9tIHBhcnQ=@bsf.example.org");
    EXPECT_EQ(json["naf_id"]["fqdn"], "nafkc.3gppnetwork.org");
    EXPECT_EQ(json["naf_id"]["ua"], "ff00033259");
    EXPECT_EQ(json["mode"], "gba-u");
    EXPECT_EQ(json["fingerprint"], some_key().fingerprint());
    EXPECT_EQ(json["lifetime"], "2030-01-01T12:00:00Z");
    EXPECT_EQ(json["mt_id"], "mt-one");
    EXPECT_EQ(json["seconds"]["connect"], 1.5);
    EXPECT_EQ(json["seconds"]["total"], 1.75);

    const auto resumed = nlohmann::json::parse(
        established_text({Outcome::Kind::Resumed, "mt-one"}, some_key(), {}, true));
    EXPECT_EQ(resumed["result"], "resumed");
    EXPECT_EQ(resumed["procedure"], "resume");
}

TEST(Output, FailureAsJson) {
    RunReport report;
    report.retry_after = 5;
    const auto json = nlohmann::json::parse(
        failure_json({Errc::DeviceNotApproved, 0, "the \"MT\" \xFF"}, report));
    EXPECT_EQ(json["result"], "failed");
    EXPECT_EQ(json["error"], "DeviceNotApproved");
    EXPECT_THAT(json["message"].get<std::string>(), HasSubstr("the \"MT\""));
    EXPECT_EQ(json["retry_after"], 5);
}

TEST(Output, NothingHoldsTheKey) {
    const std::string hex = to_hex(test_key("x").reveal());
    std::vector<StoredKey> keys;
    keys.push_back(some_key());
    for (const bool json : {false, true}) {
        const std::string text = established_text({}, some_key(), {}, json) +
                                 status_text("urn:uuid:1", keys, UtcTime{}, json);
        EXPECT_THAT(text, Not(HasSubstr(hex)));
        EXPECT_THAT(text, Not(HasSubstr(hex.substr(0, 20))));
        EXPECT_THAT(text, HasSubstr(some_key().fingerprint()));
    }
}

TEST(Output, StatusTellsTheState) {
    std::vector<StoredKey> keys;
    keys.push_back(some_key());
    keys.push_back(some_key());
    keys[1].state = StoredKey::State::Pending;
    const auto json = nlohmann::json::parse(status_text("urn:uuid:1", keys, UtcTime{}, true));
    EXPECT_EQ(json["device_id"], "urn:uuid:1");
    EXPECT_EQ(json["keys"][0]["state"], "active");
    EXPECT_EQ(json["keys"][1]["state"], "pending");
    EXPECT_EQ(json["keys"][0]["expired"], false);
    const std::string late = status_text("urn:uuid:1", keys, some_key().expires, false);
    EXPECT_THAT(late, HasSubstr("expired"));
    EXPECT_THAT(status_text("urn:uuid:1", {}, UtcTime{}, false), HasSubstr("no key"));
    EXPECT_EQ(nlohmann::json::parse(forgotten_text(2, true))["keys"], 2);
}

TEST(Output, StepLinesCarryTheNumbersOfTheDraft) {
    EXPECT_THAT(step_line(Step::NoValidKey, ""), HasSubstr("     1  "));
    EXPECT_THAT(step_line(Step::DeviceKeyStored, "abc"), HasSubstr(" 17/15  "));
    EXPECT_THAT(step_line(Step::DeviceKeyStored, "abc"), HasSubstr("(abc)"));
    EXPECT_THAT(step_line(Step::NafSelected, ""), HasSubstr("/5  "));
    EXPECT_THAT(step_line(Step::StoredKeyTried, "a\nb"), Not(HasSubstr("a\nb")));
}

} // namespace
} // namespace mtkey::device
