// SPDX-License-Identifier: Apache-2.0
// A SIM as TS 51.011 has it. Octets of the answers are worked out by hand from clause 9.2.1.
#include "uicc/sim.hpp"

#include "fakes/scripted_card.hpp"
#include "testbed/virtual_uicc/card.hpp"
#include "uicc/transmit.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

using test::ScriptedCard;
using vectors::hex;
using vectors::text_of;

// MF and DF_GSM: no CHV1; CHV1 with 3, 1 or 0 attempts left.
std::string directory(const std::string& fid, const std::string& type,
                      const std::string& characteristics, const std::string& chv1) {
    return "00004000" + fid + type + "0000000000" + "0a" + characteristics + "010304" + "00" +
           chv1 + "8a838a00";
}
const std::string kMf = directory("3f00", "01", "81", "83");
std::string df_gsm(const std::string& characteristics, const std::string& chv1) {
    return directory("7f20", "02", characteristics, chv1);
}
std::string file(const std::string& size, const std::string& fid) {
    return "0000" + size + fid + "04" + "00" + "0fffff" + "01" + "02" + "0000";
}

std::string select(const std::string& fid) {
    return "a0a4000002" + fid + "00";
}
const std::string kVerify1234 = "a02000010831323334ffffffff";
const std::string kRand = "23553cbe9637a89d218ae64dae47bf35";
const std::string kRun = "a088000010" + kRand + "00";

TEST(SimParsers, Directory) {
    const auto on = parse_sim_directory(hex(df_gsm("01", "83")));
    ASSERT_TRUE(on);
    EXPECT_TRUE(on->chv1_enabled);
    EXPECT_EQ(on->chv1_attempts_left, 3U);
    const auto off = parse_sim_directory(hex(df_gsm("81", "03")));
    ASSERT_TRUE(off);
    EXPECT_FALSE(off->chv1_enabled);
    EXPECT_FALSE(off->chv1_attempts_left) << "not initialised";
    // Up to the status of CHV1, and one octet too few.
    const auto whole = hex(kMf);
    EXPECT_TRUE(parse_sim_directory(ByteView(whole).first(19)));
    EXPECT_FALSE(parse_sim_directory(ByteView(whole).first(18)));
    EXPECT_FALSE(parse_sim_directory(hex(directory("2fe2", "04", "01", "83"))));
}

TEST(SimParsers, File) {
    EXPECT_EQ(parse_sim_file(hex(file("000a", "2fe2"))), std::size_t{10});
    EXPECT_EQ(parse_sim_file(hex(file("0102", "2fe2"))), std::size_t{258});
    EXPECT_FALSE(parse_sim_file(hex(file("0000", "2fe2"))));
    EXPECT_FALSE(parse_sim_file(hex(kMf)));
    EXPECT_FALSE(parse_sim_file({}));
    EXPECT_FALSE(parse_sim_file(hex("0000000a2fe204000fffff01")));
    auto invalidated = hex(file("000a", "2fe2"));
    invalidated[11] = 0x00;
    EXPECT_FALSE(parse_sim_file(invalidated));
    auto records = hex(file("000a", "2fe2"));
    records[13] = 0x01;
    EXPECT_FALSE(parse_sim_file(records));
}

TEST(RunGsmAlgorithm, SresAndKc) {
    ScriptedCard card;
    card.expect(kRun, "46f8416aeae4be823af9a08b9000");
    const auto answer = run_gsm_algorithm(card, vectors::array<16>(kRand));
    ASSERT_TRUE(answer) << describe(answer.error());
    EXPECT_EQ(text_of(answer->sres), "46f8416a");
    EXPECT_EQ(text_of(answer->kc), "eae4be823af9a08b");
}

