// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/config.hpp"
#include "uicc/reader_choice.hpp"
#include "uicc/reader_monitor.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mtkey::daemon {

/// pcscd's counter of a reader's insertions and removals: a card that was out however shortly is
/// another one.
[[nodiscard]] std::uint32_t event_of(const uicc::ReaderState& reader);

/// The readers that may be used, and what is known of the cards in them. Says once in the log why
/// one is not used.
class ReaderTable {
public:
    /// A card in a reader that is no UICC, or not the one that is wanted.
    struct Useless {
        std::uint32_t event = 0;
        Error why;
        bool sure = true;
    };
    using Look = std::vector<std::pair<std::string, std::uint32_t>>; ///< readers and their events

    /// Borrows `config`.
    explicit ReaderTable(const UiccConfig& config) : config_(config) {}

    void note(const uicc::ReaderReport& report);
    [[nodiscard]] const std::vector<uicc::ReaderState>& all() const { return readers_; }
    [[nodiscard]] const uicc::ReaderState* find(std::string_view name) const;
    /// Null when it may be of use.
    [[nodiscard]] const Useless* useless(const std::string& reader, std::uint32_t event) const;
    /// The card is of no use and is not looked at again; when it may be a UICC in a strange state,
    /// at the second time only. False: it may open some time.
    [[nodiscard]] bool of_no_use(const std::string& reader, std::uint32_t event,
                                 const Error& error);
    /// It has refused class 00 and was reset since: no UICC in a GSM session, a SIM perhaps.
    [[nodiscard]] bool has_refused_class(const std::string& reader, std::uint32_t event) const;
    void is_of_use(const std::string& reader) { useless_.erase(reader); }
    [[nodiscard]] Look usable_cards() const;

    /// The next one to try of `left`.
    [[nodiscard]] uicc::ReaderChoice choose(const std::vector<uicc::ReaderState>& left) const;
    void tell_skipped(const uicc::ReaderChoice& choice);
    void tell_skipped(const std::string& reader, std::string_view why);
    void used(const std::string& reader) { told_.erase(reader); }

private:
    const UiccConfig& config_;
    std::vector<uicc::ReaderState> readers_;
    std::map<std::string, Useless, std::less<>> useless_;
    std::map<std::string, std::string, std::less<>> told_; ///< why a reader is not used
};

} // namespace mtkey::daemon
