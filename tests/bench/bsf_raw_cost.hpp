// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

struct sqlite3;
struct sqlite3_stmt;

namespace mtkey::bench {

/// The OpenSSL operations that one bootstrapping cannot do without, on contexts that are made once:
/// a Milenage vector (6 AES blocks), SHA-1(IK) of GBA_U, request-digest and rspauth (8 MD5), the
/// TMPI (HMAC-SHA-256), RAND and opaque.
class RawCrypto {
public:
    RawCrypto();
    ~RawCrypto();
    RawCrypto(const RawCrypto&) = delete;
    RawCrypto& operator=(const RawCrypto&) = delete;
    void one_bootstrapping();

private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

/// The two commits of one bootstrapping, with rows of the BSF's sizes and its pragmas, on prepared
/// statements: an SQN counted up, a context put in.
class RawSqlite {
public:
    /// Empty path: in memory.
    explicit RawSqlite(const std::string& path);
    ~RawSqlite();
    RawSqlite(const RawSqlite&) = delete;
    RawSqlite& operator=(const RawSqlite&) = delete;
    void one_bootstrapping();

private:
    void execute(const char* sql);

    sqlite3* connection_ = nullptr;
    sqlite3_stmt* update_ = nullptr;
    sqlite3_stmt* insert_ = nullptr;
};

} // namespace mtkey::bench