TEST(RunGsmAlgorithm, AnythingElseIsAnError) {
    const std::vector<std::pair<std::string, Errc>> answers{
        {"9000", Errc::CardFailed},
        {"46f8416aeae4be823af9a09000", Errc::CardFailed},
        {"46f8416aeae4be823af9a08b009000", Errc::CardFailed},
        {"46f8416aeae4be823af9a08b6f00", Errc::CardFailed},
        {"9804", Errc::PinRequired},
        {"9840", Errc::PinBlocked},
        {"6d00", Errc::NotSupportedByCard},
        {"6e00", Errc::NotSupportedByCard},
        {"9862", Errc::CardFailed}, // nothing of a USIM's means a thing here
    };
    for (const auto& [octets, code] : answers) {
        ScriptedCard card;
        card.expect(kRun, octets);
        const auto answer = run_gsm_algorithm(card, vectors::array<16>(kRand));
        ASSERT_FALSE(answer) << octets;
        EXPECT_EQ(answer.error().code, code) << octets;
        EXPECT_TRUE(card.finished()) << card.trouble();
    }
}

/// A SIM is opened from its MF to EF_AD; each test changes a part of the script.
class OpenSimTest : public testing::Test {
protected:
    void expect_beginning() {
        card_.expect(select("3f00"), kMf + "9000")
            .expect(select("2f00"), "9404")
            .expect(select("2fe2"), file("000a", "2fe2") + "9000")
            .expect("a0b000000a", "988812010000000010f89000");
    }
    void expect_df_gsm(const std::string& answer) {
        card_.expect(select("3f00"), kMf + "9000").expect(select("7f20"), answer + "9000");
    }
    void expect_identity(const std::string& ad = "00000003") {
        card_.expect(select("6f07"), file("0009", "6f07") + "9000")
            .expect("a0b0000009", "0809101010325476989000")
            .expect(select("6fad"), file("0004", "6fad") + "9000")
            .expect("a0b0000004", ad + "9000");
    }
    Result<Application> open(unsigned floor = 2, std::optional<std::string> pin = "1234") {
        OpenOptions options;
        options.pin_floor = floor;
        options.pin = [this, pin](std::string_view iccid) -> std::optional<SecretBytes> {
            asked_ = iccid;
            return pin ? std::optional(SecretBytes(as_octets(*pin))) : std::nullopt;
        };
        options.pin_counted = [this](std::string_view, unsigned left) { counted_ = left; };
        return open_sim(card_, options);
    }
    void expect_error(const Result<Application>& opened, Errc code, std::uint32_t detail) {
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code, code) << describe(opened.error());
        EXPECT_EQ(opened.error().detail, detail);
    }
    void TearDown() override { EXPECT_TRUE(card_.finished()) << card_.trouble(); }

    ScriptedCard card_;
    std::string asked_;
    std::optional<unsigned> counted_;
};

TEST_F(OpenSimTest, WithoutChv1) {
    expect_beginning();
    expect_df_gsm(df_gsm("81", "83"));
    expect_identity();
    const auto sim = open();
    ASSERT_TRUE(sim) << describe(sim.error());
    EXPECT_TRUE(sim->is_sim());
    EXPECT_TRUE(sim->entry.aid.empty());
    EXPECT_EQ(sim->iccid, "8988211000000000018");
    EXPECT_EQ(sim->imsi, "001010123456789");
    EXPECT_EQ(sim->mnc_length, 3U);
    EXPECT_EQ(sim->mnc_source, MncSource::EfAd);
    EXPECT_FALSE(sim->gba);
    EXPECT_EQ(sim->gbabp_size, 0U);
    EXPECT_EQ(sim->pin_attempts_left, -1);
    EXPECT_EQ(asked_, "");
}

TEST_F(OpenSimTest, EfAdOfThreeOctetsSaysNothingOfTheMnc) {
    expect_beginning();
    expect_df_gsm(df_gsm("81", "83"));
    card_.expect(select("6f07"), file("0009", "6f07") + "9000")
        .expect("a0b0000009", "0809101010325476989000")
        .expect(select("6fad"), file("0003", "6fad") + "9000")
        .expect("a0b0000003", "0000009000");
    const auto sim = open();
    ASSERT_TRUE(sim);
    EXPECT_EQ(sim->mnc_source, MncSource::Fallback);
}

