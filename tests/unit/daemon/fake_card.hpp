// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/card_service.hpp"
#include "fakes/manual_clock.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <string>

namespace mtkey::daemon {

/// The UICC as the reactor sees it; counts what it is asked for. Answers at once, or, with `late`,
/// when the test says so.
class FakeCard final : public CardService {
public:
    explicit FakeCard(const fakes::ManualClock& clock) : clock_(clock) {
        state_.state = CardState::State::Ready;
        state_.uicc = "card one";
    }

    [[nodiscard]] const CardState& state() const override { return state_; }
    [[nodiscard]] Statistics statistics() const override { return {}; }

    void bootstrap(const RunRequest& request, std::function<void(Result<void>)> done) override {
        ++bootstraps;
        const bool force = request.force;
        forced += force ? 1U : 0U;
        last_asked_by = request.asked_by;
        if (late) {
            waiting_.push_back(
                [this, force, done = std::move(done)] { answer_bootstrap(force, done); });
            return;
        }
        answer_bootstrap(force, done);
    }
    void naf_key(const kdf::NafId& naf_id, const std::string& b_tid,
                 std::function<void(Result<NafKey>)> done) override {
        ++derivations;
        if (late) {
            waiting_.push_back([this, naf_id, b_tid, done = std::move(done)] {
                answer_naf_key(naf_id, b_tid, done);
            });
            return;
        }
        answer_naf_key(naf_id, b_tid, done);
    }
    /// What was asked first is answered now.
    void answer_next() {
        const auto next = std::move(waiting_.front());
        waiting_.pop_front();
        next();
    }

    void answer_bootstrap(bool force, const std::function<void(Result<void>)>& done) {
        if (fail_bootstrap) {
            done(std::unexpected(*fail_bootstrap));
            return;
        }
        if (force || !state_.context) {
            const auto in_a_day = std::chrono::hours(24);
            state_.context =
                keys::ContextFacts{.b_tid = "run" + std::to_string(++runs) + "@bsf.example.org",
                                   .expires = clock_.utc_now() + network_ahead + in_a_day,
                                   .created = clock_.utc_now(),
                                   .local_end = clock_.utc_now() + in_a_day,
                                   .deadline = clock_.boot_now() + in_a_day,
                                   .use_deadline = clock_.boot_now() + in_a_day};
            state_.mode = gba::Mode::GbaU;
        }
        done({});
    }
    void answer_naf_key(const kdf::NafId& naf_id, const std::string& b_tid,
                        const std::function<void(Result<NafKey>)>& done) {
        if (fail_naf_key) {
            done(std::unexpected(*fail_naf_key));
            return;
        }
        if (!state_.context || state_.context->b_tid != b_tid) {
            done(fail(Errc::BtidStale, masked_b_tid(b_tid)));
            return;
        }
        done(key_of(naf_id, b_tid));
    }
    void send_pin(SecretBytes pin, std::function<void(Result<void>)> done) override {
        pins.emplace_back(as_text(pin.reveal()));
        done({});
    }
    bool cancel() override { return false; }
    void keep_from_resuming(const std::string& b_tid) override { not_resumed.push_back(b_tid); }
    void prepare_for_sleep(std::function<void()> done) override {
        asleep = true;
        if (late) {
            waiting_.push_back(std::move(done));
        } else {
            done();
        }
    }
    void wake_up() override { asleep = false; }
    void discard(const std::string& b_tid, std::function<void(Result<void>)> done) override {
        const auto answer = [this, b_tid, done = std::move(done)] {
            if (!state_.context || state_.context->b_tid != b_tid) {
                done(fail(Errc::NotFound));
                return;
            }
            state_.context.reset();
            done({});
        };
        if (late) {
            waiting_.push_back(answer);
        } else {
            answer();
        }
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
        key.ks_expires = clock_.utc_now() + network_ahead + std::chrono::hours(24);
        key.ks_local_end = clock_.utc_now() + std::chrono::hours(24);
        key.ks_deadline = clock_.boot_now() + std::chrono::hours(24);
        return key;
    }

    CardState state_;
    std::vector<std::string> pins;
    std::vector<std::string> not_resumed; ///< B-TIDs
    bool late = false;
    std::atomic<bool> asleep = false;
    std::chrono::seconds network_ahead{0}; ///< the BSF's time and ours
    unsigned bootstraps = 0;
    unsigned forced = 0;
    std::string last_asked_by; ///< whoever asked for a bootstrapping; "" = the administrator
    unsigned runs = 0;
    unsigned derivations = 0;
    std::optional<Error> fail_bootstrap;
    std::optional<Error> fail_naf_key;

private:
    std::deque<std::function<void()>> waiting_;
    const fakes::ManualClock& clock_;
};

} // namespace mtkey::daemon
