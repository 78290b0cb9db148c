// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/card_work.hpp"
#include "fakes/ram_memory.hpp"
#include "integration/fault_link.hpp"
#include "integration/parties.hpp"

#include <string>

namespace mtkey::integration {

/// What a run of the matrix starts from.
struct FaultSetting {
    bool card_has_gba = true;
    std::string pin{};      ///< of the card; empty = none
    std::string pin_file{}; ///< the daemon's; empty = none
    bool exclusive = true;
    testbed::Protocol protocol = testbed::Protocol::T0;
    FaultSeed seed = FaultSeed::None;
};

/// CardWork between a card that goes wrong and our BSF. Every call is judged: what it hands out is
/// the BSF's, and what is left behind is whole.
class FaultRig {
public:
    explicit FaultRig(const FaultSetting& setting);

    // What the daemon is asked for, or told.
    void insert();
    void pull();
    /// The daemon ends and starts; it has not met the card yet.
    void restart();
    [[nodiscard]] Result<void> bootstrap(bool force = false);
    /// Ks_(ext)_NAF of the present B-TID.
    [[nodiscard]] Result<void> naf_key(const kdf::NafId& naf_id);
    [[nodiscard]] Result<void> naf_key(const kdf::NafId& naf_id, const std::string& b_tid);
    [[nodiscard]] Result<void> send_pin(const std::string& digits);
    /// The card's sequence numbers run ahead of the network's.
    void desynchronise();

    /// What the fault has broken is whole again, and those who watch it say so.
    void mend(const Fault& fault);
    /// The next run, within a second.
    void expect_recovery(bool pin_may_count_as_refused);

    [[nodiscard]] std::string b_tid() const;
    [[nodiscard]] const daemon::CardWork& work() const { return *work_; }
    [[nodiscard]] FaultyReader& reader() { return reader_; }
    [[nodiscard]] unsigned keys() const { return keys_; } ///< compared and found right
    [[nodiscard]] unsigned wrong_pins() const { return wrong_pins_; }
    static kdf::NafId naf_id(unsigned number);

private:
    void tell(const uicc::ReaderReport& report);
    [[nodiscard]] uicc::ReaderReport report(bool present) const;
    [[nodiscard]] uicc::Protocol protocol() const;
    [[nodiscard]] unsigned pin_attempts() const;
    [[nodiscard]] std::optional<uicc::Gbabp> read_gbabp();
    void watch(ByteView command);
    void check();
    [[nodiscard]] daemon::CardPorts ports();

    static testbed::Card make_card(const FaultSetting& setting);
    static daemon::Config make_config(const FaultSetting& setting);

    FaultSetting setting_;
    daemon::Config config_;
    fakes::ManualClock clock_{"2029-12-31T12:00:00Z"};
    SystemRandom random_;
    bsf::AuthenticationCentre centre_;
    bsf::BootstrappingStore store_{centre_.database(), clock_, "memory"};
    bsf::UbHandler ub_;
    testbed::Card card_;
    FaultyReader reader_{card_};
    std::uint32_t insertions_ = 0;
    bool pin_floor_kept_ = true;
    std::optional<uicc::Gbabp> gbabp_; ///< what the card holds; nothing = to be read
    unsigned keys_ = 0;
    unsigned wrong_pins_ = 0;
    std::string uicc_; ///< the identity that was read first
    daemon::Interruption interruption_;
    fakes::RamMemory memory_;
    static constexpr const char* kBoot = "b000";
    std::optional<daemon::PastKeeper> past_{std::in_place, memory_, clock_, kBoot};
    std::optional<daemon::CardWork> work_{std::in_place, config_, clock_, random_,
                                          interruption_, *past_,  ports()};
};

} // namespace mtkey::integration