TEST_F(OpenSimTest, Chv1IsShownAfterItsCounterWasRead) {
    expect_beginning();
    expect_df_gsm(df_gsm("01", "83"));
    card_.expect(kVerify1234, "9000");
    expect_identity();
    const auto sim = open();
    ASSERT_TRUE(sim) << describe(sim.error());
    EXPECT_EQ(sim->pin_attempts_left, 3);
    EXPECT_EQ(asked_, "8988211000000000018");
    EXPECT_EQ(counted_, 3U);
}

TEST_F(OpenSimTest, WrongChv1) {
    expect_beginning();
    expect_df_gsm(df_gsm("01", "83"));
    card_.expect(kVerify1234, "9804");
    expect_df_gsm(df_gsm("01", "82"));
    expect_error(open(), Errc::PinIncorrect, 2);
}

TEST_F(OpenSimTest, LastAttemptWrong) {
    expect_beginning();
    expect_df_gsm(df_gsm("01", "81"));
    card_.expect(kVerify1234, "9840");
    expect_error(open(1), Errc::PinBlocked, 0x9840);
}

TEST_F(OpenSimTest, BelowTheFloorNothingIsShown) {
    expect_beginning();
    expect_df_gsm(df_gsm("01", "81"));
    expect_error(open(), Errc::PinFloor, 1);
    EXPECT_EQ(asked_, "");
}

TEST_F(OpenSimTest, BlockedChv1) {
    expect_beginning();
    expect_df_gsm(df_gsm("01", "80"));
    expect_error(open(0), Errc::PinBlocked, 0x9840);
    EXPECT_EQ(asked_, "");
}

TEST_F(OpenSimTest, CounterThatIsNotToldIsNoCounter) {
    expect_beginning();
    expect_df_gsm(df_gsm("01", "03"));
    expect_error(open(0), Errc::PinFloor, 0);
    EXPECT_EQ(asked_, "");
}

TEST_F(OpenSimTest, NobodyKnowsChv1) {
    expect_beginning();
    expect_df_gsm(df_gsm("01", "83"));
    expect_error(open(2, std::nullopt), Errc::PinRequired, 3);
}

TEST_F(OpenSimTest, NoPinAtAll) {
    expect_beginning();
    expect_df_gsm(df_gsm("01", "83"));
    expect_error(open(2, "12a4"), Errc::InvalidArgument, 0);
}

TEST_F(OpenSimTest, EfDirMeansUicc) {
    card_.expect(select("3f00"), kMf + "9000")
        .expect(select("2f00"), file("0060", "2f00") + "9000");
    expect_error(open(), Errc::NotSupportedByCard, 0);
}

TEST_F(OpenSimTest, WithoutDfGsm) {
    expect_beginning();
    card_.expect(select("3f00"), kMf + "9000").expect(select("7f20"), "9404");
    expect_error(open(), Errc::CardFailed, 0x9404);
}

TEST_F(OpenSimTest, ImsiThatTheSimDoesNotGive) {
    expect_beginning();
    expect_df_gsm(df_gsm("81", "83"));
    card_.expect(select("6f07"), file("0009", "6f07") + "9000").expect("a0b0000009", "9804");
    expect_error(open(), Errc::PinRequired, 0x9804);
}

// Which cards are taken for a SIM, and when.
TEST(OpenApplication, ClassA0OnlyWhereItMaySayIt) {
    const auto open = [](ScriptedCard& card, bool sim, ApplicationChoice::Kind choice) {
        OpenOptions options;
        options.sim = sim;
        options.choice.kind = choice;
        return open_application(card, options);
    };
    using Kind = ApplicationChoice::Kind;
    for (const auto& [sim, choice] : {std::pair{false, Kind::Auto}, {true, Kind::Usim}}) {
        ScriptedCard card;
        card.expect("00a40804022fe200", "6e00");
        EXPECT_EQ(open(card, sim, choice).error().detail, 0x6E00U);
        EXPECT_TRUE(card.finished()) << card.trouble();
    }
    for (const char* word : {"6a82", "6d00", "6f00"}) { // whatever it is, no SIM
        ScriptedCard card;
        card.expect("00a40804022fe200", word);
        EXPECT_FALSE(open(card, true, Kind::Auto));
        EXPECT_TRUE(card.finished()) << card.trouble();
    }
    ScriptedCard card;
    card.expect("00a40804022fe200", "6e00").expect("a0a40000023f0000", "6f00");
    EXPECT_FALSE(open(card, true, Kind::Auto));
    EXPECT_TRUE(card.finished()) << card.trouble();
}

