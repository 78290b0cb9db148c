// SPDX-License-Identifier: Apache-2.0
#include "run_fixture.hpp"

#include <gtest/gtest.h>

#include <cctype>

namespace mtkey::gba {
namespace {

// Threats N3: nothing of a 200 is used before rspauth holds over it.

const std::string kCnonce = "6629fae49393a05397450978507c4ef1";
const std::string kBody = text(example()["bsf_200_body"]);

std::string info_of(const std::string& rspauth, const std::string& cnonce = kCnonce,
                    const std::string& nc = "00000001", const std::string& qop = "auth-int") {
    return "qop=" + qop + ", rspauth=\"" + rspauth + "\", cnonce=\"" + cnonce + "\", nc=" + nc;
}

/// A run up to the 200 given. A card that would fail the test if EF_GBABP were touched.
Result<Context> run_with(const HttpResponse& response, bool require_rspauth = true) {
    RunFixture run;
    run.settings.require_rspauth = require_rspauth;
    run.settings.gbabp_size = require_rspauth ? 120 : 0;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    run.http.expect(HttpRequest{}, response);
    auto result = run.start();
    if (!result) {
        EXPECT_TRUE(run.finished()) << run.card.trouble();
    }
    return result;
}

void expect_untrusted(const HttpResponse& response, const std::string& why) {
    const auto result = run_with(response);
    ASSERT_FALSE(result) << why;
    EXPECT_EQ(result.error().code, Errc::BsfUntrusted) << why << ": " << describe(result.error());
}

TEST(Rspauth, EveryBitOfTheBody) {
    for (std::size_t bit = 0; bit < kBody.size() * 8; ++bit) {
        auto body = kBody;
        body[bit / 8] = static_cast<char>(body[bit / 8] ^ (1 << (bit % 8)));
        expect_untrusted(ok(info_of(kGbaU.rspauth()), body), "bit " + std::to_string(bit));
    }
}

/// Names of parameters and hex digits compare without case: such a flip changes nothing that was
/// said.
bool only_case(const std::string& good, std::size_t at, char flipped) {
    if (std::tolower(static_cast<unsigned char>(good[at])) !=
        std::tolower(static_cast<unsigned char>(flipped))) {
        return false;
    }
    const auto value = good.find(kGbaU.rspauth());
    const bool in_rspauth = at >= value && at < value + 32;
    const auto next = good.find_first_not_of("abcdefghijklmnopqrstuvwxyz", at);
    const bool in_name = next != std::string::npos && good[next] == '=';
    return in_rspauth || in_name;
}

TEST(Rspauth, EveryBitOfAuthenticationInfo) {
    const auto good = info_of(kGbaU.rspauth());
    unsigned refused = 0;
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto info = good;
        info[bit / 8] = static_cast<char>(info[bit / 8] ^ (1 << (bit % 8)));
        if (only_case(good, bit / 8, info[bit / 8])) {
            continue;
        }
        expect_untrusted(ok(info, kBody), "bit " + std::to_string(bit) + " of " + info);
        ++refused;
    }
    EXPECT_GT(refused, 700U);
}

TEST(Rspauth, EveryTruncation) {
    const auto good = info_of(kGbaU.rspauth());
    // The last digit of nc is the last octet: no shorter one is whole.
    for (std::size_t size = 0; size < good.size(); ++size) {
        expect_untrusted(ok(good.substr(0, size), kBody), std::to_string(size));
    }
    for (std::size_t size = 0; size < kBody.size(); ++size) {
        expect_untrusted(ok(good, kBody.substr(0, size)), std::to_string(size));
    }
    expect_untrusted(ok(good, kBody + " "), "one octet more");
}

TEST(Rspauth, WrongInOtherWays) {
    const auto rspauth = kGbaU.rspauth();
    expect_untrusted(ok(info_of(kGbaMe.rspauth()), kBody), "RES not flipped");
    expect_untrusted(ok(info_of(text(kGbaU.json["ub"]["response"])), kBody),
                     "our own response back");
    expect_untrusted(ok(info_of(std::string(32, '0')), kBody), "zeros");
    expect_untrusted(ok(info_of(""), kBody), "empty");
    expect_untrusted(ok(info_of(rspauth + "00"), kBody), "longer");
    expect_untrusted(ok(info_of(rspauth, "00" + kCnonce.substr(2)), kBody), "cnonce");
    expect_untrusted(ok(info_of(rspauth, ""), kBody), "empty cnonce");
    expect_untrusted(ok(info_of(rspauth, kCnonce, "00000002"), kBody), "nc");
    expect_untrusted(ok(info_of(rspauth, kCnonce, "1"), kBody), "short nc");
    expect_untrusted(ok(info_of(rspauth, kCnonce, "00000001", "auth"), kBody), "qop");
    expect_untrusted(ok("rspauth=\"" + rspauth + "\"", kBody), "alone");
    expect_untrusted(ok("cnonce=\"" + kCnonce + "\", nc=00000001, qop=auth-int", kBody),
                     "without it");
    expect_untrusted(ok(info_of(rspauth) + ", rspauth=\"" + rspauth + "\"", kBody), "twice");
    expect_untrusted(ok("Digest " + info_of(rspauth), kBody), "with a scheme");
    auto twice = ok(info_of(rspauth), kBody);
    twice.headers.add("authentication-info", info_of(rspauth));
    expect_untrusted(twice, "two fields");
    HttpResponse missing{.status = 200, .headers = {}, .body = kBody};
    missing.headers.add("Content-Type", "application/vnd.3gpp.bsf+xml");
    expect_untrusted(missing, "no field");
}

TEST(Rspauth, OtherSpellingsOfTheSame) {
    const auto rspauth = kGbaU.rspauth();
    for (const auto& info :
         {info_of(rspauth),
          "nc=00000001,cnonce=" + kCnonce + ",qop=\"auth-int\",rspauth=" + rspauth,
          info_of(rspauth) + R"(, nextnonce="abc", opaque="x", nonce="y")"}) {
        RunFixture run;
        run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
        run.card.expect(dd_command(), dd_answer());
        run.http.expect(HttpRequest{}, ok(info, kBody));
        EXPECT_TRUE(run.start()) << info;
    }
}

// Trust comes first: with a wrong rspauth nobody looks at type or document.
TEST(Rspauth, BeforeTheDocument) {
    expect_untrusted(ok(info_of(std::string(32, '0')), "<!DOCTYPE x>", "text/html"), "document");
}

TEST(Rspauth, NotRequired) {
    HttpResponse missing{.status = 200, .headers = {}, .body = kBody};
    missing.headers.add("Content-Type", "application/vnd.3gpp.bsf+xml");
    testing::internal::CaptureStderr();
    EXPECT_TRUE(run_with(missing, false));
    EXPECT_NE(testing::internal::GetCapturedStderr().find("require_rspauth is off"),
              std::string::npos);
    // A wrong one is never good enough.
    testing::internal::CaptureStderr();
    EXPECT_EQ(run_with(ok(info_of(std::string(32, '0')), kBody), false).error().code,
              Errc::BsfUntrusted);
    EXPECT_EQ(run_with(ok("", kBody), false).error().code, Errc::BsfUntrusted);
    testing::internal::GetCapturedStderr();
}

TEST(Rspauth, MediaType) {
    const auto bsf_xml = [](const std::string& type) {
        RunFixture run;
        run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
        run.card.expect(dd_command(), dd_answer());
        run.http.expect(HttpRequest{}, ok(info_of(kGbaU.rspauth()), kBody, type));
        return run.start();
    };
    for (const char* type :
         {"application/vnd.3gpp.bsf+xml", "Application/VND.3GPP.BSF+XML",
          "application/vnd.3gpp.bsf+xml; charset=utf-8",
          "application/vnd.3gpp.bsf+xml;charset=\"utf-8\"", "application/vnd.3gpp.bsf+xml ;x=y"}) {
        EXPECT_TRUE(bsf_xml(type)) << type;
    }
    for (const char* type : {"", "text/xml", "application/xml", "application/vnd.3gpp.bsf+xmlx",
                             "application/vnd.3gpp.bsf", "application/vnd.3gpp.bsf+json",
                             "text/html; application/vnd.3gpp.bsf+xml"}) {
        const auto result = bsf_xml(type);
        ASSERT_FALSE(result) << type;
        EXPECT_EQ(result.error().code, Errc::BsfBadAnswer) << type;
    }
    HttpResponse missing{.status = 200, .headers = {}, .body = kBody};
    missing.headers.add("Authentication-Info", info_of(kGbaU.rspauth()));
    EXPECT_EQ(run_with(missing).error().code, Errc::BsfBadAnswer);
    auto twice = ok(info_of(kGbaU.rspauth()), kBody);
    twice.headers.add("Content-Type", "application/vnd.3gpp.bsf+xml");
    EXPECT_EQ(run_with(twice).error().code, Errc::BsfBadAnswer);
    auto coded = ok(info_of(kGbaU.rspauth()), kBody);
    coded.headers.add("Content-Encoding", "gzip");
    EXPECT_EQ(run_with(coded).error().code, Errc::BsfBadAnswer);
}

// With the right rspauth a document that makes no sense is still refused, and EF_GBABP left alone.
TEST(Rspauth, TrustedButNoDocument) {
    for (const char* body : {"", "<x/>", "<!DOCTYPE x>"}) {
        RunFixture run;
        run.settings.gbabp_size = 120;
        run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
        run.card.expect(dd_command(), dd_answer());
        run.http.expect(accepting(kGbaU.res(), body));
        EXPECT_EQ(run.start().error().code, Errc::BsfBadAnswer);
        EXPECT_TRUE(run.finished()) << run.card.trouble();
    }
}

} // namespace
} // namespace mtkey::gba
