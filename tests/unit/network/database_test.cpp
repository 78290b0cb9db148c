// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/database.hpp"

#include "network/bsf/authentication_centre.hpp"
#include "network/bsf/bootstrapping_store.hpp"
#include "unit/network/bsf_fixture.hpp"
#include "unit/network/temporary_folder.hpp"

#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <iterator>
#include <mutex>
#include <set>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace mtkey::bsf {
namespace {

using std::chrono::hours;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class DatabaseTest : public BsfTest {
protected:
    const TemporaryFolder folder;
    const std::string path = folder.file("bsf.db");
    const vectors::Json milenage = example["milenage"];
    const std::string imsi = example["identities"]["imsi"];

    std::vector<aka::Subscriber> subscribers(std::string_view mode = "gba-u") const {
        return aka::parse_subscribers(subscriber(milenage, imsi, mode), "x").value();
    }
    std::unique_ptr<Database> open() const {
        auto opened = Database::open(path);
        EXPECT_TRUE(opened) << describe(opened.error());
        return opened ? std::move(*opened) : nullptr;
    }
    Error refusal() const {
        const auto refused = Database::open(path);
        EXPECT_FALSE(refused);
        return refused ? Error{} : refused.error();
    }
    /// As somebody with another program would.
    void change_file(const char* sql) const {
        const auto database = open();
        const auto lock = database->lock();
        Statement statement(*database, sql);
        ASSERT_TRUE(Query(statement).run());
    }
    /// A key that a test looks for.
    static constexpr std::array<std::uint8_t, 16> kPattern{0xC0, 0xFF, 0xEE, 0x12, 0x34, 0x56,
                                                           0x78, 0x9A, 0xBC, 0xDE, 0xF0, 0x11,
                                                           0x22, 0x33, 0x44, 0x55};
    bool stands_in_a_file() const {
        for (const auto* suffix : {"", "-wal", "-journal", "-shm"}) {
            std::ifstream file(path + suffix, std::ios::binary);
            const std::string all{std::istreambuf_iterator<char>(file), {}};
            if (all.find(as_text(kPattern)) != std::string::npos) {
                return true;
            }
        }
        return false;
    }
    /// So many subscribers, with keys that are not the pattern.
    std::string others(int count) const {
        std::string out;
        for (int i = 0; i < count; ++i) {
            out += subscriber(
                milenage, "00101" + std::to_string(10000000000 + i * 50000001L).substr(1), "gba-u");
        }
        return out;
    }
    std::uint64_t sqn_of(const IssuedVector& issued) const {
        const auto algorithm =
            aka::milenage(vectors::secret<16>(milenage["k"]), vectors::secret<16>(milenage["opc"]));
        const auto outputs = algorithm->f2345(issued.vector.rand);
        aka::Sqn sqn{};
        for (std::size_t i = 0; i < sqn.size(); ++i) {
            sqn[i] = issued.vector.autn[i] ^ outputs.ak.reveal()[i];
        }
        return aka::sqn_to_number(sqn);
    }
    BootstrappingContext context(const std::string& b_tid, std::chrono::seconds lifetime) const {
        BootstrappingContext out;
        out.b_tid = b_tid;
        out.impi = impi;
        out.tmpi = "t-" + b_tid;
        out.rand.fill(9);
        out.ks.reveal_writable()[31] = 0x5A;
        out.mode = Mode::GbaU;
        out.created = clock.utc_now();
        out.expires = out.created + lifetime;
        out.deadline = clock.boot_now() + lifetime;
        return out;
    }
};

TEST_F(DatabaseTest, NewFileIsForItsOwnerAlone) {
    ::umask(0);
    const auto database = open();
    ASSERT_TRUE(import_subscribers(*database, subscribers()));
    for (const auto* suffix : {"", "-wal", "-shm"}) {
        struct stat status{};
        ASSERT_EQ(::stat((path + suffix).c_str(), &status), 0) << suffix;
        EXPECT_EQ(status.st_mode & 0777, 0600u) << suffix;
    }
    ::umask(022);
}

TEST_F(DatabaseTest, OpenToOthersIsRefused) {
    open().reset();
    for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0601U}) {
        ASSERT_EQ(::chmod(path.c_str(), mode), 0);
        EXPECT_EQ(refusal().code, Errc::NotAuthorized) << std::oct << mode;
        EXPECT_THAT(refusal().context, AllOf(HasSubstr(path), HasSubstr("chmod 600")));
    }
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    std::ofstream(path + "-wal").close();
    ASSERT_EQ(::chmod((path + "-wal").c_str(), 0644), 0);
    EXPECT_THAT(refusal().context, HasSubstr(path + "-wal"));
}

