// SPDX-License-Identifier: Apache-2.0
#include "aka/digest.hpp"

#include "base/hash.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::aka {
namespace {

using vectors::array;
using vectors::hex;
using vectors::Json;

// Source: RFC 2617 section 3.5.
TEST(Digest, Rfc2617Example) {
    const DigestInputs inputs{.username = "Mufasa",
                              .realm = "testrealm@host.com",
                              .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                              .uri = "/dir/index.html",
                              .cnonce = "0a4f113b",
                              .qop = "auth"};
    EXPECT_EQ(digest_response(inputs, as_octets("Circle Of Life"), {}),
              "6629fae49393a05397450978507c4ef1");
}

// Source: python3 hashlib:
// md5(md5("Mufasa:testrealm@host.com:CircleOfLife"):nonce:md5("GET:/dir/index.html")), RFC 2069.
TEST(Digest, Rfc2069Form) {
    const DigestInputs inputs{.username = "Mufasa",
                              .realm = "testrealm@host.com",
                              .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                              .uri = "/dir/index.html",
                              .cnonce = "",
                              .qop = ""};
    EXPECT_EQ(digest_response(inputs, as_octets("CircleOfLife"), {}),
              "1949323746fe6a43ef61f9606e7febea");
}

TEST(Digest, TwelveSetsOfAForeignImplementation) {
    const Json sets = vectors::load("gba_kat.json")["sets"];
    ASSERT_EQ(sets.size(), 12u);
    int with_zero = 0;
    for (const Json& set : sets) {
        SCOPED_TRACE(set["imsi"]);
        const Bytes res = hex(set["res"]);
        with_zero += std::ranges::count(res, 0) > 0 ? 1 : 0;
        EXPECT_EQ(make_nonce(array<16>(set["rand"]), array<16>(set["autn"])), set["nonce"]);
        DigestInputs inputs{.username = set["impi"],
                            .realm = set["realm"],
                            .nonce = set["nonce"],
                            .uri = set["uri"],
                            .method = set["method"],
                            .nc = set["nc"],
                            .cnonce = set["cnonce"]};
        EXPECT_EQ(digest_response(inputs, res, {}), set["digest"]["auth-int"]);
        inputs.qop = "auth";
        EXPECT_EQ(digest_response(inputs, res, {}), set["digest"]["auth"]);
    }
    EXPECT_EQ(with_zero, 3);
}

class WorkedExample : public testing::Test {
protected:
    [[nodiscard]] DigestInputs inputs(const Json& ub) const {
        return {.username = example["identities"]["impi"],
                .realm = example["identities"]["bsf_fqdn"],
                .nonce = ub["nonce"],
                .uri = example["digest_constants"]["uri"],
                .nc = example["digest_constants"]["nc"],
                .cnonce = example["digest_constants"]["cnonce"],
                .qop = example["digest_constants"]["qop"]};
    }
    Json example = vectors::load("worked_example.json");
    std::string body = example["bsf_200_body"];
};

TEST_F(WorkedExample, BothModes) {
    for (const auto* mode : {"gba_me", "gba_u"}) {
        const Json ub = example[mode]["ub"];
        const Bytes password = hex(ub["password_hex"]);
        EXPECT_EQ(digest_response(inputs(ub), password, {}), ub["response"]);
        EXPECT_EQ(digest_rspauth(inputs(ub), password, as_octets(body)), ub["rspauth"]);
        const auto nonce = parse_nonce(std::string(ub["nonce"]));
        ASSERT_TRUE(nonce);
        EXPECT_EQ(to_hex(nonce->rand) + to_hex(nonce->autn), ub["nonce_raw"]);
        EXPECT_TRUE(nonce->server_data.empty());
        const auto header =
            DigestParameters::parse_challenge(std::string(ub["authorization_header"]));
        ASSERT_TRUE(header);
        EXPECT_EQ(header->get("response"), std::string(ub["response"]));
        EXPECT_EQ(header->get("nonce"), std::string(ub["nonce"]));
    }
}

// The intermediate values, by which a wrong response would show where it went wrong: RFC 2617
// section 3.2.2 written out with nothing but MD5, against the file and against digest_response.
TEST_F(WorkedExample, EveryPartOfTheDigests) {
    const auto md5_of = [](const std::string& text) { return to_hex(md5({as_octets(text)})); };
    for (const auto* mode : {"gba_me", "gba_u"}) {
        const Json ub = example[mode]["ub"];
        const DigestInputs in = inputs(ub);
        const Bytes password = hex(ub["password_hex"]);
        const std::string a1 = in.username + ":" + in.realm + ":";
        const std::string ha1 = to_hex(md5({as_octets(a1), password}));
        EXPECT_EQ(ha1, ub["ha1"]);
        const std::string a2 = in.method + ":" + in.uri + ":" + md5_of("");
        EXPECT_EQ(a2, ub["a2"]);
        const std::string ha2 = md5_of(a2);
        EXPECT_EQ(ha2, ub["ha2"]);
        const std::string entity = md5_of(body);
        EXPECT_EQ(entity, ub["entity_md5_200"]);
        const std::string rsp_a2 = ":" + in.uri + ":" + entity;
        EXPECT_EQ(rsp_a2, ub["rsp_a2"]);
        const auto keyed = [&](const std::string& ha) {
            return md5_of(ha1 + ":" + in.nonce + ":" + in.nc + ":" + in.cnonce + ":" + in.qop +
                          ":" + ha);
        };
        EXPECT_EQ(digest_response(in, password, {}), keyed(ha2));
        EXPECT_EQ(digest_rspauth(in, password, as_octets(body)), keyed(md5_of(rsp_a2)));
    }
}

// RFC 3310 section 3.4: empty password together with auts.
TEST_F(WorkedExample, Resynchronisation) {
    EXPECT_EQ(std::string("(empty)"), example["resync"]["password"]);
    EXPECT_EQ(digest_response(inputs(example["gba_me"]["ub"]), {}, {}),
              example["resync"]["response"]);
    EXPECT_EQ(digest_response(inputs(example["gba_u"]["ub"]), {}, {}),
              "2b1dbbb480e23587a2e09c5cd77a59da");
}

TEST_F(WorkedExample, EveryBitOfTheBodyIsProtected) {
    const Json ub = example["gba_u"]["ub"];
    const Bytes password = hex(ub["password_hex"]);
    const std::string expected = ub["rspauth"];
    for (std::size_t bit = 0; bit < 8 * body.size(); ++bit) {
        std::string wrong = body;
        wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(digest_equal(digest_rspauth(inputs(ub), password, as_octets(wrong)), expected))
            << bit;
    }
}

TEST(DigestEqual, ComparesHexDigits) {
    const std::string digest = "6629fae49393a05397450978507c4ef1";
    EXPECT_TRUE(digest_equal(digest, digest));
    EXPECT_TRUE(digest_equal(digest, "6629FAE49393A05397450978507C4EF1"));
    for (std::size_t i = 0; i < digest.size(); ++i) {
        std::string wrong = digest;
        wrong[i] = wrong[i] == '0' ? '1' : '0';
        EXPECT_FALSE(digest_equal(digest, wrong)) << i;
    }
    for (const auto& text : {std::string(), digest.substr(1), digest + "0", std::string(32, '\0'),
                             std::string(32, 'g'), " " + digest.substr(1)}) {
        EXPECT_FALSE(digest_equal(digest, text)) << text;
        EXPECT_FALSE(digest_equal(text, text)) << text;
    }
}

TEST(AkaNonceTest, HoldsRandAutnAndServerData) {
    std::array<std::uint8_t, 16> rand{};
    std::array<std::uint8_t, 16> autn{};
    rand.fill(0x11);
    autn.fill(0x22);
    const Bytes data{1, 2, 3};
    const auto nonce = parse_nonce(make_nonce(rand, autn, data));
    ASSERT_TRUE(nonce);
    EXPECT_EQ(nonce->rand, rand);
    EXPECT_EQ(nonce->autn, autn);
    EXPECT_EQ(nonce->server_data, data);
}

TEST(AkaNonceTest, RefusesEverythingElse) {
    const std::string good = to_base64(Bytes(32, 0x5A));
    ASSERT_TRUE(parse_nonce(good));
    for (const auto& text :
         {std::string(), std::string("AAAA"), to_base64(Bytes(31, 1)), good + "=",
          good.substr(0, good.size() - 1), " " + good, good + "\n", "!" + good.substr(1)}) {
        const auto nonce = parse_nonce(text);
        ASSERT_FALSE(nonce) << text;
        EXPECT_EQ(nonce.error().code, Errc::Malformed) << text;
    }
}

} // namespace
} // namespace mtkey::aka
