// SPDX-License-Identifier: Apache-2.0
#include "nafkc_fixture.hpp"

#include "base/steps.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <array>
#include <fstream>

namespace mtkey::nafkc {
namespace {

using namespace std::chrono_literals;

TEST_F(KeyCenterTest, GivesTheKeyOfTheWorkedExample) {
    const auto example = vectors::load("worked_example.json");
    ASSERT_EQ(kKsExtNaf, example["gba_u"]["ks_ext_naf"]);
    const auto response = ask();
    ASSERT_EQ(response.status, 200U) << response.body;
    EXPECT_EQ(response.headers.all("Content-Type").front(), "application/xml");
    EXPECT_EQ(response.headers.all("Cache-Control").front(), "no-store");
    const auto answer = keycenter::parse_answer(response.body);
    ASSERT_TRUE(answer);
    EXPECT_EQ(to_hex(answer->ks_local_mt.reveal()), kKsLocalMt);
    EXPECT_EQ(answer->b_tid, kBtid);
    EXPECT_EQ(answer->device_id, kDevice);
    EXPECT_EQ(answer->naf_id, (keycenter::NafIdText{kFqdn, "ff00033259"}));
    EXPECT_EQ(answer->profile, "draft-1");
    EXPECT_EQ(format_utc(answer->expires), "2026-01-02T00:00:00Z");
    // Source: python3: hmac.new(bytes(range(32)), b"mtkey mt-id\0" + lp(impi) + lp(device_id),
    // "sha256").digest()[:16]
    EXPECT_EQ(answer->mt_id, "mt-4b35633e3007f5cd40d0a04a442dafee");

    ASSERT_EQ(zn_requests_.size(), 1U);
    const auto& zn = zn_requests_.front();
    EXPECT_EQ(zn.method, "POST");
    EXPECT_EQ(zn.target, "/nbsp-gba/v1/bootstrapping-info-retrieval");
    EXPECT_EQ(zn.headers.all("Content-Type").front(), "application/json");
    EXPECT_EQ(zn.body, R"({"btId":")" + kBtid + R"(","nafId":{"nafFqdn":")" + kFqdn +
                           R"(","uaSecProtId":"ff00033259"},"gbaUAware":false})");
}

// Threat N9, what is decided above TLS.
TEST_F(KeyCenterTest, WhoIsNotServed) {
    const auto refused = [&](auto change) {
        auto peer = peer_of(kDevice);
        change(peer);
        const auto response = ask(request(), peer);
        EXPECT_TRUE(zn_requests_.empty());
        return response.status;
    };
    EXPECT_EQ(refused([](auto& p) { p.authenticated = false; }), 403U);
    EXPECT_EQ(refused([](auto& p) { p.client_auth_usage = false; }), 403U);
    EXPECT_EQ(refused([](auto& p) {
                  p.not_after = utc("2026-01-01T00:00:00Z").time_since_epoch().count();
              }),
              403U);
    EXPECT_EQ(refused([](auto& p) { p.not_after = 0; }), 403U);
    EXPECT_EQ(refused([](auto& p) { p.san_uris.clear(); }), 403U);
    EXPECT_EQ(refused([](auto& p) { p.san_uris = {kOtherDevice}; }), 403U);
    EXPECT_EQ(refused([](auto& p) { p.san_uris = {kDevice + "x"}; }), 403U);
    EXPECT_EQ(refused([](auto& p) { p.san_uris = {kDevice.substr(1)}; }), 403U);
    EXPECT_EQ(refused([](auto& p) { p.san_uris = {"URN" + kDevice.substr(3)}; }), 403U)
        << "octet by octet";
    EXPECT_EQ(refused([](auto& p) { p.san_uris.clear(), p.san_dns = {kDevice}; }), 403U);
    EXPECT_EQ(refused([](auto& p) { p = http::Peer{}; }), 403U);
    EXPECT_EQ(ask(request(),
                  [] {
                      auto peer = peer_of(kOtherDevice);
                      peer.san_uris.push_back(kDevice);
                      return peer;
                  }())
                  .status,
              200U);
}

