// SPDX-License-Identifier: Apache-2.0
// The same behind TLS: who is believed to be the BSF, and what may be done for one that is.
#include "fakes/throwaway_pki.hpp"
#include "integration/hostile_bsf.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace mtkey::integration {
namespace {

using namespace std::chrono_literals;
using fakes::CertificateForm;
using fakes::Identity;

struct FreeContext {
    void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
};
using ServerContext = std::unique_ptr<SSL_CTX, FreeContext>;

class HostileBsfTls : public testing::Test {
protected:
    HostileBsfTls() {
        std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes to connections that the client has ended
    }
    static CertificateForm form() {
        CertificateForm out;
        out.dns = {HostileRig::fqdn()};
        out.usage = "serverAuth";
        return out;
    }
    ServerContext serve(const Identity& identity) {
        ServerContext out(SSL_CTX_new(TLS_server_method()));
        SSL_CTX_set_security_level(out.get(), 0);
        EXPECT_EQ(SSL_CTX_use_certificate(out.get(), identity.certificate.get()), 1);
        EXPECT_EQ(SSL_CTX_use_PrivateKey(out.get(), identity.key.get()), 1);
        return out;
    }
    HostileRig::Setting setting(SSL_CTX* server) {
        HostileRig::Setting out;
        out.tls = server;
        out.client.tls = true;
        out.client.tls_settings.ca_file = ca_.certificate_file;
        return out;
    }
    static void expect_refused(const HostileRig::Outcome& outcome, Errc code,
                               unsigned authenticates) {
        ASSERT_FALSE(outcome.context);
        EXPECT_EQ(outcome.context.error().code, code) << describe(outcome.context.error());
        EXPECT_EQ(outcome.authenticates, authenticates);
        EXPECT_EQ(outcome.updates, 0U);
    }
    /// As expect_recovery(), behind TLS.
    void expect_success(HostileRig& rig, HostileRig::Setting how) {
        const auto outcome = rig.run(std::move(how));
        ASSERT_TRUE(outcome.context) << describe(outcome.context.error());
    }

    fakes::ThrowawayPki pki_;
    Identity ca_ = pki_.authority("network-ca");
    Identity other_ca_ = pki_.authority("other-ca");
    Identity good_ = pki_.issue("bsf", form(), &ca_);
};

TEST_F(HostileBsfTls, Certificates) {
    auto other_name = form();
    other_name.dns = {"bsf.mnc002.mcc001.pub.3gppnetwork.org"};
    auto only_common_name = form();
    only_common_name.dns.clear();
    only_common_name.common_name = HostileRig::fqdn();
    auto wildcard_part = form();
    wildcard_part.dns = {"b*.mnc001.mcc001.pub.3gppnetwork.org"};
    auto nul = form();
    nul.dns = {HostileRig::fqdn() + std::string("\0.evil.example", 14)};
    auto expired = form();
    expired.begins = -7200;
    expired.ends = -3600;
    auto not_yet = form();
    not_yet.begins = 3600;
    not_yet.ends = 7200;
    auto of_clients = form();
    of_clients.usage = "clientAuth";
    auto small = form();
    small.rsa_bits = 1024;
    auto unknown_critical = form();
    unknown_critical.extra = "1.2.3.4=critical,ASN1:UTF8String:x";
    struct Row {
        const char* name;
        CertificateForm form;
        const Identity* issuer;
    };
    for (const auto& row :
         {Row{"other-name", other_name, &ca_}, Row{"common-name", only_common_name, &ca_},
          Row{"wildcard", wildcard_part, &ca_}, Row{"nul", nul, &ca_},
          Row{"expired", expired, &ca_}, Row{"not-yet", not_yet, &ca_},
          Row{"of-clients", of_clients, &ca_}, Row{"small", small, &ca_},
          Row{"unknown-critical", unknown_critical, &ca_}, Row{"other-ca", form(), &other_ca_},
          Row{"self-signed", form(), nullptr}}) {
        SCOPED_TRACE(row.name);
        HostileRig rig;
        const auto server = serve(pki_.issue(row.name, row.form, row.issuer));
        expect_refused(rig.run(setting(server.get())), Errc::PeerUntrusted, 0);
        const auto good = serve(good_);
        expect_success(rig, setting(good.get()));
    }
}

TEST_F(HostileBsfTls, Handshakes) {
    struct Row {
        const char* name;
        Errc code;
        HostileRig::Welcome welcome;
    };
    for (const auto& row : {Row{"silence", Errc::BsfUnreachable,
                                [](Wire& wire) {
                                    wire.wait();
                                    return false;
                                }},
                            Row{"end", Errc::BsfUnreachable, [](Wire&) { return false; }},
                            Row{"reset", Errc::BsfUnreachable, [](Wire& wire) {
                                    wire.reset();
                                    return false;
                                }}}) {
        SCOPED_TRACE(row.name);
        HostileRig rig;
        auto how = setting(nullptr);
        how.welcome = row.welcome;
        how.client.run_timeout = 400ms;
        expect_refused(rig.run(how), row.code, 0);
    }
    // Plain HTTP where TLS should be, octets that are nothing, an alert.
    for (const std::string& text :
         {std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), std::string(300, '\xA5'),
          std::string("\x15\x03\x03\x00\x02\x02\x28", 7)}) {
        HostileRig rig;
        auto how = setting(nullptr);
        how.welcome = [&](Wire& wire) {
            wire.send(text);
            wire.wait();
            return false;
        };
        expect_refused(rig.run(how), Errc::PeerUntrusted, 0);
    }
}

