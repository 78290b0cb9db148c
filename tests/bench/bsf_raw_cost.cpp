// SPDX-License-Identifier: Apache-2.0
#include "bench/bsf_raw_cost.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <sqlite3.h>
#include <string_view>

namespace mtkey::bench {
namespace {

constexpr std::size_t kA1 = 110;       // username:realm:password
constexpr std::size_t kResponse = 190; // H(A1):nonce:nc:cnonce:qop:H(A2)
constexpr std::size_t kBody = 240;
constexpr std::size_t kA2 = 40;
constexpr std::size_t kTmpi = 130; // S of the KDF

void require(bool holds) {
    if (!holds) {
        std::fputs("bsf-bench: OpenSSL or SQLite failed\n", stderr);
        std::abort();
    }
}

} // namespace

struct RawCrypto::Contexts {
    EVP_CIPHER_CTX* aes = EVP_CIPHER_CTX_new();
    EVP_MD_CTX* digest = EVP_MD_CTX_new();
    EVP_CIPHER* aes_128_ecb = EVP_CIPHER_fetch(nullptr, "AES-128-ECB", nullptr);
    EVP_MD* md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
    EVP_MD* sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    EVP_MAC_CTX* mac = EVP_MAC_CTX_new(hmac);
    std::array<std::uint8_t, 512> in{};
    std::array<std::uint8_t, 64> out{};

    void hash(const EVP_MD* kind, std::size_t length) {
        unsigned written = 0;
        require(EVP_DigestInit_ex(digest, kind, nullptr) == 1 &&
                EVP_DigestUpdate(digest, in.data(), length) == 1 &&
                EVP_DigestFinal_ex(digest, out.data(), &written) == 1);
    }
};

RawCrypto::RawCrypto() : contexts_(std::make_unique<Contexts>()) {}

RawCrypto::~RawCrypto() {
    EVP_MAC_CTX_free(contexts_->mac);
    EVP_MAC_free(contexts_->hmac);
    EVP_MD_free(contexts_->sha1);
    EVP_MD_free(contexts_->md5);
    EVP_CIPHER_free(contexts_->aes_128_ecb);
    EVP_MD_CTX_free(contexts_->digest);
    EVP_CIPHER_CTX_free(contexts_->aes);
}

void RawCrypto::one_bootstrapping() {
    auto& c = *contexts_;
    require(RAND_priv_bytes(c.in.data(), 16) == 1 && RAND_priv_bytes(c.in.data() + 16, 16) == 1);
    require(EVP_EncryptInit_ex2(c.aes, c.aes_128_ecb, c.in.data(), nullptr, nullptr) == 1);
    EVP_CIPHER_CTX_set_padding(c.aes, 0);
    for (int block = 0; block < 6; ++block) {
        int written = 0;
        require(EVP_EncryptUpdate(c.aes, c.out.data(), &written, c.in.data(), 16) == 1);
    }
    c.hash(c.sha1, 16);
    for (const auto length : {kA1, std::size_t{0}, kA2, kResponse, kA1, kBody, kA2, kResponse}) {
        c.hash(c.md5, length);
    }
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0),
                                     OSSL_PARAM_construct_end()};
    std::size_t written = 0;
    require(EVP_MAC_init(c.mac, c.in.data(), 32, parameters) == 1 &&
            EVP_MAC_update(c.mac, c.in.data(), kTmpi) == 1 &&
            EVP_MAC_final(c.mac, c.out.data(), &written, c.out.size()) == 1);
}

RawSqlite::RawSqlite(const std::string& path) {
    require(sqlite3_open(path.empty() ? ":memory:" : path.c_str(), &connection_) == SQLITE_OK);
    execute("PRAGMA secure_delete=ON");
    if (!path.empty()) {
        execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    }
    execute("CREATE TABLE s(impi TEXT PRIMARY KEY, k BLOB, opc BLOB, sqn INTEGER) WITHOUT ROWID;"
            "INSERT INTO s VALUES('001010123456789@ims.mnc001.mcc001.3gppnetwork.org', "
            "zeroblob(16), zeroblob(16), 0);"
            "CREATE TABLE c(b_tid TEXT PRIMARY KEY, impi TEXT, tmpi TEXT, rand BLOB, ks BLOB, "
            "created INTEGER, expires INTEGER) WITHOUT ROWID");
    require(sqlite3_prepare_v3(connection_, "UPDATE s SET sqn=sqn+32", -1,
                               SQLITE_PREPARE_PERSISTENT, &update_, nullptr) == SQLITE_OK);
    require(
        sqlite3_prepare_v3(
            connection_,
            "INSERT INTO c VALUES(hex(randomblob(12))||'@bsf.mnc001.mcc001.pub.3gppnetwork.org',"
            "'001010123456789@ims.mnc001.mcc001.3gppnetwork.org',"
            "hex(randomblob(16))||'@tmpi.bsf.3gppnetwork.org',randomblob(16),randomblob(32),1,2)",
            -1, SQLITE_PREPARE_PERSISTENT, &insert_, nullptr) == SQLITE_OK);
}

RawSqlite::~RawSqlite() {
    sqlite3_finalize(update_);
    sqlite3_finalize(insert_);
    sqlite3_close(connection_);
}

void RawSqlite::execute(const char* sql) {
    require(sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
}

void RawSqlite::one_bootstrapping() {
    for (auto* statement : {update_, insert_}) {
        require(sqlite3_step(statement) == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK);
    }
}

} // namespace mtkey::bench
