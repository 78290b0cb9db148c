// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card.hpp"

#include "testbed/virtual_uicc/usim_files.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mtkey::testbed {
namespace {

enum Instruction : std::uint8_t {
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

SecretBytes encode(ByteView data, std::uint16_t sw) {
    SecretBytes out(data.size() + 2);
    const auto octets = out.reveal_writable();
    std::ranges::copy(data, octets.begin());
    octets[data.size()] = static_cast<std::uint8_t>(sw >> 8);
    octets[data.size() + 1] = static_cast<std::uint8_t>(sw & 0xFF);
    return out;
}

/// 61xx or 6Cxx: 00 stands for 256.
std::uint16_t with_length(std::uint16_t sw, std::size_t length) {
    return static_cast<std::uint16_t>(sw | (length & 0xFF));
}
constexpr std::uint16_t kMoreData = 0x6100;
constexpr std::uint16_t kWrongLe = 0x6C00;

/// TS 102 221 clause 10.1.1: the one class of each instruction, on the basic channel, without
/// secure messaging.
std::uint16_t check_class(const uicc::CommandApdu& command) {
    const std::uint8_t expected = command.ins == kStatus ? 0x80 : 0x00;
    if (command.cla == expected) {
        return sw::kOk;
    }
    if ((command.cla & 0xF0) == (0x40 | expected) || (command.cla & 0xFC) == expected) {
        return sw::kNoLogicalChannel;
    }
    if ((command.cla & 0xF0) == expected) {
        return sw::kNoSecureMessaging;
    }
    return sw::kWrongClass;
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
      files_(master_file(profile), usim(profile)),
      pin_(profile.pin),
      authentication_(profile, std::move(algorithm), sqn_ms) {}

void Card::reset() {
    files_.reset();
    pin_.forget_verification();
    pending_.clear();
}

ByteView Card::atr() const {
    return protocol_ == Protocol::T0 ? ByteView(kAtrT0) : ByteView(kAtrT1);
}

SecretBytes Card::transmit(ByteView command_octets) {
    const auto command = uicc::parse_command(command_octets);
    if (!command) {
        pending_.clear();
        return encode({}, sw::kWrongLength);
    }
    if (command->ins == kGetResponse && check_class(*command) == sw::kOk) {
        return get_response(*command);
    }
    pending_.clear();
    Answer answer = execute(*command);
    if (answer.data.empty()) {
        return encode({}, answer.sw);
    }
    return protocol_ == Protocol::T0 ? answer_t0(*command, std::move(answer))
                                     : answer_t1(*command, std::move(answer));
}

Answer Card::execute(const uicc::CommandApdu& command) {
    if (const auto class_error = check_class(command); class_error != sw::kOk) {
        return refuse(class_error);
    }
    switch (command.ins) {
    case kSelect:
        return select(command);
    case kStatus:
        return files_.status(command);
    case kReadBinary:
        return files_.read_binary(command, pin_.satisfied());
    case kUpdateBinary:
        return files_.update_binary(command, pin_.satisfied());
    case kReadRecord:
        return files_.read_record(command, pin_.satisfied());
    case kUpdateRecord:
        return files_.update_record(command, pin_.satisfied());
    case kVerify:
        return files_.application_active() ? pin_.verify(command) : refuse(sw::kReferenceNotFound);
    case kAuthenticate:
        return authenticate(command);
    case kManageChannel:
        return refuse(sw::kNoLogicalChannel);
    default:
        return refuse(sw::kWrongInstruction);
    }
}

Answer Card::select(const uicc::CommandApdu& command) {
    Answer answer = files_.select(command);
    if (!files_.application_active()) {
        pin_.forget_verification(); // terminated
    }
    return answer;
}

Answer Card::authenticate(const uicc::CommandApdu& command) {
    if (!files_.in_application()) {
        return refuse(sw::kConditionsOfUse);
    }
    if (!pin_.satisfied()) {
        return refuse(sw::kSecurityStatus);
    }
    return authentication_.authenticate(command, files_.application());
}

/// ISO/IEC 7816-3 clause 12.2.1: after a command with data the answer waits for GET RESPONSE; Le of
/// the others must fit.
SecretBytes Card::answer_t0(const uicc::CommandApdu& command, Answer answer) {
    if (!command.data.empty()) {
        pending_ = std::move(answer.data);
        return encode({}, with_length(kMoreData, pending_.size()));
    }
    if (command.le.value_or(kLongestAnswer) != answer.data.size()) {
        return encode({}, with_length(kWrongLe, answer.data.size()));
    }
    return encode(answer.data.reveal(), answer.sw);
}

/// Le is the most that is wanted; without it nothing is.
SecretBytes Card::answer_t1(const uicc::CommandApdu& command, Answer answer) {
    if (!command.le) {
        return encode({}, answer.sw);
    }
    pending_ = std::move(answer.data);
    return hand_out(*command.le);
}

SecretBytes Card::get_response(const uicc::CommandApdu& command) {
    if (command.p1 != 0x00 || command.p2 != 0x00 || !command.data.empty()) {
        return encode({}, sw::kWrongParameters);
    }
    if (pending_.empty()) {
        return encode({}, sw::kConditionsOfUse);
    }
    const std::size_t wanted = command.le.value_or(kLongestAnswer);
    if (wanted > pending_.size()) {
        return encode({}, with_length(kWrongLe, pending_.size()));
    }
    return hand_out(wanted);
}

/// At most `length` octets of what waits; 61xx tells of the rest.
SecretBytes Card::hand_out(std::size_t length) {
    const ByteView all = pending_.reveal();
    const ByteView part = all.first(std::min(length, all.size()));
    SecretBytes rest(all.subspan(part.size()));
    SecretBytes out = encode(part, rest.empty() ? sw::kOk : with_length(kMoreData, rest.size()));
    pending_ = std::move(rest);
    return out;
}

} // namespace mtkey::testbed
