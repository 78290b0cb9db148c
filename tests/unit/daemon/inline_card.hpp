// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/run_gate.hpp"
#include "unit/daemon/card_fixture.hpp"

#include <memory>
#include <string>

namespace mtkey::daemon {

/// CardWorker's part without its thread: the gate before CardWork, the card and BSF of a CardRig
/// behind it. Can be started anew, with what the rig's memory holds.
class InlineCard final : public CardService {
public:
    explicit InlineCard(CardRig& rig) : rig_(rig) { start(); }

    /// The daemon ends and starts; on another boot of the system if that changes.
    void
    restart(const std::string& boot_id = "b001", const std::function<void()>& meanwhile = [] {}) {
        life_->work.end();
        meanwhile();
        boot_id_ = boot_id;
        start();
    }
    [[nodiscard]] CardWork& work() { return life_->work; }
    [[nodiscard]] std::string b_tid() const {
        return state_.context ? state_.context->b_tid : std::string();
    }
    /// After something was done with work().
    void look() {
        state_ = life_->work.state();
        life_->gate.met(state_.uicc);
        if (changed) {
            changed();
        }
    }

    [[nodiscard]] const CardState& state() const override { return state_; }
    [[nodiscard]] Statistics statistics() const override { return life_->work.statistics(); }
    void bootstrap(const RunRequest& request, std::function<void(Result<void>)> done) override {
        if (!request.force && state_.context && keys::usable(*state_.context, rig_.clock)) {
            done({});
            return;
        }
        if (const auto admitted = life_->gate.admit(request, state_.context); !admitted) {
            done(admitted);
            return;
        }
        life_->interruption.arm();
        const auto result =
            life_->work.bootstrap(request.force, [&] { life_->gate.began(request.asked_by); });
        life_->gate.ended(result);
        look();
        done(result);
    }
    void naf_key(const kdf::NafId& naf_id, const std::string& b_tid,
                 std::function<void(Result<NafKey>)> done) override {
        auto key = life_->work.naf_key(naf_id, b_tid);
        look();
        done(std::move(key));
    }
    void send_pin(SecretBytes pin, std::function<void(Result<void>)> done) override {
        done(life_->work.send_pin(std::move(pin)));
    }
    bool cancel() override { return life_->interruption.cancel(); }
    void discard(const std::string& b_tid, std::function<void(Result<void>)> done) override {
        const auto result = life_->work.discard(b_tid);
        look();
        done(result);
    }
    void keep_from_resuming(const std::string& b_tid) override {
        life_->past.forget_context(b_tid);
    }
    void prepare_for_sleep(std::function<void()> done) override {
        life_->work.fall_asleep();
        done();
    }
    void wake_up() override { life_->work.wake_up(); }

    std::function<void()> changed;

private:
    /// Of one daemon.
    struct Life {
        Life(CardRig& rig, const std::string& boot_id)
            : past(rig.memory, rig.clock, boot_id),
              gate(rig.config.gba.limits, rig.clock, rig.random, past),
              work(rig.config, rig.clock, rig.random, interruption, past, rig.ports()) {}
        PastKeeper past;
        RunGate gate;
        Interruption interruption;
        CardWork work;
    };
    void start() {
        life_ = std::make_unique<Life>(rig_, boot_id_);
        life_->work.readers_changed(rig_.report());
        look();
    }

    CardRig& rig_;
    std::string boot_id_ = "b001";
    std::unique_ptr<Life> life_;
    CardState state_;
};

} // namespace mtkey::daemon
