// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "network/bsf/database_file.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace mtkey::bsf {

/// What is done where another program is in the middle of something.
enum class Busy { Wait, Leave };

/// The BSF's SQLite database: subscribers with their keys, and bootstrapping contexts. Owns one
/// connection and the lock that everybody who uses it holds.
///
/// K, OPc and Ks stand in it in clear: the file is refused when others may read it (mode 0600),
/// what is deleted is overwritten (secure_delete), and the memory that SQLite frees is wiped. It is
/// a write-ahead log with synchronous=FULL: a commit is one fdatasync, on disk before it returns,
/// and `mtkey-bsf subscriber list` reads beside a serving BSF.
class Database {
public:
    /// A new file has mode 0600. Errors name `path` and the remedy: open to others, of another
    /// program, of a newer version, damaged; NotFound with Missing::Refuse.
    static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                  Missing missing = Missing::Create);
    /// The same without a file; ends with the object. std::bad_alloc where there is no memory.
    static std::unique_ptr<Database> in_memory();
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    /// Held for each use of a Query.
    [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }
    /// What went to the log is moved into the file, and the log emptied: nothing that was deleted
    /// stays in it. Takes the lock. False: a reader or writer is in the way; the next time then.
    [[nodiscard]] Result<bool> checkpoint(Busy busy = Busy::Wait);

private:
    friend class Statement;
    friend class Query;
    friend class Transaction;
    Database(sqlite3* connection, std::string name);
    [[nodiscard]] Result<void> execute(const char* sql);
    [[nodiscard]] Result<std::int64_t> number(const char* sql);
    [[nodiscard]] Result<void> prepare_use(bool file);
    [[nodiscard]] Result<void> check_schema(bool file);
    [[nodiscard]] Result<void> upgrade();
    [[nodiscard]] Result<void> set_version();
    [[nodiscard]] std::unexpected<Error> error(std::string_view doing) const;

    sqlite3* connection_;
    std::string name_; ///< for errors
    std::mutex mutex_;
};

/// One SQL statement, compiled at its first use. Must end before its database, and under its lock
/// or when nobody else uses it any more.
class Statement {
public:
    Statement(Database& database, const char* sql) : database_(database), sql_(sql) {}
    ~Statement();
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

private:
    friend class Query;
    Database& database_;
    const char* sql_; ///< a literal
    sqlite3_stmt* compiled_ = nullptr;
};

/// One execution of a Statement, under the database's lock. What is bound is borrowed until the end
/// of the query; nothing of it stays bound.
class Query {
public:
    explicit Query(Statement& statement);
    ~Query();
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    Query& bind(std::int64_t value);
    Query& bind(std::string_view text);
    Query& bind(ByteView blob);
    Query& bind_null();
    /// True: a row is there. Errors of bind() come out here.
    [[nodiscard]] Result<bool> step();
    /// For what gives no rows.
    [[nodiscard]] Result<void> run();

    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] std::int64_t number(int column) const;
    /// Borrowed until the next step(); empty for a value of another type.
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] ByteView blob(int column) const;
    [[nodiscard]] std::int64_t changes() const; ///< rows, of the last change

private:
    Statement& statement_;
    int parameter_ = 0;
    int failed_ = 0; ///< SQLite's code of the first failure
};

/// All or nothing, on disk when commit() returns; undone by the destructor without it. Under the
/// database's lock.
class Transaction {
public:
    static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    [[nodiscard]] Result<void> commit();

private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_; ///< null: over
};

} // namespace mtkey::bsf
