// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card.hpp"

#include "testbed/virtual_uicc/card_files.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mtkey::testbed {
namespace {

enum Instruction : std::uint8_t {
    kFetch = 0x12,
    kTerminalResponse = 0x14,
    kVerify = 0x20,
    kManageChannel = 0x70,
    kAuthenticate = 0x88,
    kSelect = 0xA4,
    kReadBinary = 0xB0,
    kReadRecord = 0xB2,
    kGetResponse = 0xC0,
    kUpdateBinary = 0xD6,
    kUpdateRecord = 0xDC,
    kStatus = 0xF2,
};

constexpr std::size_t kLongestAnswer = 256;

// TS 102 221 clause 6.3: direct convention, 15 historical octets with card capabilities. T=0 only,
// and T=1 only (IFSC 254, BWI 4, CWI 5); both name T=15 with the supply classes A, B and C.
template <std::size_t N>
constexpr std::array<std::uint8_t, N> with_check_octet(std::array<std::uint8_t, N> atr) {
    std::uint8_t check = 0;
    for (std::size_t i = 1; i + 1 < N; ++i) {
        check ^= atr[i];
    }
    atr[N - 1] = check;
    return atr;
}
constexpr auto kAtrT0 = with_check_octet(
    std::array<std::uint8_t, 22>{0x3B, 0x9F, 0x96, 0x80, 0x1F, 0xC7, 0x80, 0x31, 0xE0, 0x73, 0xFE,
                                 0x21, 0x1B, 0x63, 0xE2, 0x03, 0xE8, 0x83, 0x0F, 0x90, 0x00, 0x00});

constexpr auto kAtrT1 = with_check_octet(std::array<std::uint8_t, 25>{
    0x3B, 0x9F, 0x96, 0x81, 0xB1, 0xFE, 0x45, 0x1F, 0xC7, 0x80, 0x31, 0xE0, 0x73,
    0xFE, 0x21, 0x1B, 0x63, 0xE2, 0x03, 0xE8, 0x83, 0x0F, 0x90, 0x00, 0x00});

// T=0 only too, without capabilities.
constexpr std::array<std::uint8_t, 9> kAtrSim{0x3B, 0x16, 0x94, 0x71, 0x01, 0x01, 0x06, 0x02, 0x00};

/// 61xx or 6Cxx: 00 stands for 256.
std::uint16_t with_length(std::uint16_t sw, std::size_t length) {
    return static_cast<std::uint16_t>(sw | (length & 0xFF));
}
constexpr std::uint16_t kMoreData = 0x6100;
constexpr std::uint16_t kWrongLe = 0x6C00;
constexpr std::uint16_t kProactive = 0x9100;

/// A proactive command that asks for nothing: MORE TIME (TS 102 223 clause 6.6.4).
constexpr std::array<std::uint8_t, 11> kMoreTime{0xD0, 0x09, 0x81, 0x03, 0x01, 0x02,
                                                 0x00, 0x82, 0x02, 0x81, 0x82};

bool is_proprietary(std::uint8_t ins) {
    return ins == kStatus || ins == kFetch || ins == kTerminalResponse;
}

/// TS 102 221 clause 10.1.1: the one class of each instruction, without secure messaging.
std::uint16_t check_class(const std::optional<CommandClass>& of, std::uint8_t ins) {
    if (!of || of->proprietary != is_proprietary(ins)) {
        return sw::kWrongClass;
    }
    return of->secure_messaging ? sw::kNoSecureMessaging : sw::kOk;
}

std::vector<Pin> pins_of(const CardProfile& profile) {
    std::vector<Pin> pins;
    pins.emplace_back(kFirstApplicationPin, profile.pin ? profile.pin->reveal() : ByteView(),
                      profile.pin_attempts);
    for (const auto& pin : profile.more_pins) {
        pins.emplace_back(pin.reference, pin.digits.reveal(), pin.attempts);
    }
    return pins;
}

} // namespace

Result<Card> Card::create(const CardProfile& profile, std::unique_ptr<aka::Algorithm> algorithm,
                          const aka::Sqn& sqn_ms) {
    MTKEY_CHECK(check_profile(profile));
    return Card(profile, std::move(algorithm), sqn_ms);
}

Card::Card(const CardProfile& profile, std::unique_ptr<aka::Algorithm> algorithm,
           const aka::Sqn& sqn_ms)
    : protocol_(profile.protocol),
      quirks_(profile.quirks),
      files_(directories_of(profile)),
      pins_(pins_of(profile)),
      authentication_(std::move(algorithm), aka::SqnArray(sqn_ms, profile.sqn), profile.gba_u),
      channels_(profile.quirks.no_logical_channels ? 1 : profile.channels) {
    if (profile.sim) {
        sim_.emplace(profile);
    }
    for (const auto& application : applications_of(profile)) {
        applications_.push_back({.kind = application.kind,
                                 .gba = application.gba,
                                 .gsm_access = application.gsm_access});
        pin_references_.push_back(application.pin_reference);
    }
    reset();
}

