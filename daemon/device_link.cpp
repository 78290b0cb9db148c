// SPDX-License-Identifier: Apache-2.0
#include "daemon/device_link.hpp"

#include <array>
#include <cerrno>
#include <unistd.h>
#include <utility>

namespace mtkey::daemon {
namespace {

// A peer that takes nothing must not make us hoard: more than this unsent ends the link.
constexpr std::size_t kMostUnsent = 64 * 1024;
constexpr std::chrono::seconds kFlushLimit{3}; // for the last octets of an ended session

} // namespace

DeviceLink::DeviceLink(Reactor& reactor, Mt& mt, transports::Connection connection,
                       std::function<void()> ended)
    : reactor_(reactor),
      mt_(mt),
      connection_(std::move(connection)),
      ended_(std::move(ended)),
      // The mt-id is the Key Center's name for us; the MT learns it with the sealed store (issue of
      // the channel).
      session_(local::session_settings(connection_.reliable, connection_.largest_frame),
               mt.random(), std::nullopt, mt.clock().boot_now()),
      procedure_(mt, session_, connection_.transport, connection_.peer, [this] { pump(); }),
      since_(mt.clock().boot_now()),
      deadline_(reactor.timer()) {
    watch_ =
        reactor.watch(connection_.fd.get(), [this](bool readable, bool) { on_ready(readable); });
    pump();
}

void DeviceLink::close() {
    if (!closed_) {
        session_.close();
        pump();
    }
}

void DeviceLink::drop() {
    if (!closed_) {
        end();
    }
}

void DeviceLink::on_ready(bool readable) {
    if (readable) {
        read_some();
    }
    pump();
}

void DeviceLink::read_some() {
    std::array<std::uint8_t, 4096> buffer{};
    const ssize_t got = ::read(connection_.fd.get(), buffer.data(), buffer.size());
    if (got > 0) {
        session_.receive(ByteView(buffer).first(static_cast<std::size_t>(got)),
                         mt_.clock().boot_now());
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        session_.link_ended(mt_.clock().boot_now());
    }
}

void DeviceLink::write_some() {
    append(output_, session_.take_output());
    while (!output_.empty()) {
        const ssize_t done = ::write(connection_.fd.get(), output_.data(), output_.size());
        if (done > 0) {
            output_.erase(output_.begin(), output_.begin() + done);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            output_.clear();
            session_.link_ended(mt_.clock().boot_now());
        }
    }
    if (output_.size() > kMostUnsent) {
        output_.clear();
        session_.link_ended(mt_.clock().boot_now());
    }
    watch_->want_write(!output_.empty());
}

void DeviceLink::end() {
    closed_ = true;
    deadline_->cancel();
    watch_.reset();
    // From the loop: we are inside our own calls here.
    reactor_.post(ended_);
}

void DeviceLink::pump() {
    if (closed_) {
        return;
    }
    while (auto event = session_.next_event()) {
        procedure_.handle(*std::move(event));
    }
    // A procedure that has its answer at once pumps from within, and may have ended the link.
    if (closed_) {
        return;
    }
    write_some();
    while (auto event = session_.next_event()) { // writing may have found the link ended
        procedure_.handle(*std::move(event));
    }
    if (closed_) {
        return;
    }
    if (session_.finished()) {
        if (output_.empty()) {
            end();
        } else if (!std::exchange(flushing_, true)) {
            // Whatever a peer still says, and even if it takes nothing, its place is held for this
            // long.
            watch_->want_read(false);
            deadline_->at(mt_.clock().boot_now() + kFlushLimit, [this] { end(); });
        }
        return;
    }
    deadline_->at(session_.deadline(), [this] {
        session_.on_time(mt_.clock().boot_now());
        pump();
    });
}

} // namespace mtkey::daemon
