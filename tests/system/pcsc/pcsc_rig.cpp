// SPDX-License-Identifier: Apache-2.0
#include "pcsc_rig.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <net/if.h>
#include <netinet/tcp.h>
#include <optional>
#include <sched.h>
#include <sstream>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

namespace mtkey::test {
namespace {
constexpr const char* kPcscd = "/usr/sbin/pcscd";
constexpr const char* kDriver = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

// vpcd's control octets.
constexpr std::uint8_t kPowerOff = 0;
constexpr std::uint8_t kPowerOn = 1;
constexpr std::uint8_t kReset = 2;
constexpr std::uint8_t kGetAtr = 4;

[[noreturn]] void fail_with_errno(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// In the child: becomes pcscd with the listening socket as file descriptor 3.
[[noreturn]] void become_pcscd(int listener, const std::string& folder) {
    const rlimit largest_log{1 << 24, 1 << 24};
    setrlimit(RLIMIT_FSIZE, &largest_log);
    const int log = open((folder + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    dup2(listener, 3);
    fcntl(3, F_SETFD, 0);
    close_range(4, ~0U, 0);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    const std::string configuration = folder + "/conf";
    execl(kPcscd, kPcscd, "--foreground", "--config", configuration.c_str(), nullptr);
    _exit(127);
}

/// True when vpcd waits for its card; asking it would be putting one in.
bool is_listening() {
    std::array<char, 16> wanted{};
    std::snprintf(wanted.data(), wanted.size(), ":%04X ", PrivatePcscd::kPort);
    std::ifstream table("/proc/self/net/tcp");
    for (std::string line; std::getline(table, line);) {
        const auto port = line.find(wanted.data());
        if (port != std::string::npos && port < 20 && line.find(" 0A ") != std::string::npos) {
            return true;
        }
    }
    return false;
}

std::optional<Bytes> receive(int connection, std::size_t size) {
    Bytes out(size);
    std::size_t done = 0;
    while (done < size) {
        // vpcd sends length and body apart with Nagle on: an acknowledgement held back costs 40 ms.
        const int on = 1;
        setsockopt(connection, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
        const auto got = recv(connection, out.data() + done, size - done, 0);
        if (got <= 0) {
            return std::nullopt;
        }
        done += static_cast<std::size_t>(got);
    }
    return out;
}

bool send_message(int connection, ByteView octets) {
    Bytes message;
    append_u16(message, octets.size());
    append(message, octets);
    return send(connection, message.data(), message.size(), MSG_NOSIGNAL) == std::ssize(message);
}
} // namespace

std::string enter_private_surroundings() {
    const auto uid = getuid();
    const auto gid = getgid();
    if (unshare(CLONE_NEWNET | CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) != 0) {
        return std::string("no namespaces: ") + std::strerror(errno);
    }
    if (uid != 0) {
        std::ofstream("/proc/self/setgroups") << "deny";
        std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
        std::ofstream("/proc/self/gid_map") << gid << " " << gid << " 1";
    }
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, nullptr) != 0) {
        return std::string("no private /run: ") + std::strerror(errno);
    }
    const UniqueFd control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP;
    if (ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) {
        return std::string("no loopback interface: ") + std::strerror(errno);
    }
    return {};
}

std::string PrivatePcscd::missing() {
    for (const auto* path : {kPcscd, kDriver}) {
        if (access(path, R_OK) != 0) {
            return std::string(path) + " is not installed";
        }
    }
    return {};
}

PrivatePcscd::PrivatePcscd() {
    std::string name = "/tmp/mtkey-pcscd.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) {
        fail_with_errno("mkdtemp");
    }
    folder_ = name;
    socket_path_ = folder_ + "/pcscd.comm";
    // pcscd reads every file in its folder of readers: nothing else may live there.
    std::filesystem::create_directory(folder_ + "/conf");
    std::array<char, 8> port{};
    std::snprintf(port.data(), port.size(), "0x%04X", kPort);
    std::ofstream(folder_ + "/conf/vpcd")
        << "FRIENDLYNAME \"Test reader\"\nDEVICENAME /dev/null:" << port.data() << "\nLIBPATH "
        << kDriver << "\nCHANNELID " << port.data() << "\n";
    setenv("PCSCLITE_CSOCK_NAME", socket_path_.c_str(), 1);
    open_socket();
    start();
}

PrivatePcscd::~PrivatePcscd() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void PrivatePcscd::open_socket() {
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        listen(listener_.get(), 16) != 0) {
        fail_with_errno(socket_path_);
    }
}

void PrivatePcscd::close_socket() {
    listener_.reset();
    std::filesystem::remove(socket_path_);
}

void PrivatePcscd::start() {
    process_ = fork();
    if (process_ < 0) {
        fail_with_errno("fork");
    }
    if (process_ == 0) {
        become_pcscd(listener_.get(), folder_);
    }
    while (!is_listening()) {
        if (waitpid(process_, nullptr, WNOHANG) == process_) {
            process_ = -1;
            std::ostringstream log;
            log << std::ifstream(folder_ + "/log").rdbuf();
            throw std::runtime_error("pcscd ended: " + log.str());
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

void PrivatePcscd::stop() {
    if (process_ > 0) {
        kill(process_, SIGCONT);
        kill(process_, SIGTERM);
        waitpid(process_, nullptr, 0);
        process_ = -1;
    }
}

void PrivatePcscd::freeze() const {
    kill(process_, SIGSTOP);
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(process_), &info, WSTOPPED);
}

void PrivatePcscd::thaw() const {
    kill(process_, SIGCONT);
}

const Bytes& VirtualCard::atr() {
    // A UICC's (TS 102 221 clause 6.3): T=0 and global interface octets.
    static const Bytes atr{0x3B, 0x9F, 0x96, 0x80, 0x1F, 0xC7, 0x80, 0x31, 0xE0, 0x73, 0xFE,
                           0x21, 0x1B, 0x63, 0xE2, 0x03, 0xE8, 0x83, 0x0F, 0x90, 0x00, 0x82};
    return atr;
}

const Bytes& VirtualCard::atr_t1() {
    // TD1 and TD2 name T=1 alone; the last octet is the check octet then.
    static const Bytes atr = [] {
        Bytes octets{0x3B, 0x9F, 0x96, 0x81, 0x31, 0xFE, 0x45, 0x80, 0x31, 0xE0, 0x73,
                     0xFE, 0x21, 0x1B, 0x63, 0xE2, 0x03, 0xE8, 0x83, 0x0F, 0x90, 0x00};
        std::uint8_t check = 0;
        for (std::size_t i = 1; i < octets.size(); ++i) {
            check = static_cast<std::uint8_t>(check ^ octets[i]);
        }
        octets.push_back(check);
        return octets;
    }();
    return atr;
}

void VirtualCard::insert() {
    if (!inserted_.exchange(true)) {
        thread_ = std::thread([this] { run(); });
    }
}

void VirtualCard::remove() {
    inserted_ = false;
    if (const int connection = connection_; connection >= 0) {
        shutdown(connection, SHUT_RDWR);
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void VirtualCard::run() {
    while (inserted_) {
        const UniqueFd connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(PrivatePcscd::kPort);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connection_ = connection.get();
        if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address),
                    sizeof(address)) == 0) {
            serve(connection.get());
        }
        connection_ = -1;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

void VirtualCard::serve(int connection) {
    while (inserted_) {
        const auto head = receive(connection, 2);
        if (!head) {
            return;
        }
        const auto message =
            receive(connection, static_cast<std::size_t>((*head)[0] << 8 | (*head)[1]));
        if (!message) {
            return;
        }
        if (message->size() > 1) {
            ++commands_;
            if (!send_message(connection, program_(*message))) {
                return;
            }
            continue;
        }
        switch (message->empty() ? kPowerOn : message->front()) {
        case kGetAtr:
            if (mute_ > 0) {
                --mute_;
                send_message(connection, Bytes{0x00});
            } else {
                send_message(connection, atr_);
            }
            break;
        case kPowerOff:
        case kReset:
            ++resets_;
            break;
        default:
            break;
        }
    }
}

} // namespace mtkey::test
