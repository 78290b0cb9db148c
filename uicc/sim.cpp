// SPDX-License-Identifier: Apache-2.0
#include "uicc/sim.hpp"

#include "uicc/ef_parsers.hpp"
#include "uicc/files.hpp"
#include "uicc/pin.hpp"
#include "uicc/status.hpp"

#include <algorithm>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kClass = 0xA0;
// Instructions (TS 51.011 clause 9.2).
constexpr std::uint8_t kVerifyChv = 0x20;
constexpr std::uint8_t kRunGsmAlgorithm = 0x88;
constexpr std::uint8_t kSelect = 0xA4;
constexpr std::uint8_t kReadBinary = 0xB0;
constexpr std::uint8_t kChv1 = 0x01;
// Files (clause 10); identifiers of the EFs are those of the USIM.
constexpr std::uint16_t kMasterFile = 0x3F00;
constexpr std::uint16_t kDfGsm = 0x7F20;
// Status words (clause 9.4).
constexpr std::uint16_t kFileNotFound = 0x9404;
constexpr std::uint16_t kAccessNotFulfilled = 0x9804; // also: a wrong CHV, attempts are left
constexpr std::uint16_t kChvDisabled = 0x9808;        // in contradiction with its status
constexpr std::uint16_t kChvBlocked = 0x9840;
// Answer to SELECT (clause 9.2.1), octets counted from 0.
constexpr std::size_t kFileType = 6;
constexpr std::size_t kFileStatus = 11;
constexpr std::size_t kFileStructure = 13;
constexpr std::size_t kCharacteristics = 13;
constexpr std::size_t kChv1Status = 18;
constexpr std::uint8_t kElementaryFile = 0x04;
constexpr std::size_t kLongestRead = 255;
constexpr std::uint16_t kAnyLength = 256;

std::unexpected<Error> sim_error(std::uint16_t sw, std::string what) {
    auto error = status_error(sw, std::move(what));
    switch (sw) {
    case kAccessNotFulfilled:
        error.error().code = Errc::PinRequired;
        break;
    case kChvBlocked:
        error.error().code = Errc::PinBlocked;
        break;
    case sw::kInstructionNotSupported:
    case sw::kClassNotSupported:
        error.error().code = Errc::NotSupportedByCard;
        break;
    default:
        break;
    }
    return error;
}

CommandApdu sim_command(std::uint8_t ins) {
    CommandApdu command;
    command.cla = kClass;
    command.ins = ins;
    return command;
}

/// A parser's "malformed" is the card's fault here.
template <typename T>
Result<T> of_card(Result<T> parsed) {
    if (!parsed) {
        return fail(Errc::CardFailed, parsed.error().context);
    }
    return parsed;
}

/// What the card tells of the file; nothing when there is none.
Result<std::optional<SecretBytes>> select(CardChannel& card, std::uint16_t file, const char* name) {
    Bytes identifier;
    append_u16(identifier, file);
    auto command = sim_command(kSelect);
    command.data = SecretBytes(identifier);
    command.le = kAnyLength;
    auto response = MTKEY_TRY(card.transmit(command));
    if (response.sw == kFileNotFound) {
        return std::nullopt;
    }
    if (!response.ok()) {
        return sim_error(response.sw, std::string("SELECT ") + name);
    }
    return std::move(response.data);
}

Result<SecretBytes> select_required(CardChannel& card, std::uint16_t file, const char* name) {
    auto response = MTKEY_TRY(select(card, file, name));
    if (!response) {
        return fail(Errc::CardFailed, std::string("the SIM has no ") + name, kFileNotFound);
    }
    return *std::move(response);
}

/// In the current directory, at most 255 octets: the files in use are much shorter.
Result<std::optional<Bytes>> read(CardChannel& card, std::uint16_t file, const char* name) {
    const auto told = MTKEY_TRY(select(card, file, name));
    if (!told) {
        return std::nullopt;
    }
    const auto size = MTKEY_TRY(of_card(parse_sim_file(told->reveal())));
    auto command = sim_command(kReadBinary);
    command.le = static_cast<std::uint16_t>(std::min(size, kLongestRead));
    const auto response = MTKEY_TRY(card.transmit(command));
    if (!response.ok()) {
        return sim_error(response.sw, std::string("READ BINARY ") + name);
    }
    const auto octets = response.data.reveal();
    return Bytes(octets.begin(), octets.end());
}

Result<Bytes> read_required(CardChannel& card, std::uint16_t file, const char* name) {
    auto content = MTKEY_TRY(read(card, file, name));
    if (!content) {
        return fail(Errc::CardFailed, std::string("the SIM has no ") + name, kFileNotFound);
    }
    return *std::move(content);
}

Result<SimDirectory> select_df_gsm(CardChannel& card) {
    MTKEY_CHECK(select_required(card, kMasterFile, "MF"));
    const auto told = MTKEY_TRY(select_required(card, kDfGsm, "DF_GSM"));
    return of_card(parse_sim_directory(told.reveal()));
}

