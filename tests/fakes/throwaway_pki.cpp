// SPDX-License-Identifier: Apache-2.0
#include "fakes/throwaway_pki.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace mtkey::fakes {
namespace {

void must(bool done, const char* what) {
    if (!done) {
        std::fprintf(stderr, "throw-away PKI: %s failed\n", what);
        std::abort();
    }
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, static_cast<void*>(&data));
    return {data, static_cast<std::size_t>(size)};
}

std::shared_ptr<EVP_PKEY> make_key(int rsa_bits) {
    EVP_PKEY* key = rsa_bits == 0 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")
                                  : EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA",
                                                      static_cast<std::size_t>(rsa_bits));
    must(key != nullptr, "key");
    return {key, EVP_PKEY_free};
}

void add(X509* certificate, X509* issuer, const char* name, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf(nullptr, &context, name, value.c_str());
    must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, name);
    X509_EXTENSION_free(extension);
}

void add_name(GENERAL_NAMES* names, int type, std::string_view octets) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_STRING* value = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    must(ASN1_STRING_set(value, octets.data(), static_cast<int>(octets.size())) == 1, "name");
    GENERAL_NAME_set0_value(name, type, value);
    must(sk_GENERAL_NAME_push(names, name) > 0, "name");
}

void add_alternative_names(X509* certificate, const CertificateForm& form) {
    GENERAL_NAMES* names = GENERAL_NAMES_new();
    for (const auto& dns : form.dns) {
        add_name(names, GEN_DNS, dns);
    }
    for (const auto& uri : form.uris) {
        add_name(names, GEN_URI, uri);
    }
    for (const auto& ip : form.ips) {
        std::array<char, 4> octets{};
        must(inet_pton(AF_INET, ip.c_str(), octets.data()) == 1, "address");
        add_name(names, GEN_IPADD, {octets.data(), octets.size()});
    }
    if (sk_GENERAL_NAME_num(names) > 0) {
        must(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1,
             "subjectAltName");
    }
    GENERAL_NAMES_free(names);
}

} // namespace

ThrowawayPki::ThrowawayPki() {
    std::string name = (std::filesystem::temp_directory_path() / "mtkey-pki-XXXXXX").string();
    must(::mkdtemp(name.data()) != nullptr, "folder");
    folder_ = name;
}

ThrowawayPki::~ThrowawayPki() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string ThrowawayPki::file(const std::string& name, std::string_view content, unsigned mode) {
    const std::string path = folder_ + "/" + name;
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    must(fd >= 0 &&
             ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()),
         "file");
    ::fchmod(fd, mode);
    ::close(fd);
    return path;
}

Identity ThrowawayPki::authority(const std::string& name) {
    CertificateForm form;
    form.common_name = name;
    form.ca = true;
    form.usage.clear();
    return issue(name, form, nullptr);
}

Identity ThrowawayPki::issue(const std::string& name, const CertificateForm& form,
                             const Identity* issuer) {
    Identity made;
    made.key = make_key(form.rsa_bits);
    made.certificate = std::shared_ptr<X509>(X509_new(), X509_free);
    X509* const certificate = made.certificate.get();
    X509* const signer = issuer == nullptr ? certificate : issuer->certificate.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), form.begins);
    X509_gmtime_adj(X509_getm_notAfter(certificate), form.ends);
    X509_set_pubkey(certificate, made.key.get());
    X509_NAME* const subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(form.common_name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(signer));
    add(certificate, signer, "basicConstraints",
        form.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add(certificate, signer, "keyUsage",
        form.ca ? "critical,keyCertSign,cRLSign,digitalSignature" : "critical,digitalSignature");
    add(certificate, signer, "subjectKeyIdentifier", "hash");
    add(certificate, signer, "authorityKeyIdentifier", "keyid:always");
    if (!form.usage.empty()) {
        add(certificate, signer, "extendedKeyUsage", form.usage);
    }
    if (const auto equals = form.extra.find('='); equals != std::string::npos) {
        add(certificate, signer, form.extra.substr(0, equals).c_str(),
            form.extra.substr(equals + 1));
    }
    add_alternative_names(certificate, form);
    EVP_PKEY* const key = issuer == nullptr ? made.key.get() : issuer->key.get();
    must(X509_sign(certificate, key, form.sha1 ? EVP_sha1() : EVP_sha256()) > 0, "signature");

    const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), BIO_free);
    must(PEM_write_bio_X509(text.get(), certificate) == 1, "PEM");
    made.certificate_file = file(name + ".pem", text_of(text.get()));
    const std::unique_ptr<BIO, decltype(&BIO_free)> secret(BIO_new(BIO_s_mem()), BIO_free);
    must(PEM_write_bio_PrivateKey(secret.get(), made.key.get(), nullptr, nullptr, 0, nullptr,
                                  nullptr) == 1,
         "PEM");
    made.key_file = file(name + ".key", text_of(secret.get()), 0600);
    return made;
}

std::string ThrowawayPki::revoke(const Identity& issuer,
                                 const std::vector<const Identity*>& revoked, long next_update) {
    const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> crl(X509_CRL_new(), X509_CRL_free);
    X509_CRL_set_version(crl.get(), 1);
    X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer.certificate.get()));
    const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> time(ASN1_TIME_new(),
                                                                     ASN1_TIME_free);
    X509_gmtime_adj(time.get(), -7200);
    X509_CRL_set1_lastUpdate(crl.get(), time.get());
    for (const Identity* one : revoked) {
        X509_REVOKED* entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one->certificate.get()));
        X509_REVOKED_set_revocationDate(entry, time.get());
        X509_CRL_add0_revoked(crl.get(), entry);
    }
    X509_gmtime_adj(time.get(), next_update);
    X509_CRL_set1_nextUpdate(crl.get(), time.get());
    must(X509_CRL_sign(crl.get(), issuer.key.get(), EVP_sha256()) > 0, "CRL");
    const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), BIO_free);
    must(PEM_write_bio_X509_CRL(text.get(), crl.get()) == 1, "PEM");
    return file("crl-" + std::to_string(++serial_) + ".pem", text_of(text.get()));
}

} // namespace mtkey::fakes
