// SPDX-License-Identifier: Apache-2.0
// Draft 5.5.2 steps 11 to 16. The exchange blocks, so it has a thread; meanwhile the link is kept
// alive.
#include "device/procedure_parts.hpp"

#include "base/encoding.hpp"
#include "base/unique_fd.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>

namespace mtkey::device {
namespace {

constexpr int kCancelAgainMs = 50;

bool readable(int fd, int wait_ms) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, wait_ms) == 1;
}

/// Blocks the signals of this thread, and so of those that it makes meanwhile: they are for the
/// threads of the program whose library we are. Not what a fault raises, which its handlers report.
class BlockedSignals {
public:
    BlockedSignals() {
        sigset_t all;
        sigfillset(&all);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) {
            sigdelset(&all, fault);
        }
        ::pthread_sigmask(SIG_BLOCK, &all, &before_);
    }
    ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;

private:
    sigset_t before_{};
};

/// The thread that asks a Key Center, which ends with this object, however its owner ends.
class Worker {
public:
    /// `done` becomes readable at the end of the exchange, which ends soon when `stop` is set. All
    /// borrowed.
    Worker(KeyCenterConnection& connection, std::atomic<bool>& stop, const UniqueFd& done)
        : connection_(connection), stop_(stop), done_(done) {}
    ~Worker() {
        if (!thread_.joinable()) {
            return;
        }
        while (!readable(done_.get(), 0)) {
            // It may just be between two calls, where a cancel() finds nothing to end.
            stop_ = true;
            try {
                connection_.cancel();
            } catch (...) { // no memory: again in a moment
            }
            readable(done_.get(), kCancelAgainMs);
        }
        thread_.join();
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    template <typename Exchange>
    void start(Exchange exchange) {
        const BlockedSignals blocked;
        thread_ = std::thread(std::move(exchange));
    }

private:
    KeyCenterConnection& connection_;
    std::atomic<bool>& stop_;
    const UniqueFd& done_;
    std::thread thread_;
};

} // namespace

DeviceProcedure::Phase::~Phase() {
    try {
        const auto spent = owner_.out_.limits.clock.boot_now() - began_;
        for (auto& [name, total] : owner_.report_.phases) {
            if (name == name_) {
                total += spent;
                return;
            }
        }
        owner_.report_.phases.emplace_back(name_, spent);
    } catch (...) { // no memory: the report is short of a phase
    }
}

Result<keycenter::KeyAnswer>
DeviceProcedure::ask_key_center(Connected& mt, const Selection& selection,
                                const local::EstablishmentAnswer& answer) {
    keycenter::KeyRequest request;
    request.b_tid = answer.b_tid;
    request.device_id = settings_.device_id;
    // DRAFT-GAP(request-naf-id): the Key Center needs the exact octets of the NAF_ID.
    request.naf_id = keycenter::NafIdText{answer.naf_id.fqdn, to_hex(answer.naf_id.ua)};

    const auto connection = MTKEY_TRY(out_.open_key_center(selection.target));
    const UniqueFd done(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!done.valid()) {
        return fail(Errc::IoFailed, std::strerror(errno), static_cast<std::uint32_t>(errno));
    }
    Result<keycenter::KeyAnswer> outcome = fail(Errc::Internal, "Key Center");
    std::atomic<bool> stop = false;
    const auto go_on = [&stop]() -> Result<void> {
        return stop ? Result<void>(fail(Errc::Cancelled, "Key Center")) : Result<void>();
    };
    const auto exchange = [&]() -> Result<keycenter::KeyAnswer> {
        MTKEY_CHECK(go_on());
        MTKEY_CHECK(connection->connect());
        if (!connection->authenticated()) {
            return fail(Errc::PeerUntrusted, "Key Center " + selection.target.fqdn);
        }
        step(Step::TunnelEstablished, "naf", selection.target.fqdn);
        MTKEY_CHECK(go_on());
        return request_key(*connection, selection.target.path, request,
                           [this] { step(Step::ServiceRequested); });
    };
    {
        Worker worker(*connection, stop, done);
        try {
            worker.start([&] {
                try {
                    outcome = exchange();
                } catch (const std::bad_alloc&) {
                    outcome = fail(Errc::Internal, "no memory");
                } catch (...) { // of the caller's own, too: what it does is told to it by callbacks
                    outcome = fail(Errc::Internal, "Key Center");
                }
                ::eventfd_write(done.get(), 1);
            });
        } catch (const std::system_error& problem) {
            return fail(Errc::Internal, "no thread for the Key Center",
                        static_cast<std::uint32_t>(problem.code().value()));
        }
        MTKEY_CHECK(mt.link.attend(done.get()));
    }
    return outcome;
}

} // namespace mtkey::device