TEST_F(KeyCenterTest, WhatIsNoRequest) {
    const auto status_of = [&](auto change) {
        auto http = post(request());
        change(http);
        const auto response = key_center_->handle(http, peer_of(kDevice));
        EXPECT_TRUE(zn_requests_.empty());
        EXPECT_EQ(response.headers.all("Content-Type").front(), "text/plain; charset=us-ascii");
        return response.status;
    };
    const auto type = [](std::string value) {
        return [value = std::move(value)](HttpRequest& http) {
            http.headers = {};
            http.headers.add("Host", kFqdn);
            http.headers.add("Content-Type", value);
        };
    };
    EXPECT_EQ(status_of([](auto& h) { h.target = "/"; }), 404U);
    EXPECT_EQ(status_of([](auto& h) { h.target += "?x"; }), 404U);
    EXPECT_EQ(status_of([](auto& h) { h.method = "GET"; }), 405U);
    EXPECT_EQ(status_of([](auto& h) { h.method = "post"; }), 405U);
    EXPECT_EQ(status_of(type("text/xml")), 415U);
    EXPECT_EQ(status_of(type("application/xml; charset=utf-16")), 415U);
    EXPECT_EQ(status_of(type("application/xml; version=2")), 415U);
    EXPECT_EQ(status_of([](auto& h) { h.headers = {}; }), 415U);
    EXPECT_EQ(status_of([](auto& h) { h.headers.add("Content-Type", "application/xml"); }), 415U);
    EXPECT_EQ(status_of([](auto& h) { h.body.clear(); }), 400U);
    EXPECT_EQ(status_of([](auto& h) { h.body.pop_back(), h.body.pop_back(); }), 400U);
    EXPECT_EQ(status_of([](auto& h) { h.body = "<!DOCTYPE x>" + h.body; }), 400U);

    for (const auto* good : {"Application/XML", "application/xml; charset=utf-8",
                             "application/xml;charset=\"UTF-8\""}) {
        auto http = post(request());
        type(good)(http);
        EXPECT_EQ(key_center_->handle(http, peer_of(kDevice)).status, 200U) << good;
    }
}

TEST_F(KeyCenterTest, WhichNafIdIsMeant) {
    const kdf::UaId other_ua{0x01, 0x00, 0x00, 0x00, 0x02};
    KeyCenterSettings settings;
    settings.nafs = {{kFqdn, kdf::kDefaultUaId},
                     {"two.example.org", kdf::kDefaultUaId},
                     {"two.example.org", other_ua}};
    make(std::move(settings));
    struct Row {
        std::optional<keycenter::NafIdText> named;
        std::string host;
        unsigned status;
        std::string served; ///< what the BSF is asked for
    };
    for (const auto& row : {
             Row{keycenter::NafIdText{kFqdn, "ff00033259"}, kFqdn, 200, kFqdn + "/ff00033259"},
             Row{keycenter::NafIdText{"two.example.org", "0100000002"}, kFqdn, 200,
                 "two.example.org/0100000002"},
             Row{keycenter::NafIdText{kFqdn, "0100000002"}, kFqdn, 409, ""},
             Row{keycenter::NafIdText{"three.example.org", "ff00033259"}, kFqdn, 409, ""},
             Row{std::nullopt, kFqdn, 200, kFqdn + "/ff00033259"},
             Row{std::nullopt, "NAFKC.mnc001.mcc001.pub.3gppnetwork.org:8443", 200,
                 kFqdn + "/ff00033259"},
             Row{std::nullopt, "two.example.org", 409, ""},
             Row{std::nullopt, "three.example.org", 409, ""},
             Row{std::nullopt, "", 409, ""},
         }) {
        zn_requests_.clear();
        clock_.advance(24h); // nothing from before is still there
        bsf_says(zn_answer_, 200, bsf_answer("2026-12-01T00:00:00Z", format_utc(clock_.utc_now())));
        auto http = post({kBtid + format_utc(clock_.utc_now()), kDevice, row.named});
        http.headers = {};
        http.headers.add("Content-Type", "application/xml");
        if (!row.host.empty()) {
            http.headers.add("Host", row.host);
        }
        const auto response = key_center_->handle(http, peer_of(kDevice));
        EXPECT_EQ(response.status, row.status) << row.host << response.body;
        ASSERT_EQ(zn_requests_.size(), row.served.empty() ? 0U : 1U);
        if (!row.served.empty()) {
            const auto asked = nlohmann::json::parse(zn_requests_.front().body)["nafId"];
            EXPECT_EQ(asked["nafFqdn"].get<std::string>() + "/" +
                          asked["uaSecProtId"].get<std::string>(),
                      row.served);
        }
    }
}

