// SPDX-License-Identifier: Apache-2.0
// test-reader with the simulated card: a good one passes, and each fault is found by its check.
#include "aka/aka.hpp"
#include "base/encoding.hpp"
#include "testbed/virtual_uicc/card.hpp"
#include "tools/mtkey-card/test_reader.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {

using Wire = std::function<Result<SecretBytes>(ByteView command)>;

/// The simulated card, behind a reader that may spoil what passes.
class SimulatedCard final : public Card, private uicc::RawCard {
public:
    explicit SimulatedCard(testbed::Protocol protocol)
        : protocol_(protocol), card_(make(protocol)) {
        place_ = "simulated";
        atr_.assign(card_.atr().begin(), card_.atr().end());
    }
    uicc::RawCard& raw() override { return *this; }
    [[nodiscard]] uicc::Protocol protocol() const override {
        return protocol_ == testbed::Protocol::T0 ? uicc::Protocol::T0 : uicc::Protocol::T1;
    }
    Result<void> reset(Power /*power*/) override {
        ++resets;
        if (out) {
            return fail(Errc::NoCard);
        }
        if (resets_help) {
            card_.reset();
        }
        return {};
    }
    void leave() override {}
    [[nodiscard]] std::string access() const override { return "test"; }
    [[nodiscard]] bool is_modem() const override { return modem; }
    Result<std::string> check_exclusion() override { return exclusion; }
    void spoil(std::function<Result<SecretBytes>(ByteView command, const Wire& card)> by) {
        spoiler_ = std::move(by);
    }

    void damage_atr() { atr_.pop_back(); }

    unsigned resets = 0;
    bool resets_help = true;
    bool modem = false;
    bool out = false;
    Result<std::string> exclusion = "nobody else";

private:
    static testbed::Card make(testbed::Protocol protocol) {
        const auto example = vectors::load("worked_example.json");
        testbed::CardProfile profile;
        profile.iccid = "8901263200000000010";
        profile.imsi = static_cast<std::string>(example["identities"]["imsi"]);
        profile.protocol = protocol;
        return *testbed::Card::create(
            profile,
            aka::milenage(vectors::secret<16>(example["milenage"]["k"]),
                          vectors::secret<16>(example["milenage"]["opc"])),
            aka::sqn_from_number(0));
    }
    Result<SecretBytes> exchange(ByteView command) override {
        struct Plain final : uicc::RawCard {
            explicit Plain(SimulatedCard& its_card) : card(its_card) {}
            Result<SecretBytes> exchange(ByteView octets) override {
                if (card.out) {
                    return fail(Errc::NoCard, "pulled out");
                }
                const auto pass = [this](ByteView one) -> Result<SecretBytes> {
                    return card.card_.transmit(one);
                };
                return card.spoiler_ ? card.spoiler_(octets, pass) : pass(octets);
            }
            SimulatedCard& card;
        } plain(*this);
        return observed(plain, command);
    }
    testbed::Protocol protocol_;
    testbed::Card card_;
    std::function<Result<SecretBytes>(ByteView, const Wire&)> spoiler_;
};

class ReaderTestTest : public ::testing::TestWithParam<testbed::Protocol> {
protected:
    ReaderTestTest() : card(GetParam()) {
        options.round_trips = 5;
        options.resets = 3;
        options.wait = [](std::chrono::milliseconds) {};
    }
    nlohmann::json run() { return test_reader(card, options).value(); }
    /// Names of the checks that failed.
    std::string failures() {
        std::string out;
        const auto report = run();
        for (const auto& one : report["checks"]) {
            if (one["outcome"] == "failed") {
                out += (out.empty() ? "" : "; ") + one["name"].get<std::string>();
            }
        }
        return out;
    }
    static nlohmann::json check(const nlohmann::json& report, const std::string& name) {
        for (const auto& one : report["checks"]) {
            if (one["name"] == name) {
                return one;
            }
        }
        return {};
    }

    SimulatedCard card;
    ReaderTest options;
};

TEST_P(ReaderTestTest, a_good_card_passes) {
    const auto report = run();
    EXPECT_EQ(report["failed"], 0U) << report.dump(2);
    EXPECT_EQ(report["skipped"], 1U); // removal
    EXPECT_EQ(report["checks"].size(), report["passed"].get<unsigned>() + 1);
    EXPECT_EQ(report["round_trips"]["STATUS"]["count"], 5);
    EXPECT_EQ(report["round_trips"]["READ BINARY"]["count"], 5);
    EXPECT_EQ(report["round_trips"]["reset to ICCID"]["count"], 3);
    EXPECT_EQ(card.resets, 4U);
    EXPECT_EQ(report.dump().find("8901263200000000010"), std::string::npos); // masked
    const auto fetched = check(report, "answer to be fetched (61xx)")["remark"].get<std::string>();
    EXPECT_EQ(fetched.starts_with("61xx"), GetParam() == testbed::Protocol::T0) << fetched;
    const auto wrong_le = check(report, "Le too large (6Cxx, 6282)")["remark"].get<std::string>();
    EXPECT_EQ(wrong_le.starts_with("6C0A"), GetParam() == testbed::Protocol::T0) << wrong_le;
    EXPECT_NO_THROW(show_reader_test(report));
}