void Card::reset() {
    if (sim_) {
        sim_->reset();
    }
    channels_.reset();
    std::ranges::for_each(pins_, &Pin::forget_verification);
    pending_.clear();
    refused_read_.clear();
    command_waits_ = quirks_.proactive;
    busy_ = quirks_.busy;
}

ByteView Card::atr() const {
    if (sim_) {
        return kAtrSim;
    }
    return protocol_ == Protocol::T0 ? ByteView(kAtrT0) : ByteView(kAtrT1);
}

CardMemory Card::memory() const {
    CardMemory out{authentication_.sqn().entries(), {}};
    for (const auto& pin : pins_) {
        out.pin_attempts.emplace_back(pin.reference(), pin.attempts_left());
    }
    return out;
}

Result<void> Card::restore(const CardMemory& memory) {
    if (!authentication_.sqn().restore(memory.seq)) {
        return fail(Errc::InvalidArgument, "sequence numbers of another card");
    }
    for (const auto& [reference, left] : memory.pin_attempts) {
        const auto pin = std::ranges::find(pins_, reference, &Pin::reference);
        if (pin != pins_.end()) {
            pin->set_attempts_left(left);
        }
    }
    return {};
}

const Secret<32>* Card::ks_int_naf(ApplicationKind kind, ByteView naf_id) const {
    const auto application = std::ranges::find(applications_, kind, &ApplicationState::kind);
    if (application == applications_.end()) {
        return nullptr;
    }
    for (const auto& key : application->int_keys) {
        if (key && std::ranges::equal(key->naf_id, naf_id)) {
            return &key->ks_int_naf;
        }
    }
    return nullptr;
}

SecretBytes Card::transmit(ByteView command_octets) {
    const auto command = uicc::parse_command(command_octets);
    if (!command) {
        pending_.clear();
        return encode({}, sw::kWrongLength);
    }
    if (sim_) {
        return sim_->transmit(*command, pins_.front(), authentication_.algorithm());
    }
    const auto of = parse_class(command->cla);
    if (command->ins == kGetResponse && check_class(of, kGetResponse) == sw::kOk &&
        of->channel == pending_channel_) {
        return get_response(*command);
    }
    pending_.clear();
    if (busy_ > 0) {
        --busy_;
        return encode({}, sw::kBusy);
    }
    Answer answer = refuse(check_class(of, command->ins));
    if (answer.sw == sw::kOk) {
        answer = execute(*command, of->channel);
        pending_channel_ = of->channel;
        pending_is_fcp_ = command->ins == kSelect;
    }
    if (answer.data.empty()) {
        return encode({}, closing(answer.sw));
    }
    if (quirks_.wrong_le_on_read && (command->ins == kReadBinary || command->ins == kReadRecord)) {
        Bytes header(command_octets.begin(), command_octets.begin() + 4);
        if (header != refused_read_) {
            refused_read_ = std::move(header);
            return encode({}, with_length(kWrongLe, answer.data.size()));
        }
        refused_read_.clear();
    }
    return protocol_ == Protocol::T0 ? answer_t0(*command, std::move(answer))
                                     : answer_t1(*command, std::move(answer));
}

Answer Card::execute(const uicc::CommandApdu& command, unsigned channel) {
    auto* at = channels_.find(channel);
    if (at == nullptr) {
        return refuse(sw::kNoLogicalChannel);
    }
    switch (command.ins) {
    case kSelect: {
        Answer answer = files_.select(command, *at);
        forget_pins_of_ended_applications();
        return answer;
    }
    case kStatus:
        return files_.status(command, *at);
    case kReadBinary:
        return files_.read_binary(command, *at, rights(*at));
    case kUpdateBinary:
        return files_.update_binary(command, *at, rights(*at));
    case kReadRecord:
        return files_.read_record(command, *at, rights(*at));
    case kUpdateRecord:
        return files_.update_record(command, *at, rights(*at));
    case kVerify:
        return verify(command, *at);
    case kAuthenticate:
        return authenticate(command, *at);
    case kManageChannel: {
        Answer answer = channels_.manage(command, channel);
        forget_pins_of_ended_applications();
        return answer;
    }
    case kFetch:
        return fetch();
    case kTerminalResponse:
        return quirks_.proactive ? done() : refuse(sw::kWrongInstruction);
    default:
        return refuse(sw::kWrongInstruction);
    }
}

const Pin* Card::pin(std::uint8_t reference) const {
    const auto found = std::ranges::find(pins_, reference, &Pin::reference);
    return found == pins_.end() ? nullptr : &*found;
}