TEST_F(KeyCenterTest, WhatTheBsfMaySay) {
    const auto status_of = [&](Result<HttpResponse> answer) {
        zn_answer_ = std::move(answer);
        return ask().status;
    };
    const auto says = [](unsigned status, std::string body = "{}") {
        return HttpResponse{status, {}, std::move(body)};
    };
    EXPECT_EQ(status_of(says(404)), 410U) << "404 is for paths";
    const auto unknown = ask().body;
    EXPECT_EQ(status_of(says(403)), 410U);
    EXPECT_EQ(ask().body, unknown) << "unknown and not allowed look the same";
    for (const unsigned status : {201U, 301U, 400U, 401U, 429U, 500U, 503U}) {
        EXPECT_EQ(status_of(says(status)), 502U) << status;
    }
    EXPECT_EQ(status_of(fail(Errc::BsfUnreachable, "gone")), 502U);
    EXPECT_EQ(status_of(fail(Errc::PeerUntrusted, "who?")), 502U);
    EXPECT_EQ(status_of(fail(Errc::LimitExceeded)), 502U);
    EXPECT_EQ(status_of(says(200, "")), 502U);
    EXPECT_EQ(status_of(says(200, "<html>")), 502U);
    EXPECT_EQ(status_of(says(200)), 502U);
    EXPECT_EQ(status_of(says(200, bsf_answer())), 200U);
}

TEST_F(KeyCenterTest, GbaUCanBeRequired) {
    KeyCenterSettings settings;
    settings.require_gba_u = true;
    make(std::move(settings));
    EXPECT_EQ(ask().status, 403U) << "no uiccKeyMaterial: GBA_ME";
    EXPECT_TRUE(nlohmann::json::parse(zn_requests_.front().body)["gbaUAware"].get<bool>());
    bsf_says(zn_answer_, 200, bsf_answer("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", true));
    const auto response = ask();
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.body.find("8Qj8LUX8XoFtNjFtBLTRcAtap2z0XFEz+9MfW/Omso4="), std::string::npos)
        << "Ks_int_NAF";
}

TEST_F(KeyCenterTest, KeysOfASimMustBeAllowed) {
    auto answer = bsf_answer();
    answer.replace(answer.find("3G_GBA"), 6, "2G_GBA");
    make({});
    bsf_says(zn_answer_, 200, answer);
    EXPECT_EQ(ask().status, 403U);
    KeyCenterSettings settings;
    settings.allow_2g = true;
    make(std::move(settings));
    bsf_says(zn_answer_, 200, answer);
    EXPECT_EQ(ask().status, 200U);
}

TEST_F(KeyCenterTest, TheKeyEndsWithWhateverEndsFirst) {
    struct Row {
        const char* zn;
        const char* created;
        const char* certificate;
        const char* end; ///< empty = 410
    };
    KeyCenterSettings settings;
    settings.lifetime_cap = 48h;
    make(std::move(settings));
    int number = 0;
    for (const auto& row : {
             Row{"2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
                 "2026-01-02T00:00:00Z"},
             Row{"2026-06-01T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
                 "2026-01-03T00:00:00Z"},
             Row{"2026-06-01T00:00:00Z", "2025-12-31T00:00:00Z", "2027-01-01T00:00:00Z",
                 "2026-01-02T00:00:00Z"},
             Row{"2026-06-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T10:00:00Z",
                 "2026-01-01T10:00:00Z"},
             Row{"9999-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
                 "2026-01-03T00:00:00Z"},
             Row{"2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z", "2027-01-01T00:00:00Z", ""},
             Row{"2025-12-31T00:00:00Z", "2025-12-30T00:00:00Z", "2027-01-01T00:00:00Z", ""},
             Row{"2026-06-01T00:00:00Z", "2025-12-30T00:00:00Z", "2027-01-01T00:00:00Z", ""},
             Row{"1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", ""},
         }) {
        bsf_says(zn_answer_, 200, bsf_answer(row.zn, row.created));
        auto peer = peer_of(kDevice);
        peer.not_after = utc(row.certificate).time_since_epoch().count();
        auto wanted = request();
        wanted.b_tid += std::to_string(number++);
        const auto response = ask(wanted, peer);
        EXPECT_EQ(response.status, *row.end == '\0' ? 410U : 200U) << number;
        if (response.status == 200) {
            EXPECT_EQ(format_utc(keycenter::parse_answer(response.body)->expires), row.end)
                << number;
        }
    }
}

