// SPDX-License-Identifier: Apache-2.0
// Who is let in, and whom the client believes: certificates made here, real handshakes on loopback.
#include "fakes/raw_tcp.hpp"
#include "fakes/throwaway_pki.hpp"
#include "http/client.hpp"
#include "http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

namespace mtkey::http {
namespace {

using namespace std::string_literals;
using fakes::CertificateForm;
using fakes::Identity;

constexpr const char* kName = "nafkc.example.org";
constexpr const char* kDevice = "urn:uuid:6f1b0a52-9c3d-4e58-8f7e-2b1f4a0c9d10";

class Tls : public testing::Test {
protected:
    Tls() {
        CertificateForm form;
        form.dns = {kName};
        form.usage = "serverAuth";
        server_ = pki_.issue("server", form, &ca_);
    }

    ServerSettings server_settings(const Identity& identity) {
        ServerSettings settings;
        settings.tls = true;
        settings.request_seconds = 5;
        settings.tls_settings.certificate_file = identity.certificate_file;
        settings.tls_settings.private_key_file = identity.key_file;
        settings.tls_settings.client_ca_files = {device_ca_.certificate_file};
        return settings;
    }

    std::unique_ptr<Server> serve(ServerSettings settings) {
        auto server = Server::create(std::move(settings),
                                     [this](const HttpRequest& request, const Peer& peer) {
                                         const std::lock_guard lock(mutex_);
                                         peer_ = peer;
                                         host_ = request.headers.single("Host")->value();
                                         return HttpResponse{200, {}, "ok"};
                                     });
        EXPECT_TRUE(server) << describe(server.error());
        (*server)->start();
        return std::move(*server);
    }

    ClientSettings client_settings(const Server& server, const Identity* own) {
        ClientSettings settings;
        settings.fqdn = kName;
        settings.address = "127.0.0.1:" + std::to_string(server.port());
        settings.tls = true;
        settings.unreachable = Errc::KeyCenterUnreachable;
        settings.tls_settings.ca_file = ca_.certificate_file;
        if (own != nullptr) {
            settings.tls_settings.certificate_file = own->certificate_file;
            settings.tls_settings.private_key_file = own->key_file;
        }
        return settings;
    }

