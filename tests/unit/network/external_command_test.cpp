// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/external_command.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"
#include "network/bsf/command_vectors.hpp"
#include "unit/network/bsf_fixture.hpp"
#include "unit/network/temporary_folder.hpp"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace mtkey::bsf {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ExternalCommand shell(const std::string& script) {
    return {.arguments = {"/bin/sh", "-c", script}};
}

std::string output_of(const ExternalCommand& command, std::string_view input = {}) {
    const auto output = run_command(command, as_octets(input));
    return output ? std::string(as_text(output->reveal())) : "failed: " + describe(output.error());
}

TEST(ExternalCommandTest, InputGoesInAndOutputComesOut) {
    EXPECT_EQ(output_of({.arguments = {"/bin/cat"}}, "text"), "text");
    EXPECT_EQ(output_of({.arguments = {"/bin/echo", "$(id)", "a  b", "*"}}), "$(id) a  b *\n")
        << "no shell";
    EXPECT_EQ(output_of({.arguments = {"/bin/true"}}, "nobody reads this"), "");
}

TEST(ExternalCommandTest, NothingOfOursIsInherited) {
    const UniqueFd open(::open("/dev/null", O_RDONLY)); // without O_CLOEXEC
    ASSERT_GE(open.get(), 3);
    ::setenv("MTKEY_TEST_SECRET", "x", 1);
    // Not by reading the folder: that takes a descriptor.
    EXPECT_EQ(output_of(shell("for n in 0 1 2 3 4 5 6 7 8 9 10 11 12; do "
                              "[ -e /proc/$$/fd/$n ] && echo -n \"$n \"; done; "
                              "/usr/bin/env | /bin/grep -c MTKEY || true")),
              "0 1 2 0\n");
}

TEST(ExternalCommandTest, SignalsAreAsNew) {
    sigset_t blocked;
    sigset_t before;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
    const auto old = std::signal(SIGPIPE, SIG_IGN);
    const auto status =
        output_of({.arguments = {"/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}});
    std::signal(SIGPIPE, old);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000000"));
    const auto ignored = std::stoull(status.substr(status.find("SigIgn:") + 7), nullptr, 16);
    EXPECT_EQ(ignored & (1ULL << (SIGPIPE - 1)), 0u) << status;
}

Error error_of(ExternalCommand command) {
    command.limit = std::chrono::milliseconds(300);
    const auto output = run_command(command, {});
    EXPECT_FALSE(output);
    return output ? Error{} : output.error();
}

TEST(ExternalCommandTest, FailuresNameTheCommand) {
    const auto exits = error_of(shell("echo secret; exit 3"));
    EXPECT_EQ(exits.code, Errc::IoFailed);
    EXPECT_THAT(exits.context, AllOf(StartsWith("/bin/sh: "), HasSubstr("exit status 3"),
                                     Not(HasSubstr("secret"))));
    EXPECT_THAT(error_of(shell("kill -9 $$")).context, HasSubstr("signal 9"));
    const auto missing = error_of({.arguments = {"/nonexistent/av"}});
    EXPECT_EQ(missing.code, Errc::IoFailed);
    EXPECT_THAT(missing.context,
                AllOf(HasSubstr("/nonexistent/av"), HasSubstr("cannot be started")));
}

TEST(ExternalCommandTest, HangingOnesAreKilledWithTheirChildren) {
    const TemporaryFolder folder;
    const auto pids = folder.file("pids");
    for (const std::string& script :
         {"sleep 1000 & echo $! >" + pids + "; sleep 1000", // holds its output open
          "sleep 1000 >/dev/null & echo $! >" + pids + "; exec >&-; sleep 1000",
          "sleep 1000 & echo $! >" + pids}) { // a child holds the output open
        EXPECT_EQ(error_of(shell(script)).code, Errc::TimedOut) << script;
        pid_t left = 0;
        std::ifstream(pids) >> left;
        ASSERT_GT(left, 1);
        // No such process, or one that ends now: SIGKILL needs a moment.
        const UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, left, 0)));
        pollfd waited{.fd = ended.get(), .events = POLLIN, .revents = 0};
        EXPECT_TRUE(!ended.valid() || ::poll(&waited, 1, 10'000) == 1) << script;
    }
}

TEST(ExternalCommandTest, OneThatLeftItsGroupIsKilledToo) {
    const TemporaryFolder folder;
    const auto pid = folder.file("pid");
    // Into the group of this test, which runs in the same session.
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(error_of({.arguments = {"/usr/bin/perl", "-e",
                                      "setpgrp(0, getpgrp(getppid())) or exit 1; "
                                      "open(F, '>', '" +
                                          pid + "'); print F $$; close F; close STDOUT; sleep 20"}})
                  .code,
              Errc::TimedOut);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
    pid_t left = 0;
    std::ifstream(pid) >> left;
    ASSERT_GT(left, 1);
    EXPECT_EQ(::kill(left, 0), -1) << "ended, and reaped";
}

TEST(ExternalCommandTest, HugeOutputIsCutOff) {
    auto command = shell("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done");
    command.most_output = 100;
    const auto output = run_command(command, {});
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().code, Errc::LimitExceeded);
    EXPECT_EQ(output_of({.arguments = {"/bin/echo", "-n", "12345"}, .most_output = 5}), "12345");
}

class CommandVectorsTest : public BsfTest {
protected:
    const vectors::Json milenage = example["milenage"];
    const TemporaryFolder folder;

    std::string answer_of_example() const {
        return R"({"rand":")" + std::string(milenage["rand"]) + R"(","autn":")" +
               std::string(milenage["autn"]) + R"(","xres":")" + std::string(milenage["res"]) +
               R"(","ck":")" + std::string(milenage["ck"]) + R"(","ik":")" +
               std::string(milenage["ik"]) + R"(","mode":"gba-u","lifetime_seconds":86400})";
    }
    void use(const std::string& script) {
        vectors_ = std::make_unique<CommandVectors>(shell(script));
        UbSettings settings;
        settings.fqdn = fqdn;
        ub = std::make_unique<UbHandler>(settings, *vectors_, store, clock, random);
    }
    std::unique_ptr<CommandVectors> vectors_;
};

