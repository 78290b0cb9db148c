// SPDX-License-Identifier: Apache-2.0
#include "gba/challenge.hpp"
#include "run_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::gba {
namespace {

// Threats N2: what is refused here costs the card no AUTHENTICATE. Values of worked_example.json
// (GBA_U).
const std::string kRealm = R"(realm="bsf.mnc001.mcc001.pub.3gppnetwork.org")";
const std::string kNonce = R"(nonce="I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5jH8/DXI/skQ=")";
const std::string kAlgorithm = "algorithm=AKAv1-MD5";
const std::string kQop = R"(qop="auth-int")";
const std::string kOpaque = R"(opaque="5ccc069c403ebaf9f0171e9517f30e41")";

std::string join(const std::vector<std::string>& parts) {
    std::string out = "Digest ";
    for (const auto& part : parts) {
        out += (&part == &parts.front() ? "" : ", ") + part;
    }
    return out;
}
std::string with_realm(const std::string& realm) {
    return join({realm, kNonce, kAlgorithm, kQop});
}
std::string with_nonce(const std::string& nonce) {
    return join({kRealm, nonce, kAlgorithm, kQop});
}
std::string with_algorithm(const std::string& algorithm) {
    return join({kRealm, kNonce, algorithm, kQop});
}
std::string with_qop(const std::string& qop) {
    return join({kRealm, kNonce, kAlgorithm, qop});
}
std::string with_more(const std::string& more) {
    return join({kRealm, kNonce, kAlgorithm, kQop, more});
}
std::string base64_of(std::size_t octets) {
    return to_base64(Bytes(octets, 0x5A));
}

struct Row {
    const char* name;
    std::vector<std::string> fields; ///< of WWW-Authenticate
    bool accepted;
};

std::vector<Row> rows() {
    const std::string good = with_more(kOpaque);
    return {
        // what real BSFs send, in all its spellings
        {"as in TS 24.109", {good}, true},
        {"no opaque", {with_qop(kQop)}, true},
        {"any order", {join({kQop, kOpaque, kAlgorithm, kNonce, kRealm})}, true},
        {"algorithm quoted", {with_algorithm(R"(algorithm="AKAv1-MD5")")}, true},
        {"algorithm by an escape", {with_algorithm(R"(algorithm="AKAv1\-MD5")")}, true},
        {"qop unquoted", {with_qop("qop=auth-int")}, true},
        {"qop list", {with_qop(R"(qop="auth,auth-int")")}, true},
        {"qop list with spaces", {with_qop(R"(qop="auth , auth-int")")}, true},
        {"qop list, other order", {with_qop(R"(qop="auth-int,auth")")}, true},
        {"qop list with an unknown one", {with_qop(R"(qop="auth-conf,auth-int")")}, true},
        {"qop list with an empty one", {with_qop(R"(qop=",auth-int")")}, true},
        {"scheme in capitals", {"DIGEST" + good.substr(6)}, true},
        {"scheme in small letters", {"digest" + good.substr(6)}, true},
        {"names in capitals",
         {join({"REALM" + kRealm.substr(5), "Nonce" + kNonce.substr(5), "ALGORITHM=AKAv1-MD5",
                "QOP=\"auth-int\""})},
         true},
        {"spaces around =", {with_algorithm("algorithm = AKAv1-MD5")}, true},
        {"no space after comma",
         {"Digest " + kRealm + "," + kNonce + "," + kAlgorithm + "," + kQop},
         true},
        {"nonce unquoted",
         {with_nonce("nonce=I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5jH8/DXI/skQ=")},
         true},
        {"server data of 1 octet", {with_nonce("nonce=\"" + base64_of(33) + "\"")}, true},
        {"server data of 64 octets", {with_nonce("nonce=\"" + base64_of(96) + "\"")}, true},
        {"stale", {with_more("stale=true")}, true},
        {"domain", {with_more(R"(domain="/")")}, true},
        {"unknown parameter", {with_more(R"(x-vendor="1, 2")")}, true},
        {"empty opaque", {with_more(R"(opaque="")")}, true},
        {"opaque with quotes", {with_more(R"(opaque="a\"b\\c")")}, true},
        // algorithm
        {"algorithm missing", {join({kRealm, kNonce, kQop})}, false},
        {"algorithm MD5", {with_algorithm("algorithm=MD5")}, false},
        {"algorithm MD5-sess", {with_algorithm("algorithm=MD5-sess")}, false},
        {"algorithm AKAv1-MD5-sess", {with_algorithm("algorithm=AKAv1-MD5-sess")}, false},
        {"algorithm AKAv2-MD5", {with_algorithm("algorithm=AKAv2-MD5")}, false},
        {"algorithm AKAv2-SHA-256", {with_algorithm("algorithm=AKAv2-SHA-256")}, false},
        {"algorithm SHA-256", {with_algorithm("algorithm=SHA-256")}, false},
        {"algorithm in small letters", {with_algorithm("algorithm=akav1-md5")}, false},
        {"algorithm with a tail", {with_algorithm("algorithm=AKAv1-MD5x")}, false},
        {"algorithm with a space", {with_algorithm(R"(algorithm="AKAv1-MD5 ")")}, false},
        {"algorithm empty", {with_algorithm(R"(algorithm="")")}, false},
        {"algorithm list", {with_algorithm(R"(algorithm="MD5,AKAv1-MD5")")}, false},
        {"algorithm twice", {with_more(kAlgorithm)}, false},
        {"algorithm twice, different", {with_more("algorithm=MD5")}, false},
        // qop
        {"qop missing", {join({kRealm, kNonce, kAlgorithm})}, false},
        {"qop auth", {with_qop(R"(qop="auth")")}, false},
        {"qop empty", {with_qop(R"(qop="")")}, false},
        {"qop auth-integrity", {with_qop(R"(qop="auth-integrity")")}, false},
        {"qop without comma", {with_qop(R"(qop="auth auth-int")")}, false},
        {"qop twice", {with_more(R"(qop="auth")")}, false},
        // realm
        {"realm missing", {join({kNonce, kAlgorithm, kQop})}, false},
        {"realm empty", {with_realm(R"(realm="")")}, false},
        {"realm of another BSF",
         {with_realm(R"(realm="bsf.mnc002.mcc001.pub.3gppnetwork.org")")},
         false},
        {"realm of a NAF", {with_realm(R"(realm="3GPP-bootstrapping@naf.example.org")")}, false},
        {"realm with a longer name",
         {with_realm(R"(realm="bsf.mnc001.mcc001.pub.3gppnetwork.org.evil.org")")},
         false},
        {"realm with a dot at its end",
         {with_realm(R"(realm="bsf.mnc001.mcc001.pub.3gppnetwork.org.")")},
         false},
        {"realm in capitals",
         {with_realm(R"(realm="BSF.mnc001.mcc001.pub.3gppnetwork.org")")},
         false},
        {"realm list", {with_realm(R"(realm="bsf.mnc001.mcc001.pub.3gppnetwork.org;x")")}, false},
        {"realm twice", {with_more(kRealm)}, false},
        // nonce
        {"nonce missing", {join({kRealm, kAlgorithm, kQop})}, false},
        {"nonce empty", {with_nonce(R"(nonce="")")}, false},
        {"nonce of 31 octets", {with_nonce("nonce=\"" + base64_of(31) + "\"")}, false},
        {"nonce of 16 octets", {with_nonce("nonce=\"" + base64_of(16) + "\"")}, false},
        {"nonce in hex", {with_nonce("nonce=\"" + std::string(63, 'a') + "\"")}, false},
        {"nonce without padding",
         {with_nonce(R"(nonce="I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5jH8/DXI/skQ")")},
         false},
        {"nonce with bits behind its end",
         {with_nonce(R"(nonce="I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5jH8/DXI/skR=")")},
         false},
        {"nonce in base64url",
         {with_nonce(R"(nonce="I1U8vpY3qJ0hiuZNrke_NVXzKLQ1d7m5jH8_DXI_skQ=")")},
         false},
        {"nonce with white space",
         {with_nonce(R"(nonce="I1U8vpY3qJ0hiuZNrke/NVXz KLQ1d7m5jH8/DXI/skQ=")")},
         false},
        {"nonce twice", {with_more(R"(nonce="AAAA")")}, false},
        // the field itself
        {"no field", {}, false},
        {"two fields", {good, good}, false},
        {"Basic beside Digest", {good, R"(Basic realm="x")"}, false},
        {"Basic", {R"(Basic realm="bsf.mnc001.mcc001.pub.3gppnetwork.org")"}, false},
        {"Basic behind Digest", {good + R"(, Basic realm="x")"}, false},
        {"Basic before Digest", {R"(Basic realm="x", )" + good}, false},
        {"two Digest challenges in one field", {good + ", " + good}, false},
        {"an MD5 challenge first",
         {"Digest realm=\"x\", nonce=\"y\", algorithm=MD5, " + good},
         false},
        {"empty field", {""}, false},
        {"scheme alone", {"Digest"}, false},
        {"scheme and space", {"Digest "}, false},
        {"no scheme", {good.substr(7)}, false},
        {"unterminated string", {with_more(R"(opaque="abc)")}, false},
        {"control character", {with_more("opaque=\"a\x01\"")}, false},
        {"NUL", {with_more(std::string("opaque=\"a\0b\"", 12))}, false},
        {"33 parameters",
         {[&] {
             std::string text = good;
             for (int i = 0; i < 28; ++i) {
                 text += ", p" + std::to_string(i) + "=1";
             }
             return text;
         }()},
         false},
        {"above 4096 octets", {with_more("x=\"" + std::string(4096, 'a') + "\"")}, false},
    };
}

HttpResponse response_with(const Row& row) {
    HttpResponse response{.status = 401, .headers = {}, .body = {}};
    for (const auto& field : row.fields) {
        response.headers.add("WWW-Authenticate", field);
    }
    return response;
}

TEST(Challenge, Table) {
    const auto table = rows();
    ASSERT_GE(table.size(), 60U);
    for (const auto& row : table) {
        const auto response = response_with(row);
        const auto challenge = accept_challenge(response.headers, kBsfFqdn);
        EXPECT_EQ(challenge.has_value(), row.accepted) << row.name;
        if (!challenge) {
            EXPECT_EQ(challenge.error().code, Errc::BsfBadAnswer) << row.name;
        }
    }
}

// The same table through a whole run: a card that would fail the test at its first command.
TEST(Challenge, RefusedOnesReachNoCard) {
    for (const auto& row : rows()) {
        if (row.accepted) {
            continue;
        }
        RunFixture run;
        run.http.expect(HttpRequest{}, response_with(row));
        const auto result = run.start();
        ASSERT_FALSE(result) << row.name;
        EXPECT_EQ(result.error().code, Errc::BsfBadAnswer) << row.name;
        EXPECT_EQ(run.card.played(), 0U) << row.name;
        EXPECT_TRUE(run.finished()) << row.name;
    }
}

TEST(Challenge, ValuesOfTheWorkedExample) {
    const auto json = vectors::load("worked_example.json");
    HttpHeaders headers;
    headers.add("www-authenticate", with_more(kOpaque));
    const auto challenge = accept_challenge(headers, kBsfFqdn).value();
    EXPECT_EQ(challenge.realm, kBsfFqdn);
    EXPECT_EQ(challenge.nonce, json["gba_u"]["ub"]["nonce"]);
    EXPECT_EQ(challenge.opaque, json["digest_constants"]["opaque"]);
    EXPECT_EQ(to_hex(challenge.aka.rand), json["milenage"]["rand"]);
    EXPECT_EQ(to_hex(challenge.aka.autn), json["gba_u"]["autn_star_sent"]);
}

TEST(Challenge, OpaqueIsKeptUnescaped) {
    HttpHeaders headers;
    headers.add("WWW-Authenticate", with_more(R"(opaque="a\"b\\c")"));
    EXPECT_EQ(accept_challenge(headers, kBsfFqdn).value().opaque, R"(a"b\c)");
}

} // namespace
} // namespace mtkey::gba
