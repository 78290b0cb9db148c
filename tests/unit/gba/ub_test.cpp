// SPDX-License-Identifier: Apache-2.0
#include "run_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::gba {
namespace {

struct StatusRow {
    unsigned status;
    Errc code;
};
// 401 stands for itself below.
constexpr std::array kStatuses{
    StatusRow{100, Errc::BsfBadAnswer},   StatusRow{201, Errc::BsfBadAnswer},
    StatusRow{204, Errc::BsfBadAnswer},   StatusRow{301, Errc::BsfBadAnswer},
    StatusRow{302, Errc::BsfBadAnswer},   StatusRow{307, Errc::BsfBadAnswer},
    StatusRow{308, Errc::BsfBadAnswer},   StatusRow{400, Errc::BsfBadAnswer},
    StatusRow{403, Errc::BsfRejected},    StatusRow{404, Errc::BsfBadAnswer},
    StatusRow{407, Errc::BsfBadAnswer},   StatusRow{429, Errc::BsfUnreachable},
    StatusRow{500, Errc::BsfUnreachable}, StatusRow{502, Errc::BsfUnreachable},
    StatusRow{503, Errc::BsfUnreachable}, StatusRow{504, Errc::BsfUnreachable},
    StatusRow{599, Errc::BsfUnreachable}, StatusRow{600, Errc::BsfBadAnswer},
    StatusRow{999, Errc::BsfBadAnswer}};

TEST(Ub, StatusOfTheFirstAnswer) {
    for (const auto& row : kStatuses) {
        RunFixture run;
        auto response = status(row.status);
        response.headers.add("Location", "http://bsf.mnc001.mcc001.pub.3gppnetwork.org/other");
        run.http.expect(HttpRequest{}, response);
        const auto error = run.start().error();
        EXPECT_EQ(error.code, row.code) << row.status;
        EXPECT_EQ(error.detail, row.status);
        EXPECT_TRUE(run.finished());
        EXPECT_EQ(run.http.requests().size(), 1U); // no redirect is followed, nothing tried again
    }
}

TEST(Ub, StatusAfterTheCard) {
    auto rows = std::vector<StatusRow>(kStatuses.begin(), kStatuses.end());
    rows.push_back({401, Errc::BsfRejected});
    for (const auto& row : rows) {
        RunFixture run;
        run.settings.gbabp_size = 120;
        run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
        run.card.expect(dd_command(), dd_answer());
        auto response = status(row.status);
        response.headers = unauthorized(kGbaU.nonce()).headers; // a good challenge, too late
        run.http.expect(HttpRequest{}, response);
        const auto error = run.start().error();
        EXPECT_EQ(error.code, row.code) << row.status;
        EXPECT_EQ(error.detail, row.status);
        EXPECT_TRUE(run.finished()) << run.card.trouble();
        // The old Ks of the card is gone all the same.
        EXPECT_EQ(run.announced, std::vector<std::size_t>{0});
    }
}

TEST(Ub, ErrorsOfTheExchange) {
    struct Mapping {
        Errc from;
        Errc to;
    };
    for (const auto& row :
         {Mapping{Errc::BsfUnreachable, Errc::BsfUnreachable},
          Mapping{Errc::IoFailed, Errc::BsfUnreachable},
          Mapping{Errc::PeerUntrusted, Errc::PeerUntrusted},
          Mapping{Errc::Malformed, Errc::BsfBadAnswer},
          Mapping{Errc::LimitExceeded, Errc::BsfBadAnswer},
          Mapping{Errc::Cancelled, Errc::Cancelled}, Mapping{Errc::TimedOut, Errc::TimedOut}}) {
        RunFixture first;
        first.http.expect(HttpRequest{}, fail(row.from, "scripted", 7));
        const auto error = first.start().error();
        EXPECT_EQ(error.code, row.to);
        EXPECT_EQ(error.detail, 7U);
        EXPECT_EQ(first.card.played(), 0U);

        RunFixture second;
        second.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
        second.card.expect(dd_command(), dd_answer());
        second.http.expect(HttpRequest{}, fail(row.from, "scripted"));
        EXPECT_EQ(second.start().error().code, row.to);
        EXPECT_TRUE(second.finished());
    }
}

TEST(Ub, NoRandomness) {
    RunFixture run;
    run.random = fakes::FixedRandom();
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    EXPECT_EQ(run.start().error().code, Errc::RandomFailed);
    EXPECT_TRUE(run.finished());
}

TEST(Ub, OpaqueIsEchoedOnlyIfItCame) {
    const auto challenge = [](const std::string& more) {
        auto response = status(401);
        response.headers.add("WWW-Authenticate",
                             "Digest realm=\"" + kBsfFqdn + "\", nonce=\"" + kGbaU.nonce() +
                                 "\", algorithm=AKAv1-MD5, qop=\"auth,auth-int\"" + more);
        return response;
    };
    struct Row {
        std::string more;
        std::string echoed;
    };
    for (const auto& row : {Row{"", ""}, Row{R"(, opaque="")", R"(opaque="")"},
                            Row{R"(, opaque="a\"\\b")", R"(opaque="a\"\\b")"},
                            Row{", opaque=abc", R"(opaque="abc")"}}) {
        RunFixture run;
        run.http.expect(HttpRequest{}, challenge(row.more));
        run.card.expect(dd_command(), dd_answer());
        run.http.expect(accepting(kGbaU.res(), document("2030-01-01T12:00:00Z")));
        ASSERT_TRUE(run.start());
        const auto header =
            run.http.requests().back().headers.single("Authorization").value().value();
        EXPECT_EQ(header.find("opaque") != std::string_view::npos, !row.echoed.empty()) << header;
        EXPECT_NE(header.find(row.echoed), std::string_view::npos) << header;
        EXPECT_NE(header.find("qop=auth-int, nc=00000001,"), std::string_view::npos) << header;
    }
}

// What stands in the nonce behind RAND and AUTN is the BSF's own: hashed and echoed as it came.
TEST(Ub, ServerDataInTheNonce) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{64}}) {
        auto raw = from_base64(kGbaU.nonce()).value();
        raw.insert(raw.end(), size, 0x22);
        RunFixture run;
        run.http.expect(HttpRequest{}, unauthorized(to_base64(raw)));
        run.card.expect(dd_command(), dd_answer());
        run.http.expect(accepting(kGbaU.res(), document("2030-01-01T12:00:00Z")));
        ASSERT_TRUE(run.start()) << size;
        EXPECT_TRUE(run.finished()) << run.card.trouble();
        const auto header =
            run.http.requests().back().headers.single("Authorization").value().value();
        EXPECT_NE(header.find("nonce=\"" + to_base64(raw) + "\""), std::string_view::npos);
    }
}

