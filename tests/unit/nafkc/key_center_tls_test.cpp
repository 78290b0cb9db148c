// SPDX-License-Identifier: Apache-2.0
// The Key Center behind its real server, with a BSF behind a real one: both legs mutual TLS on
// loopback.
#include "nafkc_fixture.hpp"

#include "fakes/throwaway_pki.hpp"
#include "http/client.hpp"

#include <atomic>
#include <mutex>

namespace mtkey::nafkc {
namespace {

using fakes::CertificateForm;
using fakes::Identity;

constexpr const char* kBsf = "bsf.mnc001.mcc001.pub.3gppnetwork.org";

http::TlsServerSettings server_tls(const Identity& own, const Identity& client_ca) {
    http::TlsServerSettings tls;
    tls.certificate_file = own.certificate_file;
    tls.private_key_file = own.key_file;
    tls.client_ca_files = {client_ca.certificate_file};
    return tls;
}

class KeyCenterTls : public KeyCenterTest {
protected:
    void SetUp() override {
        bsf_ = serve(
            server_tls(server_certificate(kBsf), operator_ca_),
            [this](const HttpRequest&, const http::Peer& peer) {
                EXPECT_TRUE(peer.authenticated);
                EXPECT_EQ(peer.san_dns, std::vector<std::string>{kFqdn});
                ++zn_count_;
                return HttpResponse{
                    200, {}, bsf_answer("2030-01-01T12:00:00Z", format_utc(system_.utc_now()))};
            });
        zn_client_ =
            std::make_unique<http::Client>(client_settings(kBsf, bsf_->port(), zn_certificate()));
        KeyCenterSettings settings;
        settings.nafs = {{kFqdn, kdf::kDefaultUaId}};
        settings.mt_id_secret = secret_from_hex(kSecret).value();
        const auto& file = device_ca_.certificate_file;
        const auto& other = other_device_ca_.certificate_file;
        settings.device_cas = {{file, {"urn:uuid:*"}, http::certificate_digests(file).value()},
                               {other, {"urn:dev:*"}, http::certificate_digests(other).value()}};
        auto made = KeyCenter::create(
            std::move(settings),
            [this](const HttpRequest& request) {
                const std::lock_guard lock(mutex_); // one Client, two server threads
                return zn_client_->exchange(request);
            },
            system_, random_);
        ASSERT_TRUE(made);
        key_center_ = std::move(*made);
        auto tls = server_tls(server_certificate(kFqdn), device_ca_);
        tls.client_ca_files.push_back(other);
        server_ = serve(std::move(tls), [this](const HttpRequest& http, const http::Peer& peer) {
            return key_center_->handle(http, peer);
        });
    }
    void TearDown() override {
        server_->stop();
        bsf_->stop();
    }

    static std::unique_ptr<http::Server> serve(http::TlsServerSettings tls, http::Handler handler) {
        http::ServerSettings settings;
        settings.tls = true;
        settings.tls_settings = std::move(tls);
        auto server = http::Server::create(std::move(settings), std::move(handler));
        EXPECT_TRUE(server) << describe(server.error());
        (*server)->start();
        return std::move(*server);
    }
    Identity server_certificate(const std::string& fqdn) {
        CertificateForm form;
        form.dns = {fqdn};
        form.usage = "serverAuth";
        return pki_.issue(fqdn, form, &operator_ca_);
    }
    Identity zn_certificate() {
        CertificateForm form;
        form.dns = {kFqdn};
        return pki_.issue("zn", form, &operator_ca_);
    }
    http::ClientSettings client_settings(const std::string& fqdn, std::uint16_t port,
                                         const Identity& own) {
        http::ClientSettings settings;
        settings.fqdn = fqdn;
        settings.address = "127.0.0.1:" + std::to_string(port);
        settings.tls = true;
        settings.tls_settings.ca_file = operator_ca_.certificate_file;
        settings.tls_settings.certificate_file = own.certificate_file;
        settings.tls_settings.private_key_file = own.key_file;
        return settings;
    }
    /// The status, or 0 when there was no answer at all.
    unsigned status_for(const CertificateForm& form, const Identity* issuer) {
        const auto identity = pki_.issue("device-" + std::to_string(++number_), form, issuer);
        http::Client client(client_settings(kFqdn, server_->port(), identity));
        HttpRequest http{"POST", std::string(keycenter::kPath), {}, keycenter::encode(request())};
        http.headers.add("Content-Type", "application/xml");
        auto response = client.exchange(http);
        if (response) {
            body_ = std::move(response->body);
        }
        return response ? response->status : 0;
    }