TEST_P(ReaderTestTest, an_atr_that_is_damaged_is_found) {
    card.damage_atr();
    EXPECT_EQ(failures(), "ATR");
}

TEST_P(ReaderTestTest, a_reader_that_does_not_reset_is_found) {
    card.resets_help = false;
    EXPECT_EQ(failures(), "a reset forgets");
}

TEST_P(ReaderTestTest, a_reader_that_shares_is_found) {
    card.exclusion = fail(Errc::CardFailed, "somebody got in");
    EXPECT_EQ(failures(), "no one beside us");
}

TEST_P(ReaderTestTest, wrong_octets_are_found) {
    unsigned reads = 0;
    card.spoil([&reads](ByteView command, const Wire& pass) -> Result<SecretBytes> {
        auto answer = MTKEY_TRY(pass(command));
        if (command[1] == 0xB0 && answer.size() > 2 && ++reads == 4) {
            answer.reveal_writable()[0] ^= 0x01;
        }
        return answer;
    });
    EXPECT_NE(failures(), "");
}

TEST_P(ReaderTestTest, a_reader_that_cuts_long_commands_is_found) {
    card.spoil([](ByteView command, const Wire& pass) -> Result<SecretBytes> {
        if (command.size() > 128) {
            return fail(Errc::CardFailed, "mute");
        }
        return pass(command);
    });
    EXPECT_EQ(failures(), "255 octets of data");
}

TEST_P(ReaderTestTest, a_card_that_takes_everything_is_found) {
    card.spoil([](ByteView command, const Wire& pass) -> Result<SecretBytes> {
        if (command[1] == 0x02) {
            return SecretBytes(Bytes{0x90, 0x00});
        }
        return pass(command);
    });
    EXPECT_EQ(failures(), "unknown instruction and class");
}

TEST_P(ReaderTestTest, a_card_that_fails_now_and_then_is_found) {
    options.round_trips = 50;
    unsigned statuses = 0;
    card.spoil([&statuses](ByteView command, const Wire& pass) -> Result<SecretBytes> {
        if (command[1] == 0xF2 && ++statuses == 40) {
            return SecretBytes(Bytes{0x6F, 0x00});
        }
        return pass(command);
    });
    EXPECT_EQ(failures(), "round trips");
}

TEST_P(ReaderTestTest, removal_is_waited_for) {
    options.removal = true;
    options.say = [this](const std::string& what) {
        if (what.find("now") != std::string::npos) {
            card.out = what.starts_with("pull");
        }
    };
    const auto report = run();
    EXPECT_EQ(report["failed"], 0U) << report.dump(2);
    EXPECT_EQ(report["skipped"], 0U);
    // Some readers give an empty answer at the moment of the pull.
    unsigned empty = 0;
    card.spoil([&](ByteView command, const Wire& pass) -> Result<SecretBytes> {
        return empty > 0 && empty-- > 0 ? SecretBytes() : pass(command);
    });
    options.say = [&](const std::string& what) {
        empty = what.starts_with("pull") ? 1 : 0;
        card.out = false;
    };
    options.wait = [this](std::chrono::milliseconds) { card.out = !card.out; };
    const auto late = check(run(), "removal and return");
    EXPECT_EQ(late["outcome"], "passed") << late;
    EXPECT_NE(late["remark"].get<std::string>().find("0 octets"), std::string::npos) << late;
    // Nobody does it.
    card.out = false;
    options.say = [](const std::string&) {};
    options.removal_limit = std::chrono::seconds(0);
    EXPECT_EQ(failures(), "removal and return");
}

TEST_P(ReaderTestTest, a_modem_is_not_asked_for_resets) {
    card.modem = true;
    const auto report = run();
    EXPECT_EQ(report["failed"], 0U) << report.dump(2);
    EXPECT_EQ(report["skipped"], 4U); // ATR, two about resets, removal
    EXPECT_EQ(card.resets, 0U);
}

TEST_P(ReaderTestTest, without_a_card_there_is_still_a_report) {
    card.out = true;
    const auto report = run();
    EXPECT_GE(report["failed"].get<unsigned>(), 10U);
}

INSTANTIATE_TEST_SUITE_P(Protocols, ReaderTestTest,
                         ::testing::Values(testbed::Protocol::T0, testbed::Protocol::T1),
                         [](const auto& one) {
                             return one.param == testbed::Protocol::T0 ? "T0" : "T1";
                         });

} // namespace
} // namespace mtkey::tools
