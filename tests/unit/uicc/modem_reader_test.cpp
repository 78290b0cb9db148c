// SPDX-License-Identifier: Apache-2.0
// What a modem says while nobody asks, and a device file that goes and comes, on a pseudo-terminal.
#include "pty_modem.hpp"
#include "uicc/at_channel.hpp"
#include "uicc/modem_reader.hpp"

#include <condition_variable>
#include <deque>
#include <fstream>
#include <gtest/gtest.h>
#include <mutex>
#include <poll.h>

namespace mtkey::uicc {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
constexpr std::chrono::seconds kSoon{10}; // for machines under load
constexpr milliseconds kQuiet{150};

class ModemReaderTest : public ::testing::Test {
protected:
    ModemReaderTest() {
        AtPortOptions options;
        options.device = modem.device();
        options.greeting_limit = milliseconds(500);
        options.answer_limit = milliseconds(2000);
        reader.emplace(std::move(options));
    }
    ~ModemReaderTest() override { reader->stop_listening(); }

    void listen() {
        EXPECT_TRUE(reader->listen([this](const ReaderReport& report) {
            const std::scoped_lock lock(mutex);
            reports.push_back(report);
            told.notify_all();
        }));
    }
    /// The next report: "event", or "none" when there is no modem.
    std::string next() {
        std::unique_lock lock(mutex);
        if (!told.wait_for(lock, kSoon, [this] { return !reports.empty(); })) {
            return "no report";
        }
        const auto report = std::move(reports.front());
        reports.pop_front();
        EXPECT_TRUE(report.service);
        if (report.readers.empty()) {
            return "none";
        }
        EXPECT_EQ(report.readers.front().name, modem.device());
        EXPECT_TRUE(report.readers.front().present);
        return std::to_string(report.readers.front().raw >> 16);
    }
    bool quiet() {
        std::unique_lock lock(mutex);
        return !told.wait_for(lock, kQuiet, [this] { return !reports.empty(); });
    }
    Result<void> connect() {
        ModemReader::Lease lease(*reader);
        return lease.port() ? Result<void>() : fail(Errc::NoReader);
    }
    Errc ask(const char* line) {
        ModemReader::Lease lease(*reader);
        const auto port = lease.port();
        if (!port) {
            return port.error().code;
        }
        const auto answer = (*port)->ask({line,
                                          SecretBytes(as_octets(std::string(line) + "\r")),
                                          {"+X:", false},
                                          milliseconds(2000)});
        return answer ? Errc::Internal : answer.error().code;
    }