    static std::string read(const Identity& identity) {
        std::ifstream file(identity.certificate_file);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    Peer peer() {
        const std::lock_guard lock(mutex_);
        return peer_;
    }

    static CertificateForm device_form() {
        CertificateForm form;
        form.uris = {kDevice};
        return form;
    }

    fakes::ThrowawayPki pki_;
    Identity ca_ = pki_.authority("network-ca");
    Identity device_ca_ = pki_.authority("device-ca");
    Identity other_ca_ = pki_.authority("other-ca");
    Identity server_;
    std::mutex mutex_;
    Peer peer_;
    std::string host_;
};

TEST_F(Tls, HostLeavesOutThePortOfHttps) {
    const auto device = pki_.issue("device", device_form(), &device_ca_);
    const auto server = serve(server_settings(server_));
    for (const auto& [port, host] :
         {std::pair(0, kName + ""s), std::pair(443, kName + ""s), std::pair(80, kName + ":80"s),
          std::pair(8443, kName + ":8443"s)}) {
        auto settings = client_settings(*server, &device);
        settings.port = static_cast<std::uint16_t>(port);
        ASSERT_TRUE(Client(settings).exchange({}));
        const std::lock_guard lock(mutex_);
        EXPECT_EQ(host_, host);
    }
}

TEST_F(Tls, BothSidesKnowEachOther) {
    auto form = device_form();
    form.uris = {kDevice, "urn:x:\0y"s, "URN:X"};
    form.dns = {"device.example.org", "evil.example.org\0.example.org"s};
    const auto device = pki_.issue("device", form, &device_ca_);
    const auto server = serve(server_settings(server_));
    Client client(client_settings(*server, &device));
    EXPECT_FALSE(client.authenticated());
    ASSERT_TRUE(client.connect());
    EXPECT_TRUE(client.authenticated());
    for (int i = 0; i < 2; ++i) {
        const auto response = client.exchange({});
        ASSERT_TRUE(response) << describe(response.error());
        EXPECT_EQ(response->body, "ok");
    }
    const auto seen = peer();
    EXPECT_TRUE(seen.authenticated);
    EXPECT_TRUE(seen.client_auth_usage);
    EXPECT_EQ(seen.san_uris, (std::vector<std::string>{kDevice, "URN:X"}));
    EXPECT_EQ(seen.san_dns, (std::vector<std::string>{"device.example.org"}));
    EXPECT_NEAR(static_cast<double>(seen.not_after), static_cast<double>(std::time(nullptr) + 3600),
                60);
    EXPECT_TRUE(seen.address.starts_with("127.0.0.1:"));
}

TEST_F(Tls, AKeptConnectionThatDiedIsMadeAnew) {
    const auto device = pki_.issue("device", device_form(), &device_ca_);
    auto settings = server_settings(server_);
    auto server = serve(settings);
    Client client(client_settings(*server, &device));
    ASSERT_TRUE(client.exchange({}));
    settings.listen = "127.0.0.1:" + std::to_string(server->port());
    server.reset();
    const auto gone = client.exchange({});
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Errc::KeyCenterUnreachable);
    server = serve(settings);
    ASSERT_TRUE(client.exchange({}));
    server.reset();
    server = serve(settings);
    const auto again = client.exchange({});
    EXPECT_TRUE(again) << describe(again.error());
    EXPECT_TRUE(client.authenticated());
}

/// A client that is not ours: what it offers and what it finds.
class ForeignClient {
public:
    ForeignClient(const Server& server, const Identity& identity, auto configure) {
        context_ = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(context_, 0);
        SSL_CTX_use_certificate_file(context_, identity.certificate_file.c_str(), SSL_FILETYPE_PEM);
        SSL_CTX_use_PrivateKey_file(context_, identity.key_file.c_str(), SSL_FILETYPE_PEM);
        configure(context_);
        fd_ = fakes::raw_connect(server.port());
        ssl_ = SSL_new(context_);
        SSL_set_fd(ssl_, fd_.get());
    }
    ~ForeignClient() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
        ERR_clear_error();
    }
    ForeignClient(const ForeignClient&) = delete;
    ForeignClient& operator=(const ForeignClient&) = delete;