TEST(Ub, DatesOfTheRequests) {
    struct Row {
        const char* utc;
        const char* header;
    };
    for (const auto& row : {Row{"2026-11-24T05:06:07Z", "Tue, 24 Nov 2026 05:06:07 GMT"},
                            Row{"2024-02-29T23:59:59Z", "Thu, 29 Feb 2024 23:59:59 GMT"},
                            Row{"1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"}}) {
        RunFixture run;
        run.clock.set_utc(row.utc);
        run.http.expect(HttpRequest{}, status(500));
        EXPECT_FALSE(run.start());
        EXPECT_EQ(run.http.requests().front().headers.single("Date").value(), row.header);
    }
}

// What goes out holds the IMPI only where it must be, and Host is the client's.
TEST(Ub, HeadersOfTheRequests) {
    RunFixture run;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    run.http.expect(accepting(kGbaU.res(), document("2030-01-01T12:00:00Z")));
    ASSERT_TRUE(run.start());
    ASSERT_EQ(run.http.requests().size(), 2U);
    for (const auto& request : run.http.requests()) {
        EXPECT_EQ(request.method, "GET");
        EXPECT_EQ(request.target, "/");
        EXPECT_TRUE(request.body.empty());
        std::vector<std::string> names;
        for (const auto& [name, value] : request.headers.fields()) {
            names.push_back(name);
        }
        EXPECT_EQ(names,
                  (std::vector<std::string>{"User-Agent", "Date", "Accept", "Authorization"}));
    }
}

} // namespace
} // namespace mtkey::gba