TEST_F(CommandVectorsTest, BootstrapsWithAForeignHss) {
    const auto column = example["gba_u"]["ub"];
    use("cat >" + folder.file("asked") + "; echo '" + answer_of_example() + "'");
    random.push_hex(std::string(constants["opaque"]));
    ASSERT_EQ(ask().status, 401u);
    const auto done = send(std::string(column["authorization_header"]));
    EXPECT_EQ(done.status, 200u);
    EXPECT_EQ(done.body, example["bsf_200_body"]);
    std::string asked;
    std::ifstream(folder.file("asked")) >> asked;
    EXPECT_EQ(asked, "{\"impi\":\"" + impi + "\"}");
}

TEST_F(CommandVectorsTest, ResynchronisationIsHandedOn) {
    use("cat >" + folder.file("asked") + "; echo '" + answer_of_example() + "'");
    random.push_hex(std::string(constants["opaque"]));
    const auto challenge = ask();
    random.push_hex(kOpaque2);
    EXPECT_EQ(send(answer(challenge, {}, std::string(example["resync"]["auts_b64"]))).status, 401u);
    std::string asked;
    std::ifstream(folder.file("asked")) >> asked;
    EXPECT_THAT(asked, HasSubstr(R"("resync":{"rand":")" + std::string(milenage["rand"]) +
                                 R"(","auts":")" + std::string(example["resync"]["auts"]) + "\"}"));
}

TEST_F(CommandVectorsTest, WhatUesSeeOfFailures) {
    use("echo '{\"error\":\"unknown-subscriber\"}'");
    EXPECT_EQ(ask().status, 403u);
    for (const auto* script : {"exit 1", "echo garbage", "echo '{}'", "kill -9 $$"}) {
        use(script);
        const auto response = ask();
        EXPECT_EQ(response.status, 503u) << script;
        EXPECT_EQ(response.body, "not served\n") << script;
    }
}

TEST_F(CommandVectorsTest, OneRunForASubscriberAtATime) {
    // The command says that it has begun, and goes on when the test says so. Open in both
    // directions: the test waits for nobody at the other end.
    const auto begun = folder.file("begun");
    const auto go = folder.file("go");
    ASSERT_EQ(::mkfifo(begun.c_str(), 0600), 0);
    ASSERT_EQ(::mkfifo(go.c_str(), 0600), 0);
    const UniqueFd has_begun(::open(begun.c_str(), O_RDWR | O_CLOEXEC));
    const UniqueFd goes_on(::open(go.c_str(), O_RDWR | O_CLOEXEC));
    use("read asked; case $asked in *" + impi + "*) echo >" + begun + "; read x <" + go +
        ";; esac; echo '" + answer_of_example() + "'");
    random.push_hex(std::string(constants["opaque"]));
    HttpResponse slow;
    std::thread first([&] { slow = ask(); });
    pollfd waited{.fd = has_begun.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&waited, 1, 10'000), 1);

    const auto second = ask();
    EXPECT_EQ(second.status, 503u);
    EXPECT_EQ(header_of(second, "Retry-After"), "1");
    EXPECT_EQ(second.body, "not served\n");
    EXPECT_TRUE(vectors_->next_vector("other@example.org")) << "others are served";

    EXPECT_TRUE(write_all(goes_on.get(), as_octets("\n")));
    first.join();
    EXPECT_EQ(slow.status, 401u);
    EXPECT_TRUE(write_all(goes_on.get(), as_octets("\n")));
    EXPECT_TRUE(vectors_->next_vector(impi)) << "the next one has its turn";
}

TEST_F(CommandVectorsTest, ErrorsOfTheAnswerNameTheCommand) {
    use("echo garbage");
    EXPECT_THAT(vectors_->next_vector(impi).error().context, StartsWith("/bin/sh: its answer"));
}

} // namespace
} // namespace mtkey::bsf
