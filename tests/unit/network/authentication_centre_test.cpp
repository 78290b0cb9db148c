// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/authentication_centre.hpp"

#include "unit/network/bsf_fixture.hpp"

namespace mtkey::bsf {
namespace {

class AuthenticationCentreTest : public BsfTest {
protected:
    const vectors::Json milenage = example["milenage"];
};

TEST_F(AuthenticationCentreTest, VectorOfTheWorkedExample) {
    start("gba-u", {}, "lifetime_seconds = 60");
    random.push_hex(std::string(milenage["rand"]));
    const auto issued = centre->next_vector(impi);
    ASSERT_TRUE(issued);
    EXPECT_TRUE(random.finished());
    EXPECT_EQ(to_hex(issued->vector.autn), milenage["autn"]);
    EXPECT_EQ(vectors::text_of(issued->vector.xres), milenage["res"]);
    EXPECT_EQ(vectors::text_of(issued->vector.ck), milenage["ck"]);
    EXPECT_EQ(vectors::text_of(issued->vector.ik), milenage["ik"]);
    EXPECT_EQ(issued->mode, Mode::GbaU);
    EXPECT_EQ(issued->lifetime, std::chrono::seconds(60));
}

/// SQN that a card would find in the next vector.
std::uint64_t sqn_in(const aka::Autn& autn, const vectors::Json& milenage) {
    const auto ak = vectors::hex(milenage["ak"]);
    aka::Sqn sqn{};
    for (std::size_t i = 0; i < sqn.size(); ++i) {
        sqn[i] = autn[i] ^ ak[i];
    }
    return aka::sqn_to_number(sqn);
}

TEST_F(AuthenticationCentreTest, SqnStepsBy32AndWrapsAt2To48) {
    start("gba-me");
    auto file = subscriber(milenage, "001010000000003", "gba-me");
    file.replace(file.find("ff9bb4d0b607"), 12, "fffffffffff0");
    AuthenticationCentre near_end(aka::parse_subscribers(file, "x").value(), random);
    const std::uint64_t expected[] = {0xFFFFFFFFFFF0, 0x10, 0x30};
    for (const auto sqn : expected) {
        random.push_hex(std::string(milenage["rand"]));
        const auto issued =
            near_end.next_vector("001010000000003@ims.mnc001.mcc001.3gppnetwork.org");
        ASSERT_TRUE(issued);
        EXPECT_EQ(sqn_in(issued->vector.autn, milenage), sqn);
    }
}

TEST_F(AuthenticationCentreTest, ResynchronisationSetsSqnBothWays) {
    start("gba-me");
    const auto card =
        aka::milenage(vectors::secret<16>(milenage["k"]), vectors::secret<16>(milenage["opc"]));
    const auto rand = vectors::array<16>(milenage["rand"]);
    for (const std::uint64_t sqn_ms : {std::uint64_t{0xFF9BB4D0B6F0}, std::uint64_t{5}}) {
        const Resynchronisation resync{rand,
                                       aka::make_auts(*card, rand, aka::sqn_from_number(sqn_ms))};
        random.push_hex(std::string(milenage["rand"]));
        EXPECT_EQ(sqn_in(centre->next_vector(impi, &resync).value().vector.autn, milenage),
                  sqn_ms + 32);
    }
}

TEST_F(AuthenticationCentreTest, AutsForAnotherRandIsRefusedAndChangesNothing) {
    start("gba-me");
    Resynchronisation resync{vectors::array<16>(milenage["rand"]),
                             vectors::array<14>(example["resync"]["auts"])};
    resync.rand[0] ^= 1;
    const auto refused = centre->next_vector(impi, &resync);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::Rejected);
    random.push_hex(std::string(milenage["rand"]));
    EXPECT_EQ(to_hex(centre->next_vector(impi).value().vector.autn), milenage["autn"]);
}

TEST_F(AuthenticationCentreTest, NoRandomNoSqnUsed) {
    start("gba-me");
    EXPECT_FALSE(centre->next_vector(impi)) << "the source is dry";
    random.push_hex(std::string(milenage["rand"]));
    EXPECT_EQ(to_hex(centre->next_vector(impi).value().vector.autn), milenage["autn"]);
}

TEST_F(AuthenticationCentreTest, ImpiOfTwoAndThreeDigitNetworks) {
    auto file = subscriber(milenage, "310150123456789", "gba-me");
    file.replace(file.find("mnc_length = 2"), 14, "mnc_length = 3");
    AuthenticationCentre three(aka::parse_subscribers(file, "x").value(), random);
    AuthenticationCentre two(
        aka::parse_subscribers(subscriber(milenage, "234151234567890", "gba-me"), "x").value(),
        random);
    random.push(Bytes(32, 9));
    EXPECT_TRUE(three.next_vector("310150123456789@ims.mnc150.mcc310.3gppnetwork.org"));
    EXPECT_TRUE(two.next_vector("234151234567890@ims.mnc015.mcc234.3gppnetwork.org"));
    for (const auto* stranger :
         {"", "234151234567890", "234151234567890@ims.mnc15.mcc234.3gppnetwork.org",
          "234151234567890@ims.mnc015.mcc234.3gppnetwork.org."}) {
        const auto refused = two.next_vector(stranger);
        ASSERT_FALSE(refused) << stranger;
        EXPECT_EQ(refused.error().code, Errc::NotFound);
    }
}

TEST_F(AuthenticationCentreTest, XorTestAlgorithmOfThePublishedVector) {
    // Source: AOSP ImsStack SscAuthAgentTest, see tests/vectors/README.md.
    const auto& published = example["public_vector_imsstack"];
    const auto file =
        "[[subscriber]]\nimsi = \"001010123456789\"\nmnc_length = 2\nalgorithm = \"xor\"\nk = \"" +
        std::string(published["k"]) + "\"\namf = \"9111\"\nsqn = \"000000000000\"\n";
    AuthenticationCentre xor_centre(aka::parse_subscribers(file, "x").value(), random);
    random.push_hex(std::string(published["rand"]));
    const auto issued = xor_centre.next_vector(impi);
    ASSERT_TRUE(issued);
    EXPECT_EQ(aka::make_nonce(issued->vector.rand, issued->vector.autn), published["nonce"]);
}

} // namespace
} // namespace mtkey::bsf
