// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <termios.h>
#include <thread>
#include <utility>

namespace mtkey::test {

/// A modem on a pseudo-terminal that plays a script: each line it must hear, and what it says to
/// it. The greeting of AtPort needs no script. Owns the thread, and the link that is its device's
/// name.
class PtyModem {
public:
    PtyModem() {
        std::string folder = "/tmp/mtkey-modem.XXXXXX";
        folder_ = ::mkdtemp(folder.data());
        device_ = folder_ / "tty";
        plug_in();
    }
    PtyModem(const PtyModem&) = delete;
    PtyModem& operator=(const PtyModem&) = delete;
    ~PtyModem() {
        pull_out();
        std::filesystem::remove_all(folder_);
    }

    [[nodiscard]] std::string device() const { return device_; }
    /// `says` empty: silence. "hang up": the line goes dead.
    PtyModem& hear(std::string line, std::string says) {
        const std::lock_guard lock(mutex_);
        script_.emplace_back(std::move(line), std::move(says));
        return *this;
    }
    /// Repeats each line before it answers.
    void set_echo(bool on) { echo_ = on; }
    /// Greetings are silence too.
    void set_dead(bool on) { dead_ = on; }
    void say(const std::string& text) {
        if (::write(master_.get(), text.data(), text.size()) != std::ssize(text)) {
            const std::lock_guard lock(mutex_);
            trouble_ = "the line took only a part of what the modem says";
        }
    }
    /// Empty when all was played and nothing else was heard.
    [[nodiscard]] std::string trouble() {
        const std::lock_guard lock(mutex_);
        return trouble_.empty() && !script_.empty() ? "never heard: " + script_.front().first
                                                    : trouble_;
    }

    void plug_in() {
        master_ = UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
        ::grantpt(master_.get());
        ::unlockpt(master_.get());
        std::array<char, 64> name{};
        ::ptsname_r(master_.get(), name.data(), name.size());
        // Held open: a master whose slave nobody has opened yet reads as hung up.
        slave_ = UniqueFd(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
        termios line{};
        ::tcgetattr(slave_.get(), &line);
        ::cfmakeraw(&line);
        ::tcsetattr(slave_.get(), TCSANOW, &line);
        std::filesystem::create_symlink(name.data(), device_);
        wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
        thread_ = std::thread([this] { run(); });
    }
    void pull_out() {
        if (thread_.joinable()) {
            ::eventfd_write(wake_.get(), 1);
            thread_.join();
            std::filesystem::remove(device_);
        }
        slave_.reset();
        master_.reset();
    }

private:
    void run() {
        std::string heard;
        while (true) {
            std::array<pollfd, 2> polls{{{master_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
            ::poll(polls.data(), polls.size(), -1);
            char c = 0;
            if (polls[1].revents != 0 || ::read(master_.get(), &c, 1) != 1) {
                return;
            }
            if (c != '\r') {
                heard.push_back(c);
                continue;
            }
            const auto says = answer_to(std::exchange(heard, {}));
            if (says == "hang up") {
                slave_.reset();
                master_.reset();
                return;
            }
            say(says);
        }
    }
    std::string answer_to(const std::string& line) {
        const std::lock_guard lock(mutex_);
        const std::string echoed = echo_ ? line + "\r" : "";
        if (!script_.empty() && script_.front().first == line) {
            auto says = std::move(script_.front().second);
            script_.pop_front();
            return says == "hang up" || says.empty() ? says : echoed + says;
        }
        if (dead_) {
            return {};
        }
        if (line == "ATE0Q0V1" || line == "AT+CMEE=1") {
            return echoed + "\r\nOK\r\n";
        }
        if (line == "AT+CMEE?") {
            return echoed + "\r\n+CMEE: 1\r\n\r\nOK\r\n";
        }
        if (trouble_.empty()) {
            trouble_ = "heard: " + line;
        }
        return "\r\nERROR\r\n";
    }

    std::filesystem::path folder_;
    std::filesystem::path device_;
    UniqueFd master_;
    UniqueFd slave_;
    UniqueFd wake_;
    std::thread thread_;
    std::mutex mutex_;
    std::deque<std::pair<std::string, std::string>> script_;
    std::string trouble_;
    std::atomic<bool> echo_ = false;
    std::atomic<bool> dead_ = false;
};

} // namespace mtkey::test
