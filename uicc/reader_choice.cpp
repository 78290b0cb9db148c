// SPDX-License-Identifier: Apache-2.0
#include "uicc/reader_choice.hpp"

#include <algorithm>
#include <fnmatch.h>

namespace mtkey::uicc {
namespace {
bool matches(const std::string& pattern, const std::string& name) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

std::optional<ReaderSkip>
refused(const ReaderWish& wish, const ReaderState& reader,
        const std::function<Result<std::string>(const ReaderState&)>& iccid_of) {
    if (const auto why = refused_by_name(wish, reader.name)) {
        return why;
    }
    if (!reader.present) {
        return ReaderSkip::NoCard;
    }
    if (reader.mute) {
        return ReaderSkip::MuteCard;
    }
    if (wish.iccid.empty()) {
        return std::nullopt;
    }
    const auto iccid = iccid_of ? iccid_of(reader) : fail(Errc::NotReady);
    if (!iccid) {
        return ReaderSkip::CardNotRead;
    }
    return *iccid == wish.iccid ? std::nullopt : std::optional(ReaderSkip::OtherCard);
}
} // namespace

std::string_view describe(ReaderSkip why) {
    switch (why) {
    case ReaderSkip::OtherName:
        return "its name does not match the pattern";
    case ReaderSkip::Ignored:
        return "is on the list of readers to ignore";
    case ReaderSkip::Virtual:
        return "is a virtual reader, and those are not allowed";
    case ReaderSkip::NoCard:
        return "holds no card";
    case ReaderSkip::MuteCard:
        return "holds a card that does not answer to reset";
    case ReaderSkip::InUse:
        return "is in use by another program";
    case ReaderSkip::CardNotRead:
        return "its card's ICCID cannot be read";
    case ReaderSkip::OtherCard:
        return "holds a card with another ICCID";
    case ReaderSkip::NotNeeded:
        break;
    }
    return "another reader was found before";
}

std::optional<ReaderSkip> refused_by_name(const ReaderWish& wish, std::string_view name) {
    const std::string text(name);
    const auto matches_name = [&text](const std::string& glob) { return matches(glob, text); };
    if (!wish.pattern.empty() && !matches_name(wish.pattern)) {
        return ReaderSkip::OtherName;
    }
    if (std::ranges::any_of(wish.ignore, matches_name)) {
        return ReaderSkip::Ignored;
    }
    if (!wish.allow_virtual && matches_name(kVirtualReaders)) {
        return ReaderSkip::Virtual;
    }
    return std::nullopt;
}

ReaderFilter filter_of(const ReaderWish& wish) {
    ReaderFilter out;
    out.pattern = wish.pattern;
    out.ignore = wish.ignore;
    if (!wish.allow_virtual) {
        out.ignore.emplace_back(kVirtualReaders);
    }
    return out;
}

ReaderChoice choose_reader(const std::vector<ReaderState>& readers, const ReaderWish& wish,
                           const std::function<Result<std::string>(const ReaderState&)>& iccid_of) {
    constexpr auto kNone = static_cast<std::size_t>(-1);
    std::vector<std::optional<ReaderSkip>> why(readers.size());
    auto chosen = kNone;
    auto in_use = kNone;
    for (std::size_t i = 0; i < readers.size(); ++i) {
        if (chosen != kNone) {
            why[i] = refused_by_name(wish, readers[i].name).value_or(ReaderSkip::NotNeeded);
        } else if (why[i] = refused(wish, readers[i], iccid_of); why[i]) {
            continue;
        } else if (!readers[i].in_use) {
            chosen = i;
        } else {
            why[i] = ReaderSkip::InUse;
            in_use = std::min(in_use, i);
        }
    }
    // Whoever uses it may share it, or be about to leave.
    chosen = chosen == kNone ? in_use : chosen;
    ReaderChoice out;
    for (std::size_t i = 0; i < readers.size(); ++i) {
        if (i == chosen) {
            out.chosen = readers[i];
        } else {
            out.skipped.push_back({readers[i].name, *why[i]});
        }
    }
    return out;
}

} // namespace mtkey::uicc