/// Shown once: whatever the card answers that is not success, it may have cost an attempt.
Result<void> verify_chv1(CardChannel& card, const SecretBytes& pin) {
    auto command = sim_command(kVerifyChv);
    command.p2 = kChv1;
    command.data = MTKEY_TRY(pin_field(pin));
    const auto response = MTKEY_TRY(card.transmit(command));
    if (response.ok() || response.sw == kChvDisabled) {
        return {};
    }
    if (response.sw == kChvBlocked) {
        return fail(Errc::PinBlocked, "that was the last attempt", response.sw);
    }
    const auto left = MTKEY_TRY(select_df_gsm(card)).chv1_attempts_left.value_or(0);
    return fail(Errc::PinIncorrect, std::to_string(left) + " attempts left", left);
}

/// Attempts that were left, -1 when no CHV1 is wanted. Nothing tells that it is verified already:
/// for a card that was reset.
Result<int> enter(CardChannel& card, const Application& application, const OpenOptions& options) {
    const auto df_gsm = MTKEY_TRY(select_df_gsm(card));
    if (!df_gsm.chv1_enabled) {
        return -1;
    }
    if (!df_gsm.chv1_attempts_left) {
        return fail(Errc::PinFloor, "the SIM does not tell how many attempts are left");
    }
    const unsigned left = *df_gsm.chv1_attempts_left;
    if (left == 0) {
        return fail(Errc::PinBlocked, "no attempt left", kChvBlocked);
    }
    const auto ask = [&] { return options.pin ? options.pin(application.iccid) : std::nullopt; };
    const auto counted = [&](unsigned attempts_left) {
        if (options.pin_counted) {
            options.pin_counted(application.iccid, attempts_left);
        }
    };
    const auto pin = MTKEY_TRY(pin_to_show(left, options.pin_floor, ask, counted));
    MTKEY_CHECK(verify_chv1(card, pin));
    return static_cast<int>(left);
}

} // namespace

Result<SimDirectory> parse_sim_directory(ByteView response) {
    if (response.size() <= kChv1Status || response[kFileType] == kElementaryFile) {
        return fail(Errc::Malformed, "SELECT of a directory tells no status of CHV1");
    }
    SimDirectory out;
    out.chv1_enabled = (response[kCharacteristics] & 0x80) == 0;
    const auto status = response[kChv1Status];
    if ((status & 0x80) != 0) {
        out.chv1_attempts_left = status & 0x0FU;
    }
    return out;
}

Result<std::size_t> parse_sim_file(ByteView response) {
    if (response.size() <= kFileStructure || response[kFileType] != kElementaryFile ||
        response[kFileStructure] != 0x00) {
        return fail(Errc::Malformed, "SELECT tells of no transparent file");
    }
    if ((response[kFileStatus] & 0x01) == 0) {
        return fail(Errc::Malformed, "the file is invalidated");
    }
    const auto size = static_cast<std::size_t>(response[2] << 8 | response[3]);
    if (size == 0) {
        return fail(Errc::Malformed, "a file without octets");
    }
    return size;
}

Result<GsmAnswer> parse_gsm_answer(ByteView response) {
    if (response.size() != 4 + 8) {
        return fail(Errc::Malformed, "RUN GSM ALGORITHM gave no SRES and Kc");
    }
    return GsmAnswer{Secret<4>(response.first<4>()), Secret<8>(response.last<8>())};
}

Result<GsmAnswer> run_gsm_algorithm(CardChannel& card, const std::array<std::uint8_t, 16>& rand) {
    auto command = sim_command(kRunGsmAlgorithm);
    command.data = SecretBytes(rand);
    command.le = kAnyLength;
    const auto response = MTKEY_TRY(card.transmit(command));
    if (!response.ok()) {
        return sim_error(response.sw, "RUN GSM ALGORITHM");
    }
    return of_card(parse_gsm_answer(response.data.reveal()));
}

// DRAFT-GAP(sim): neither TS 33.220 annex I nor TS 51.011 says how an ME knows a SIM: it refuses
// class 00 with 6E 00 and has no EF_DIR.
Result<Application> open_sim(CardChannel& card, const OpenOptions& options) {
    Application out;
    out.entry = {.kind = DirEntry::Kind::Sim, .aid = {}, .label = "SIM"};
    MTKEY_CHECK(select_required(card, kMasterFile, "MF"));
    if (MTKEY_TRY(select(card, fid::kDir, "EF_DIR"))) {
        return fail(Errc::NotSupportedByCard, "EF_DIR: a UICC in a GSM session, no SIM");
    }
    out.iccid =
        MTKEY_TRY(of_card(parse_iccid(MTKEY_TRY(read_required(card, fid::kIccid, "EF_ICCID")))));
    MTKEY_CHECK(require_wanted_card(out, options));
    out.pin_attempts_left = MTKEY_TRY(enter(card, out, options));
    out.imsi =
        MTKEY_TRY(of_card(parse_imsi(MTKEY_TRY(read_required(card, fid::kImsi, "EF_IMSI")))));
    set_mnc_length(out, MTKEY_TRY(read(card, fid::kAd, "EF_AD")), options);
    return out;
}

Result<void> reopen_sim(CardChannel& card, const Application& application,
                        const OpenOptions& options) {
    MTKEY_CHECK(enter(card, application, options));
    return {};
}

} // namespace mtkey::uicc
