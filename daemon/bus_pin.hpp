// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/unique_fd.hpp"
#include "daemon/reactor.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace mtkey::daemon {

/// Reads the PIN from a caller's descriptor without ever waiting for it. What is in memory (memfd,
/// tmpfs) is read at once. A pipe can hang whoever touches it: its flags are the caller's too, and
/// so is the lock of its content. That is left to a thread, which the caller may keep; of them
/// there are at most kThreads. Nothing else is read. Owns the questions that are open.
class PinReader {
public:
    static constexpr std::size_t kLongest = 8;
    static constexpr std::size_t kThreads = 4;
    using Done = std::function<void(Result<SecretBytes>)>;

    explicit PinReader(Reactor& reactor);
    ~PinReader(); ///< open questions are dropped
    PinReader(const PinReader&) = delete;
    PinReader& operator=(const PinReader&) = delete;

    /// `done` gets the octets, or an error within two seconds; called now or later from the loop.
    void read(UniqueFd pin, Done done);

private:
    struct Desk;
    struct Open {
        Done done;
        std::unique_ptr<Reactor::Timer> too_late;
    };
    void answer(std::uint64_t number, Result<SecretBytes> pin);

    Reactor& reactor_;
    std::shared_ptr<Desk> desk_; ///< what the threads know of us
    std::map<std::uint64_t, Open> open_;
    std::uint64_t last_ = 0;
};

} // namespace mtkey::daemon
