// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "uicc/reader_monitor.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Which of the readers is used, and why not the others.
namespace mtkey::uicc {

struct ReaderWish {
    std::string pattern =
        "*"; ///< shell pattern against the whole name; index and slot are part of it
    std::vector<std::string> ignore; ///< patterns
    /// vpcd lets any local process be a card: not for a real service.
    bool allow_virtual = false;
    std::string iccid; ///< of the wanted card; empty = any
};

enum class ReaderSkip : std::uint8_t {
    OtherName,
    Ignored,
    Virtual,
    NoCard,
    MuteCard,
    InUse, ///< passed over for a reader that nobody uses
    CardNotRead,
    OtherCard,
    NotNeeded, ///< another one was chosen before
};
/// A few words for people: "is on the list of readers to ignore".
[[nodiscard]] std::string_view describe(ReaderSkip why);

struct SkippedReader {
    std::string name;
    ReaderSkip why;
};
struct ReaderChoice {
    std::optional<ReaderState> chosen;
    std::vector<SkippedReader> skipped; ///< all the others, in their order
};

/// By its name alone; nothing = may be used.
[[nodiscard]] std::optional<ReaderSkip> refused_by_name(const ReaderWish& wish,
                                                        std::string_view name);
/// The same for a monitor: it reports only readers that may be used.
[[nodiscard]] ReaderFilter filter_of(const ReaderWish& wish);

/// The first reader that fits, one that nobody uses before one in use. `iccid_of` looks at a card;
/// asked only when the wish names one and only about cards that could be it.
[[nodiscard]] ReaderChoice
choose_reader(const std::vector<ReaderState>& readers, const ReaderWish& wish,
              const std::function<Result<std::string>(const ReaderState&)>& iccid_of);

} // namespace mtkey::uicc
