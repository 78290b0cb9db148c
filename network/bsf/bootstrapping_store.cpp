// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/bootstrapping_store.hpp"

#include "base/file.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::bsf {
namespace {

constexpr std::int64_t kLongestLifetime = 366LL * 24 * 3600;
constexpr auto kMarkInterval = std::chrono::hours(1);

std::int64_t seconds(UtcTime time) {
    return time.time_since_epoch().count();
}

std::int64_t milliseconds(BootTime time) {
    return time.time_since_epoch().count();
}

Result<BootstrappingContext> read(const Query& row) {
    BootstrappingContext out;
    out.b_tid = row.text(0);
    out.impi = row.text(1);
    out.tmpi = row.text(2);
    const auto rand = row.blob(3);
    const auto ks = row.blob(4);
    const auto mode = parse_mode(row.text(5));
    const auto created = row.number(6);
    const auto expires = row.number(7);
    if (out.impi.empty() || rand.size() != out.rand.size() || ks.size() != 32 || !mode ||
        created < 0 || expires <= created || expires - created > kLongestLifetime) {
        return fail(Errc::IoFailed, "database: the row of B-TID " + masked_b_tid(out.b_tid) +
                                        " is not valid; it is not used");
    }
    std::ranges::copy(rand, out.rand.begin());
    out.ks = Secret<32>(ks.first<32>());
    out.mode = *mode;
    out.created = UtcTime(std::chrono::seconds(created));
    out.expires = UtcTime(std::chrono::seconds(expires));
    out.deadline = BootTime(std::chrono::milliseconds(row.number(8)));
    return out;
}

} // namespace

std::string_view to_text(Mode mode) {
    switch (mode) {
    case Mode::GbaU:
        return "gba-u";
    case Mode::GbaMe:
        break;
    case Mode::Gba2g:
        return "gba-2g";
    }
    return "gba-me";
}

std::optional<Mode> parse_mode(std::string_view text) {
    for (const auto mode : {Mode::GbaU, Mode::GbaMe, Mode::Gba2g}) {
        if (text == to_text(mode)) {
            return mode;
        }
    }
    return std::nullopt;
}

Result<std::string> boot_id() {
    auto text = MTKEY_TRY(read_file("/proc/sys/kernel/random/boot_id", 64, Trust::Any));
    while (text.ends_with('\n')) {
        text.pop_back();
    }
    return text;
}

BootstrappingStore::BootstrappingStore(Database& database, const Clock& clock, std::string boot)
    : database_(database),
      clock_(clock),
      boot_(std::move(boot)),
      entry_(database, "SELECT 1 FROM subscriber WHERE impi=? AND entry=?"),
      // Of its own subscriber alone: a RAND that repeats must not end what is another's.
      add_(database,
           "INSERT INTO context(b_tid, impi, tmpi, rand, ks, mode, created, expires, deadline, "
           "boot) VALUES(?,?,?,?,?,?,?,?,?,?) ON CONFLICT(b_tid) DO UPDATE SET tmpi=excluded.tmpi, "
           "rand=excluded.rand, ks=excluded.ks, mode=excluded.mode, created=excluded.created, "
           "expires=excluded.expires, deadline=excluded.deadline, boot=excluded.boot "
           "WHERE impi=excluded.impi"),
      find_(database, "SELECT b_tid, impi, tmpi, rand, ks, mode, created, expires, deadline "
                      "FROM context WHERE b_tid=? AND expires>? AND deadline>?"),
      by_tmpi_(database,
               "SELECT impi FROM context WHERE tmpi=? AND expires>? AND deadline>? LIMIT 1"),
      // A clock that is set deletes nothing: find_ and by_tmpi_ ask both.
      purge_(database, "DELETE FROM context WHERE deadline<=?"),
      // A row without meaning, longer than any: SQLite keeps the last one written in a scratch
      // page.
      overwrite_(database, "INSERT OR REPLACE INTO context(b_tid, impi, tmpi, rand, ks, mode, "
                           "created, expires, deadline, boot) "
                           "VALUES('', '', '', x'', zeroblob(960), '', 0, 0, 0, '')"),
      count_(database, "SELECT count(*) FROM context"),
      count_of_(database, "SELECT count(*) FROM context WHERE impi=?"),
      remove_oldest_(database, "DELETE FROM context WHERE b_tid=(SELECT b_tid FROM context WHERE "
                               "impi=? ORDER BY deadline LIMIT 1)"),
      // In order: now on both clocks, this boot, the one of the last moment and when in it.
      resume_(database,
              "UPDATE context SET deadline=?2+min("
              "1000*max(0, min(expires-?1, expires-created)), "
              "CASE WHEN boot=?4 THEN max(0, deadline-?5) ELSE 1000*(expires-created) END), "
              "boot=?3 WHERE boot<>?3"),
      moment_(database, "SELECT boot, since_boot, latest FROM moment"),
      // The latest of another boot has done its work in resume(): a clock that was wrong for a
      // while does not end contexts for ever.
      mark_(database, "INSERT INTO moment(one, boot, since_boot, latest) VALUES(1,?,?,?) "
                      "ON CONFLICT(one) DO UPDATE SET boot=excluded.boot, "
                      "since_boot=excluded.since_boot, latest=CASE WHEN boot=excluded.boot "
                      "THEN max(latest, excluded.latest) ELSE excluded.latest END") {}

