// SPDX-License-Identifier: Apache-2.0
// AUTHENTICATE in both applications, against the worked example and the rules of TS 33.102 annex C.
#include "test_card.hpp"

#include <gtest/gtest.h>

namespace mtkey::testbed {
namespace {

std::string naf_command(const std::string& fqdn) {
    const std::string naf_id = to_hex(as_octets(fqdn)) + "ff00033259";
    const std::string impi = to_hex(as_octets(text(example()["identities"]["impi"])));
    const auto length = [](const std::string& hex) {
        const std::uint8_t octet[] = {static_cast<std::uint8_t>(hex.size() / 2)};
        return to_hex(octet);
    };
    const std::string data = "de" + length(naf_id) + naf_id + length(impi) + impi;
    return "00880084" + length(data) + data + "00";
}

struct Where {
    const char* name;
    ApplicationKind kind;
    std::string select;
    std::string gbabp;
    std::string gbanl;
};

class CardGbaTest : public testing::TestWithParam<Where> {
protected:
    /// SQN_MS one below the example's.
    TestCard card{both_applications(), "ff9bb4d0b606"};
    void SetUp() override { ASSERT_EQ(card.ask(GetParam().select), kOk); }
    std::string read_gbanl(unsigned number) {
        EXPECT_EQ(card.ask("00a4000c02" + GetParam().gbanl), kOk);
        return card.ask("00b20" + std::to_string(number) + "0400");
    }
};
INSTANTIATE_TEST_SUITE_P(
    Applications, CardGbaTest,
    testing::Values(Where{"Usim", ApplicationKind::Usim, kSelectUsim, "6fd6", "6fda"},
                    Where{"Isim", ApplicationKind::Isim, kSelectIsim, "6fd5", "6fd7"}),
    [](const auto& instance) { return instance.param.name; });

TEST_P(CardGbaTest, WorkedExample) {
    const auto u = example()["gba_u"];
    EXPECT_EQ(card.ask(u["apdu_authenticate_gba_bootstrap"]),
              text(u["card_answer_bootstrap"]) + kOk);
    EXPECT_EQ(card.ask("00a4000c02" + GetParam().gbabp), kOk);
    EXPECT_EQ(card.ask(u["apdu_update_binary_btid_lifetime"]), kOk);
    const std::string content = u["ef_gbabp_after_update"];
    EXPECT_EQ(card.ask("00b0000065"), content + kOk);
    EXPECT_EQ(card.ask(u["apdu_authenticate_gba_naf"]), text(u["card_answer_naf"]) + kOk);
    EXPECT_TRUE(read_gbanl(1).starts_with(text(u["ef_gbanl_record_prefix"]) + "ff"));
    const auto* int_key =
        card.card.ks_int_naf(GetParam().kind, vectors::hex(example()["identities"]["naf_id_hex"]));
    ASSERT_NE(int_key, nullptr);
    EXPECT_EQ(vectors::text_of(*int_key), text(u["ks_int_naf"]));
}

TEST_P(CardGbaTest, KsBelongsToItsApplication) {
    ASSERT_TRUE(card.ask(example()["gba_u"]["apdu_authenticate_gba_bootstrap"]).ends_with(kOk));
    const bool is_usim = GetParam().kind == ApplicationKind::Usim;
    ASSERT_EQ(card.ask(is_usim ? kSelectIsim : kSelectUsim), kOk);
    EXPECT_EQ(card.ask(example()["gba_u"]["apdu_authenticate_gba_naf"]), "6985");
    // But the SQN is the key's, hence the card's.
    EXPECT_TRUE(
        card.ask(example()["gba_u"]["apdu_authenticate_gba_bootstrap"]).starts_with("dc0e"));
    ASSERT_EQ(card.ask(GetParam().select), kOk);
    EXPECT_TRUE(card.ask(example()["gba_u"]["apdu_authenticate_gba_naf"]).ends_with(kOk));
}

TEST_P(CardGbaTest, LeastRecentlyUsedRecordIsTaken) {
    ASSERT_TRUE(card.ask(example()["gba_u"]["apdu_authenticate_gba_bootstrap"]).ends_with(kOk));
    const auto name = [](unsigned number) { return "naf" + std::to_string(number); };
    const auto use = [&](unsigned number) {
        EXPECT_TRUE(card.ask(naf_command(name(number))).ends_with(kOk));
    };
    const auto has_key = [&](unsigned number) {
        const std::string fqdn = name(number);
        Bytes naf_id;
        append(naf_id, as_octets(fqdn));
        append(naf_id, vectors::hex("ff00033259"));
        return card.card.ks_int_naf(GetParam().kind, naf_id) != nullptr;
    };
    for (unsigned number = 1; number <= 5; ++number) {
        use(number);
    }
    use(1);
    use(3);
    use(6); // naf2 is the least recently used of five
    EXPECT_FALSE(has_key(2));
    for (const unsigned number : {1U, 3U, 4U, 5U, 6U}) {
        EXPECT_TRUE(has_key(number)) << number;
    }
    EXPECT_TRUE(read_gbanl(2).starts_with("8009" + to_hex(as_octets("naf6"))));
    EXPECT_TRUE(read_gbanl(1).starts_with("8009" + to_hex(as_octets("naf1"))));
    EXPECT_EQ(card.ask("00b2060400"), "6a83");
}

TEST_P(CardGbaTest, RemovedKsIsNotThereButSurvivesAReset) {
    EXPECT_EQ(card.ask(naf_command("naf")), "6985");
    ASSERT_TRUE(card.ask(example()["gba_u"]["apdu_authenticate_gba_bootstrap"]).ends_with(kOk));
    card.card.reset();
    EXPECT_EQ(card.ask(naf_command("naf")), "6985"); // the MF is selected
    ASSERT_EQ(card.ask(GetParam().select), kOk);
    EXPECT_TRUE(card.ask(naf_command("naf")).ends_with(kOk));
}

TEST(CardAka, ThirdGenerationContext) {
    for (const bool kc : {false, true}) {
        auto profile = both_applications();
        profile.applications[0].gsm_access = kc;
        TestCard card(profile, "ff9bb4d0b606");
        ASSERT_EQ(card.ask(kSelectUsim), kOk);
        const auto me = example()["gba_me"];
        EXPECT_EQ(card.ask(me["apdu_authenticate_3g"]),
                  text(me[kc ? "card_answer_with_kc" : "card_answer_no_kc"]) + kOk);
        // AUTN* is not for this context, AUTN not for the other one.
        EXPECT_EQ(card.ask("0088008122"
                           "10" +
                           text(example()["milenage"]["rand"]) + "10" +
                           text(example()["gba_u"]["autn_star_sent"]) + "00"),
                  "9862");
    }
}

TEST(CardAka, SynchronisationFailureNamesTheHighestSqn) {
    TestCard card(both_applications(), text(example()["resync"]["sqn_ms"]));
    ASSERT_EQ(card.ask(kSelectUsim), kOk);
    EXPECT_EQ(card.ask(example()["gba_u"]["apdu_authenticate_gba_bootstrap"]),
              text(example()["resync"]["card_answer"]) + kOk);
}

/// A vector with this SEQ and IND, of a network that uses the card's algorithm.
std::string challenge(const aka::Algorithm& network, std::uint64_t seq, unsigned ind) {
    aka::Rand rand{};
    rand[0] = static_cast<std::uint8_t>(seq);
    rand[1] = static_cast<std::uint8_t>(ind);
    const auto vector =
        aka::generate_vector(network, rand, aka::sqn_from_number(seq << 5 | ind), {0x80, 0x00});
    return "0088008122"
           "10" +
           to_hex(vector.rand) + "10" + to_hex(vector.autn) + "00";
}

TEST(CardAka, OlderVectorOfAnotherIndIsAccepted) {
    auto profile = both_applications();
    profile.sqn.limit = 100;
    TestCard card(profile);
    ASSERT_EQ(card.ask(kSelectUsim), kOk);
    const auto network = TestCard::milenage();
    EXPECT_TRUE(card.ask(challenge(*network, 20, 1)).starts_with("db"));
    EXPECT_TRUE(card.ask(challenge(*network, 10, 2)).starts_with("db"));
    EXPECT_TRUE(card.ask(challenge(*network, 10, 2)).starts_with("dc"));
    EXPECT_TRUE(card.ask(challenge(*network, 19, 1)).starts_with("dc"));
    EXPECT_TRUE(card.ask(challenge(*network, 121, 3)).starts_with("dc")); // too far ahead
    EXPECT_TRUE(card.ask(challenge(*network, 120, 3)).starts_with("db"));
}

/// TS 34.108 clause 8.1.2: XDOUT = K xor RAND, and RES, CK, IK and AK are cut out of it.
TEST(CardAka, XorTestAlgorithm) {
    const Secret<16> k = vectors::secret<16>("000102030405060708090a0b0c0d0e0f");
    TestCard card(both_applications(), "000000000000", aka::xor_test(k.clone()));
    ASSERT_EQ(card.ask(kSelectUsim), kOk);
    // RAND of zeros: XDOUT = K, RES = K, CK = K from octet 1, IK = from octet 2, AK = octets 3
    // to 8. SQN 000000000020, AMF 8000: CDOUT = SQN || AMF, XMAC = octets 0..7 of K xor CDOUT.
    const std::string sqn_xor_ak = "030405060728"; // 000000000020 xor 030405060708
    const std::string mac = "0001020304258607";    // 0001020304050607 xor 0000000000208000
    EXPECT_EQ(card.ask("0088008122"
                       "10"
                       "00000000000000000000000000000000"
                       "10" +
                       sqn_xor_ak + "8000" + mac + "00"),
              "db10000102030405060708090a0b0c0d0e0f"
              "100102030405060708090a0b0c0d0e0f00"
              "1002030405060708090a0b0c0d0e0f0001" +
                  kOk);
}

} // namespace
} // namespace mtkey::testbed
