// SPDX-License-Identifier: Apache-2.0
#include "keys/run_back_off.hpp"

#include <algorithm>
#include <array>

namespace mtkey::keys {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// 0 = no reason to wait.
milliseconds first_delay(const Error& error) {
    switch (error.code) {
    case Errc::BsfUnreachable: // with an HTTP status where it has answered: 5xx
        return error.detail >= 500 && error.detail <= 599 ? 30s : 2s;
    case Errc::BsfBadAnswer:
    case Errc::BsfUntrusted:
    case Errc::MacFailure:
    case Errc::SyncFailure:
        return 30s;
    case Errc::BsfRejected:
        return 10min;
    default:
        return 0s;
    }
}

} // namespace

void RunBackOff::failed(const Error& error, std::optional<std::chrono::seconds> retry_after) {
    const auto first = first_delay(error);
    if (first == 0ms) {
        return;
    }
    // Whatever the causes are: who alternates them waits no shorter.
    delay_ = std::max(first, std::min<milliseconds>(delay_ * 2, kLongest));
    const auto wait =
        retry_after ? std::clamp<milliseconds>(*retry_after, 1s, kLongest) : jitter(delay_);
    until_ = clock_.boot_now() + wait;
}

void RunBackOff::reset() {
    delay_ = 0ms;
    until_ = {};
}

milliseconds RunBackOff::wait() const {
    return std::max(until_ - clock_.boot_now(), 0ms);
}

milliseconds RunBackOff::jitter(milliseconds delay) {
    std::array<std::uint8_t, 1> octet{};
    if (!random_.fill(octet)) {
        return delay;
    }
    return delay - delay * octet[0] / 1024;
}

} // namespace mtkey::keys