BootstrappingStore::BootstrappingStore(const Clock& clock)
    : BootstrappingStore(*Database::in_memory().release(), clock, "memory") {
    own_.reset(&database_);
}

Result<void> BootstrappingStore::resume() {
    const auto lock = database_.lock();
    auto transaction = MTKEY_TRY(Transaction::begin(database_));
    const auto last = MTKEY_TRY(last_moment());
    auto utc = clock_.utc_now();
    if (last.boot != boot_ && utc < last.latest) {
        log(LogLevel::Warning, "the clock is behind the database's: contexts of before end",
            {{"clock", format_utc(utc)}, {"database", format_utc(last.latest)}});
        utc = UtcTime::max();
    }
    {
        Query query(resume_);
        query.bind(seconds(utc))
            .bind(milliseconds(clock_.boot_now()))
            .bind(boot_)
            .bind(last.boot)
            .bind(milliseconds(last.since_boot));
        MTKEY_CHECK(query.run());
    }
    MTKEY_CHECK(purge_locked());
    MTKEY_CHECK(mark_locked());
    return transaction.commit();
}

Result<BootstrappingStore::Moment> BootstrappingStore::last_moment() {
    Query query(moment_);
    if (!MTKEY_TRY(query.step())) {
        return Moment{};
    }
    return Moment{std::string(query.text(0)), BootTime(std::chrono::milliseconds(query.number(1))),
                  UtcTime(std::chrono::seconds(query.number(2)))};
}

Result<void> BootstrappingStore::mark_locked() {
    Query query(mark_);
    query.bind(boot_).bind(milliseconds(clock_.boot_now())).bind(seconds(clock_.utc_now()));
    MTKEY_CHECK(query.run());
    marked_ = clock_.boot_now();
    return {};
}

Result<void> BootstrappingStore::mark_time() {
    const auto lock = database_.lock();
    return mark_locked();
}

