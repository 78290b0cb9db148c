// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "device/output.hpp"
#include "fakes/manual_clock.hpp"
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
    key.device_id = "mt-one";
    key.naf_fqdn = "nafkc.3gppnetwork.org";
    key.naf_ua.assign(kdf::kDefaultUaId.begin(), kdf::kDefaultUaId.end());
    key.b_tid = "cmFuZG9tIHBhcnQ=@bsf.example.org";
    key.mode = "gba-u";
    key.ks_local_mt = test_key("x");
    key.expires = *parse_utc("2030-01-01T12:00:00Z");
    key.local_end = key.expires;
    key.deadline = BootTime::max();
    return key;
}

const fakes::ManualClock& early() {
    static const fakes::ManualClock clock("2029-12-31T12:00:00Z");
    return clock;
}

const StoreStatus& no_store() {
    static const StoreStatus status{.key_origin = "none", .report = {}};
    return status;
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
    EXPECT_EQ(json["fingerprint"], fingerprint_of(some_key()));
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
        failure_json({Errc::DeviceNotApproved, 0, "the \"MT\" \xFF"}, report, {}));
    EXPECT_EQ(json["result"], "failed");
    EXPECT_EQ(json["error"], "DeviceNotApproved");
    EXPECT_THAT(json["message"].get<std::string>(), HasSubstr("the \"MT\""));
    EXPECT_EQ(json["retry_after"], 5);
    EXPECT_FALSE(json.contains("b_tid"));
}

TEST(Output, FailureTellsWhatTheMtHasAnswered) {
    local::EstablishmentAnswer l4;
    l4.b_tid = "cmFuZG9tIHBhcnQ=@bsf.example.org";
    l4.naf_id = naf_id_of(some_key());
    l4.mode = "gba-u";
    l4.ks_expires = *parse_utc("2030-01-01T12:00:00Z");
    const auto json =
        nlohmann::json::parse(failure_json({Errc::KeyCenterUnreachable, 0, "no"}, {}, l4));
    EXPECT_EQ(json["b_tid"], "cmFuZG9tIHBhcnQ=@bsf.example.org");
    EXPECT_EQ(json["naf_id"]["fqdn"], "nafkc.3gppnetwork.org");
    EXPECT_EQ(json["naf_id"]["ua"], "ff00033259");
    EXPECT_EQ(json["mode"], "gba-u");
    EXPECT_EQ(json["ks_lifetime"], "2030-01-01T12:00:00Z");
    EXPECT_FALSE(json.contains("fingerprint")); // the device has no key
}

TEST(Output, NothingHoldsTheKey) {
    const std::string hex = to_hex(test_key("x").reveal());
    const auto key = some_key();
    for (const bool json : {false, true}) {
        const std::string text = established_text({}, some_key(), {}, json) +
                                 status_text("urn:uuid:1", {&key}, no_store(), early(), json);
        EXPECT_THAT(text, Not(HasSubstr(hex)));
        EXPECT_THAT(text, Not(HasSubstr(hex.substr(0, 20))));
        EXPECT_THAT(text, HasSubstr(fingerprint_of(some_key())));
    }
}

TEST(Output, StatusTellsTheState) {
    const auto active = some_key();
    auto pending = some_key();
    pending.state = store::KeyState::Pending;
    auto unknown = some_key();
    unknown.time_unknown = true;
    const std::vector<const StoredKey*> keys{&active, &pending, &unknown};
    const auto json =
        nlohmann::json::parse(status_text("urn:uuid:1", keys, no_store(), early(), true));
    EXPECT_EQ(json["device_id"], "urn:uuid:1");
    EXPECT_EQ(json["keys"][0]["state"], "active");
    EXPECT_EQ(json["keys"][1]["state"], "pending");
    EXPECT_EQ(json["keys"][0]["expired"], false);
    EXPECT_EQ(json["keys"][1]["time_unknown"], false);
    EXPECT_EQ(json["keys"][2]["time_unknown"], true);
    const auto text = status_text("urn:uuid:1", keys, no_store(), early(), false);
    EXPECT_THAT(text, HasSubstr("state        active"));
    EXPECT_THAT(text, HasSubstr("state        pending"));
    EXPECT_THAT(text, HasSubstr("state        time unknown"));
    const fakes::ManualClock late("2030-01-01T12:00:00Z");
    EXPECT_THAT(status_text("urn:uuid:1", {&active}, no_store(), late, false),
                HasSubstr("state        expired"));
    EXPECT_THAT(status_text("urn:uuid:1", {}, no_store(), early(), false), HasSubstr("no key"));
    EXPECT_EQ(nlohmann::json::parse(forgotten_text(2, true))["keys"], 2);
}

TEST(Output, StatusTellsOfTheStore) {
    const auto json_of = [](const StoreStatus& status) {
        return nlohmann::json::parse(status_text("urn:uuid:1", {}, status, early(), true))["store"];
    };
    auto json = json_of(no_store());
    EXPECT_EQ(json["key"], "none");
    EXPECT_EQ(json["persistent"], false);
    EXPECT_TRUE(json["distrusted"].is_null());
    EXPECT_TRUE(json["set_aside"].is_null());
    EXPECT_EQ(json["time_unknown"], false);
    StoreStatus status{.key_origin = "credential",
                       .report = {.distrusted = Error{Errc::Malformed, 0, "altered"},
                                  .kept_as = "store.bad-3",
                                  .time_unknown = true}};
    json = json_of(status);
    EXPECT_EQ(json["key"], "credential");
    EXPECT_EQ(json["persistent"], true);
    EXPECT_EQ(json["distrusted"], "Malformed");
    EXPECT_EQ(json["set_aside"], "store.bad-3");
    EXPECT_EQ(json["time_unknown"], true);
    const auto text = status_text("urn:uuid:1", {}, status, early(), false);
    for (const char* words :
         {"store key    credential", "altered", "store.bad-3", "was set back"}) {
        EXPECT_THAT(text, HasSubstr(words));
    }
    EXPECT_THAT(status_text("urn:uuid:1", {}, no_store(), early(), false), HasSubstr("none yet"));
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
