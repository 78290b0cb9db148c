// SPDX-License-Identifier: Apache-2.0
#include "http/tls.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace mtkey::http {
namespace {

constexpr std::size_t kKeyFileLimit = 64 * 1024;
constexpr std::size_t kTrustFileLimit = 16 * 1024 * 1024; ///< the CRL of a large fleet
/// TS 33.310 annex E: forward secrecy and AEAD. No security level is named here: the system's
/// stands, never less than 2.
constexpr const char* kCiphersOfTls12 = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr int kLowestSecurityLevel = 2;

/// The newest entry of OpenSSL's queue, which is then empty.
std::string openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "unknown reason" : reason;
}

std::unexpected<Error> bad_file(const std::string& file, const char* what) {
    return fail(Errc::ConfigInvalid, std::string(what) + " " + file + ": " + openssl_reason());
}

Result<SslContext> new_context(const SSL_METHOD* method) {
    ERR_clear_error();
    SslContext context(SSL_CTX_new(method));
    if (context == nullptr) {
        return fail(Errc::CryptoFailed, "TLS context: " + openssl_reason());
    }
    SSL_CTX* const raw = context.get();
    // The draft's TLS 1.0 (RFC 2246) is not offered. A stricter openssl.cnf stands.
    if (SSL_CTX_get_min_proto_version(raw) < TLS1_2_VERSION) {
        SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    }
    if (SSL_CTX_get_security_level(raw) < kLowestSecurityLevel) {
        SSL_CTX_set_security_level(raw, kLowestSecurityLevel);
    }
    if (SSL_CTX_set_cipher_list(raw, kCiphersOfTls12) != 1) {
        return fail(Errc::CryptoFailed, "TLS ciphers: " + openssl_reason());
    }
    // A ticket or cached session would outlive the revocation of a certificate.
    SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(raw, 0);
    return context;
}

int no_passphrase(char*, int, int, void*) {
    return -1; // OpenSSL would ask on the terminal
}

struct FreeItems {
    void operator()(STACK_OF(X509_INFO) * p) const { sk_X509_INFO_pop_free(p, X509_INFO_free); }
    void operator()(STACK_OF(X509_NAME) * p) const { sk_X509_NAME_pop_free(p, X509_NAME_free); }
    void operator()(X509_STORE* p) const { X509_STORE_free(p); }
    void operator()(BIO* p) const { BIO_free(p); }
};
using PemItems = std::unique_ptr<STACK_OF(X509_INFO), FreeItems>;

/// What others are judged by: nobody but root and us may be able to write it. Distributions have
/// symbolic links in such places.
Result<PemItems> read_trusted(const std::string& file, const char* what) {
    std::error_code code;
    const auto behind_links = std::filesystem::canonical(file, code);
    const auto text =
        MTKEY_TRY(read_file(code ? file : behind_links.string(), kTrustFileLimit, Trust::Config));
    const std::unique_ptr<BIO, FreeItems> bio(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    ERR_clear_error();
    PemItems items(PEM_X509_INFO_read_bio(bio.get(), nullptr, no_passphrase, nullptr));
    if (items == nullptr) {
        return bad_file(file, what);
    }
    return items;
}

/// Trust anchors: each certificate of the file is one, an operator's intermediate CA too. `names`,
/// unless null, gets their subjects.
Result<void> add_anchors(X509_STORE* store, const std::string& file, STACK_OF(X509_NAME) * names) {
    const PemItems items = MTKEY_TRY(read_trusted(file, "CA certificates"));
    int added = 0;
    for (int i = 0; i < sk_X509_INFO_num(items.get()); ++i) {
        X509* const certificate = sk_X509_INFO_value(items.get(), i)->x509;
        if (certificate == nullptr || X509_STORE_add_cert(store, certificate) != 1) {
            continue;
        }
        ++added;
        if (names != nullptr) {
            sk_X509_NAME_push(names, X509_NAME_dup(X509_get_subject_name(certificate)));
        }
    }
    return added > 0 ? Result<void>() : bad_file(file, "CA certificates");
}

Result<void> trust(SSL_CTX* context, const std::string& file) {
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    return add_anchors(SSL_CTX_get_cert_store(context), file, nullptr);
}

Result<void> identify(SSL_CTX* context, const std::string& certificate, const std::string& key) {
    MTKEY_CHECK(read_file(certificate, 1024 * 1024, Trust::Any));
    if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
        return bad_file(certificate, "certificate");
    }
    const SecretBytes pem = MTKEY_TRY(read_secret_file(key, kKeyFileLimit));
    BIO* bio = BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.size()));
    EVP_PKEY* pkey = PEM_read_bio_PrivateKey(bio, nullptr, no_passphrase, nullptr);
    BIO_free(bio);
    const bool used = pkey != nullptr && SSL_CTX_use_PrivateKey(context, pkey) == 1 &&
                      SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(pkey);
    if (!used) {
        return bad_file(key, "private key");
    }
    return {};
}