    fakes::ThrowawayPki pki_;
    Identity operator_ca_ = pki_.authority("operator-ca");
    Identity device_ca_ = pki_.authority("device-ca");
    Identity other_device_ca_ = pki_.authority("other-device-ca");
    SystemClock system_;
    std::mutex mutex_;
    std::atomic<int> zn_count_ = 0;
    std::unique_ptr<http::Server> bsf_;
    std::unique_ptr<http::Client> zn_client_;
    std::unique_ptr<http::Server> server_;
    int number_ = 0;
    std::string body_;
};

// Threat N9, through both parties that decide: 0 is TLS that says no, 403 the Key Center.
TEST_F(KeyCenterTls, WhichCertificatesGetTheKey) {
    CertificateForm proper;
    proper.uris = {kDevice};
    const auto with = [&](auto change) {
        auto form = proper;
        change(form);
        return form;
    };
    const auto* const ca = &device_ca_;
    EXPECT_EQ(status_for(with([](auto& f) { f.uris = {kOtherDevice}; }), ca), 403U)
        << "another Device_ID";
    EXPECT_EQ(status_for(with([](auto& f) { f.uris = {kDevice + std::string("\0", 1)}; }), ca),
              403U)
        << "NUL behind";
    EXPECT_EQ(status_for(with([](auto& f) { f.uris = {kDevice + std::string("\0.x", 3)}; }), ca),
              403U)
        << "NUL inside";
    EXPECT_EQ(status_for(with([](auto& f) { f.uris.clear(), f.dns = {kDevice}; }), ca), 403U)
        << "as dNSName";
    EXPECT_EQ(status_for(with([](auto& f) { f.uris.clear(), f.common_name = kDevice; }), ca), 403U)
        << "as common name";
    EXPECT_EQ(status_for(with([](auto& f) { f.usage.clear(); }), ca), 403U)
        << "no extendedKeyUsage";
    EXPECT_EQ(status_for(with([](auto& f) { f.usage = "serverAuth"; }), ca), 0U)
        << "usage of a server";
    EXPECT_EQ(status_for(with([](auto& f) { f.ca = true; }), ca), 0U) << "CA as leaf";
    EXPECT_EQ(status_for(with([](auto& f) { f.begins = -7200, f.ends = -60; }), ca), 0U)
        << "expired";
    EXPECT_EQ(status_for(proper, &operator_ca_), 0U) << "another CA";
    EXPECT_EQ(status_for(proper, nullptr), 0U) << "self-signed";
    EXPECT_EQ(status_for(proper, &other_device_ca_), 403U) << "a CA of other devices";
    EXPECT_EQ(zn_count_, 0) << "the BSF heard of none of them";

    EXPECT_EQ(status_for(proper, ca), 200U) << body_;
    const auto answer = keycenter::parse_answer(body_);
    ASSERT_TRUE(answer);
    EXPECT_EQ(to_hex(answer->ks_local_mt.reveal()), kKsLocalMt);
    EXPECT_LE(answer->expires, system_.utc_now() + std::chrono::hours(1))
        << "the certificate's end";
    EXPECT_EQ(status_for(with([](auto& f) { f.uris = {kOtherDevice, kDevice}; }), ca), 200U)
        << "one of several";
    EXPECT_EQ(zn_count_, 1);
}

TEST_F(KeyCenterTls, ABsfThatIsGoneIsSaid) {
    bsf_->stop();
    CertificateForm proper;
    proper.uris = {kDevice};
    EXPECT_EQ(status_for(proper, &device_ca_), 502U);
}

} // namespace
} // namespace mtkey::nafkc