TEST_F(KeyCenterTest, ARepeatedRequestIsServedFromTheStoreAndRevivesNothing) {
    const auto first = ask();
    clock_.advance(12h);
    bsf_says(zn_answer_, 200, bsf_answer("2026-02-01T00:00:00Z", "2026-01-01T12:00:00Z"));
    const auto second = ask();
    EXPECT_EQ(second.body, first.body);
    EXPECT_EQ(zn_requests_.size(), 1U);
    // A certificate that ends earlier is obeyed, one that ends later changes nothing.
    auto peer = peer_of(kDevice);
    peer.not_after = utc("2026-01-01T18:00:00Z").time_since_epoch().count();
    EXPECT_EQ(format_utc(keycenter::parse_answer(ask(request(), peer).body)->expires),
              "2026-01-01T18:00:00Z");
    EXPECT_EQ(ask().body, first.body);
    // The stored key belongs to its device alone.
    auto foreign = request();
    EXPECT_EQ(ask(foreign, peer_of(kOtherDevice)).status, 403U);
    foreign.device_id = kOtherDevice;
    const auto other = keycenter::parse_answer(ask(foreign, peer_of(kOtherDevice)).body);
    ASSERT_TRUE(other);
    EXPECT_NE(to_hex(other->ks_local_mt.reveal()), kKsLocalMt);
    EXPECT_NE(other->mt_id, "mt-4b35633e3007f5cd40d0a04a442dafee");
    EXPECT_EQ(zn_requests_.size(), 2U);

    clock_.advance(12h);
    key_center_->purge();
    bsf_says(zn_answer_, 200, bsf_answer());
    EXPECT_EQ(ask().status, 410U);
    bsf_says(zn_answer_, 404, "{}");
    EXPECT_EQ(ask().status, 410U);
}

// Threat N10
TEST_F(KeyCenterTest, WhoGuessesBtidsIsStopped) {
    bsf_says(zn_answer_, 404, "{}");
    for (unsigned i = 0; i < MissLimiter::kMostMisses; ++i) {
        auto wanted = request();
        wanted.b_tid = "guess" + std::to_string(i) + "@bsf";
        EXPECT_EQ(ask(wanted).status, 410U);
    }
    EXPECT_EQ(ask().status, 429U);
    EXPECT_EQ(zn_requests_.size(), MissLimiter::kMostMisses);
    // Others go on, and so does this one later.
    auto other = request();
    other.device_id = kOtherDevice;
    bsf_says(zn_answer_, 200, bsf_answer());
    EXPECT_EQ(ask(other, peer_of(kOtherDevice)).status, 200U);
    clock_.advance(MissLimiter::kWindow - 1ms);
    EXPECT_EQ(ask().status, 429U);
    clock_.advance(1ms);
    EXPECT_EQ(ask().status, 200U);
}

TEST_F(KeyCenterTest, MtIdsFollowTheSecret) {
    const auto mt_id_with = [&](const std::string& secret) {
        KeyCenterSettings settings;
        settings.mt_id_secret = secret_from_hex(secret).value();
        make(std::move(settings));
        return keycenter::parse_answer(ask().body)->mt_id;
    };
    EXPECT_EQ(mt_id_with(kSecret), mt_id_with(kSecret));
    EXPECT_NE(mt_id_with(kSecret), mt_id_with("ff" + kSecret.substr(2)));
    // None: random, and a start without randomness is none.
    random_.push_hex(kSecret);
    const auto zn = [](const HttpRequest&) {
        return Result<HttpResponse>(HttpResponse{200, {}, bsf_answer()});
    };
    KeyCenterSettings settings;
    settings.device_cas = {{"", {"*"}, {"anchor"}}};
    settings.nafs = {{kFqdn, kdf::kDefaultUaId}};
    auto made = KeyCenter::create(std::move(settings), zn, clock_, random_);
    ASSERT_TRUE(made);
    EXPECT_EQ(
        keycenter::parse_answer((*made)->handle(post(request()), peer_of(kDevice)).body)->mt_id,
        "mt-4b35633e3007f5cd40d0a04a442dafee");
    KeyCenterSettings again;
    again.nafs = {{kFqdn, kdf::kDefaultUaId}};
    EXPECT_EQ(KeyCenter::create(std::move(again), zn, clock_, random_).error().code,
              Errc::RandomFailed);
}

