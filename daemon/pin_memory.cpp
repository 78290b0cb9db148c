// SPDX-License-Identifier: Apache-2.0
#include "daemon/pin_memory.hpp"

#include "base/file.hpp"
#include "base/log.hpp"

namespace mtkey::daemon {

void PinMemory::counted(std::string_view iccid, unsigned attempts_left) {
    // Shown before, and the answer never came: an attempt that is gone says what it was.
    if (unsure_ && unsure_->iccid == iccid) {
        if (attempts_left < unsure_->attempts_left) {
            refused_.emplace(iccid);
        }
        unsure_.reset();
    }
    asked_attempts_ = attempts_left;
}

std::optional<SecretBytes> PinMemory::pin_for(std::string_view iccid) {
    asked_iccid_ = iccid;
    if (given_) {
        return given_->clone();
    }
    if (pin_file_.empty() || refused_.contains(iccid)) {
        return std::nullopt;
    }
    auto pin = read_file();
    if (pin) {
        unsure_ = {asked_iccid_, asked_attempts_};
    }
    return pin;
}

void PinMemory::refused() {
    if (!given_) {
        refused_.insert(asked_iccid_);
    }
}

std::optional<SecretBytes> PinMemory::read_file() const {
    auto content = read_secret_file(pin_file_, 64);
    if (!content) {
        log_error("PIN file", content.error());
        return std::nullopt;
    }
    std::size_t size = content->size();
    while (size > 0 &&
           (content->reveal()[size - 1] == '\n' || content->reveal()[size - 1] == '\r')) {
        --size;
    }
    return SecretBytes(content->reveal().first(size));
}

} // namespace mtkey::daemon