Result<void> BootstrappingStore::add(const BootstrappingContext& context,
                                     std::optional<std::int64_t> entry) {
    const auto lock = database_.lock();
    auto transaction = MTKEY_TRY(Transaction::begin(database_));
    if (entry) {
        MTKEY_CHECK(check_entry(context.impi, *entry));
    }
    MTKEY_CHECK(make_room(context.impi));
    {
        Query query(add_);
        query.bind(context.b_tid)
            .bind(context.impi)
            .bind(context.tmpi)
            .bind(ByteView(context.rand))
            .bind(ByteView(context.ks.reveal()))
            .bind(to_text(context.mode))
            .bind(seconds(context.created))
            .bind(seconds(context.expires))
            .bind(milliseconds(context.deadline))
            .bind(boot_);
        MTKEY_CHECK(query.run());
        if (query.changes() == 0) {
            return fail(Errc::IoFailed, "B-TID " + masked_b_tid(context.b_tid) +
                                            " is another subscriber's; its RAND must not repeat");
        }
    }
    MTKEY_CHECK(mark_locked());
    return transaction.commit();
}

Result<void> BootstrappingStore::check_entry(const std::string& impi, std::int64_t entry) {
    Query query(entry_);
    return MTKEY_TRY(query.bind(impi).bind(entry).step()) ? Result<void>()
                                                          : fail(Errc::NotFound, "subscriber");
}

Result<void> BootstrappingStore::make_room(const std::string& impi) {
    if (MTKEY_TRY(number(count_of_, &impi)) >= kLimitPerSubscriber) {
        Query query(remove_oldest_);
        empty_log_ = true;
        return query.bind(impi).run();
    }
    if (at_most_ >= kLimit) {
        MTKEY_CHECK(purge_locked());
        at_most_ = MTKEY_TRY(number(count_, nullptr));
        if (at_most_ >= kLimit) {
            return fail(Errc::LimitExceeded, "bootstrapping contexts");
        }
    }
    ++at_most_;
    return {};
}

Result<BootstrappingContext> BootstrappingStore::find(std::string_view b_tid) {
    const auto lock = database_.lock();
    Query query(find_);
    query.bind(b_tid).bind(seconds(clock_.utc_now())).bind(milliseconds(clock_.boot_now()));
    if (!MTKEY_TRY(query.step())) {
        return fail(Errc::NotFound, "B-TID");
    }
    return read(query);
}

Result<std::string> BootstrappingStore::impi_of(std::string_view tmpi) {
    const auto lock = database_.lock();
    Query query(by_tmpi_);
    query.bind(tmpi).bind(seconds(clock_.utc_now())).bind(milliseconds(clock_.boot_now()));
    if (!MTKEY_TRY(query.step())) {
        return fail(Errc::NotFound, "TMPI");
    }
    return std::string(query.text(0));
}

Result<void> BootstrappingStore::purge() {
    {
        const auto lock = database_.lock();
        MTKEY_CHECK(purge_locked());
        if (clock_.boot_now() - marked_ >= kMarkInterval) {
            MTKEY_CHECK(mark_locked());
            empty_log_ = true;
        }
        if (!std::exchange(empty_log_, false)) {
            return {};
        }
    }
    const auto emptied = database_.checkpoint(Busy::Leave);
    if (!emptied.value_or(false)) {
        const auto lock = database_.lock();
        empty_log_ = true;
    }
    return emptied ? Result<void>() : std::unexpected(emptied.error());
}

Result<std::size_t> BootstrappingStore::count() {
    const auto lock = database_.lock();
    return number(count_, nullptr);
}

Result<void> BootstrappingStore::purge_locked() {
    if (MTKEY_TRY(delete_ended()) > 0) {
        empty_log_ = true;
        Query query(overwrite_);
        MTKEY_CHECK(query.run());
        (void)MTKEY_TRY(delete_ended());
    }
    return {};
}

Result<std::int64_t> BootstrappingStore::delete_ended() {
    Query query(purge_);
    query.bind(milliseconds(clock_.boot_now()));
    MTKEY_CHECK(query.run());
    return query.changes();
}

Result<std::size_t> BootstrappingStore::number(Statement& statement, const std::string* impi) {
    Query query(statement);
    if (impi != nullptr) {
        query.bind(*impi);
    }
    (void)MTKEY_TRY(query.step());
    return static_cast<std::size_t>(query.number(0));
}

} // namespace mtkey::bsf