    /// The status line of the answer, or empty.
    std::string ask() {
        const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        std::string answer(12, '\0');
        if (SSL_connect(ssl_) != 1 ||
            SSL_write(ssl_, text.data(), static_cast<int>(text.size())) <= 0 ||
            SSL_read(ssl_, answer.data(), static_cast<int>(answer.size())) !=
                static_cast<int>(answer.size())) {
            return "";
        }
        return answer;
    }
    [[nodiscard]] SSL* ssl() { return ssl_; }
    /// What the server's alert says.
    static std::string alert() {
        const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
        return reason == nullptr ? "none" : reason;
    }

private:
    SSL_CTX* context_;
    UniqueFd fd_;
    SSL* ssl_;
};

// Threat N9. What passes here and is not a device of ours is refused by the Key Center.
TEST_F(Tls, WhichClientsAreLetIn) {
    struct Row {
        const char* what;
        CertificateForm form;
        const Identity* issuer;
        bool let_in;
        bool usage = true;
    };
    std::vector<Row> rows;
    const auto row = [&](const char* what, bool let_in, auto change, const Identity* issuer,
                         bool usage = true) {
        auto form = device_form();
        change(form);
        rows.push_back({what, form, issuer, let_in, usage});
    };
    const auto* const good = &device_ca_;
    const auto leaf_issuer = pki_.issue("leaf-issuer", device_form(), good);
    CertificateForm sub;
    sub.ca = true;
    sub.usage.clear();
    const auto expired_ca = [&] {
        auto form = sub;
        form.begins = -7200;
        form.ends = -3600;
        return pki_.issue("expired-ca", form, good);
    }();
    row("a proper device", true, [](auto&) {}, good);
    row("RSA 2048", true, [](auto& f) { f.rsa_bits = 2048; }, good);
    row("both usages", true, [](auto& f) { f.usage = "serverAuth,clientAuth"; }, good);
    row(
        "no extendedKeyUsage is let in and reported", true, [](auto& f) { f.usage.clear(); }, good,
        false);
    row("usage of a server", false, [](auto& f) { f.usage = "serverAuth"; }, good);
    row("usage of a mail client", false, [](auto& f) { f.usage = "emailProtection"; }, good);
    row("expired", false, [](auto& f) { f.begins = -7200, f.ends = -60; }, good);
    row("not yet valid", false, [](auto& f) { f.begins = 600; }, good);
    row("another CA", false, [](auto&) {}, &other_ca_);
    row("the network's CA", false, [](auto&) {}, &ca_);
    row("self-signed", false, [](auto&) {}, nullptr);
    row("self-signed CA", false, [](auto& f) { f.ca = true; }, nullptr);
    row("a CA certificate as leaf", false, [](auto& f) { f.ca = true; }, good);
    row("issued by a leaf", false, [](auto&) {}, &leaf_issuer);
    row("issued by a CA that is not sent", false, [](auto&) {}, &expired_ca);
    row(
        "unknown critical extension", false, [](auto& f) { f.extra = "1.2.3.4=critical,DER:0500"; },
        good);

    const auto server = serve(server_settings(server_));
    int number = 0;
    for (const auto& one : rows) {
        const auto identity =
            pki_.issue("device-" + std::to_string(number++), one.form, one.issuer);
        Client client(client_settings(*server, &identity));
        const auto response = client.exchange({});
        EXPECT_EQ(response.has_value(), one.let_in)
            << one.what << ": " << (response ? "" : describe(response.error()));
        if (response) {
            EXPECT_TRUE(peer().authenticated) << one.what;
            EXPECT_EQ(peer().client_auth_usage, one.usage) << one.what;
        } else {
            EXPECT_NE(response.error().code, Errc::ConfigInvalid) << one.what << " never left us";
        }
    }
    // Our own client would refuse to send these two.
    for (const bool sha1 : {true, false}) {
        auto form = device_form();
        form.sha1 = sha1;
        form.rsa_bits = sha1 ? 2048 : 1024;
        const auto weak = pki_.issue(sha1 ? "sha1" : "rsa-1024", form, good);
        ForeignClient client(*server, weak, [](SSL_CTX* context) {
            SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
        });
        EXPECT_EQ(client.ask(), "") << sha1;
        EXPECT_THAT(ForeignClient::alert(), testing::HasSubstr("bad certificate")) << sha1;
    }
    // The device CA's own certificate, with its key
    Client authority(client_settings(*server, &device_ca_));
    EXPECT_FALSE(authority.exchange({}));

    Client nobody(client_settings(*server, nullptr));
    const auto response = nobody.exchange({});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::PeerUntrusted) << describe(response.error());
}

TEST_F(Tls, RevokedDevicesAreRefusedWhereThereIsACrl) {
    const auto good = pki_.issue("good", device_form(), &device_ca_);
    const auto bad = pki_.issue("bad", device_form(), &device_ca_);
    auto settings = server_settings(server_);
    settings.tls_settings.client_crl_file = pki_.revoke(device_ca_, {&bad});
    const auto server = serve(settings);
    EXPECT_TRUE(Client(client_settings(*server, &good)).exchange({}));
    EXPECT_FALSE(Client(client_settings(*server, &bad)).exchange({}));

    settings.tls_settings.client_crl_file = pki_.revoke(device_ca_, {}, -60);
    const auto stale = serve(settings);
    EXPECT_FALSE(Client(client_settings(*stale, &good)).exchange({}))
        << "a stale CRL refuses everybody";

    settings.tls_settings.client_crl_file = pki_.revoke(other_ca_, {});
    const auto foreign = serve(settings);
    EXPECT_FALSE(Client(client_settings(*foreign, &good)).exchange({}))
        << "so does none of this CA";

    settings.tls_settings.client_crl_file = pki_.file("no-crl.pem", "nothing");
    EXPECT_EQ(Server::create(settings, nullptr).error().code, Errc::ConfigInvalid);
}

