// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/zn_handler.hpp"

#include "base/steps.hpp"
#include "network/common/zn.hpp"
#include "unit/network/bsf_fixture.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

namespace mtkey::bsf {
namespace {

using std::chrono::hours;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

class ZnHandlerTest : public BsfTest {
protected:
    ZnHandler zn{{{"nafkc.example.org", {naf_fqdn, "second.example.org"}},
                  {"other.example.org", {"third.example.org"}}},
                 store,
                 clock};

    http::Peer peer(std::vector<std::string> names = {"nafkc.example.org"}) {
        http::Peer out;
        out.address = "127.0.0.1:4711";
        out.authenticated = true;
        out.san_dns = std::move(names);
        out.client_auth_usage = true;
        out.not_after = (clock.utc_now() + hours(24 * 365)).time_since_epoch().count();
        return out;
    }
    Json body(const std::string& b_tid, const std::string& fqdn_of_naf) const {
        return {{"btId", b_tid},
                {"nafId", {{"nafFqdn", fqdn_of_naf}, {"uaSecProtId", "ff00033259"}}}};
    }
    HttpRequest request(const Json& content) const {
        HttpRequest out;
        out.method = "POST";
        out.target = std::string(network::kRetrievalPath);
        out.headers.add("Content-Type", "application/json");
        out.body = content.dump();
        return out;
    }
    HttpResponse ask(const Json& content, const http::Peer& from) {
        return zn.handle(request(content), from);
    }

