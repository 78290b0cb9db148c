// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/unique_fd.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <thread>

namespace mtkey::test {

/// Moves this thread, and what it starts from now on, into a network of its own with nothing but a
/// loopback interface (vpcd listens on all addresses) and a /run of its own (pcscd writes there). A
/// text says why that is not possible here.
std::string enter_private_surroundings();

/// Owns a pcscd of our own with one virtual reader, started by its socket as systemd does it. Where
/// pcscd may run as somebody else, it does: as root it would tidy /run/pcscd at its end.
class PrivatePcscd {
public:
    PrivatePcscd();
    ~PrivatePcscd();
    PrivatePcscd(const PrivatePcscd&) = delete;
    PrivatePcscd& operator=(const PrivatePcscd&) = delete;

    /// Empty, or why there can be none.
    [[nodiscard]] static std::string missing();
    /// Returns when the reader is there.
    void start();
    void stop();
    /// The socket goes and comes as well: without it there is no service at all.
    void close_socket();
    void open_socket();
    void freeze() const;
    void thaw() const;

    static constexpr const char* kReader = "Test reader 00 00";
    static constexpr std::uint16_t kPort = 0x8C7B;

private:
    std::string folder_;
    std::string socket_path_;
    UniqueFd listener_;
    pid_t process_ = -1;
};

/// A card in the virtual reader while it is inserted: a thread that answers vpcd. Its program
/// decides what it answers.
class VirtualCard {
public:
    using Program = std::function<Bytes(ByteView command)>;
    explicit VirtualCard(Program program, const Bytes& atr = VirtualCard::atr())
        : program_(std::move(program)), atr_(atr) {}
    ~VirtualCard() { remove(); }
    VirtualCard(const VirtualCard&) = delete;
    VirtualCard& operator=(const VirtualCard&) = delete;

    /// Also over restarts of pcscd: it is pushed in again by itself.
    void insert();
    void remove();
    /// Commands and resets so far.
    [[nodiscard]] unsigned commands() const { return commands_; }
    [[nodiscard]] unsigned resets() const { return resets_; }

    /// The next so many times that it is powered it gives no ATR.
    void stay_mute(unsigned times) { mute_ = times; }

    static const Bytes& atr();    ///< a UICC's, T=0
    static const Bytes& atr_t1(); ///< the same for T=1

private:
    void run();
    void serve(int connection);
    Program program_;
    Bytes atr_;
    std::thread thread_;
    std::atomic<unsigned> mute_{0};
    std::atomic<bool> inserted_{false};
    std::atomic<int> connection_{-1};
    std::atomic<unsigned> commands_{0};
    std::atomic<unsigned> resets_{0};
};

} // namespace mtkey::test