TEST_F(Tls, AChangedCrlCountsForTheNextConnection) {
    const auto device = pki_.issue("device", device_form(), &device_ca_);
    auto settings = server_settings(server_);
    const auto crl = pki_.revoke(device_ca_, {});
    settings.tls_settings.client_crl_file = crl;
    const auto server = serve(settings);
    ASSERT_TRUE(Client(client_settings(*server, &device)).exchange({}));
    std::filesystem::rename(pki_.file("half", "-----BEGIN X509 CRL-----\n"), crl);
    EXPECT_TRUE(Client(client_settings(*server, &device)).exchange({}))
        << "the one before stands until there is another";
    std::filesystem::rename(pki_.revoke(device_ca_, {&device}), crl);
    EXPECT_FALSE(Client(client_settings(*server, &device)).exchange({}));
    std::filesystem::rename(pki_.revoke(device_ca_, {}), crl);
    EXPECT_TRUE(Client(client_settings(*server, &device)).exchange({}));
}

// A moment without a descriptor, or without the CA's file, does not let a revoked device in for
// longer than that moment.
TEST_F(Tls, AChangedCrlThatCouldNotBeReadIsReadForTheConnectionBehind) {
    const auto device = pki_.issue("device", device_form(), &device_ca_);
    auto settings = server_settings(server_);
    const auto crl = pki_.revoke(device_ca_, {});
    settings.tls_settings.client_crl_file = crl;
    const auto server = serve(settings);
    std::filesystem::rename(pki_.revoke(device_ca_, {&device}), crl);
    const auto away = device_ca_.certificate_file + ".away";
    std::filesystem::rename(device_ca_.certificate_file, away);
    testing::internal::CaptureStderr();
    for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(Client(client_settings(*server, &device)).exchange({}));
    }
    const auto said = testing::internal::GetCapturedStderr();
    const auto first = said.find("list not renewed");
    EXPECT_NE(first, std::string::npos) << said;
    EXPECT_EQ(said.find("list not renewed", first + 1), std::string::npos) << said;
    std::filesystem::rename(away, device_ca_.certificate_file);
    EXPECT_FALSE(Client(client_settings(*server, &device)).exchange({}));
}

TEST_F(Tls, AnIntermediateCaAsAnchorNeedsNoCrlOfTheCaAbove) {
    CertificateForm form;
    form.common_name = "device-sub-ca";
    form.ca = true;
    form.usage.clear();
    const auto sub = pki_.issue("device-sub-ca", form, &device_ca_);
    const auto good = pki_.issue("good", device_form(), &sub);
    const auto bad = pki_.issue("bad", device_form(), &sub);
    form.common_name = "below";
    const auto below = pki_.issue("below", form, &sub);
    auto third = pki_.issue("third", device_form(), &below);
    third.certificate_file = pki_.file("chain.pem", read(third) + read(below));
    auto settings = server_settings(server_);
    settings.tls_settings.client_ca_files = {sub.certificate_file};
    settings.tls_settings.client_crl_file = pki_.revoke(sub, {&bad});
    const auto server = serve(settings);
    const auto response = Client(client_settings(*server, &good)).exchange({});
    EXPECT_TRUE(response) << describe(response.error());
    EXPECT_FALSE(Client(client_settings(*server, &bad)).exchange({}));
    EXPECT_FALSE(Client(client_settings(*server, &third)).exchange({}))
        << "a CA that is no anchor needs its list";
}

TEST_F(Tls, TheAnchorIsTold) {
    auto settings = server_settings(server_);
    settings.tls_settings.client_ca_files.push_back(other_ca_.certificate_file);
    const auto server = serve(settings);
    for (const auto* const ca : {&device_ca_, &other_ca_}) {
        const auto device = pki_.issue("device", device_form(), ca);
        ASSERT_TRUE(Client(client_settings(*server, &device)).exchange({}));
        EXPECT_EQ(certificate_digests(ca->certificate_file).value(),
                  std::vector<std::string>{peer().anchor});
    }
}

