// SPDX-License-Identifier: Apache-2.0
#include "daemon/interruption.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::daemon {
namespace {

bool holds(const uicc::ReaderReport& report, const Interruption::Place& place) {
    return report.service && std::ranges::any_of(report.readers, [&](const auto& reader) {
               return reader.name == place.reader && reader.present && !reader.mute &&
                      reader.raw >> 16 == place.event;
           });
}

} // namespace

void Interruption::use(std::optional<Place> place) {
    const std::scoped_lock lock(mutex_);
    in_use_ = std::move(place);
    // A report that came before may already tell of its end.
    lost_ = in_use_ && latest_ && !holds(*latest_, *in_use_);
    service_gone_ = lost_ && !latest_->service;
}

bool Interruption::card_left(const uicc::ReaderReport& report) {
    const std::scoped_lock lock(mutex_);
    latest_ = report;
    if (!in_use_ || lost_ || holds(report, *in_use_)) {
        return false;
    }
    lost_ = true;
    service_gone_ = !report.service;
    if (bsf_ != nullptr) {
        bsf_->cancel();
    }
    return true;
}

bool Interruption::lost() const {
    const std::scoped_lock lock(mutex_);
    return lost_;
}

bool Interruption::service_gone() const {
    const std::scoped_lock lock(mutex_);
    return lost_ && service_gone_;
}

void Interruption::arm() {
    const std::scoped_lock lock(mutex_);
    armed_ = true;
    cancelled_ = false;
}

bool Interruption::cancel() {
    const std::scoped_lock lock(mutex_);
    if (!armed_) {
        return false;
    }
    cancelled_ = true;
    if (bsf_ != nullptr) {
        bsf_->cancel();
    }
    return true;
}

Result<void> Interruption::disarm() {
    const std::scoped_lock lock(mutex_);
    const auto decided = verdict();
    armed_ = false;
    cancelled_ = false;
    return decided;
}

Result<void> Interruption::check() const {
    const std::scoped_lock lock(mutex_);
    return verdict();
}

Result<void> Interruption::verdict() const {
    if (lost_) {
        return service_gone_ ? fail(Errc::NoReader, "pcscd has gone")
                             : fail(Errc::NoCard, "the UICC has left");
    }
    if (cancelled_) {
        return fail(Errc::Cancelled, "bootstrapping");
    }
    return {};
}

void Interruption::watch(BsfLink* bsf) {
    const std::scoped_lock lock(mutex_);
    bsf_ = bsf;
    if (bsf_ != nullptr && (lost_ || cancelled_)) {
        bsf_->cancel();
    }
}

} // namespace mtkey::daemon