TEST_F(HostileBsfTls, Versions) {
    struct Row {
        int server;
        http::TlsVersion lowest;
        bool accepted;
    };
    for (const auto& row : {Row{TLS1_VERSION, http::TlsVersion::Tls12, false},
                            Row{TLS1_1_VERSION, http::TlsVersion::Tls12, false},
                            Row{TLS1_2_VERSION, http::TlsVersion::Tls12, true},
                            Row{TLS1_2_VERSION, http::TlsVersion::Tls13, false},
                            Row{TLS1_3_VERSION, http::TlsVersion::Tls12, true},
                            Row{TLS1_3_VERSION, http::TlsVersion::Tls13, true}}) {
        SCOPED_TRACE(row.server);
        HostileRig rig;
        const auto server = serve(good_);
        SSL_CTX_set_min_proto_version(server.get(), row.server);
        SSL_CTX_set_max_proto_version(server.get(), row.server);
        auto how = setting(server.get());
        how.client.tls_settings.lowest = row.lowest;
        if (row.accepted) {
            expect_success(rig, how);
        } else {
            expect_refused(rig.run(how), Errc::PeerUntrusted, 0);
        }
    }
}

TEST_F(HostileBsfTls, ClientCertificate) {
    const auto server = serve(good_);
    SSL_CTX_set_verify(server.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    ASSERT_EQ(SSL_CTX_load_verify_locations(server.get(), ca_.certificate_file.c_str(), nullptr),
              1);
    HostileRig rig;
    expect_refused(rig.run(setting(server.get())), Errc::PeerUntrusted, 0);
    CertificateForm mine;
    const auto own = pki_.issue("mt", mine, &ca_);
    auto how = setting(server.get());
    how.client.tls_settings.certificate_file = own.certificate_file;
    how.client.tls_settings.private_key_file = own.key_file;
    expect_success(rig, how);
}

// What ends without close_notify may have been cut by anybody.
TEST_F(HostileBsfTls, CutWithoutNotice) {
    const auto server = serve(good_);
    HostileRig rig;
    auto how = setting(server.get());
    how.act = [](Turn& turn) {
        if (turn.exchange == 0) {
            return say(turn);
        }
        auto text = turn.text();
        const auto length = text.find("Content-Length");
        turn.wire.send(text.erase(length, text.find("\r\n", length) + 2 - length));
        turn.wire.end();
        return false;
    };
    expect_refused(rig.run(how), Errc::BsfUnreachable, 1);
    how.act = {};
    expect_success(rig, how);
}

// A BSF that is who it says may make the card answer three commands and no more: two challenges and
// one fallback.
TEST_F(HostileBsfTls, ThreeCommandsAtMost) {
    const auto server = serve(good_);
    HostileRig rig;
    expect_success(rig, setting(server.get()));
    rig.settings.allow_downgrade = true;
    const auto used = rig.used_challenges.front();
    auto how = setting(server.get());
    how.act = [&](Turn& turn) {
        if (turn.exchange == 0) {
            turn.response = used;
        } else {
            auto field = header(turn.response.headers, "WWW-Authenticate");
            const auto begin = field.find("nonce=\"") + 7;
            const auto end = field.find('"', begin);
            auto raw = from_base64(field.substr(begin, end - begin)).value();
            raw.back() ^= 1;
            turn.response.headers = {};
            turn.response.headers.add("WWW-Authenticate",
                                      field.replace(begin, end - begin, to_base64(raw)));
        }
        return say(turn);
    };
    expect_refused(rig.run(how), Errc::MacFailure, 3);
    how.act = {};
    expect_success(rig, how);
}

} // namespace
} // namespace mtkey::integration
