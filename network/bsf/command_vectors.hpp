// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "network/bsf/external_command.hpp"
#include "network/bsf/vector_source.hpp"

#include <mutex>
#include <set>
#include <string>

namespace mtkey::bsf {

/// Vectors from somebody else's HSS: a command, run for each (docs/bsf.md). No lock is held while
/// it runs; the thread that asks waits. One at a time for each IMPI: who asks again meanwhile gets
/// RetryAfter, and cannot have all the threads wait.
class CommandVectors final : public VectorSource {
public:
    explicit CommandVectors(ExternalCommand command) : command_(std::move(command)) {}

    [[nodiscard]] Result<IssuedVector>
    next_vector(std::string_view impi, const Resynchronisation* resync = nullptr) override;

private:
    const ExternalCommand command_;
    std::mutex mutex_;
    std::set<std::string, std::less<>> asked_; ///< IMPIs whose command runs
};

} // namespace mtkey::bsf
