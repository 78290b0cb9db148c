// SPDX-License-Identifier: Apache-2.0
#include "uicc/modem_reader.hpp"

#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace mtkey::uicc {
namespace {
constexpr std::chrono::milliseconds kPause{300};
} // namespace

Result<void> ModemReader::listen(Callback callback) {
    device_ = MTKEY_TRY(DeviceWatch::create(options_.device));
    wake_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!wake_.valid()) {
        return fail(Errc::NotReady, "eventfd");
    }
    running_ = true;
    thread_ = std::thread([this, callback = std::move(callback)] { run(callback); });
    return {};
}

void ModemReader::stop_listening() {
    if (!thread_.joinable()) {
        return;
    }
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    signal();
    changed_.notify_all();
    thread_.join();
    {
        const std::scoped_lock lock(mutex_);
        running_ = false;
    }
    changed_.notify_all();
}

void ModemReader::signal() const {
    const std::uint64_t one = 1;
    // Full is as good as written.
    [[maybe_unused]] const auto done = ::write(wake_.get(), &one, sizeof one);
}

void ModemReader::run(const Callback& callback) {
    callback(report());
    while (enter()) {
        const bool happened = something_happened();
        if (!happened) {
            wait();
        }
        leave();
        if (happened) {
            callback(report());
            told();
        }
    }
}

/// False when we are ending.
bool ModemReader::enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || (!leased_ && (leases_ == 0 || news_)); });
    listening_ = !stopping_;
    return listening_;
}

/// Those who wait to use the port know of it now. A modem that never stops telling is not worth
/// more than a look now and then.
void ModemReader::told() {
    std::unique_lock lock(mutex_);
    news_ = false;
    changed_.notify_all();
    changed_.wait_for(lock, kPause, [this] { return stopping_; });
}

void ModemReader::leave() {
    {
        const std::scoped_lock lock(mutex_);
        listening_ = false;
    }
    changed_.notify_all();
}

bool ModemReader::has_news() const {
    const bool connected = port_ && port_->connected();
    return (was_connected_ && !connected) || (port_ && port_->card_lines() != card_lines_);
}

bool ModemReader::something_happened() {
    const bool connected = port_ && port_->connected();
    const unsigned lines = port_ ? port_->card_lines() : 0;
    const bool hung_up = was_connected_ && !connected;
    const bool told = lines != card_lines_;
    was_connected_ = connected;
    card_lines_ = lines;
    // Looked at all the time, used while there is no modem.
    const bool appeared = device_->changed() && !connected;
    if (!hung_up && !told && !appeared) {
        return false;
    }
    if (appeared && port_) {
        port_->retry_now();
    }
    ++event_;
    return true;
}

void ModemReader::wait() {
    const int modem = port_ ? port_->descriptor() : -1; // a negative one is not waited for
    std::array<pollfd, 3> poll{pollfd{wake_.get(), POLLIN, 0}, pollfd{modem, POLLIN, 0},
                               pollfd{device_->descriptor(), POLLIN, 0}};
    if (::poll(poll.data(), poll.size(), -1) <= 0) {
        return;
    }
    if (poll[0].revents != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    }
    if (poll[1].revents != 0) {
        (void)port_->listen(); // a hang-up is seen at the port
    }
}

ReaderReport ModemReader::report() const {
    ReaderReport out;
    if (device_->exists()) {
        ReaderState reader;
        reader.name = options_.device;
        reader.present = true;
        reader.raw = event_ << 16;
        out.readers.push_back(std::move(reader));
    }
    return out;
}

ModemReader::Lease::Lease(ModemReader& owner) : owner_(owner) {
    std::unique_lock lock(owner.mutex_);
    ++owner.leases_;
    owner.signal();
    // What the modem has told by now comes first: it may be the end of what the lease is for.
    owner.changed_.wait(lock, [&] {
        return !owner.listening_ && !owner.leased_ && (!owner.news_ || !owner.running_);
    });
    owner.leased_ = true;
}

ModemReader::Lease::~Lease() {
    {
        const std::scoped_lock lock(owner_.mutex_);
        owner_.news_ = owner_.news_ || owner_.has_news();
        --owner_.leases_;
        owner_.leased_ = false;
    }
    owner_.changed_.notify_all();
}

Result<AtPort*> ModemReader::Lease::port() {
    if (owner_.port_) {
        MTKEY_CHECK(owner_.port_->make_ready());
    } else {
        owner_.port_ = MTKEY_TRY(AtPort::open(owner_.options_));
    }
    return &*owner_.port_;
}

} // namespace mtkey::uicc