/// The simulated SIM behind the T=0 mapping.
class VirtualSim final : public RawCard {
public:
    explicit VirtualSim(std::optional<std::string> chv1 = {}) : card_(make(std::move(chv1))) {}
    [[nodiscard]] Result<SecretBytes> exchange(ByteView command) override {
        return card_.transmit(command);
    }
    void reset() { card_.reset(); }
    static std::unique_ptr<aka::Algorithm> algorithm() {
        const auto example = vectors::load("worked_example.json")["milenage"];
        return aka::milenage(vectors::secret<16>(example["k"]),
                             vectors::secret<16>(example["opc"]));
    }

private:
    static testbed::Card make(std::optional<std::string> chv1) {
        testbed::CardProfile profile;
        profile.iccid = "8988211000000000018";
        profile.imsi = "001010123456789";
        profile.sim = true;
        if (chv1) {
            profile.pin = SecretBytes(as_octets(*chv1));
        }
        return testbed::Card::create(profile, algorithm(), {}).value();
    }
    testbed::Card card_;
};

TEST(VirtualSimTest, OpenedAndAsked) {
    VirtualSim raw("1234");
    MappedChannel card(raw, Protocol::T0);
    OpenOptions options;
    options.sim = true;
    options.pin = [](std::string_view) { return SecretBytes(as_octets("1234")); };
    auto sim = open_application(card, options);
    ASSERT_TRUE(sim) << describe(sim.error());
    EXPECT_TRUE(sim->is_sim());
    EXPECT_EQ(sim->iccid, "8988211000000000018");
    EXPECT_EQ(sim->imsi, "001010123456789");
    EXPECT_EQ(sim->mnc_length, 2U);
    EXPECT_EQ(sim->pin_attempts_left, 3);
    // TS 55.205, test set 1.
    auto answer = run_gsm_algorithm(card, vectors::array<16>(kRand));
    ASSERT_TRUE(answer) << describe(answer.error());
    EXPECT_EQ(text_of(answer->sres), "46f8416a");
    EXPECT_EQ(text_of(answer->kc), "eae4be823af9a08b");
    raw.reset();
    EXPECT_FALSE(run_gsm_algorithm(card, vectors::array<16>(kRand)));
    ASSERT_TRUE(reopen_application(card, *sim, options));
    EXPECT_TRUE(run_gsm_algorithm(card, vectors::array<16>(kRand)));
}

TEST(VirtualSimTest, WrongChv1CostsOneAttempt) {
    VirtualSim raw("1234");
    MappedChannel card(raw, Protocol::T0);
    OpenOptions options;
    options.sim = true;
    options.pin = [](std::string_view) { return SecretBytes(as_octets("4321")); };
    const auto first = open_application(card, options);
    ASSERT_FALSE(first);
    EXPECT_EQ(first.error().code, Errc::PinIncorrect);
    EXPECT_EQ(first.error().detail, 2U);
    EXPECT_EQ(open_application(card, options).error().detail, 1U);
    EXPECT_EQ(open_application(card, options).error().code, Errc::PinFloor);
}

TEST(VirtualSimTest, AnotherIccidIsLeftBeforeItsChv1) {
    VirtualSim raw("1234");
    MappedChannel card(raw, Protocol::T0);
    OpenOptions options;
    options.sim = true;
    options.iccid = "8988211000000000026";
    options.pin = [](std::string_view) -> std::optional<SecretBytes> {
        ADD_FAILURE() << "asked for a PIN";
        return std::nullopt;
    };
    EXPECT_EQ(open_application(card, options).error().code, Errc::NotSupportedByCard);
}

} // namespace
} // namespace mtkey::uicc
