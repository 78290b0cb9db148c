// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/command_vectors.hpp"

#include "network/bsf/av_answer.hpp"

#include <tuple>

namespace mtkey::bsf {
namespace {

constexpr std::uint32_t kRetrySeconds = 1;

/// An IMPI's place in the set, until the end of the scope; without effect when it is taken.
class Turn {
public:
    Turn(std::mutex& mutex, std::set<std::string, std::less<>>& asked, std::string_view impi)
        : mutex_(mutex), asked_(asked) {
        const std::lock_guard lock(mutex_);
        std::tie(place_, ours_) = asked_.emplace(impi);
    }
    ~Turn() {
        if (ours_) {
            const std::lock_guard lock(mutex_);
            asked_.erase(place_);
        }
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    [[nodiscard]] bool ours() const { return ours_; }

private:
    std::mutex& mutex_;
    std::set<std::string, std::less<>>& asked_;
    std::set<std::string, std::less<>>::iterator place_;
    bool ours_ = false;
};

} // namespace

Result<IssuedVector> CommandVectors::next_vector(std::string_view impi,
                                                 const Resynchronisation* resync) {
    const auto request = MTKEY_TRY(write_av_request(impi, resync));
    const Turn turn(mutex_, asked_, impi);
    if (!turn.ours()) {
        return fail(Errc::RetryAfter, command_.arguments.front() + " runs for this subscriber",
                    kRetrySeconds);
    }
    const auto output = MTKEY_TRY(run_command(command_, as_octets(request)));
    auto vector = parse_av_answer(as_text(output.reveal()));
    if (!vector && vector.error().code == Errc::IoFailed) {
        vector.error().context = command_.arguments.front() + ": " + vector.error().context;
    }
    return vector;
}

} // namespace mtkey::bsf