TEST_F(Tls, WhatOthersCanWriteIsNotBelieved) {
    const auto device = pki_.issue("device", device_form(), &device_ca_);
    const auto crl = pki_.revoke(device_ca_, {});
    auto settings = server_settings(server_);
    settings.tls_settings.client_crl_file = crl;
    for (const auto& file : {device_ca_.certificate_file, crl}) {
        ::chmod(file.c_str(), 0664);
        EXPECT_EQ(Server::create(settings, nullptr).error().code, Errc::NotAuthorized) << file;
        ::chmod(file.c_str(), 0644);
    }
    // A link is nobody's: what it leads to counts.
    const auto link = pki_.folder() + "/link.pem";
    std::filesystem::create_symlink(ca_.certificate_file, link);
    const auto server = serve(settings);
    auto client = client_settings(*server, &device);
    client.tls_settings.ca_file = link;
    EXPECT_TRUE(Client(client).exchange({}));
    ::chmod(ca_.certificate_file.c_str(), 0666);
    EXPECT_EQ(Client(client).exchange({}).error().code, Errc::NotAuthorized);
    // A FIFO does not hold the start up.
    settings.tls_settings.client_crl_file = pki_.folder() + "/fifo";
    ASSERT_EQ(::mkfifo(settings.tls_settings.client_crl_file.c_str(), 0600), 0);
    EXPECT_EQ(Server::create(settings, nullptr).error().code, Errc::InvalidArgument);
}

TEST_F(Tls, ACertificateMayBeAskedForWithoutBeingRequired) {
    auto settings = server_settings(server_);
    settings.tls_settings.require_client_certificate = false;
    const auto server = serve(settings);
    EXPECT_TRUE(Client(client_settings(*server, nullptr)).exchange({}));
    EXPECT_FALSE(peer().authenticated);
    const auto foreign = pki_.issue("foreign", device_form(), &other_ca_);
    EXPECT_FALSE(Client(client_settings(*server, &foreign)).exchange({}));

    settings.tls_settings.client_ca_files.clear();
    const auto open = serve(settings);
    EXPECT_TRUE(Client(client_settings(*open, nullptr)).exchange({}));
    EXPECT_FALSE(peer().authenticated);
}

// Threat N6: whom the client believes.
TEST_F(Tls, WhichServersAreBelieved) {
    struct Row {
        const char* what;
        CertificateForm form;
        const Identity* issuer;
        bool believed;
    };
    std::vector<Row> rows;
    const auto row = [&](const char* what, bool believed, auto change, const Identity* issuer) {
        CertificateForm form;
        form.common_name = kName;
        form.dns = {kName};
        form.usage = "serverAuth";
        change(form);
        rows.push_back({what, form, issuer, believed});
    };
    row("a proper server", true, [](auto&) {}, &ca_);
    row("several names", true, [](auto& f) { f.dns = {"other.example.org", kName}; }, &ca_);
    row("a whole-label wildcard", true, [](auto& f) { f.dns = {"*.example.org"}; }, &ca_);
    row("no extendedKeyUsage", true, [](auto& f) { f.usage.clear(); }, &ca_);
    row("another name", false, [](auto& f) { f.dns = {"bsf.example.org"}; }, &ca_);
    row("the common name alone", false, [](auto& f) { f.dns.clear(); }, &ca_);
    row(
        "the common name beside another name", false, [](auto& f) { f.dns = {"x.example.org"}; },
        &ca_);
    row("a partial wildcard", false, [](auto& f) { f.dns = {"nafkc*.example.org"}; }, &ca_);
    row("a wildcard for everything", false, [](auto& f) { f.dns = {"*"}; }, &ca_);
    row("a longer name with NUL", false, [](auto& f) { f.dns = {kName + "\0.evil.org"s}; }, &ca_);
    row("the address only", false, [](auto& f) { f.dns.clear(), f.ips = {"127.0.0.1"}; }, &ca_);
    row("the name as URI", false, [](auto& f) { f.dns.clear(), f.uris = {kName}; }, &ca_);
    row("usage of a client", false, [](auto& f) { f.usage = "clientAuth"; }, &ca_);
    row("expired", false, [](auto& f) { f.begins = -7200, f.ends = -60; }, &ca_);
    row("not yet valid", false, [](auto& f) { f.begins = 600; }, &ca_);
    row("another CA", false, [](auto&) {}, &other_ca_);
    row("self-signed", false, [](auto&) {}, nullptr);
    int number = 0;
    const auto device = pki_.issue("device", device_form(), &device_ca_);
    for (const auto& one : rows) {
        const auto server = serve(server_settings(
            pki_.issue("server-" + std::to_string(number++), one.form, one.issuer)));
        Client client(client_settings(*server, &device));
        const auto response = client.exchange({});
        EXPECT_EQ(response.has_value(), one.believed) << one.what;
        EXPECT_EQ(client.authenticated(), one.believed) << one.what;
        if (!response) {
            EXPECT_EQ(response.error().code, Errc::PeerUntrusted)
                << one.what << describe(response.error());
        }
    }
}

