// SPDX-License-Identifier: Apache-2.0
#include "integration/fault_link.hpp"

#include <algorithm>

namespace mtkey::integration {
namespace {

constexpr std::uint8_t kVerify = 0x20;
constexpr std::uint8_t kAuthenticate = 0x88;
constexpr std::uint8_t kGetResponse = 0xC0;
constexpr std::uint8_t kUpdateBinary = 0xD6;
constexpr std::uint8_t kNafDerivation = 0xDE; // first octet of the data
constexpr std::uint8_t kEndlessPart = 0x10;

/// As uicc/pcsc_status.cpp makes them of SCARD codes.
Error error_of(FaultKind kind) {
    switch (kind) {
    case FaultKind::Removed:
        return {Errc::NoCard, 0x80100069, "removed"};
    case FaultKind::Reset:
        return {Errc::NoCard, 0x80100068, "reset"};
    case FaultKind::Unpowered:
        return {Errc::CardFailed, 0x80100067, "unpowered"};
    case FaultKind::CommError:
        return {Errc::CardFailed, 0x80100016, "not transacted"};
    case FaultKind::NoService:
        return {Errc::NoReader, 0x8010001D, "no service"};
    case FaultKind::TimedOut:
        return {Errc::TimedOut, 0x8010000A, "time-out"};
    default:
        return {Errc::Internal, 0, "no fault of the way to the card"};
    }
}

SecretBytes octets(std::initializer_list<std::uint8_t> values) {
    return SecretBytes(ByteView(values.begin(), values.size()));
}

/// `answer` with its last octet, or its last octet of data, taken away.
SecretBytes shortened(const SecretBytes& answer, FaultWay way) {
    const auto all = answer.reveal();
    SecretBytes out(all.first(all.size() - 1));
    if (way == FaultWay::Second && all.size() > 2) {
        std::ranges::copy(all.last(2), out.reveal_writable().last(2).begin());
    }
    return out;
}

SecretBytes lengthened(const SecretBytes& answer, FaultWay way) {
    const auto all = answer.reveal();
    SecretBytes out(all.size() + 1);
    const auto to = out.reveal_writable();
    std::ranges::copy(all, to.begin());
    if (way == FaultWay::Second) {
        std::ranges::copy(all.last(2), to.last(2).begin());
        to[all.size() - 2] = 0xA5;
    }
    return out;
}

} // namespace

class FaultyReader::Link final : public daemon::CardLink, private uicc::RawCard {
public:
    Link(FaultyReader& reader, uicc::Protocol protocol, daemon::Hold hold)
        : reader_(reader),
          hold_(hold),
          mapped_(*this, protocol, [](std::chrono::milliseconds) {}) {}
    /// As uicc::ScardCard: a card that was reset behind us is connected to again.
    [[nodiscard]] Result<uicc::CardChannel*> begin() override {
        if (reader_.away_) {
            return std::unexpected(*reader_.away_);
        }
        if (dead_) {
            dead_.reset();
            reader_.power_up();
        }
        return &mapped_;
    }
    void end() override { reader_.power_up(); }
    [[nodiscard]] daemon::Hold hold() const override { return hold_; }
    [[nodiscard]] unsigned apdu_count() const override { return apdus_; }

private:
    [[nodiscard]] Result<SecretBytes> exchange(ByteView command) override {
        ++apdus_;
        return reader_.seeded(command, dead_);
    }
    FaultyReader& reader_;
    daemon::Hold hold_;
    uicc::MappedChannel mapped_;
    std::optional<Error> dead_; ///< this handle, until it is connected again
    unsigned apdus_ = 0;
};

Result<std::unique_ptr<daemon::CardLink>> FaultyReader::connect(uicc::Protocol protocol,
                                                                daemon::Hold hold) {
    ++connects;
    if (away_) {
        return std::unexpected(*away_);
    }
    power_up();
    return std::make_unique<Link>(*this, protocol, hold);
}

Result<SecretBytes> FaultyReader::seeded(ByteView command, std::optional<Error>& dead) {
    auto answer = exchange(command, dead);
    const bool lost = !answer;
    const bool with_data = command.size() > 5;
    if (seed == FaultSeed::LostUpdate && lost && command[1] == kUpdateBinary) {
        return octets({0x90, 0x00});
    }
    if (seed == FaultSeed::RepeatedVerify && lost && command[1] == kVerify && with_data) {
        return exchange(command, dead);
    }
    if (seed == FaultSeed::OldKey && with_data && command[5] == kNafDerivation) {
        if (lost && old_key_.size() > 0) {
            return old_key_.clone();
        }
        if (!lost) {
            old_key_ = answer->clone();
        }
    }
    return answer;
}

Result<SecretBytes> FaultyReader::exchange(ByteView command, std::optional<Error>& dead) {
    if (away_) {
        return std::unexpected(*away_);
    }
    if (dead) {
        return std::unexpected(*dead);
    }
    const auto number = exchanges_++;
    if (command[1] != kGetResponse) {
        last_ins_ = command[1];
    }
    if (endless_) {
        return endless(command);
    }
    return fault_ != nullptr && number == at_ ? spoil(command, dead) : deliver(command);
}

Result<SecretBytes> FaultyReader::spoil(ByteView command, std::optional<Error>& dead) {
    const auto way = fault_->way;
    hit_ = {.ins = last_ins_, .verify = command[1] == kVerify && command.size() > 5};
    spoilt_ = true;
    switch (fault_->kind) {
    case FaultKind::CardError:
        return octets({0x6F, 0x00});
    case FaultKind::Refused:
        return last_ins_ == kAuthenticate ? octets({0x98, 0x62}) : octets({0x69, 0x82});
    case FaultKind::Endless:
        endless_ = way;
        return endless(command);
    default:
        break;
    }
    const bool lost = fault_->kind <= FaultKind::TimedOut;
    const auto answer = lost && way == FaultWay::First ? SecretBytes() : deliver(command);
    switch (fault_->kind) {
    case FaultKind::Empty:
        spoilt_ = way == FaultWay::First || answer.size() > 2;
        return way == FaultWay::First ? SecretBytes() : SecretBytes(answer.reveal().last(2));
    case FaultKind::Short:
        return shortened(answer, way);
    case FaultKind::Long:
        return lengthened(answer, way);
    case FaultKind::Removed:
    case FaultKind::NoService:
        away_ = error_of(fault_->kind);
        break;
    case FaultKind::Reset:
    case FaultKind::Unpowered:
        dead = error_of(fault_->kind);
        power_up();
        break;
    default: // the next exchange on this handle may go well
        break;
    }
    return std::unexpected(error_of(fault_->kind));
}

SecretBytes FaultyReader::endless(ByteView command) const {
    if (*endless_ == FaultWay::Second) {
        return octets({0x6C, kEndlessPart});
    }
    if (command[1] != kGetResponse) {
        return octets({0x61, kEndlessPart});
    }
    SecretBytes out(kEndlessPart + 2U);
    const auto to = out.reveal_writable();
    std::ranges::fill(to, std::uint8_t{0xA5});
    to[kEndlessPart] = 0x61;
    to[kEndlessPart + 1U] = kEndlessPart;
    return out;
}

} // namespace mtkey::integration