TEST_F(DatabaseTest, FolderThatOthersMayWriteIsRefused) {
    const auto shared = folder.file("shared");
    ASSERT_TRUE(std::filesystem::create_directory(shared));
    for (const mode_t mode : {0770U, 0707U, 0777U, 01777U}) {
        ASSERT_EQ(::chmod(shared.c_str(), mode), 0);
        const auto refused = Database::open(shared + "/bsf.db");
        ASSERT_FALSE(refused) << std::oct << mode;
        EXPECT_EQ(refused.error().code, Errc::NotAuthorized);
        EXPECT_THAT(refused.error().context,
                    AllOf(HasSubstr(shared + "/bsf.db"), HasSubstr("its folder " + shared + " is"),
                          HasSubstr("chmod go-w"), HasSubstr("folder of your own")));
        EXPECT_TRUE(std::filesystem::is_empty(shared)) << "nothing was made there";
    }
    ASSERT_EQ(::chmod(shared.c_str(), 0755), 0);
    EXPECT_TRUE(Database::open(shared + "/bsf.db"));
}

TEST_F(DatabaseTest, FolderOfAnotherUserIsRefused) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can give a folder away";
    }
    const auto theirs = folder.file("theirs");
    ASSERT_TRUE(std::filesystem::create_directory(theirs));
    ASSERT_EQ(::chown(theirs.c_str(), 65534, 65534), 0);
    ASSERT_EQ(::chmod(theirs.c_str(), 0700), 0);
    const auto refused = Database::open(theirs + "/bsf.db");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::NotAuthorized);
}

TEST_F(DatabaseTest, LinkAndFolderAreRefused) {
    open().reset();
    const auto link = folder.file("link.db");
    ASSERT_EQ(::symlink(path.c_str(), link.c_str()), 0);
    EXPECT_FALSE(Database::open(link));
    EXPECT_FALSE(Database::open(folder.file("")));
    EXPECT_FALSE(Database::open(folder.file("missing/bsf.db")));
}

TEST_F(DatabaseTest, NewerSchemaIsRefusedAndNotTouched) {
    open().reset();
    change_file("PRAGMA user_version=3");
    EXPECT_EQ(refusal().code, Errc::ConfigInvalid);
    EXPECT_THAT(refusal().context, AllOf(HasSubstr(path), HasSubstr("version 3"),
                                         HasSubstr("knows version 2"), HasSubstr("newer")));
}

/// The schema of version 1, as it was.
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
INSERT INTO subscriber VALUES('001010123456789@ims.mnc001.mcc001.3gppnetwork.org',
  '001010123456789', 2, 'milenage', zeroblob(16), zeroblob(16), x'8000', 'gba-u', NULL, 7, NULL);
PRAGMA application_id=1836346178;
PRAGMA user_version=1;
)";

TEST_F(DatabaseTest, DatabaseOfVersion1IsMadeOneOfTheProgramsOwn) {
    sqlite3* old = nullptr;
    ASSERT_EQ(::sqlite3_open(path.c_str(), &old), SQLITE_OK);
    ASSERT_EQ(::sqlite3_exec(old, kVersion1, nullptr, nullptr, nullptr), SQLITE_OK);
    ASSERT_EQ(::sqlite3_close(old), SQLITE_OK);
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    for (int i = 0; i < 2; ++i) { // once only
        const auto database = open();
        ASSERT_TRUE(database);
        random.push(Bytes(16, 1));
        AuthenticationCentre auc(*database, aka::SqnScheme::FixedInd, clock, random);
        const auto issued = auc.next_vector("001010123456789@ims.mnc001.mcc001.3gppnetwork.org");
        ASSERT_TRUE(issued);
        BootstrappingStore contexts(*database, clock, "boot");
        EXPECT_TRUE(contexts.add(context("a", hours(1)), issued->entry));
    }
}