/// OpenSSL lets a CA certificate pass as a client's own; whoever holds a CA key can make a proper
/// one. And it wants a CRL for a trust anchor too: an intermediate CA's would have to come from the
/// CA above it, which is nobody's here.
int judge_client(int ok, X509_STORE_CTX* store) {
    const int depth = X509_STORE_CTX_get_error_depth(store);
    if (ok != 1 && X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL && depth > 0 &&
        depth >= X509_STORE_CTX_get_num_untrusted(store)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    if (ok == 1 && X509_STORE_CTX_get_error_depth(store) == 0) {
        X509* const leaf = X509_STORE_CTX_get_current_cert(store);
        if (leaf == nullptr || X509_check_ca(leaf) != 0) {
            X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE);
            return 0;
        }
    }
    return ok;
}

Result<void> add_crls(X509_STORE* store, const std::string& file) {
    const PemItems items = MTKEY_TRY(read_trusted(file, "certificate revocation list"));
    int added = 0;
    for (int i = 0; i < sk_X509_INFO_num(items.get()); ++i) {
        X509_CRL* const crl = sk_X509_INFO_value(items.get(), i)->crl;
        added += crl != nullptr && X509_STORE_add_crl(store, crl) == 1 ? 1 : 0;
    }
    return added > 0 ? Result<void>() : bad_file(file, "certificate revocation list");
}

std::string digest_of(const X509* certificate) {
    std::array<std::uint8_t, 32> digest{};
    return X509_digest(certificate, EVP_sha256(), digest.data(), nullptr) == 1 ? to_hex(digest)
                                                                               : "";
}

bool is_numeric(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> space{};
    return inet_pton(AF_INET, host.c_str(), space.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), space.data()) == 1;
}

} // namespace

Result<SslContext> client_context(const TlsClientSettings& settings) {
    SslContext context = MTKEY_TRY(new_context(TLS_client_method()));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (settings.lowest == TlsVersion::Tls13) {
        SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
    }
    if (!settings.ca_file.empty()) {
        MTKEY_CHECK(trust(context.get(), settings.ca_file));
    }
    if (settings.system_trust && SSL_CTX_set_default_verify_paths(context.get()) != 1) {
        return fail(Errc::ConfigInvalid, "the system's trust anchors: " + openssl_reason());
    }
    if (!settings.certificate_file.empty()) {
        MTKEY_CHECK(identify(context.get(), settings.certificate_file, settings.private_key_file));
    }
    return context;
}

Result<SslContext> server_context(const TlsServerSettings& settings) {
    SslContext context = MTKEY_TRY(new_context(TLS_server_method()));
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
    MTKEY_CHECK(identify(context.get(), settings.certificate_file, settings.private_key_file));
    if (settings.client_ca_files.empty()) {
        return context; // nobody is asked for a certificate
    }
    MTKEY_CHECK(renew_trust(context.get(), settings));
    // A CRL that is missing or past its next update refuses everybody.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()),
                                X509_V_FLAG_PARTIAL_CHAIN |
                                    (settings.client_crl_file.empty()
                                         ? 0UL
                                         : X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL));
    const int required = settings.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    // The purpose "SSL client" is OpenSSL's own default for the server side.
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | required, judge_client);
    return context;
}