    /// The bootstrapping of the worked example.
    void bootstrap_example(std::string_view mode, const char* column) {
        start(mode);
        next_of_example();
        ASSERT_EQ(BsfTest::ask().status, 401u);
        ASSERT_EQ(send(std::string(example[column]["ub"]["authorization_header"])).status, 200u);
    }
    void expect_problem(const HttpResponse& response, unsigned status, const char* cause) {
        EXPECT_EQ(response.status, status);
        EXPECT_EQ(header_of(response, "Content-Type"), "application/problem+json");
        const auto problem = Json::parse(response.body);
        EXPECT_EQ(problem["status"], status);
        EXPECT_EQ(problem["cause"], cause);
        EXPECT_THAT(response.body, Not(HasSubstr("KeyMaterial")));
    }
};

TEST_F(ZnHandlerTest, WorkedExampleOfGbaMe) {
    bootstrap_example("gba-me", "gba_me");
    auto content = body(example["btid"], naf_fqdn);
    content["gbaUAware"] = true; // aware, but there is no UICC key
    const auto response = ask(content, peer());
    ASSERT_EQ(response.status, 200u) << response.body;
    EXPECT_EQ(header_of(response, "Content-Type"), "application/json");
    const auto answer = Json::parse(response.body);
    EXPECT_EQ(answer["meKeyMaterial"], example["gba_me"]["ks_naf"]);
    EXPECT_FALSE(answer.contains("uiccKeyMaterial"));
    EXPECT_EQ(answer["keyExpiryTime"], example["lifetime"]);
    EXPECT_EQ(answer["bootstrappingInfoCreationTime"], "2029-12-31T12:00:00Z");
    EXPECT_EQ(answer["gbaType"], "3G_GBA");
    EXPECT_EQ(answer["impi"], impi);
}

TEST_F(ZnHandlerTest, WorkedExampleOfGbaU) {
    bootstrap_example("gba-u", "gba_u");
    auto content = body(example["btid"], naf_fqdn);
    const auto unaware = Json::parse(ask(content, peer()).body);
    EXPECT_EQ(unaware["meKeyMaterial"], example["gba_u"]["ks_ext_naf"]);
    EXPECT_FALSE(unaware.contains("uiccKeyMaterial"));
    content["gbaUAware"] = true;
    const auto aware = Json::parse(ask(content, peer()).body);
    EXPECT_EQ(aware["meKeyMaterial"], example["gba_u"]["ks_ext_naf"]);
    EXPECT_EQ(aware["uiccKeyMaterial"], example["gba_u"]["ks_int_naf"]);
}

TEST_F(ZnHandlerTest, WhoMayAskForWhat) {
    bootstrap_example("gba-u", "gba_u");
    struct Row {
        std::vector<std::string> names;
        std::string naf;
        unsigned status;
    };
    const std::vector<Row> rows{
        {{"nafkc.example.org"}, naf_fqdn, 200},
        {{"NAFKC.example.ORG"}, naf_fqdn, 200},
        {{"nafkc.example.org"}, "second.example.org", 200},
        {{"nafkc.example.org"}, "SECOND.example.org", 200},
        {{"nafkc.example.org"}, "third.example.org", 403},
        {{"nafkc.example.org"}, "fourth.example.org", 403},
        {{"nafkc.example.org"}, "x.second.example.org", 403},
        {{"other.example.org"}, "third.example.org", 200},
        {{"other.example.org"}, naf_fqdn, 403},
        {{"other.example.org", "nafkc.example.org"}, naf_fqdn, 200},
        {{"other.example.org", "nafkc.example.org"}, "third.example.org", 200},
        {{"unknown.example.org"}, naf_fqdn, 403},
        {{"*.example.org"}, naf_fqdn, 403},
        {{"example.org"}, naf_fqdn, 403},
        {{"nafkc.example.org."}, naf_fqdn, 403},
        {{""}, naf_fqdn, 403},
        {{naf_fqdn}, naf_fqdn, 403}, // the NAF's own name is not the client's
        {{}, naf_fqdn, 403},
    };
    for (const auto& row : rows) {
        const auto response = ask(body(example["btid"], row.naf), peer(row.names));
        EXPECT_EQ(response.status, row.status)
            << row.naf << " " << testing::PrintToString(row.names);
        EXPECT_EQ(response.body.find("meKeyMaterial") != std::string::npos, row.status == 200u);
    }
}

TEST_F(ZnHandlerTest, NotAllowedLooksTheSameForKnownAndUnknownBtids) {
    bootstrap_example("gba-u", "gba_u");
    const auto known = ask(body(example["btid"], "third.example.org"), peer());
    const auto unknown = ask(body("AAAAAAAAAAAAAAAAAAAAAA==@" + fqdn, "third.example.org"), peer());
    expect_problem(known, 403, "UNAUTHORIZED_CLIENT");
    EXPECT_EQ(known.body, unknown.body);
    EXPECT_EQ(known.headers.fields(), unknown.headers.fields());
}

TEST_F(ZnHandlerTest, UnknownAndExpiredBtidsLookTheSame) {
    bootstrap_example("gba-u", "gba_u");
    const auto unknown = ask(body("AAAAAAAAAAAAAAAAAAAAAA==@" + fqdn, naf_fqdn), peer());
    expect_problem(unknown, 404, "CONTEXT_NOT_FOUND");
    clock.advance(hours(24) - std::chrono::seconds(1));
    EXPECT_EQ(ask(body(example["btid"], naf_fqdn), peer()).status, 200u);
    clock.advance(std::chrono::seconds(1));
    const auto expired = ask(body(example["btid"], naf_fqdn), peer());
    expect_problem(expired, 404, "CONTEXT_NOT_FOUND");
    EXPECT_EQ(unknown.body, expired.body);
}

TEST_F(ZnHandlerTest, PreviousBtidGivesItsOwnKey) {
    start("gba-u");
    const auto first = bootstrap(1, true);
    const auto key_of = [&](const std::string& b_tid) {
        return Json::parse(ask(body(b_tid, naf_fqdn), peer()).body)["meKeyMaterial"]
            .get<std::string>();
    };
    const auto before = key_of(first);
    const auto second = bootstrap(2, true);
    EXPECT_EQ(key_of(first), before);
    EXPECT_NE(key_of(second), before);
}

TEST_F(ZnHandlerTest, CertificatesThatTheHandshakeLetPass) {
    bootstrap_example("gba-u", "gba_u");
    const auto content = body(example["btid"], naf_fqdn);
    auto none = peer();
    none.authenticated = false;
    expect_problem(ask(content, none), 403, "UNAUTHORIZED_CLIENT");
    auto no_usage = peer();
    no_usage.client_auth_usage = false;
    expect_problem(ask(content, no_usage), 403, "UNAUTHORIZED_CLIENT");
    auto ended = peer();
    ended.not_after = clock.utc_now().time_since_epoch().count() - 1;
    expect_problem(ask(content, ended), 403, "UNAUTHORIZED_CLIENT");
    ended.not_after = clock.utc_now().time_since_epoch().count();
    EXPECT_EQ(ask(content, ended).status, 200u);
}

TEST_F(ZnHandlerTest, OtherRequests) {
    bootstrap_example("gba-u", "gba_u");
    const auto good = request(body(example["btid"], naf_fqdn));
    for (const auto* target :
         {"/", "/nbsp-gba/v1", "/nbsp-gba/v2/bootstrapping-info-retrieval",
          "/nbsp-gba/v1/bootstrapping-info-retrieval/", "/nbsp-gba/v1/push-info-retrieval",
          "/nbsp-gba/v1/bootstrapping-info-retrieval?x"}) {
        auto changed = good;
        changed.target = target;
        expect_problem(zn.handle(changed, peer()), 404, "RESOURCE_URI_STRUCTURE_NOT_FOUND");
    }
    for (const auto* method : {"GET", "PUT", "post"}) {
        auto changed = good;
        changed.method = method;
        const auto response = zn.handle(changed, peer());
        expect_problem(response, 405, "INVALID_API");
        EXPECT_EQ(header_of(response, "Allow"), "POST");
    }
    for (const auto* body_text : {"", "{}", "[]", "not json", R"({"btId":"x"})"}) {
        auto changed = good;
        changed.body = body_text;
        EXPECT_EQ(zn.handle(changed, peer()).status, 400u) << body_text;
    }
}

TEST_F(ZnHandlerTest, ContentTypes) {
    bootstrap_example("gba-u", "gba_u");
    const std::vector<std::pair<std::vector<std::string>, unsigned>> rows{
        {{"application/json"}, 200},
        {{"Application/JSON; charset=utf-8"}, 200},
        {{"application/json ;x=y"}, 200},
        {{}, 415},
        {{""}, 415},
        {{"text/json"}, 415},
        {{"application/json5"}, 415},
        {{"application/problem+json"}, 415},
        {{"application/json", "application/json"}, 415},
    };
    for (const auto& [types, status] : rows) {
        auto sent = request(body(example["btid"], naf_fqdn));
        sent.headers = {};
        for (const auto& type : types) {
            sent.headers.add("content-type", type);
        }
        EXPECT_EQ(zn.handle(sent, peer()).status, status) << testing::PrintToString(types);
    }
}

TEST_F(ZnHandlerTest, StepHoldsNoKeyAndNoImpi) {
    bootstrap_example("gba-u", "gba_u");
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    set_step_fd(ends[1]);
    ASSERT_EQ(ask(body(example["btid"], naf_fqdn), peer()).status, 200u);
    ASSERT_EQ(ask(body("unknown", naf_fqdn), peer()).status, 404u);
    set_step_fd(-1);
    ::close(ends[1]);
    std::string lines(4096, '\0');
    lines.resize(static_cast<std::size_t>(
        std::max<ssize_t>(0, ::read(ends[0], lines.data(), lines.size()))));
    ::close(ends[0]);
    ASSERT_EQ(std::ranges::count(lines, '\n'), 1) << lines;
    const auto step = Json::parse(lines);
    EXPECT_EQ(step["step"], "credentials-returned");
    EXPECT_EQ(step["full"], 14);
    EXPECT_EQ(step["mode"], "gba-u");
    EXPECT_EQ(step["naf_id"], naf_fqdn + "/ff00033259");
    EXPECT_THAT(lines, Not(HasSubstr(std::string(example["gba_u"]["ks_ext_naf"]))));
    EXPECT_THAT(lines, Not(HasSubstr("001010123456789")));
}

} // namespace
} // namespace mtkey::bsf
