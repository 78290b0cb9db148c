// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/sim.hpp"

#include "testbed/virtual_uicc/card_files.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::testbed {
namespace {

constexpr std::uint8_t kClass = 0xA0;
enum Instruction : std::uint8_t {
    kVerifyChv = 0x20,
    kRunGsmAlgorithm = 0x88,
    kSelect = 0xA4,
    kReadBinary = 0xB0,
    kGetResponse = 0xC0,
};
constexpr std::size_t kMasterFile = 0;
constexpr std::size_t kDfGsm = 1;
constexpr std::uint16_t kEfImsi = 0x6F07;
constexpr std::uint8_t kChv1 = 0x01;
constexpr std::uint8_t kChv2 = 0x02;
constexpr std::size_t kChv = 8;

/// Status words of its own (TS 51.011 clause 9.4).
namespace gsm {
constexpr std::uint16_t kNoFileSelected = 0x9400;
constexpr std::uint16_t kOutOfRange = 0x9402;
constexpr std::uint16_t kFileNotFound = 0x9404;
constexpr std::uint16_t kNoChv = 0x9802;
constexpr std::uint16_t kNotFulfilled = 0x9804;
constexpr std::uint16_t kChvDisabled = 0x9808;
constexpr std::uint16_t kChvBlocked = 0x9840;
constexpr std::uint16_t kMoreData = 0x9F00; // low octet: how much
} // namespace gsm

std::uint8_t high(std::size_t number) {
    return static_cast<std::uint8_t>(number >> 8 & 0xFF);
}
std::uint8_t low(std::size_t number) {
    return static_cast<std::uint8_t>(number & 0xFF);
}

/// Nibbles of clause 9.3: READ, UPDATE; nothing else is allowed to anybody.
std::uint8_t nibble_of(Access access) {
    switch (access) {
    case Access::Always:
        return 0x0;
    case Access::Pin:
        return 0x1;
    case Access::Adm:
        return 0x4;
    case Access::Never:
        break;
    }
    return 0xF;
}

/// Clause 9.2.1, of an EF.
Bytes told_of_file(const ElementaryFile& file) {
    const auto access =
        static_cast<std::uint8_t>(nibble_of(file.read) << 4 | nibble_of(file.update));
    return {0x00,
            0x00,
            high(file.content.size()),
            low(file.content.size()),
            high(file.fid),
            low(file.fid),
            0x04,
            0x00,
            access,
            0xFF,
            0xFF,
            0x01, // not invalidated
            0x02,
            0x00,
            0x00};
}

bool may_read(const ElementaryFile& file, const Pin& chv1) {
    return Rights{.pin = !chv1.enabled() || chv1.verified()}.allow(file.read);
}

/// VERIFY CHV of CHV1, in the words of a SIM.
Answer verify(const uicc::CommandApdu& command, Pin& chv1) {
    if (command.p1 != 0x00 || (command.p2 != kChv1 && command.p2 != kChv2)) {
        return refuse(sw::kWrongOffset);
    }
    if (command.p2 == kChv2) {
        return refuse(gsm::kNoChv);
    }
    if (command.data.size() != kChv) {
        return refuse(sw::kWrongLength);
    }
    switch (const auto sw = chv1.verify(command).sw) {
    case sw::kOk:
        return done();
    case sw::kPinDisabled:
        return refuse(gsm::kChvDisabled);
    case sw::kPinBlocked:
    case sw::kTriesLeft: // none
        return refuse(gsm::kChvBlocked);
    default:
        return refuse((sw & 0xFFF0) == sw::kTriesLeft ? gsm::kNotFulfilled : sw);
    }
}

} // namespace

Sim::Sim(const CardProfile& profile) {
    directories_[kMasterFile].fid = 0x3F00;
    directories_[kMasterFile].files.push_back(iccid_file(profile));
    directories_[kDfGsm].fid = 0x7F20;
    directories_[kDfGsm].files.push_back({.fid = kEfImsi, .content = imsi_content(profile.imsi)});
    directories_[kDfGsm].files.push_back(administrative_data(profile));
}

void Sim::reset() {
    directory_ = kMasterFile;
    file_.reset();
    pending_.clear();
}

SecretBytes Sim::transmit(const uicc::CommandApdu& command, Pin& chv1,
                          const aka::Algorithm& algorithm) {
    if (command.cla == kClass && command.ins == kGetResponse) {
        return get_response(command);
    }
    pending_.clear();
    Answer answer =
        command.cla == kClass ? execute(command, chv1, algorithm) : refuse(sw::kWrongClass);
    if (command.data.empty() || answer.data.empty()) {
        return encode(answer.data.reveal(), answer.sw);
    }
    pending_ = std::move(answer.data);
    return encode({}, static_cast<std::uint16_t>(gsm::kMoreData | low(pending_.size())));
}

