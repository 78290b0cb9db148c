// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/card_service.hpp"
#include "fakes/manual_clock.hpp"

#include <algorithm>
#include <deque>
#include <string>

namespace mtkey::daemon {

/// The UICC as the reactor sees it, answering at once; counts what it is asked for.
class FakeCard final : public CardService {
public:
    explicit FakeCard(const fakes::ManualClock& clock) : clock_(clock) {
        state_.state = CardState::State::Ready;
        state_.uicc = "card one";
    }

    [[nodiscard]] const CardState& state() const override { return state_; }
    [[nodiscard]] Statistics statistics() const override { return {}; }

    void bootstrap(bool force, std::function<void(Result<void>)> done) override {
        ++bootstraps;
        forced += force ? 1U : 0U;
        if (fail_bootstrap) {
            done(std::unexpected(*fail_bootstrap));
            return;
        }
        if (force || !state_.context) {
            state_.context =
                keys::ContextFacts{.b_tid = "run" + std::to_string(++runs) + "@bsf.example.org",
                                   .created = clock_.utc_now(),
                                   .expires = clock_.utc_now() + std::chrono::hours(24),
                                   .valid = true};
            state_.mode = gba::Mode::GbaU;
        }
        done({});
    }
    void naf_key(const kdf::NafId& naf_id, const std::string& b_tid,
                 std::function<void(Result<NafKey>)> done) override {
        ++derivations;
        if (fail_naf_key) {
            done(std::unexpected(*fail_naf_key));
            return;
        }
        done(key_of(naf_id, b_tid));
    }
    bool cancel() override { return false; }
    void discard(std::function<void()> done) override {
        state_.context.reset();
        done();
    }

    /// What the Key Center would have too.
    NafKey key_of(const kdf::NafId& naf_id, const std::string& b_tid) const {
        NafKey key;
        const auto text = b_tid + naf_id.text();
        std::copy_n(text.begin(), std::min<std::size_t>(32, text.size()),
                    key.ks_naf.reveal_writable().begin());
        key.b_tid = b_tid;
        key.mode = state_.mode;
        key.uicc = state_.uicc;
        key.ks_expires = clock_.utc_now() + std::chrono::hours(24);
        key.ks_deadline = clock_.boot_now() + std::chrono::hours(24);
        return key;
    }

    CardState state_;
    unsigned bootstraps = 0;
    unsigned forced = 0;
    unsigned runs = 0;
    unsigned derivations = 0;
    std::optional<Error> fail_bootstrap;
    std::optional<Error> fail_naf_key;

private:
    const fakes::ManualClock& clock_;
};

} // namespace mtkey::daemon
