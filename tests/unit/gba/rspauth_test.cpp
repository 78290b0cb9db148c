// SPDX-License-Identifier: Apache-2.0
#include "run_fixture.hpp"

#include <gtest/gtest.h>

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
Result<Context> run_with(const HttpResponse& response, bool require_rspauth = true,
                         Mode mode = Mode::GbaU) {
    RunFixture run(ModePolicy::PreferUicc, mode == Mode::GbaU);
    run.settings.require_rspauth = require_rspauth;
    run.settings.gbabp_size = require_rspauth ? 120 : 0;
    if (mode == Mode::GbaU) {
        run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
        run.card.expect(dd_command(), dd_answer());
    } else {
        run.http.expect(HttpRequest{}, unauthorized(kGbaMe.nonce()));
        run.card.expect(g3_command(), g3_answer());
    }
    run.http.expect(HttpRequest{}, response);
    auto result = run.start();
    if (!result) {
        EXPECT_TRUE(run.finished()) << run.card.trouble();
    }
    return result;
}

void expect_untrusted(const HttpResponse& response, const std::string& why,
                      Mode mode = Mode::GbaU) {
    const auto result = run_with(response, true, mode);
    ASSERT_FALSE(result) << why;
    EXPECT_EQ(result.error().code, Errc::BsfUntrusted) << why << ": " << describe(result.error());
}

std::string flipped(std::string text, std::size_t bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    return text;
}

/// Both modes, each of which has its own RES and so its own rspauth.
class EveryBit : public testing::TestWithParam<Mode> {
protected:
    const std::string rspauth_ = (GetParam() == Mode::GbaU ? kGbaU : kGbaMe).rspauth();
};
INSTANTIATE_TEST_SUITE_P(Rspauth, EveryBit, testing::Values(Mode::GbaU, Mode::GbaMe),
                         [](const auto& instance) {
                             return std::string(instance.param == Mode::GbaU ? "GbaU" : "GbaMe");
                         });

TEST_P(EveryBit, OfTheBody) {
    for (std::size_t bit = 0; bit < kBody.size() * 8; ++bit) {
        expect_untrusted(ok(info_of(rspauth_), flipped(kBody, bit)), "bit " + std::to_string(bit),
                         GetParam());
    }
}

// None is left out: not the case of a name or of a hex digit, and not what need not be there at
// all.
TEST_P(EveryBit, OfAuthenticationInfo) {
    const auto opaque = text(example()["digest_constants"]["opaque"]);
    const auto nonce = (GetParam() == Mode::GbaU ? kGbaU : kGbaMe).nonce();
    for (const auto& good :
         {info_of(rspauth_),
          "nc=00000001,cnonce=" + kCnonce + ",qop=\"auth-int\",rspauth=" + rspauth_,
          "nc=\"00000001\" , cnonce = \"" + kCnonce + "\" ,  qop=auth-int, rspauth=\"" + rspauth_ +
              "\", opaque=\"" + opaque + "\", nonce=\"" + nonce + "\", algorithm=AKAv1-MD5"}) {
        ASSERT_TRUE(run_with(ok(good, kBody), false, GetParam())) << good;
        for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
            const auto info = flipped(good, bit);
            expect_untrusted(ok(info, kBody), "bit " + std::to_string(bit) + " of " + info,
                             GetParam());
        }
    }
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
    std::string capitals = rspauth;
    std::ranges::transform(capitals, capitals.begin(), [](char c) {
        return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    expect_untrusted(ok(info_of(capitals), kBody), "hex in capitals");
    expect_untrusted(ok("Q" + info_of(rspauth).substr(1), kBody), "a name in capitals");
    for (const char* more : {R"(, opaque="x")", R"(, nonce="y")", R"(, realm="z")",
                             ", algorithm=MD5", ", x-vendor=1", R"(, auts="")"}) {
        expect_untrusted(ok(info_of(rspauth) + more, kBody), more);
    }
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
          "\tqop = auth-int ,, cnonce = \"" + kCnonce + "\"  ,rspauth=\"" + rspauth +
              "\",\tnc=\"00000001\" ,",
          info_of(rspauth) + R"(, nextnonce="abc")",
          info_of(rspauth) + ", username=\"" + text(example()["identities"]["impi"]) +
              "\", realm=\"" + kBsfFqdn + R"(", uri="/", algorithm=AKAv1-MD5)"}) {
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