TEST_F(Tls, TrustIsOnlyWhatIsNamed) {
    auto settings = server_settings(server_);
    settings.tls_settings.client_ca_files.clear();
    const auto server = serve(settings);
    auto none = client_settings(*server, nullptr);
    none.tls_settings.ca_file.clear();
    EXPECT_EQ(Client(none).exchange({}).error().code, Errc::PeerUntrusted);
    // SSL_CERT_FILE speaks for the system's store, which is not asked.
    ::setenv("SSL_CERT_FILE", ca_.certificate_file.c_str(), 1);
    EXPECT_EQ(Client(none).exchange({}).error().code, Errc::PeerUntrusted);
    none.tls_settings.system_trust = true;
    EXPECT_TRUE(Client(none).exchange({}));
    ::unsetenv("SSL_CERT_FILE");
    // The server's own certificate, named, is an anchor too.
    auto pinned = client_settings(*server, nullptr);
    pinned.tls_settings.ca_file = server_.certificate_file;
    EXPECT_TRUE(Client(pinned).exchange({}));
}

TEST_F(Tls, BadFilesAreNamed) {
    const auto server = serve(server_settings(server_));
    const auto device = pki_.issue("device", device_form(), &device_ca_);
    const auto error_with = [&](auto change) {
        auto settings = client_settings(*server, &device);
        change(settings.tls_settings);
        const auto response = Client(settings).exchange({});
        EXPECT_FALSE(response);
        return response.error();
    };
    auto error = error_with([](auto& s) { s.ca_file = "/nonexistent/ca.pem"; });
    EXPECT_NE(error.context.find("/nonexistent/ca.pem"), std::string::npos);
    error = error_with([&](auto& s) { s.ca_file = pki_.file("empty.pem", ""); });
    EXPECT_EQ(error.code, Errc::ConfigInvalid);
    error = error_with([&](auto& s) { s.private_key_file = server_.key_file; });
    EXPECT_EQ(error.code, Errc::ConfigInvalid) << "key of another certificate";
    std::ifstream key(device.key_file);
    std::stringstream content;
    content << key.rdbuf();
    error = error_with(
        [&](auto& s) { s.private_key_file = pki_.file("open.key", content.str(), 0644); });
    EXPECT_EQ(error.code, Errc::NotAuthorized) << "a private key that others can read";
    // An encrypted key is an error, not a prompt.
    error = error_with([&](auto& s) {
        s.private_key_file = pki_.file(
            "encrypted.key",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGb\n-----END ENCRYPTED PRIVATE KEY-----\n",
            0600);
    });
    EXPECT_EQ(error.code, Errc::ConfigInvalid);
}