SecretBytes Sim::get_response(const uicc::CommandApdu& command) {
    const auto data = std::exchange(pending_, SecretBytes());
    const std::size_t wanted = command.le.value_or(0);
    if (command.p1 != 0x00 || command.p2 != 0x00 || !command.data.empty()) {
        return encode({}, sw::kWrongOffset);
    }
    if (wanted == 0 || wanted > data.size()) {
        return encode({}, sw::kWrongLength);
    }
    return encode(data.reveal().first(wanted), sw::kOk);
}

Answer Sim::execute(const uicc::CommandApdu& command, Pin& chv1, const aka::Algorithm& algorithm) {
    switch (command.ins) {
    case kSelect:
        return select(command, chv1);
    case kReadBinary:
        return read_binary(command, chv1);
    case kVerifyChv:
        return verify(command, chv1);
    case kRunGsmAlgorithm:
        break;
    default:
        return refuse(sw::kWrongInstruction);
    }
    aka::Rand rand{};
    if (command.data.size() != rand.size()) {
        return refuse(sw::kWrongLength);
    }
    if (directory_ != kDfGsm) {
        return refuse(sw::kCardError);
    }
    if (chv1.enabled() && !chv1.verified()) {
        return refuse(gsm::kNotFulfilled);
    }
    std::ranges::copy(command.data.reveal(), rand.begin());
    const auto triplet = aka::gsm_triplet(algorithm, rand);
    SecretBytes out(4 + 8);
    auto end = std::ranges::copy(triplet.sres.reveal(), out.reveal_writable().begin()).out;
    std::ranges::copy(triplet.kc.reveal(), end);
    return {std::move(out), sw::kOk};
}

/// MF, DF_GSM and the files of the current directory are in reach from everywhere (clause 6.5).
Answer Sim::select(const uicc::CommandApdu& command, const Pin& chv1) {
    const auto data = command.data.reveal();
    if (command.p1 != 0x00 || command.p2 != 0x00) {
        return refuse(sw::kWrongOffset);
    }
    if (data.size() != 2) {
        return refuse(sw::kWrongLength);
    }
    const auto fid = static_cast<std::uint16_t>(data[0] << 8 | data[1]);
    const auto directory = std::ranges::find(directories_, fid, &Directory::fid);
    if (directory != directories_.end()) {
        directory_ = static_cast<std::size_t>(directory - directories_.begin());
        file_.reset();
        return {SecretBytes(told_of_directory(chv1)), sw::kOk};
    }
    const auto& files = directories_[directory_].files;
    const auto file = std::ranges::find(files, fid, &ElementaryFile::fid);
    if (file == files.end()) {
        return refuse(gsm::kFileNotFound);
    }
    file_ = static_cast<std::size_t>(file - files.begin());
    return {SecretBytes(told_of_file(*file)), sw::kOk};
}

Answer Sim::read_binary(const uicc::CommandApdu& command, const Pin& chv1) const {
    if (!file_) {
        return refuse(gsm::kNoFileSelected);
    }
    const auto& file = directories_[directory_].files[*file_];
    if (!may_read(file, chv1)) {
        return refuse(gsm::kNotFulfilled);
    }
    const std::size_t offset = static_cast<std::size_t>(command.p1 << 8 | command.p2);
    const std::size_t length = command.le.value_or(256);
    if (offset + length > file.content.size()) {
        return refuse(gsm::kOutOfRange);
    }
    return {SecretBytes(ByteView(file.content).subspan(offset, length)), sw::kOk};
}

/// Clause 9.2.1, of MF and DF.
Bytes Sim::told_of_directory(const Pin& chv1) const {
    const auto& directory = directories_[directory_];
    const auto is_mf = directory_ == kMasterFile;
    Bytes out(23, 0x00);
    out[2] = 0x40; // not allocated
    out[4] = high(directory.fid);
    out[5] = low(directory.fid);
    out[6] = is_mf ? 0x01 : 0x02;
    out[12] = 0x0A; // so many octets follow
    out[13] = chv1.enabled() ? 0x01 : 0x81;
    out[14] = is_mf ? 1 : 0; // DFs
    out[15] = low(directory.files.size());
    out[16] = 4; // CHV1, CHV2 and what unblocks them
    out[18] = static_cast<std::uint8_t>(0x80 | chv1.attempts_left());
    out[19] = 0x8A; // UNBLOCK CHV1; there is no CHV2
    return out;
}

} // namespace mtkey::testbed
