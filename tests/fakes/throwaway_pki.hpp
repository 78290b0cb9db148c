// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

namespace mtkey::fakes {

/// What a certificate says. Everything has the value of a proper device certificate of today.
struct CertificateForm {
    std::string common_name = "test";
    std::vector<std::string> dns;  ///< octet by octet, NUL and all
    std::vector<std::string> uris; ///< the same
    std::vector<std::string> ips;  ///< dotted, into iPAddress
    std::string usage =
        "clientAuth";  ///< extendedKeyUsage in openssl.cnf's words; empty = no such extension
    std::string extra; ///< "name=value" of one more extension, e.g. a critical unknown one
    bool ca = false;
    bool sha1 = false;
    int rsa_bits = 0;    ///< 0 = P-256
    long begins = -3600; ///< seconds from now
    long ends = 3600;
};

/// A key and its certificate, as objects and as PEM files (the key's is 0600).
struct Identity {
    std::shared_ptr<X509> certificate;
    std::shared_ptr<EVP_PKEY> key;
    std::string certificate_file;
    std::string key_file;
};

/// Owns a folder under the system's temporary one and removes it at the end. A failure to make a
/// certificate is a mistake of the test and ends it (std::abort).
class ThrowawayPki {
public:
    ThrowawayPki();
    ~ThrowawayPki();
    ThrowawayPki(const ThrowawayPki&) = delete;
    ThrowawayPki& operator=(const ThrowawayPki&) = delete;

    /// Self-signed when `issuer` is null.
    Identity issue(const std::string& name, const CertificateForm& form, const Identity* issuer);
    Identity authority(const std::string& name);
    /// A CRL of `issuer`, PEM; returns its path. `next_update` in seconds from now.
    std::string revoke(const Identity& issuer, const std::vector<const Identity*>& revoked,
                       long next_update = 3600);
    /// Any other file; returns its path.
    std::string file(const std::string& name, std::string_view content, unsigned mode = 0644);
    [[nodiscard]] const std::string& folder() const { return folder_; }

private:
    std::string folder_;
    long serial_ = 1;
};

} // namespace mtkey::fakes