/// The application's PIN; where that is disabled the universal PIN replaces it (TS 102 221 clause
/// 9.4.1).
Rights Card::rights(const Selection& at) const {
    const auto reference =
        at.application == 0 ? kFirstApplicationPin : pin_references_[at.application - 1];
    const Pin* own = pin(reference);
    const Pin* universal = pin(kUniversalPin);
    const Pin* adm = pin(kAdm1);
    Rights out;
    if (own != nullptr && own->enabled()) {
        out.pin = own->verified();
    } else {
        out.pin = universal == nullptr || universal->verified();
    }
    out.adm = adm != nullptr && adm->verified();
    return out;
}

/// An application's PIN is in reach only where the application is active.
Answer Card::verify(const uicc::CommandApdu& command, const Selection& at) {
    const bool of_application =
        at.application != 0 && command.p2 == pin_references_[at.application - 1];
    const auto found = std::ranges::find(pins_, command.p2, &Pin::reference);
    if (found == pins_.end() ||
        (!of_application && command.p2 != kUniversalPin && command.p2 != kAdm1)) {
        return refuse(sw::kReferenceNotFound);
    }
    return found->verify(command);
}

/// A verification holds on every channel for as long as some channel has an application of this
/// PIN active.
void Card::forget_pins_of_ended_applications() {
    for (auto& pin : pins_) {
        const bool of_application = pin.reference() <= kLastApplicationPin;
        if (of_application && !channels_.any_application([&](std::size_t number) {
                return pin_references_[number - 1] == pin.reference();
            })) {
            pin.forget_verification();
        }
    }
}

Answer Card::authenticate(const uicc::CommandApdu& command, const Selection& at) {
    if (!at.in_application()) {
        return refuse(sw::kConditionsOfUse);
    }
    if (!rights(at).pin) {
        return refuse(sw::kSecurityStatus);
    }
    return authentication_.authenticate(command, applications_[at.directory - 1],
                                        files_.directory(at.directory));
}

Answer Card::fetch() {
    if (!command_waits_) {
        return refuse(sw::kConditionsOfUse);
    }
    command_waits_ = false;
    return {SecretBytes(ByteView(kMoreTime)), sw::kOk};
}

/// 91xx in the place of 9000 while a proactive command waits (TS 102 221 clause 7.4.2).
std::uint16_t Card::closing(std::uint16_t sw) const {
    return sw == sw::kOk && command_waits_ ? with_length(kProactive, kMoreTime.size()) : sw;
}

/// ISO/IEC 7816-3 clause 12.2.1: after a command with data the answer waits for GET RESPONSE; Le of
/// the others must fit. A warning is told at once, the data still waits (TS 102 221 clause
/// 7.3.1.1.4).
SecretBytes Card::answer_t0(const uicc::CommandApdu& command, Answer answer) {
    if (command.data.empty()) {
        if (command.le.value_or(kLongestAnswer) != answer.data.size() && !quirks_.direct_data) {
            return encode({}, with_length(kWrongLe, answer.data.size()));
        }
        return encode(answer.data.reveal(), closing(answer.sw));
    }
    if (quirks_.direct_data) {
        return encode(answer.data.reveal(), closing(answer.sw));
    }
    pending_ = std::move(answer.data);
    return encode({}, answer.sw == sw::kOk ? with_length(kMoreData, pending_.size()) : answer.sw);
}

/// Le is the most that is wanted; without it nothing is.
SecretBytes Card::answer_t1(const uicc::CommandApdu& command, Answer answer) {
    if (!command.le) {
        return encode({}, closing(answer.sw));
    }
    pending_ = std::move(answer.data);
    return hand_out(*command.le, answer.sw);
}

SecretBytes Card::get_response(const uicc::CommandApdu& command) {
    if (command.p1 != 0x00 || command.p2 != 0x00 || !command.data.empty()) {
        return encode({}, sw::kWrongParameters);
    }
    if (pending_.empty()) {
        return encode({}, sw::kConditionsOfUse);
    }
    if (quirks_.select_response_fails && pending_is_fcp_) {
        pending_.clear();
        return encode({}, sw::kCardError);
    }
    const std::size_t wanted = command.le.value_or(kLongestAnswer);
    if (wanted > pending_.size()) {
        return encode({}, with_length(kWrongLe, pending_.size()));
    }
    return hand_out(wanted, sw::kOk);
}

/// At most `length` octets of what waits; 61xx tells of the rest, `sw` that there is none.
SecretBytes Card::hand_out(std::size_t length, std::uint16_t sw) {
    const ByteView all = pending_.reveal();
    const ByteView part = all.first(std::min(length, all.size()));
    SecretBytes rest(all.subspan(part.size()));
    SecretBytes out =
        encode(part, rest.empty() ? closing(sw) : with_length(kMoreData, rest.size()));
    pending_ = std::move(rest);
    return out;
}

} // namespace mtkey::testbed
