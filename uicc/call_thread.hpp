// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>

namespace mtkey::uicc {

/// Owns a thread for calls that may never return: those of PC/SC, on which a frozen pcscd, a reader
/// that hangs or another program's transaction may sit for ever. One that takes too long is left
/// behind with everything that its call holds; what it holds ends when it returns.
class CallThread {
public:
    enum class End : std::uint8_t {
        Done,
        TooLate, ///< left behind: no further call can be made here
        Stopped, ///< the same because of the stop token, after a short grace
    };

    [[nodiscard]] static Result<std::unique_ptr<CallThread>> start();
    CallThread(const CallThread&) = delete;
    CallThread& operator=(const CallThread&) = delete;
    /// The thread ends behind the call that it is in.
    ~CallThread();

    /// `call` owns what it touches: it may outlive this object. It is destroyed on the thread.
    [[nodiscard]] End run(std::function<void()> call, std::chrono::milliseconds limit,
                          const std::stop_token& stop = {});
    [[nodiscard]] bool left_behind() const { return left_behind_; }

private:
    struct Shared;
    explicit CallThread(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
    static void loop(const std::shared_ptr<Shared>& shared);
    std::shared_ptr<Shared> shared_;
    bool left_behind_ = false;
};

/// Threads of the process that are left behind and have not returned yet.
[[nodiscard]] unsigned stuck_threads();

} // namespace mtkey::uicc
