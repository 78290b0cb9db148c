// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/card_ports.hpp"
#include "testbed/virtual_uicc/card.hpp"
#include "uicc/transmit.hpp"

#include <array>
#include <functional>
#include <optional>

namespace mtkey::integration {

/// The twelve kinds of fault of the matrix (threats U2).
enum class FaultKind {
    Removed,
    Reset,
    Unpowered,
    CommError,
    NoService,
    TimedOut,
    CardError, ///< 6F00
    Refused,   ///< 9862 to AUTHENTICATE, 6982 to everything else
    Empty,
    Short,
    Long,
    Endless
};
inline constexpr std::size_t kFaultKinds = 12;

/// Most kinds come in two ways: whether the card has executed the command whose answer is lost, or
/// where the octet is cut off or put in.
enum class FaultWay { First, Second };

struct Fault {
    const char* name;
    FaultKind kind;
    FaultWay way;
};
inline constexpr std::array kFaults{
    Fault{"removed before the command", FaultKind::Removed, FaultWay::First},
    Fault{"removed before the answer", FaultKind::Removed, FaultWay::Second},
    Fault{"reset before the command", FaultKind::Reset, FaultWay::First},
    Fault{"reset before the answer", FaultKind::Reset, FaultWay::Second},
    Fault{"unpowered before the command", FaultKind::Unpowered, FaultWay::First},
    Fault{"unpowered before the answer", FaultKind::Unpowered, FaultWay::Second},
    Fault{"comm error before the command", FaultKind::CommError, FaultWay::First},
    Fault{"comm error before the answer", FaultKind::CommError, FaultWay::Second},
    Fault{"no service before the command", FaultKind::NoService, FaultWay::First},
    Fault{"no service before the answer", FaultKind::NoService, FaultWay::Second},
    Fault{"time-out before the command", FaultKind::TimedOut, FaultWay::First},
    Fault{"time-out before the answer", FaultKind::TimedOut, FaultWay::Second},
    Fault{"6F00", FaultKind::CardError, FaultWay::First},
    Fault{"9862 or 6982", FaultKind::Refused, FaultWay::First},
    Fault{"no octets", FaultKind::Empty, FaultWay::First},
    Fault{"status word without data", FaultKind::Empty, FaultWay::Second},
    Fault{"last octet missing", FaultKind::Short, FaultWay::First},
    Fault{"last octet of data missing", FaultKind::Short, FaultWay::Second},
    Fault{"an octet behind the status word", FaultKind::Long, FaultWay::First},
    Fault{"an octet more of data", FaultKind::Long, FaultWay::Second},
    Fault{"endless 61xx", FaultKind::Endless, FaultWay::First},
    Fault{"endless 6Cxx", FaultKind::Endless, FaultWay::Second},
};

/// Bugs that a test puts between daemon and reader, to see that the judge finds what they do.
enum class FaultSeed {
    None,
    LostUpdate,     ///< an UPDATE whose answer is lost counts as done
    OldKey,         ///< a NAF derivation (T=1) whose answer is lost gets the one before it
    RepeatedVerify, ///< a VERIFY whose answer is lost is sent again
};

/// Reader, contacts and the way to them, where one exchange goes wrong. Owns the fault's lasting
/// part; the card is borrowed.
class FaultyReader {
public:
    explicit FaultyReader(testbed::Card& card) : card_(card) {}
    FaultyReader(const FaultyReader&) = delete;
    FaultyReader& operator=(const FaultyReader&) = delete;

    /// From now on exchanges are counted; number `at`, counted from 0, is the one.
    void plan(const Fault* fault, unsigned at) {
        fault_ = fault;
        at_ = at;
        exchanges_ = 0;
        spoilt_ = false;
        hit_ = {};
    }
    /// The card is in and the service runs.
    void mend() {
        fault_ = nullptr;
        away_.reset();
    }
    [[nodiscard]] unsigned exchanges() const { return exchanges_; } ///< since plan()
    /// False when the fault made no difference: an octet was to be cut where there is none.
    [[nodiscard]] bool spoilt() const { return spoilt_; }
    struct Hit {
        std::uint8_t ins = 0; ///< for GET RESPONSE: of the command it belongs to
        bool verify = false;  ///< VERIFY with digits
    };
    [[nodiscard]] const Hit& hit() const { return hit_; }
    [[nodiscard]] Result<std::unique_ptr<daemon::CardLink>> connect(uicc::Protocol protocol,
                                                                    daemon::Hold hold);

    std::function<void(ByteView)> on_command; ///< before the card itself gets it
    unsigned connects = 0;
    FaultSeed seed = FaultSeed::None;

private:
    class Link;
    [[nodiscard]] Result<SecretBytes> exchange(ByteView command, std::optional<Error>& dead);
    [[nodiscard]] Result<SecretBytes> seeded(ByteView command, std::optional<Error>& dead);
    [[nodiscard]] Result<SecretBytes> spoil(ByteView command, std::optional<Error>& dead);
    [[nodiscard]] SecretBytes deliver(ByteView command) {
        if (on_command) {
            on_command(command);
        }
        return card_.transmit(command);
    }
    void power_up() {
        endless_.reset();
        card_.reset();
    }
    SecretBytes endless(ByteView command) const;

    testbed::Card& card_;
    const Fault* fault_ = nullptr;
    unsigned at_ = 0;
    unsigned exchanges_ = 0;
    bool spoilt_ = false;
    Hit hit_;
    std::uint8_t last_ins_ = 0;
    SecretBytes old_key_;             ///< of FaultSeed::OldKey
    std::optional<Error> away_;       ///< the card or the service, until mend()
    std::optional<FaultWay> endless_; ///< until power-up
};

} // namespace mtkey::integration
