// SPDX-License-Identifier: Apache-2.0
#include "daemon/reader_table.hpp"

#include "base/log.hpp"
#include "uicc/status.hpp"

#include <algorithm>

namespace mtkey::daemon {
namespace {

/// No EF_ICCID, no such class.
bool looks_like_no_uicc(const Error& error) {
    return uicc::is_status_error(error) && (error.detail == uicc::sw::kFileNotFound ||
                                            error.detail == uicc::sw::kInstructionNotSupported ||
                                            error.detail == uicc::sw::kClassNotSupported);
}

/// Its ICCID is looked at when the card is open: once, and with what else may be wrong with it.
uicc::ReaderWish wish_of(const UiccConfig& config) {
    if (!config.modem.device.empty()) { // the only one that is reported
        return {.pattern = "*", .ignore = {}, .allow_virtual = true, .iccid = {}};
    }
    return {.pattern = config.reader,
            .ignore = config.ignore,
            .allow_virtual = config.allow_virtual,
            .iccid = {}};
}

} // namespace

std::uint32_t event_of(const uicc::ReaderState& reader) {
    return reader.raw >> 16;
}

void ReaderTable::note(const uicc::ReaderReport& report) {
    readers_.clear();
    const auto wish = wish_of(config_);
    for (const auto& reader : report.readers) {
        if (const auto why = uicc::refused_by_name(wish, reader.name)) {
            tell_skipped(reader.name, uicc::describe(*why));
        } else if (report.service) {
            readers_.push_back(reader);
        }
    }
    std::erase_if(told_, [&](const auto& told) {
        return std::ranges::find(report.readers, told.first, &uicc::ReaderState::name) ==
               report.readers.end();
    });
    std::erase_if(useless_, [&](const auto& card) {
        const auto* reader = find(card.first);
        return reader == nullptr || !reader->present || event_of(*reader) != card.second.event;
    });
}

const uicc::ReaderState* ReaderTable::find(std::string_view name) const {
    const auto found = std::ranges::find(readers_, name, &uicc::ReaderState::name);
    return found == readers_.end() ? nullptr : &*found;
}

const ReaderTable::Useless* ReaderTable::useless(const std::string& reader,
                                                 std::uint32_t event) const {
    const auto found = useless_.find(reader);
    return found != useless_.end() && found->second.event == event && found->second.sure
               ? &found->second
               : nullptr;
}

bool ReaderTable::has_refused_class(const std::string& reader, std::uint32_t event) const {
    const auto found = useless_.find(reader);
    return found != useless_.end() && found->second.event == event &&
           uicc::refuses_class(found->second.why);
}

bool ReaderTable::of_no_use(const std::string& reader, std::uint32_t event, const Error& error) {
    if (!config_.modem.device.empty()) { // nobody tells of the next card
        return false;
    }
    bool sure = error.code == Errc::NotSupportedByCard;
    if (!sure) {
        if (!looks_like_no_uicc(error)) {
            return false;
        }
        // Or a UICC in the middle of something; it has been reset since.
        const auto before = useless_.find(reader);
        sure = before != useless_.end() && before->second.event == event &&
               before->second.why.detail == error.detail;
    }
    useless_.insert_or_assign(reader, Useless{event, error, sure});
    return sure;
}

ReaderTable::Look ReaderTable::usable_cards() const {
    Look out;
    for (const auto& reader : readers_) {
        if (reader.present && !reader.mute && useless(reader.name, event_of(reader)) == nullptr) {
            out.emplace_back(reader.name, event_of(reader));
        }
    }
    return out;
}

uicc::ReaderChoice ReaderTable::choose(const std::vector<uicc::ReaderState>& left) const {
    return uicc::choose_reader(left, wish_of(config_), {});
}

void ReaderTable::tell_skipped(const uicc::ReaderChoice& choice) {
    for (const auto& skipped : choice.skipped) {
        tell_skipped(skipped.name, uicc::describe(skipped.why));
    }
}

void ReaderTable::tell_skipped(const std::string& reader, std::string_view why) {
    if (auto& told = told_[reader]; told != why) {
        told = why;
        log(LogLevel::Info, "reader not used", {{"reader", reader}, {"why", why}});
    }
}

} // namespace mtkey::daemon