Result<void> renew_trust(SSL_CTX* context, const TlsServerSettings& settings) {
    std::unique_ptr<X509_STORE, FreeItems> store(X509_STORE_new());
    std::unique_ptr<STACK_OF(X509_NAME), FreeItems> names(sk_X509_NAME_new_null());
    if (store == nullptr || names == nullptr) {
        return fail(Errc::CryptoFailed, "trust anchors: " + openssl_reason());
    }
    for (const auto& file : settings.client_ca_files) {
        MTKEY_CHECK(add_anchors(store.get(), file, names.get()));
    }
    if (!settings.client_crl_file.empty()) {
        MTKEY_CHECK(add_crls(store.get(), settings.client_crl_file));
    }
    SSL_CTX_set_cert_store(context, store.release());
    SSL_CTX_set_client_CA_list(context, names.release());
    return {};
}

Result<std::vector<std::string>> certificate_digests(const std::string& file) {
    const PemItems items = MTKEY_TRY(read_trusted(file, "CA certificates"));
    std::vector<std::string> out;
    for (int i = 0; i < sk_X509_INFO_num(items.get()); ++i) {
        if (const X509* const one = sk_X509_INFO_value(items.get(), i)->x509; one != nullptr) {
            out.push_back(digest_of(one));
        }
    }
    return out;
}

Result<SslHandle> client_handle(SSL_CTX* context, const std::string& fqdn) {
    SslHandle ssl(SSL_new(context));
    // The subject's common name is no host name (RFC 9525 section 2).
    if (ssl != nullptr) {
        SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                         X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    }
    // SSL_set_tlsext_host_name() without its C cast; OpenSSL copies the name.
    const auto say_name = [&] {
        return SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                        const_cast<char*>(fqdn.c_str())) == 1;
    };
    if (ssl == nullptr || SSL_set1_host(ssl.get(), fqdn.c_str()) != 1 ||
        (!is_numeric(fqdn) && !say_name())) {
        return fail(Errc::CryptoFailed, "TLS for " + fqdn + ": " + openssl_reason());
    }
    return ssl;
}

Result<SslHandle> server_handle(SSL_CTX* context) {
    SslHandle ssl(SSL_new(context));
    if (ssl == nullptr) {
        return fail(Errc::CryptoFailed, "TLS connection: " + openssl_reason());
    }
    return ssl;
}

std::string verify_failure(const SSL* ssl) {
    const long result = SSL_get_verify_result(ssl);
    return result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
}

void read_certificate(const SSL* ssl, Peer& peer) {
    X509* const certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr || SSL_get_verify_result(ssl) != X509_V_OK) {
        return;
    }
    peer.authenticated = true;
    const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
    if (const int length = sk_X509_num(chain); length > 0) {
        peer.anchor = digest_of(sk_X509_value(chain, length - 1));
    }
    const std::uint32_t usage = X509_get_extended_key_usage(certificate);
    peer.client_auth_usage = usage != UINT32_MAX && (usage & XKU_SSL_CLIENT) != 0;
    std::tm end{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1) {
        peer.not_after = timegm(&end);
    }
    // Null as well when the extension stands twice.
    auto* const names = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI && name->type != GEN_DNS) {
            continue;
        }
        const ASN1_STRING* const value = name->d.ia5;
        const auto length = static_cast<std::size_t>(ASN1_STRING_length(value));
        std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)), length);
        if (text.find('\0') == std::string::npos) {
            (name->type == GEN_URI ? peer.san_uris : peer.san_dns).push_back(std::move(text));
        }
    }
    GENERAL_NAMES_free(names);
}

} // namespace mtkey::http
