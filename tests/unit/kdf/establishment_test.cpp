// SPDX-License-Identifier: Apache-2.0
#include "kdf/establishment.hpp"

#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

// Source of the hex values: python3 with hmac and hashlib only. Ks_local_MT is that of
// worked_example.json, the messages stand below; HKDF written out after RFC 5869 (expand loop with
// T(i)), LP and TH after docs/local-interface.md.
namespace mtkey::kdf {
namespace {

using vectors::text_of;

TranscriptPart message(Direction direction, ByteView octets) {
    return {direction, octets};
}

class Establishment : public testing::Test {
protected:
    const Bytes l4 = Bytes(300, 0);
    TranscriptHash th_conn = [] {
        const std::array parts{message(Direction::DeviceToMt, as_octets("hello device")),
                               message(Direction::MtToDevice, as_octets("hello mt"))};
        return transcript_hash(kConnectionLabel, parts);
    }();
    TranscriptHash th_est = [this] {
        const std::array parts{message(Direction::DeviceToMt, as_octets("hello device")),
                               message(Direction::MtToDevice, as_octets("hello mt")),
                               message(Direction::DeviceToMt, as_octets("l1")),
                               message(Direction::MtToDevice, as_octets("l2")),
                               message(Direction::DeviceToMt, ByteView()),
                               message(Direction::MtToDevice, l4)};
        return transcript_hash(kEstablishmentLabel, parts);
    }();
    Secret<32> ks_local_mt =
        vectors::secret<32>(vectors::load("worked_example.json")["ks_local_mt"]["value"]);
    EstablishmentKeys keys = establishment_keys(ks_local_mt, th_est);
};

TEST_F(Establishment, Transcripts) {
    EXPECT_EQ(to_hex(th_conn), "11cf8764de4b665cae82025c955877f4d0a728e4e17454ad71d860a8e37f6aeb");
    EXPECT_EQ(to_hex(th_est), "2771f4e8dcf662977c0586d94262f96a08f67c030d3dc6d1ead5b64062320b5c");
}

TEST_F(Establishment, TranscriptBindsDirectionAndBoundaries) {
    const std::array<TranscriptPart, 1> one{message(Direction::DeviceToMt, as_octets("ab"))};
    const std::array<TranscriptPart, 1> back{message(Direction::MtToDevice, as_octets("ab"))};
    const std::array<TranscriptPart, 2> split{message(Direction::DeviceToMt, as_octets("a")),
                                              message(Direction::DeviceToMt, as_octets("b"))};
    EXPECT_NE(transcript_hash("x", one), transcript_hash("x", back));
    EXPECT_NE(transcript_hash("x", one), transcript_hash("x", split));
    EXPECT_NE(transcript_hash("x", one), transcript_hash("y", one));
}

TEST_F(Establishment, Keys) {
    EXPECT_EQ(text_of(keys.confirm_device),
              "dee97fd0af6ef91aa51a0bab08cc3c5866f4ce506705ec4d9cd80ca15223b96d");
    EXPECT_EQ(text_of(keys.confirm_mt),
              "ad87807ef068e0650be41819c2a000feacba7361773a71ca64ca8d94cd3c0ddb");
    EXPECT_EQ(text_of(keys.key_id),
              "503a576596c98dfc8a1794fd439a4542df0004bf114c6ae89f853076f39d3b88");
    EXPECT_EQ(text_of(keys.channel),
              "2743ce02b86aea9273c345ccf7a492ebceb0ac781907a17702393ed020c5d131");
    EXPECT_EQ(text_of(keys.application),
              "7c5e0dc3897cd81b88ecad90a2cb2e39bb6851eda28df8836123b38cc684a461");
}

// A second opinion on the whole of HKDF: OpenSSL's own, extract and expand in one.
TEST_F(Establishment, KeysAgreeWithOpensslHkdf) {
    std::string info = "mtkey/1 channel";
    info.push_back('\0');
    std::array<char, 7> digest{"SHA256"};
    Bytes key(ks_local_mt.reveal().begin(), ks_local_mt.reveal().end());
    TranscriptHash salt = th_est;
    const std::array<OSSL_PARAM, 5> params{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.data(), key.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt.data(), salt.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
        OSSL_PARAM_construct_end()};
    EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    ASSERT_NE(kdf, nullptr);
    EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
    std::array<std::uint8_t, 32> out{};
    EXPECT_EQ(EVP_KDF_derive(context, out.data(), out.size(), params.data()), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    EXPECT_EQ(to_hex(out), text_of(keys.channel));
}

TEST_F(Establishment, Macs) {
    EXPECT_EQ(to_hex(resume_tag(keys.key_id, th_conn)), "e26821e436e2492b5e90374c8d3aabac");
    const auto c1 = confirm_mac(keys.confirm_device, th_est, th_conn, as_octets("confirm body"));
    EXPECT_EQ(to_hex(c1), "fcdade1b4e844cbb56e693c4fea32e5c9316675fe5e72c98751bacb839356767");
    EXPECT_EQ(to_hex(confirm_ack_mac(keys.confirm_mt, th_est, th_conn, c1, as_octets("ack body"))),
              "48f8195923f4960995f2834977ab982b1dcb1f8940e9937fe07124378d04dbb5");
    EXPECT_EQ(to_hex(resume_answer_mac(keys.confirm_mt, th_est, th_conn, as_octets("resume body"))),
              "5215878cf847892ff0a40c689c1e0a4d1041f5b62b6f9b6d3a2b4e7b11568af4");
}

TEST_F(Establishment, ExpandWithContext) {
    EXPECT_EQ(text_of(expand(keys.channel.reveal(), "tls13 psk", th_conn)),
              "24eb8a568909b5687f2df7a5db0f92f594fa9b2ef9ced54e32dc2c5dcdf16cee");
    EXPECT_EQ(text_of(application_key(keys.application, "music", ":1.42")),
              "c02daf196ad7a821838cef44553823daed7227d53babcb8e58b04436bd82e8a7");
}

} // namespace
} // namespace mtkey::kdf
