// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "uicc/pcsc_context.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::uicc {

/// vpcd's readers.
inline constexpr const char* kVirtualReaders = "Virtual PCD *";

/// Which readers are looked at: shell patterns (fnmatch(3)) against the whole name.
struct ReaderFilter {
    std::string pattern = "*";
    /// vpcd lets any local process be a card: not for a real service.
    std::vector<std::string> ignore = {kVirtualReaders};

    [[nodiscard]] bool accepts(std::string_view name) const;
};

/// What the monitor saw.
struct ReaderReport {
    /// False once after pcscd has gone: no connection to a card has survived, and the card may be
    /// another one.
    bool service = true;
    std::vector<ReaderState> readers; ///< those that the filter accepts
};

/// Owns the thread that watches readers, with a context of its own. pcscd ending and starting again
/// is normal: it is started by its socket and ends when nobody needs it.
class ReaderMonitor {
public:
    /// Called on the monitor's thread, first with the state found, then after every change. Must
    /// not call stop().
    using Callback = std::function<void(const ReaderReport&)>;

    [[nodiscard]] static Result<std::unique_ptr<ReaderMonitor>> start(ReaderFilter filter,
                                                                      Callback callback);
    ReaderMonitor(const ReaderMonitor&) = delete;
    ReaderMonitor& operator=(const ReaderMonitor&) = delete;
    ~ReaderMonitor() { stop(); }

    /// No callback runs or comes after it. Takes a second or two at most: a thread that pcscd holds
    /// is left behind.
    void stop();
    /// How often pcscd was asked so far: what an idle monitor costs.
    [[nodiscard]] unsigned waits() const;

private:
    struct Shared;
    explicit ReaderMonitor(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
    static void run(const std::shared_ptr<Shared>& shared);
    std::shared_ptr<Shared> shared_;
};

} // namespace mtkey::uicc
