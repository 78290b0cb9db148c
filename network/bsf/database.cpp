// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/database.hpp"

#include "network/bsf/wiping_allocator.hpp"

#include <new>
#include <sqlite3.h>
#include <utility>

namespace mtkey::bsf {
namespace {

constexpr int kBusyMilliseconds = 5000;              // another process commits within milliseconds
constexpr std::int64_t kApplicationId = 0x6D74'6B42; // "mtkB"
constexpr std::int64_t kSchemaVersion = 2;

constexpr const char* kVersion1 = R"(
CREATE TABLE subscriber(
  impi TEXT PRIMARY KEY, imsi TEXT NOT NULL UNIQUE, mnc_length INTEGER NOT NULL,
  algorithm TEXT NOT NULL, k BLOB NOT NULL, opc BLOB NOT NULL, amf BLOB NOT NULL,
  mode TEXT NOT NULL, lifetime INTEGER, sqn_next INTEGER NOT NULL, sqn_dif INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE context(
  b_tid TEXT PRIMARY KEY, impi TEXT NOT NULL, tmpi TEXT NOT NULL, rand BLOB NOT NULL, ks BLOB NOT NULL,
  mode TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, deadline INTEGER NOT NULL,
  boot TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX context_by_impi ON context(impi, deadline);
CREATE INDEX context_by_tmpi ON context(tmpi);
)";

// entry: which of the subscribers that have had this IMPI it is, another number with each. moment:
// when this was last written, on both clocks.
constexpr const char* kVersion2 = R"(
ALTER TABLE subscriber ADD COLUMN entry INTEGER NOT NULL DEFAULT 0;
CREATE TABLE moment(
  one INTEGER PRIMARY KEY CHECK(one=1), boot TEXT NOT NULL, since_boot INTEGER NOT NULL,
  latest INTEGER NOT NULL
) STRICT;
)";

} // namespace

Database::Database(sqlite3* connection, std::string name)
    : connection_(connection), name_(std::move(name)) {}

Database::~Database() {
    ::sqlite3_close(connection_);
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Missing missing) {
    use_wiping_allocator();
    MTKEY_CHECK(prepare_database_file(path, missing));
    sqlite3* connection = nullptr;
    // "file:..." is a URI for SQLite, and another file than the one that was looked at.
    const auto plain = path.starts_with('/') ? path : "./" + path;
    const int code = ::sqlite3_open_v2(
        plain.c_str(), &connection,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, nullptr);
    auto database = std::unique_ptr<Database>(new Database(connection, path));
    if (code != SQLITE_OK) {
        return database->error("cannot be opened");
    }
    MTKEY_CHECK(database->prepare_use(true));
    return database;
}

std::unique_ptr<Database> Database::in_memory() {
    use_wiping_allocator();
    sqlite3* connection = nullptr;
    const int code = ::sqlite3_open_v2(":memory:", &connection,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                           SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX,
                                       nullptr);
    auto database = std::unique_ptr<Database>(new Database(connection, "in memory"));
    if (code != SQLITE_OK || !database->prepare_use(false)) {
        throw std::bad_alloc();
    }
    return database;
}

Result<void> Database::prepare_use(bool file) {
    ::sqlite3_extended_result_codes(connection_, 1);
    ::sqlite3_busy_timeout(connection_, kBusyMilliseconds);
    // What stands in the file is data: no schema of somebody else's making may run functions.
    ::sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    ::sqlite3_db_config(connection_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    MTKEY_CHECK(execute("PRAGMA secure_delete=ON"));
    MTKEY_CHECK(execute("PRAGMA cell_size_check=ON"));
    MTKEY_CHECK(check_schema(file));
    if (file) {
        MTKEY_CHECK(execute("PRAGMA journal_mode=WAL"));
        MTKEY_CHECK(execute("PRAGMA synchronous=FULL"));
    }
    return {};
}

Result<void> Database::check_schema(bool file) {
    const auto application = MTKEY_TRY(number("PRAGMA application_id"));
    const auto version = MTKEY_TRY(number("PRAGMA user_version"));
    const auto tables = MTKEY_TRY(number("SELECT count(*) FROM sqlite_schema"));
    if (application == 0 && version == 0 && tables == 0) {
        // One transaction: two programs that start with a new file do not meet half a schema.
        auto transaction = MTKEY_TRY(Transaction::begin(*this));
        if (MTKEY_TRY(number("SELECT count(*) FROM sqlite_schema")) == 0) {
            MTKEY_CHECK(execute(kVersion1));
            MTKEY_CHECK(execute(kVersion2));
            MTKEY_CHECK(set_version());
            MTKEY_CHECK(
                execute(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str()));
        }
        return transaction.commit();
    }
    if (application != kApplicationId) {
        return fail(Errc::ConfigInvalid,
                    "database " + name_ + " is not one of mtkey-bsf; name another file");
    }
    if (version < 1 || version > kSchemaVersion) {
        return fail(Errc::ConfigInvalid,
                    "database " + name_ + " has schema version " + std::to_string(version) +
                        ", this mtkey-bsf knows version " + std::to_string(kSchemaVersion) +
                        (version > kSchemaVersion ? ": it was written by a newer one; use that, or "
                                                    "another file"
                                                  : ": no mtkey-bsf has written it; use another "
                                                    "file"));
    }
    if (file &&
        MTKEY_TRY(number("SELECT count(*) FROM pragma_quick_check WHERE quick_check<>'ok'")) > 0) {
        return fail(Errc::IoFailed,
                    "database " + name_ + " is damaged; restore a copy, or move it away");
    }
    return version < kSchemaVersion ? upgrade() : Result<void>();
}

Result<void> Database::upgrade() {
    auto transaction = MTKEY_TRY(Transaction::begin(*this));
    if (MTKEY_TRY(number("PRAGMA user_version")) == 1) { // nobody else has done it meanwhile
        MTKEY_CHECK(execute(kVersion2));
        MTKEY_CHECK(set_version());
    }
    return transaction.commit();
}

Result<void> Database::set_version() {
    return execute(("PRAGMA user_version=" + std::to_string(kSchemaVersion)).c_str());
}

Result<void> Database::execute(const char* sql) {
    if (::sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return error("cannot be used");
    }
    return {};
}

Result<std::int64_t> Database::number(const char* sql) {
    Statement statement(*this, sql);
    Query query(statement);
    if (!MTKEY_TRY(query.step())) {
        return error("cannot be read");
    }
    return query.number(0);
}

Result<bool> Database::checkpoint(Busy busy) {
    const auto held = lock();
    ::sqlite3_busy_timeout(connection_, busy == Busy::Wait ? kBusyMilliseconds : 0);
    const int code = ::sqlite3_wal_checkpoint_v2(connection_, nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                                 nullptr, nullptr);
    ::sqlite3_busy_timeout(connection_, kBusyMilliseconds);
    if (code != SQLITE_OK && (code & 0xFF) != SQLITE_BUSY) {
        return error("cannot be written");
    }
    return code == SQLITE_OK;
}

std::unexpected<Error> Database::error(std::string_view doing) const {
    const int code =
        connection_ == nullptr ? SQLITE_NOMEM : ::sqlite3_extended_errcode(connection_);
    // The text of SQLite's own table: what the connection says may quote values.
    return fail(Errc::IoFailed,
                "database " + name_ + " " + std::string(doing) + ": " + ::sqlite3_errstr(code) +
                    "; check the file, its folder and the space there",
                static_cast<std::uint32_t>(code));
}

Statement::~Statement() {
    ::sqlite3_finalize(compiled_);
}

Query::Query(Statement& statement) : statement_(statement) {
    if (statement_.compiled_ == nullptr) {
        failed_ = ::sqlite3_prepare_v3(statement_.database_.connection_, statement_.sql_, -1,
                                       SQLITE_PREPARE_PERSISTENT, &statement_.compiled_, nullptr);
    }
}

Query::~Query() {
    ::sqlite3_reset(statement_.compiled_);
    if (statement_.compiled_ != nullptr) {
        ::sqlite3_clear_bindings(statement_.compiled_);
    }
}

Query& Query::bind(std::int64_t value) {
    if (failed_ == SQLITE_OK) {
        failed_ = ::sqlite3_bind_int64(statement_.compiled_, ++parameter_, value);
    }
    return *this;
}

Query& Query::bind(std::string_view text) {
    if (failed_ == SQLITE_OK) {
        // An empty view may have no address, and that would be NULL.
        failed_ = ::sqlite3_bind_text64(statement_.compiled_, ++parameter_,
                                        text.empty() ? "" : text.data(), text.size(), nullptr,
                                        SQLITE_UTF8);
    }
    return *this;
}

Query& Query::bind(ByteView blob) {
    if (failed_ == SQLITE_OK) {
        failed_ = ::sqlite3_bind_blob64(statement_.compiled_, ++parameter_, blob.data(),
                                        blob.size(), nullptr);
    }
    return *this;
}

Query& Query::bind_null() {
    if (failed_ == SQLITE_OK) {
        failed_ = ::sqlite3_bind_null(statement_.compiled_, ++parameter_);
    }
    return *this;
}

Result<bool> Query::step() {
    const int code = failed_ == SQLITE_OK ? ::sqlite3_step(statement_.compiled_) : failed_;
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        return code == SQLITE_ROW;
    }
    return statement_.database_.error("failed");
}

Result<void> Query::run() {
    (void)MTKEY_TRY(step());
    return {};
}

bool Query::is_null(int column) const {
    return ::sqlite3_column_type(statement_.compiled_, column) == SQLITE_NULL;
}

std::int64_t Query::number(int column) const {
    return ::sqlite3_column_int64(statement_.compiled_, column);
}

std::string_view Query::text(int column) const {
    if (::sqlite3_column_type(statement_.compiled_, column) != SQLITE_TEXT) {
        return {};
    }
    const auto* text =
        reinterpret_cast<const char*>(::sqlite3_column_text(statement_.compiled_, column));
    if (text == nullptr) {
        return {};
    }
    return {text, static_cast<std::size_t>(::sqlite3_column_bytes(statement_.compiled_, column))};
}

ByteView Query::blob(int column) const {
    if (::sqlite3_column_type(statement_.compiled_, column) != SQLITE_BLOB) {
        return {};
    }
    const auto* octets =
        static_cast<const std::uint8_t*>(::sqlite3_column_blob(statement_.compiled_, column));
    if (octets == nullptr) {
        return {};
    }
    return {octets, static_cast<std::size_t>(::sqlite3_column_bytes(statement_.compiled_, column))};
}

std::int64_t Query::changes() const {
    return ::sqlite3_changes64(statement_.database_.connection_);
}

Result<Transaction> Transaction::begin(Database& database) {
    // IMMEDIATE: a transaction that reads and then writes must not find that another has written.
    MTKEY_CHECK(database.execute("BEGIN IMMEDIATE"));
    return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
    if (database_ != nullptr) {
        (void)database_->execute("ROLLBACK");
    }
}

Result<void> Transaction::commit() {
    MTKEY_CHECK(database_->execute("COMMIT"));
    database_ = nullptr;
    return {};
}

} // namespace mtkey::bsf