TEST_F(DatabaseTest, DatabaseOfAnotherProgramIsRefused) {
    open().reset();
    change_file("PRAGMA application_id=7");
    EXPECT_THAT(refusal().context, HasSubstr("not one of mtkey-bsf"));
    std::ofstream(path, std::ios::trunc)
        << "this is a text, and longer than SQLite's own header of "
           "one hundred octets, so that it is looked at and refused";
    EXPECT_EQ(refusal().code, Errc::IoFailed);
    EXPECT_THAT(refusal().context, AllOf(HasSubstr(path), HasSubstr("not a database")));
}

TEST_F(DatabaseTest, DamagedPagesAreRefused) {
    {
        const auto database = open();
        ASSERT_TRUE(import_subscribers(*database, subscribers()));
        ASSERT_TRUE(database->checkpoint().value());
    }
    const auto size = std::filesystem::file_size(path);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    for (std::uintmax_t page = 4096; page < size; page += 4096) {
        file.seekp(static_cast<std::streamoff>(page));
        file.write("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8);
    }
    file.close();
    EXPECT_EQ(refusal().code, Errc::IoFailed);
    EXPECT_THAT(refusal().context, HasSubstr(path));
}

TEST_F(DatabaseTest, SqnGoesOnAfterARestart) {
    random.push(Bytes(64, 1));
    std::uint64_t last = 0;
    {
        const auto database = open();
        ASSERT_TRUE(import_subscribers(*database, subscribers()));
        AuthenticationCentre first(*database, aka::SqnScheme::FixedInd, clock, random);
        last = sqn_of(first.next_vector(impi).value());
    }
    const auto database = open();
    EXPECT_EQ(import_subscribers(*database, subscribers())->kept, 1u) << "SQN is not the file's";
    AuthenticationCentre second(*database, aka::SqnScheme::FixedInd, clock, random);
    EXPECT_EQ(sqn_of(second.next_vector(impi).value()), last + 32);
}

TEST_F(DatabaseTest, SqnOfAVectorThatLeftIsOnDiskThoughTheProgramDies) {
    open().reset();
    {
        const auto database = open();
        ASSERT_TRUE(import_subscribers(*database, subscribers()));
    }
    random.push(Bytes(64, 1));
    const pid_t child = ::fork();
    if (child == 0) {
        auto opened = Database::open(path);
        AuthenticationCentre auc(**opened, aka::SqnScheme::FixedInd, clock, random);
        const bool issued = auc.next_vector(impi).has_value();
        ::_exit(issued ? 0 : 1); // no destructor: as if killed right after the vector left
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    const auto database = open();
    AuthenticationCentre auc(*database, aka::SqnScheme::FixedInd, clock, random);
    EXPECT_EQ(sqn_of(auc.next_vector(impi).value()), 0xFF9BB4D0B607 + 32);
}

TEST_F(DatabaseTest, CyclingIndAndTimeKeepTheirStateInTheFile) {
    random.push(Bytes(128, 1));
    {
        const auto database = open();
        ASSERT_TRUE(import_subscribers(*database, subscribers()));
        AuthenticationCentre auc(*database, aka::SqnScheme::Time, clock, random);
        EXPECT_EQ(sqn_of(auc.next_vector(impi).value()), 0xFF9BB4D0B607u);
    }
    clock.advance(std::chrono::minutes(1));
    {
        const auto database = open();
        AuthenticationCentre auc(*database, aka::SqnScheme::Time, clock, random);
        const auto expected = 0xFF9BB4D0B607 / 32 + 60;
        EXPECT_EQ(sqn_of(auc.next_vector(impi).value()), expected * 32 + 8);
    }
    const auto database = open();
    AuthenticationCentre auc(*database, aka::SqnScheme::CyclingInd, clock, random);
    const auto expected = 0xFF9BB4D0B607 / 32 + 61;
    EXPECT_EQ(sqn_of(auc.next_vector(impi).value()), expected * 32 + 9);
}

TEST_F(DatabaseTest, ContextSurvivesARestart) {
    {
        const auto database = open();
        BootstrappingStore before(*database, clock, "boot-1");
        ASSERT_TRUE(before.resume());
        ASSERT_TRUE(before.add(context("a", hours(2))));
    }
    const auto database = open();
    BootstrappingStore after(*database, clock, "boot-1");
    ASSERT_TRUE(after.resume());
    const auto found = after.find("a");
    ASSERT_TRUE(found);
    const auto expected = context("a", hours(2));
    EXPECT_EQ(found->impi, expected.impi);
    EXPECT_EQ(found->tmpi, expected.tmpi);
    EXPECT_EQ(found->rand, expected.rand);
    EXPECT_TRUE(found->ks == expected.ks);
    EXPECT_EQ(found->mode, expected.mode);
    EXPECT_EQ(found->created, expected.created);
    EXPECT_EQ(found->expires, expected.expires);
    EXPECT_EQ(found->deadline, expected.deadline);
    EXPECT_EQ(after.impi_of("t-a").value(), impi);
    clock.advance(hours(2));
    EXPECT_FALSE(after.find("a"));
    EXPECT_FALSE(after.impi_of("t-a"));
}

TEST_F(DatabaseTest, ClockSetBackWhileItWasDownRevivesNothing) {
    {
        const auto database = open();
        BootstrappingStore before(*database, clock, "boot-1");
        ASSERT_TRUE(before.add(context("a", hours(2))));
    }
    clock.advance(hours(3));
    clock.jump_utc(-hours(24));
    const auto database = open();
    BootstrappingStore after(*database, clock, "boot-1");
    ASSERT_TRUE(after.resume());
    EXPECT_EQ(after.find("a").error().code, Errc::NotFound);
    EXPECT_EQ(after.count().value(), 0u);
}

TEST_F(DatabaseTest, AfterARebootTheDeadlineIsMadeAnew) {
    {
        const auto database = open();
        BootstrappingStore before(*database, clock, "boot-1");
        ASSERT_TRUE(before.add(context("short", hours(2))));
        ASSERT_TRUE(before.add(context("long", hours(4))));
    }
    // One hour later the system is up again: its boot clock has begun at zero.
    fakes::ManualClock later(format_utc(clock.utc_now() + hours(1)), std::chrono::seconds(10));
    const auto database = open();
    BootstrappingStore after(*database, later, "boot-2");
    ASSERT_TRUE(after.resume());
    EXPECT_TRUE(after.find("short"));
    later.advance(hours(1));
    later.jump_utc(-hours(24));
    EXPECT_FALSE(after.find("short")) << "its hour is over on the clock that nobody sets";
    EXPECT_TRUE(after.find("long"));
    later.advance(hours(2));
    EXPECT_FALSE(after.find("long"));
}

TEST_F(DatabaseTest, RebootWithTheClockSetBackGivesNoMoreThanTheLifetime) {
    {
        const auto database = open();
        BootstrappingStore before(*database, clock, "boot-1");
        ASSERT_TRUE(before.add(context("a", hours(2))));
    }
    fakes::ManualClock later(format_utc(clock.utc_now() - hours(1000)), std::chrono::seconds(10));
    const auto database = open();
    BootstrappingStore after(*database, later, "boot-2");
    ASSERT_TRUE(after.resume());
    later.advance(hours(2));
    EXPECT_FALSE(after.find("a"));
}

TEST_F(DatabaseTest, RebootWithTheClockBehindTheDatabaseEndsTheContexts) {
    {
        const auto database = open();
        BootstrappingStore before(*database, clock, "boot-1");
        ASSERT_TRUE(before.add(context("a", hours(2))));
        clock.advance(hours(1));
        ASSERT_TRUE(before.mark_time());
    }
    // Ten hours later, long after the end of "a": but the clock says half past.
    fakes::ManualClock later(format_utc(clock.utc_now() - std::chrono::minutes(30)),
                             std::chrono::seconds(10));
    {
        const auto database = open();
        BootstrappingStore after(*database, later, "boot-2");
        ASSERT_TRUE(after.resume());
        EXPECT_FALSE(after.find("a"));
        EXPECT_EQ(after.count().value(), 0u);
        auto fresh = context("b", hours(2));
        fresh.created = later.utc_now();
        fresh.expires = fresh.created + hours(2);
        fresh.deadline = later.boot_now() + hours(2);
        ASSERT_TRUE(after.add(fresh));
        EXPECT_TRUE(after.find("b")) << "what is new is judged by the clock of now";
    }
    // The clock goes on from there: nothing of the other one ends these contexts.
    fakes::ManualClock third(format_utc(later.utc_now() + std::chrono::minutes(1)),
                             std::chrono::seconds(10));
    const auto database = open();
    BootstrappingStore after(*database, third, "boot-3");
    ASSERT_TRUE(after.resume());
    EXPECT_TRUE(after.find("b"));
}

TEST_F(DatabaseTest, RebootsGiveNoMoreThanWhatWasLeft) {
    {
        const auto database = open();
        BootstrappingStore before(*database, clock, "boot-1");
        ASSERT_TRUE(before.add(context("a", hours(4))));
        clock.advance(hours(3));
        clock.jump_utc(-hours(3)); // and stays wrong
        ASSERT_TRUE(before.purge()) << "marks the time once an hour";
    }
    fakes::ManualClock later(format_utc(clock.utc_now() + std::chrono::minutes(1)),
                             std::chrono::seconds(10));
    const auto database = open();
    BootstrappingStore after(*database, later, "boot-2");
    ASSERT_TRUE(after.resume());
    EXPECT_TRUE(after.find("a"));
    later.advance(hours(1));
    EXPECT_FALSE(after.find("a"));
}

TEST_F(DatabaseTest, TamperedSubscriberRowsAreNotUsed) {
    const std::vector<const char*> changes{
        "UPDATE subscriber SET k=x'00'",
        "UPDATE subscriber SET opc=zeroblob(17)",
        "UPDATE subscriber SET amf=x'800000'",
        "UPDATE subscriber SET algorithm='none'",
        "UPDATE subscriber SET mode='gba'",
        "UPDATE subscriber SET mnc_length=4",
        "UPDATE subscriber SET imsi='00101x123456789'",
        "UPDATE subscriber SET imsi='001010123456780'",
        "UPDATE subscriber SET lifetime=0",
        "UPDATE subscriber SET lifetime=99999999999",
        "UPDATE subscriber SET sqn_next=-1",
        "UPDATE subscriber SET sqn_next=281474976710656",
        "UPDATE subscriber SET sqn_dif=9223372036854775807",
    };
    for (const auto* tampering : changes) {
        std::filesystem::remove(path);
        {
            const auto database = open();
            ASSERT_TRUE(import_subscribers(*database, subscribers()));
        }
        change_file(tampering);
        const auto database = open();
        AuthenticationCentre auc(*database, aka::SqnScheme::FixedInd, clock, random);
        const auto refused = auc.next_vector(impi);
        ASSERT_FALSE(refused) << tampering;
        EXPECT_EQ(refused.error().code, Errc::IoFailed) << tampering;
        EXPECT_THAT(refused.error().context, Not(HasSubstr(imsi))) << tampering;
    }
}

TEST_F(DatabaseTest, TamperedContextRowsAreNotUsed) {
    const std::vector<const char*> changes{
        "UPDATE context SET ks=x'00'",
        "UPDATE context SET rand=zeroblob(15)",
        "UPDATE context SET mode=''",
        "UPDATE context SET impi=''",
        "UPDATE context SET created=-1",
        "UPDATE context SET created=expires",
        "UPDATE context SET expires=9999999999",
    };
    for (const auto* tampering : changes) {
        std::filesystem::remove(path);
        {
            const auto database = open();
            BootstrappingStore contexts(*database, clock, "boot");
            ASSERT_TRUE(contexts.add(context("a", hours(2))));
        }
        change_file(tampering);
        const auto database = open();
        BootstrappingStore contexts(*database, clock, "boot");
        const auto refused = contexts.find("a");
        ASSERT_FALSE(refused) << tampering;
        EXPECT_EQ(refused.error().code, Errc::IoFailed) << tampering;
    }
}

TEST_F(DatabaseTest, AWrongDatabaseIsNotTheSubscribersFault) {
    const auto database = open();
    ASSERT_TRUE(import_subscribers(*database, subscribers()));
    AuthenticationCentre own(*database, aka::SqnScheme::FixedInd, clock, random);
    BootstrappingStore contexts(*database, clock, "boot");
    UbSettings settings;
    settings.fqdn = fqdn;
    ub = std::make_unique<UbHandler>(settings, own, contexts, clock, random);
    change_file("UPDATE subscriber SET mode='gba'");
    const auto response = ask();
    EXPECT_EQ(response.status, 503u);
    EXPECT_EQ(response.body, "not served\n");
}

TEST_F(DatabaseTest, WhatWasDeletedIsInNoFile) {
    const auto database = open();
    BootstrappingStore contexts(*database, clock, "boot");
    auto added = context("a", hours(1));
    std::ranges::copy(kPattern, added.ks.reveal_writable().begin());
    ASSERT_TRUE(contexts.add(added));
    EXPECT_TRUE(stands_in_a_file()) << "this test looks in the right place";
    clock.advance(hours(1));
    ASSERT_TRUE(contexts.purge());
    EXPECT_FALSE(stands_in_a_file());
}

/// How many subscribers stay beside the one that goes.
class RemovedSubscriber : public DatabaseTest, public testing::WithParamInterface<int> {};

TEST_P(RemovedSubscriber, IsInNoFile) {
    auto list = aka::parse_subscribers(
                    subscriber(milenage, "001015000000000", "gba-u") + others(GetParam()), "x")
                    .value();
    list.front().keys.k = Secret<16>(kPattern);
    list.front().keys.opc = Secret<16>(kPattern);
    const auto gone = impi_of("001015000000000", 2);
    auto database = open();
    ASSERT_TRUE(import_subscribers(*database, list));
    AuthenticationCentre auc(*database, aka::SqnScheme::FixedInd, clock, random);
    for (int i = 0; i < 3; ++i) { // its row is written again with each vector
        random.push(Bytes(16, 1));
        ASSERT_TRUE(auc.next_vector(gone));
    }
    ASSERT_TRUE(stands_in_a_file()) << "this test looks in the right place";
    {
        const auto other = open(); // as `subscriber remove` beside a serving BSF
        {
            const auto lock = other->lock();
            auto transaction = Transaction::begin(*other);
            ASSERT_TRUE(SubscriberStore(*other).remove("001015000000000").value());
            ASSERT_TRUE(transaction->commit());
        }
        EXPECT_TRUE(other->checkpoint().value());
    }
    EXPECT_FALSE(stands_in_a_file());
    if (GetParam() > 0) { // and what is written next brings nothing back
        random.push(Bytes(16, 1));
        ASSERT_TRUE(auc.next_vector(impi_of("001010000000000", 2)));
        EXPECT_FALSE(stands_in_a_file());
    }
}

TEST_P(RemovedSubscriber, IsInNoFileAfterTheEnd) {
    auto list = aka::parse_subscribers(
                    subscriber(milenage, "001015000000000", "gba-u") + others(GetParam()), "x")
                    .value();
    list.front().keys.k = Secret<16>(kPattern);
    {
        const auto database = open();
        ASSERT_TRUE(import_subscribers(*database, list));
        const auto lock = database->lock();
        ASSERT_TRUE(SubscriberStore(*database).remove("001015000000000").value());
    }
    EXPECT_FALSE(stands_in_a_file());
}

INSTANTIATE_TEST_SUITE_P(Others, RemovedSubscriber, testing::Values(0, 1, 30, 200));

TEST_F(DatabaseTest, ContextThatMadeRoomIsInNoFile) {
    const auto database = open();
    BootstrappingStore contexts(*database, clock, "boot");
    ASSERT_TRUE(contexts.purge()); // what is done at the start is done
    auto added = context("first", hours(1));
    std::ranges::copy(kPattern, added.ks.reveal_writable().begin());
    ASSERT_TRUE(contexts.add(added));
    for (std::size_t i = 0; i < BootstrappingStore::kLimitPerSubscriber; ++i) {
        ASSERT_TRUE(contexts.add(context(std::to_string(i), hours(2))));
    }
    ASSERT_FALSE(contexts.find("first"));
    ASSERT_TRUE(contexts.purge());
    EXPECT_FALSE(stands_in_a_file());
}

TEST_F(DatabaseTest, LogIsEmptiedWhenTheReaderInTheWayIsGone) {
    const auto database = open();
    BootstrappingStore contexts(*database, clock, "boot");
    auto added = context("a", hours(1));
    std::ranges::copy(kPattern, added.ks.reveal_writable().begin());
    ASSERT_TRUE(contexts.add(added));
    {
        sqlite3* reader = nullptr;
        ASSERT_EQ(::sqlite3_open(path.c_str(), &reader), SQLITE_OK);
        ASSERT_EQ(::sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM context", nullptr, nullptr,
                                 nullptr),
                  SQLITE_OK);
        clock.advance(hours(1));
        ASSERT_TRUE(contexts.purge());
        EXPECT_TRUE(stands_in_a_file()) << "somebody still reads it";
        ASSERT_EQ(::sqlite3_close(reader), SQLITE_OK);
    }
    ASSERT_TRUE(contexts.purge()) << "though nothing has expired since";
    EXPECT_FALSE(stands_in_a_file());
}

TEST_F(DatabaseTest, ARemovedSubscriberTakesItsContextsAlong) {
    const auto database = open();
    ASSERT_TRUE(import_subscribers(*database, subscribers()));
    BootstrappingStore contexts(*database, clock, "boot");
    ASSERT_TRUE(contexts.add(context("a", hours(1))));
    {
        const auto lock = database->lock();
        SubscriberStore store_of(*database);
        EXPECT_FALSE(store_of.remove("001010000000009").value());
        EXPECT_TRUE(store_of.remove(imsi).value());
        EXPECT_EQ(store_of.size().value(), 0u);
        EXPECT_EQ(store_of.find(impi).error().code, Errc::NotFound);
    }
    EXPECT_FALSE(contexts.find("a"));
}

TEST_F(DatabaseTest, TransactionWithoutCommitLeavesNothing) {
    const auto database = open();
    {
        const auto lock = database->lock();
        SubscriberStore store_of(*database);
        auto transaction = Transaction::begin(*database);
        ASSERT_TRUE(transaction);
        const auto list = subscribers();
        ASSERT_TRUE(store_of.add(list.front()).value());
    }
    EXPECT_EQ(count_subscribers(*database).value(), 0u);
}

TEST_F(DatabaseTest, MissingFileIsNotMadeWhereItIsRefused) {
    const auto refused = Database::open(path, Missing::Refuse);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::NotFound);
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(DatabaseTest, ManyThreadsAndTwoProgramsNeverGetTheSameSqn) {
    const auto one = open();
    const auto other = open(); // as another process would
    ASSERT_TRUE(import_subscribers(*one, subscribers()));
    SystemRandom fresh;
    AuthenticationCentre of_one(*one, aka::SqnScheme::FixedInd, clock, fresh);
    AuthenticationCentre of_other(*other, aka::SqnScheme::FixedInd, clock, fresh);
    std::mutex mutex;
    std::set<std::uint64_t> seen;
    constexpr int kThreads = 4;
    constexpr int kVectors = 25;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            auto& auc = i % 2 == 0 ? of_one : of_other;
            for (int n = 0; n < kVectors; ++n) {
                const auto issued = auc.next_vector(impi);
                const std::lock_guard lock(mutex);
                if (issued) {
                    seen.insert(sqn_of(*issued));
                }
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(kThreads * kVectors));
    EXPECT_EQ(*seen.rbegin() - *seen.begin(), 32u * (kThreads * kVectors - 1));
}

} // namespace
} // namespace mtkey::bsf
