// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fakes/fixed_random.hpp"
#include "fakes/manual_clock.hpp"
#include "network/nafkc/key_center.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace mtkey::nafkc {

inline const std::string kBtid = "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org";
inline const std::string kDevice = "urn:uuid:6f1b0a52-9c3d-4e58-8f7e-2b1f4a0c9d10";
inline const std::string kOtherDevice = "urn:uuid:00000000-0000-4000-8000-000000000001";
inline const std::string kFqdn = "nafkc.mnc001.mcc001.pub.3gppnetwork.org";
inline const std::string kImpi = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org";
// worked_example.json
inline const std::string kKsExtNaf =
    "7fcccca5f4ab1636e46b59aca35208041d78318fe314cabf6a27e9becec917d5";
inline const std::string kKsIntNaf =
    "f101fc2d45fc5e816d36316d04b4d1700b5aa76cf45c5133fbd31f5bf3a6b28e";
inline const std::string kKsLocalMt =
    "520ff2b50c0d16c7e5bad24dd9b3de6017578db5d96466b1fe003111e30d5b95";
inline const std::string kSecret =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

inline UtcTime utc(std::string_view text) {
    return parse_utc(text).value();
}

inline std::string bsf_answer(const std::string& expires = "2026-01-02T00:00:00Z",
                              const std::string& created = "2026-01-01T00:00:00Z",
                              bool uicc = false) {
    return R"({"meKeyMaterial":")" + kKsExtNaf + R"(",)" +
           (uicc ? R"("uiccKeyMaterial":")" + kKsIntNaf + R"(",)" : "") + R"("keyExpiryTime":")" +
           expires + R"(","bootstrappingInfoCreationTime":")" + created +
           R"(","gbaType":"3G_GBA","impi":")" + kImpi + R"("})";
}

/// A Key Center whose BSF is a function and whose devices are who they say.
class KeyCenterTest : public testing::Test {
protected:
    void make(KeyCenterSettings settings) {
        if (settings.nafs.empty()) {
            settings.nafs = {{kFqdn, kdf::kDefaultUaId}};
        }
        if (settings.device_cas.empty()) {
            settings.device_cas = {{"", {"*"}, {"anchor"}}};
        }
        if (settings.mt_id_secret.empty()) {
            settings.mt_id_secret = secret_from_hex(kSecret).value();
        }
        auto made = KeyCenter::create(
            std::move(settings),
            [this](const HttpRequest& request) {
                zn_requests_.push_back(request);
                return zn_answer_;
            },
            clock_, random_);
        ASSERT_TRUE(made) << describe(made.error());
        key_center_ = std::move(*made);
    }
    void SetUp() override { make({}); }

    static http::Peer peer_of(const std::string& device_id) {
        http::Peer peer;
        peer.address = "127.0.0.1:1";
        peer.authenticated = true;
        peer.san_uris = {device_id};
        peer.client_auth_usage = true;
        peer.anchor = "anchor";
        peer.not_after = utc("2027-01-01T00:00:00Z").time_since_epoch().count();
        return peer;
    }
    static HttpRequest post(const keycenter::KeyRequest& request) {
        HttpRequest http{"POST", std::string(keycenter::kPath), {}, keycenter::encode(request)};
        http.headers.add("Host", kFqdn);
        http.headers.add("Content-Type", "application/xml");
        return http;
    }
    static keycenter::KeyRequest request() {
        return {kBtid, kDevice, keycenter::NafIdText{kFqdn, "ff00033259"}};
    }
    HttpResponse ask(const keycenter::KeyRequest& what, const http::Peer& peer = peer_of(kDevice)) {
        return key_center_->handle(post(what), peer);
    }
    HttpResponse ask() { return ask(request()); }
    static void bsf_says(Result<HttpResponse>& slot, unsigned status, const std::string& body) {
        slot = HttpResponse{status, {}, body};
    }

    fakes::ManualClock clock_; // 2026-01-01T00:00:00Z
    fakes::FixedRandom random_;
    Result<HttpResponse> zn_answer_ = HttpResponse{200, {}, bsf_answer()};
    std::vector<HttpRequest> zn_requests_;
    std::unique_ptr<KeyCenter> key_center_;
};

} // namespace mtkey::nafkc