    test::PtyModem modem;
    std::optional<ModemReader> reader;
    std::mutex mutex;
    std::condition_variable told;
    std::deque<ReaderReport> reports;
};

TEST_F(ModemReaderTest, what_the_modem_says_of_its_card_is_an_event) {
    listen();
    EXPECT_EQ(next(), "0");
    ASSERT_TRUE(connect());
    EXPECT_TRUE(quiet()); // to connect is none
    modem.say("\r\n+CREG: 1\r\n");
    EXPECT_TRUE(quiet());
    modem.say("\r\n+QSIMSTAT: 1,0\r\n");
    EXPECT_EQ(next(), "1");
    modem.say("\r\n+QSIM");
    EXPECT_TRUE(quiet()); // longer than anybody waits for the rest of a line
    modem.say("STAT: 1,1\r\n");
    EXPECT_EQ(next(), "2");
    modem.say("\r\n+QSIMSTAT: 1,1\r\n"); // nothing new
    modem.say("\r\n+QSIMSTAT: 1,0\r\n");
    EXPECT_EQ(next(), "3");
    EXPECT_TRUE(quiet());
}

TEST_F(ModemReaderTest, a_line_that_begins_behind_an_answer_is_whole) {
    listen();
    EXPECT_EQ(next(), "0");
    modem.hear("AT+X", "\r\n+X: 1\r\n\r\nOK\r\n\r\n+QSIMST");
    EXPECT_EQ(ask("AT+X"), Errc::Internal); // answered
    EXPECT_TRUE(quiet());
    modem.say("AT: 1,0\r\n");
    EXPECT_EQ(next(), "1");
}

TEST_F(ModemReaderTest, a_modem_that_says_it_with_every_answer_says_nothing) {
    listen();
    EXPECT_EQ(next(), "0");
    for (int i = 0; i < 20; ++i) {
        modem.hear("AT+X", "\r\n+ZUSIMR:2\r\n\r\n+X: 1\r\n\r\nOK\r\n");
        EXPECT_EQ(ask("AT+X"), Errc::Internal);
    }
    EXPECT_EQ(next(), "1");
    EXPECT_TRUE(quiet());
}

TEST_F(ModemReaderTest, what_it_told_is_told_before_the_next_lease) {
    std::atomic<bool> told_it = false;
    EXPECT_TRUE(reader->listen([&](const ReaderReport& report) {
        told_it = !report.readers.empty() && report.readers.front().raw != 0;
    }));
    ASSERT_TRUE(connect());
    EXPECT_FALSE(told_it);
    modem.hear("AT+X", "\r\n+CPIN: NOT READY\r\n\r\n+X: 1\r\n\r\nOK\r\n");
    EXPECT_EQ(ask("AT+X"), Errc::Internal);
    const ModemReader::Lease lease(*reader);
    EXPECT_TRUE(told_it);
}

TEST_F(ModemReaderTest, what_it_says_in_the_middle_of_an_answer_is_one_too) {
    listen();
    EXPECT_EQ(next(), "0");
    modem.hear("AT+X", "\r\n+CPIN: NOT READY\r\n\r\n+X: 1\r\n\r\nOK\r\n");
    EXPECT_EQ(ask("AT+X"), Errc::Internal); // answered
    EXPECT_EQ(next(), "1");
    EXPECT_EQ(modem.trouble(), "");
}

TEST_F(ModemReaderTest, hang_up_and_return_are_seen_without_a_question) {
    listen();
    EXPECT_EQ(next(), "0");
    ASSERT_TRUE(connect());
    modem.pull_out();
    // The line goes dead and the file away: in one report or in two.
    auto last = next();
    while (last != "none" && last != "no report") {
        last = next();
    }
    EXPECT_EQ(last, "none");
    EXPECT_NE(ask("AT+X"), Errc::Internal);
    modem.plug_in();
    EXPECT_NE(next(), "none");
    EXPECT_TRUE(connect()); // at once, whatever the port's own waiting time
}

TEST_F(ModemReaderTest, initial_commands_are_said_each_time) {
    AtPortOptions options;
    options.device = modem.device();
    options.init = {"AT+QSIMSTAT=1", "AT+NONSENSE"};
    reader.emplace(std::move(options));
    modem.hear("AT+QSIMSTAT=1", "\r\nOK\r\n").hear("AT+NONSENSE", "\r\nERROR\r\n");
    EXPECT_TRUE(connect());
    modem.pull_out();
    modem.plug_in();
    EXPECT_NE(ask("AT+X"), Errc::Internal); // finds out
    modem.hear("AT+QSIMSTAT=1", "\r\nOK\r\n").hear("AT+NONSENSE", "\r\nOK\r\n");
    EXPECT_TRUE(connect());
    EXPECT_EQ(modem.trouble(), "");
}

TEST_F(ModemReaderTest, leases_exclude_each_other_and_the_thread) {
    listen();
    EXPECT_EQ(next(), "0");
    ASSERT_TRUE(connect());
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    const auto work = [&] {
        for (int i = 0; i < 200; ++i) {
            const ModemReader::Lease lease(*reader);
            most = std::max(most.load(), ++inside);
            std::this_thread::yield();
            --inside;
        }
    };
    std::thread other(work);
    work();
    other.join();
    EXPECT_EQ(most, 1);
    modem.say("\r\n^SIMST: 255\r\n"); // and the thread is still there
    EXPECT_EQ(next(), "1");
}

TEST(DeviceWatch, sees_a_file_come_whose_folder_comes_with_it) {
    std::string name = "/tmp/mtkey-watch.XXXXXX";
    const fs::path top = ::mkdtemp(name.data());
    const auto path = top / "serial" / "by-id" / "modem";
    auto watch = DeviceWatch::create(path).value();
    const auto waits = [&] {
        pollfd poll{watch.descriptor(), POLLIN, 0};
        return ::poll(&poll, 1, 2000) == 1 && watch.changed();
    };
    EXPECT_FALSE(watch.exists());
    std::ofstream(top / "another");
    EXPECT_FALSE(waits()); // none of ours
    fs::create_directory(top / "serial");
    EXPECT_TRUE(waits());
    fs::create_directory(top / "serial" / "by-id");
    EXPECT_TRUE(waits());
    std::ofstream(path.string());
    EXPECT_TRUE(waits());
    EXPECT_TRUE(watch.exists());
    fs::remove_all(top / "serial");
    EXPECT_TRUE(waits());
    EXPECT_FALSE(watch.exists());
    fs::create_directories(path.parent_path());
    EXPECT_TRUE(waits());
    std::ofstream(path.string());
    EXPECT_TRUE(waits());
    EXPECT_TRUE(watch.exists());
    fs::remove_all(top);
}

TEST(DeviceWatch, bears_what_is_no_file_in_a_folder) {
    for (const char* path : {"/dev/null/", "/dev/null/x", "/", "tty", ""}) {
        EXPECT_TRUE(DeviceWatch::create(path)) << path;
    }
}

} // namespace
} // namespace mtkey::uicc
