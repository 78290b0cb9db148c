// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus_pin.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <new>
#include <poll.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace mtkey::daemon {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);    // of a thread, with who writes
constexpr auto kLongestWait = std::chrono::seconds(2); // of a caller, with a thread
constexpr std::size_t kRoom = PinReader::kLongest + 1; // so that a PIN too long is seen as such

std::unexpected<Error> no_pin() {
    return fail(Errc::InvalidArgument, "the descriptor holds no PIN");
}

Result<SecretBytes> first_of(const SecretBytes& room, std::size_t used) {
    if (used > PinReader::kLongest) {
        return no_pin();
    }
    return SecretBytes(room.reveal().first(used));
}

/// From the beginning: the place in the file is shared with the caller, and so is its lock.
Result<SecretBytes> read_memory(int fd) {
    SecretBytes room(kRoom);
    const auto got = ::pread(fd, room.reveal_writable().data(), kRoom, 0);
    return got < 0 ? no_pin() : first_of(room, static_cast<std::size_t>(got));
}

bool is_pipe(int fd) {
    struct statx facts{};
    // Not fstat: a file system of the caller's own (FUSE) would be asked.
    return ::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &facts) == 0 &&
           S_ISFIFO(facts.stx_mode);
}

Result<SecretBytes> read_pipe(int fd) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    SecretBytes room(kRoom);
    std::size_t used = 0;
    while (used < kRoom) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd poll{fd, POLLIN, 0};
        const int ready = left.count() > 0 ? ::poll(&poll, 1, static_cast<int>(left.count())) : 0;
        if (ready == 0) {
            return no_pin();
        }
        // Somebody else may have taken what was there: then this one waits, perhaps for ever.
        const auto got =
            ready < 0 ? ready : ::read(fd, room.reveal_writable().data() + used, kRoom - used);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            used += static_cast<std::size_t>(got);
        } else if (errno != EINTR && errno != EAGAIN) {
            return no_pin();
        }
    }
    return first_of(room, used);
}

Result<SecretBytes> with_room(Result<SecretBytes> (*read)(int), int fd) {
    try {
        return read(fd);
    } catch (const std::bad_alloc&) {
        return fail(Errc::LimitExceeded, "the PIN does not fit into the secure heap");
    }
}

} // namespace

/// Lives as long as the last thread, which may be longer than the reader and its reactor.
struct PinReader::Desk {
    std::mutex mutex;
    PinReader* reader = nullptr; ///< nothing when it has gone
    std::atomic<std::size_t> threads = 0;

    void hand_in(const std::shared_ptr<Desk>& self, std::uint64_t number, Result<SecretBytes> pin) {
        // std::function wants copies; the PIN has none.
        auto shared = std::make_shared<Result<SecretBytes>>(std::move(pin));
        const std::scoped_lock lock(mutex);
        if (reader != nullptr) {
            reader->reactor_.post([self, number, shared] {
                if (self->reader != nullptr) {
                    self->reader->answer(number, std::move(*shared));
                }
            });
        }
    }
};

PinReader::PinReader(Reactor& reactor) : reactor_(reactor), desk_(std::make_shared<Desk>()) {
    desk_->reader = this;
}

PinReader::~PinReader() {
    const std::scoped_lock lock(desk_->mutex);
    desk_->reader = nullptr;
}

void PinReader::read(UniqueFd pin, Done done) {
    if (::fcntl(pin.get(), F_GET_SEALS) >= 0) { // asks no file system but that of memory
        done(with_room(read_memory, pin.get()));
        return;
    }
    if (!is_pipe(pin.get())) {
        done(no_pin());
        return;
    }
    if (desk_->threads >= kThreads) {
        done(fail(Errc::LimitExceeded, "other callers' pipes are being read; use a memfd"));
        return;
    }
    const auto number = ++last_;
    auto& open = open_[number] = Open{std::move(done), reactor_.timer()};
    open.too_late->at(SystemClock().boot_now() + kLongestWait,
                      [this, number] { answer(number, no_pin()); });
    ++desk_->threads;
    try {
        std::thread([desk = desk_, number, fd = std::move(pin)]() mutable {
            auto result = with_room(read_pipe, fd.get());
            fd.reset();
            --desk->threads;
            try {
                desk->hand_in(desk, number, std::move(result));
            } catch (const std::bad_alloc&) { // the caller hears of it when it is too late
            }
        }).detach();
    } catch (const std::exception&) {
        --desk_->threads;
        answer(number, fail(Errc::LimitExceeded, "no thread to read the pipe"));
    }
}

void PinReader::answer(std::uint64_t number, Result<SecretBytes> pin) {
    if (auto open = open_.extract(number)) {
        open.mapped().done(std::move(pin));
    }
}

} // namespace mtkey::daemon