TEST_F(Tls, PlainTextAndTlsDoNotMix) {
    const auto server = serve(server_settings(server_));
    auto plain = client_settings(*server, nullptr);
    plain.tls = false;
    EXPECT_FALSE(Client(plain).exchange({}));
    fakes::RawServer raw(
        [](UniqueFd& fd, int) { fakes::raw_send(fd.get(), "HTTP/1.1 400 Bad Request\r\n\r\n"); });
    auto tls = client_settings(*server, nullptr);
    tls.address = raw.address();
    EXPECT_EQ(Client(tls).exchange({}).error().code, Errc::PeerUntrusted);
    fakes::RawServer silent([](UniqueFd& fd, int) { fakes::raw_receive(fd.get(), "", 2000); });
    tls.address = silent.address();
    tls.connect_timeout = std::chrono::milliseconds(100);
    EXPECT_EQ(Client(tls).connect().error().code, Errc::KeyCenterUnreachable);
}

// Threat N8
TEST_F(Tls, WhatTheServerDoesNotSpeak) {
    const auto device = pki_.issue("device", device_form(), &device_ca_);
    CertificateForm form;
    form.dns = {kName};
    form.usage = "serverAuth";
    form.rsa_bits = 2048;
    const auto server = serve(server_settings(pki_.issue("rsa-server", form, &ca_)));
    const auto with = [&](auto configure) {
        return ForeignClient(*server, device, configure).ask();
    };
    const auto version = [](int lowest, int highest) {
        return [=](SSL_CTX* context) {
            SSL_CTX_set_min_proto_version(context, lowest);
            SSL_CTX_set_max_proto_version(context, highest);
            SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
        };
    };
    const auto cipher = [](const char* name) {
        return [=](SSL_CTX* context) {
            SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
            EXPECT_EQ(
                SSL_CTX_set_cipher_list(context, (std::string(name) + ":@SECLEVEL=0").c_str()), 1)
                << name;
        };
    };
    EXPECT_EQ(with(version(TLS1_3_VERSION, TLS1_3_VERSION)), "HTTP/1.1 200");
    EXPECT_EQ(with(version(TLS1_2_VERSION, TLS1_2_VERSION)), "HTTP/1.1 200");
    EXPECT_EQ(with(version(TLS1_1_VERSION, TLS1_1_VERSION)), "");
    EXPECT_EQ(with(version(TLS1_VERSION, TLS1_VERSION)), "");
    EXPECT_EQ(with(cipher("ECDHE-RSA-AES128-GCM-SHA256")), "HTTP/1.1 200");
    for (const char* weak :
         {"AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384",
          "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-NULL-SHA", "NULL-SHA256", "AECDH-AES128-SHA"}) {
        EXPECT_EQ(with(cipher(weak)), "") << weak;
    }
}

TEST_F(Tls, NothingIsResumedOrRenegotiated) {
    const auto device = pki_.issue("device", device_form(), &device_ca_);
    const auto server = serve(server_settings(server_));
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto configure = [version](SSL_CTX* context) {
            SSL_CTX_set_max_proto_version(context, version);
            SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
        };
        ForeignClient first(*server, device, configure);
        ASSERT_EQ(first.ask(), "HTTP/1.1 200");
        SSL_SESSION* const session = SSL_get1_session(first.ssl());
        EXPECT_EQ(SSL_SESSION_has_ticket(session), 0);
        ForeignClient second(*server, device, configure);
        SSL_set_session(second.ssl(), session);
        EXPECT_EQ(second.ask(), "HTTP/1.1 200");
        EXPECT_EQ(SSL_session_reused(second.ssl()), 0);
        SSL_SESSION_free(session);
    }
    ForeignClient asks(*server, device, [](SSL_CTX* context) {
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    });
    ASSERT_EQ(asks.ask(), "HTTP/1.1 200");
    EXPECT_EQ(SSL_renegotiate(asks.ssl()), 1);
    EXPECT_NE(SSL_do_handshake(asks.ssl()), 1);
}

} // namespace
} // namespace mtkey::http
