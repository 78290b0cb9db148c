// SPDX-License-Identifier: Apache-2.0
// Draft 5.5.2 steps 11 to 16. The exchange blocks, so it has a thread; meanwhile the link is kept
// alive.
#include "device/procedure_parts.hpp"

#include "base/encoding.hpp"
#include "base/unique_fd.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
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

} // namespace

DeviceProcedure::Phase::~Phase() {
    const auto spent = owner_.out_.limits.clock.boot_now() - began_;
    for (auto& [name, total] : owner_.report_.phases) {
        if (name == name_) {
            total += spent;
            return;
        }
    }
    owner_.report_.phases.emplace_back(name_, spent);
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
    std::thread worker;
    try {
        worker = std::thread([&] {
            try {
                outcome = exchange();
            } catch (const std::exception&) {
                outcome = fail(Errc::Internal, "Key Center");
            }
            ::eventfd_write(done.get(), 1);
        });
    } catch (const std::system_error& problem) {
        return fail(Errc::Internal, "no thread for the Key Center",
                    static_cast<std::uint32_t>(problem.code().value()));
    }
    auto attended = mt.link.attend(done.get());
    if (!attended) {
        // The worker may just be between two calls, where a cancel() finds nothing to end.
        stop = true;
        do {
            connection->cancel();
        } while (!readable(done.get(), kCancelAgainMs));
    }
    worker.join();
    if (!attended) {
        return std::unexpected(std::move(attended).error());
    }
    return outcome;
}

} // namespace mtkey::device