TEST_F(KeyCenterTest, WhatCannotBeMade) {
    const auto zn = [](const HttpRequest&) { return Result<HttpResponse>(HttpResponse{}); };
    EXPECT_EQ(KeyCenter::create({}, zn, clock_, random_).error().code, Errc::ConfigInvalid);
    KeyCenterSettings settings;
    settings.nafs = {{kFqdn, kdf::kDefaultUaId}};
    settings.kdf_profile = "rel7plus";
    EXPECT_EQ(KeyCenter::create(std::move(settings), zn, clock_, random_).error().code,
              Errc::ProfileMismatch);
}

TEST_F(KeyCenterTest, StepsAreTold) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    set_step_fd(ends[1]);
    ask();
    ask(); // from the store: the BSF is not asked again
    set_step_fd(-1);
    ::close(ends[1]);
    std::string text(8192, '\0');
    text.resize(static_cast<std::size_t>(::read(ends[0], text.data(), text.size())));
    ::close(ends[0]);
    std::vector<std::string> names;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto step = nlohmann::json::parse(line);
        names.push_back(step["step"]);
        if (step["step"] == "key-center-key-derived") {
            // Source: python3: hmac.new(bytes.fromhex(ks_local_mt), b"mtkey fingerprint",
            // "sha256").hexdigest()[:16]
            EXPECT_EQ(step["fingerprint"].get<std::string>(), "e5f7be854c9f10dc");
        }
    }
    EXPECT_EQ(names, (std::vector<std::string>{"credentials-requested", "key-center-key-derived",
                                               "key-delivered", "key-delivered"}));
    EXPECT_EQ(text.find(kKsLocalMt), std::string::npos);
    EXPECT_EQ(text.find(kKsExtNaf), std::string::npos);
    EXPECT_EQ(text.find("I1U8vpY3qJ0hiuZNrke/NQ=="), std::string::npos) << "the B-TID is masked";
}

TEST_F(KeyCenterTest, LogsHoldNoKey) {
    testing::internal::CaptureStderr();
    ask();
    bsf_says(zn_answer_, 200, bsf_answer() + "x");
    auto wanted = request();
    wanted.b_tid += "2";
    EXPECT_EQ(ask(wanted).status, 502U);
    const auto text = testing::internal::GetCapturedStderr();
    EXPECT_NE(text.find("key delivered"), std::string::npos);
    for (const auto& secret :
         {kKsExtNaf, kKsLocalMt, std::string("Ug/ytQwNFsflutJN2bPeYBdXjbXZZGax"), kImpi,
          std::string("123456789"), std::string("I1U8vpY3qJ0hiuZNrke/NQ==")}) {
        EXPECT_EQ(text.find(secret), std::string::npos) << secret;
    }
}

// local_protocol section 7: each CA has a namespace of its own, compared octet by octet.
TEST_F(KeyCenterTest, ACaVouchesForItsOwnDevicesAlone) {
    const auto status = [&](std::vector<DeviceCa> cas) {
        KeyCenterSettings settings;
        settings.device_cas = std::move(cas);
        make(std::move(settings));
        return ask().status;
    };
    EXPECT_EQ(status({{"", {"urn:dev:*", "urn:uuid:*"}, {"other", "anchor"}}}), 200U);
    EXPECT_EQ(status({{"", {kDevice}, {"anchor"}}}), 200U);
    EXPECT_EQ(status({{"", {kDevice + "*"}, {"anchor"}}}), 200U);
    EXPECT_EQ(status({{"", {"urn:dev:*"}, {"anchor"}}, {"", {"*"}, {"other"}}}), 403U);
    EXPECT_EQ(status({{"", {"URN:UUID:*"}, {"anchor"}}}), 403U);
    EXPECT_EQ(status({{"", {kDevice.substr(0, 40)}, {"anchor"}}}), 403U);
    EXPECT_EQ(status({{"", {"*"}, {}}}), 403U);
    EXPECT_EQ(zn_requests_.size(), 3U) << "the BSF heard of the good ones alone";
}

} // namespace
} // namespace mtkey::nafkc
