// SPDX-License-Identifier: Apache-2.0
#include "base/errc.hpp"
#include "base/result.hpp"

#include <array>
#include <cassert>
#include <cstdio>
#include <string>

namespace mtkey {
namespace {

// Exit statuses: 1 failure, 2 usage, 3 daemon not reachable, 4 not authorised, 5 not found, 6 card,
// 7 network, 8 time-out, 9 cancelled, 10 external device or local interface.
using enum Errc;
constexpr std::array kTable{
    ErrorInfo{NoReader, "NoReader", 6, true,
              "no card reader or modem; connect one, or check that pcscd runs"},
    ErrorInfo{NoCard, "NoCard", 6, true, "no UICC in the reader; insert one"},
    ErrorInfo{ReaderBusy, "ReaderBusy", 6, true,
              "another program holds the reader; end it or wait"},
    ErrorInfo{CardFailed, "CardFailed", 6, true,
              "the UICC did not answer as it must; insert it again"},
    ErrorInfo{PinRequired, "PinRequired", 6, false,
              "the UICC wants its PIN; mtkeyctl pin shows it one, or configure uicc.pin_file"},
    ErrorInfo{PinIncorrect, "PinIncorrect", 6, false,
              "the UICC refused the PIN; it will not be sent again"},
    ErrorInfo{PinBlocked, "PinBlocked", 6, false,
              "the PIN is blocked; unblock it with its PUK in a phone"},
    ErrorInfo{PinFloor, "PinFloor", 6, false, "too few PIN attempts are left to risk one"},
    ErrorInfo{NotSupportedByCard, "NotSupportedByCard", 6, false, "the UICC does not offer this"},
    ErrorInfo{MacFailure, "MacFailure", 6, false,
              "the UICC says that the challenge is not its home network's; check K/OPc and the GBA "
              "mode at the BSF"},
    ErrorInfo{SyncFailure, "SyncFailure", 6, true,
              "sequence numbers of UICC and network do not meet; check the HSS"},
    ErrorInfo{KeyFreshness, "KeyFreshness", 6, true, "the UICC says that the key is not fresh"},
    ErrorInfo{NoKsOnCard, "NoKsOnCard", 6, true,
              "the UICC holds no bootstrapped key; bootstrap again"},
    ErrorInfo{BsfUnreachable, "BsfUnreachable", 7, true,
              "the BSF cannot be reached; check bsf.address and the network"},
    ErrorInfo{BsfRejected, "BsfRejected", 7, false, "the BSF refused; check the subscription"},
    ErrorInfo{BsfUntrusted, "BsfUntrusted", 7, false,
              "the BSF did not prove that it knows the key; its answer was thrown away"},
    ErrorInfo{BsfBadAnswer, "BsfBadAnswer", 7, true, "the BSF's answer makes no sense"},
    ErrorInfo{KeyCenterUnreachable, "KeyCenterUnreachable", 7, true,
              "the NAF Key Center cannot be reached"},
    ErrorInfo{KeyCenterRejected, "KeyCenterRejected", 7, false, "the NAF Key Center refused"},
    ErrorInfo{KeyCenterBadAnswer, "KeyCenterBadAnswer", 7, true,
              "the NAF Key Center's answer makes no sense"},
    ErrorInfo{PeerUntrusted, "PeerUntrusted", 7, false,
              "the peer's certificate is not acceptable; check CA, name and dates"},
    ErrorInfo{BtidUnknown, "BtidUnknown", 7, true,
              "the network does not know this B-TID; bootstrap again"},
    ErrorInfo{NafNotAllowed, "NafNotAllowed", 7, false,
              "this NAF_ID is not in the list of key centers"},
    ErrorInfo{UnknownDevice, "UnknownDevice", 5, false, "no such external device"},
    ErrorInfo{DeviceNotApproved, "DeviceNotApproved", 10, true,
              "the MT has not approved this device; add a [[device]] rule with allow = true"},
    ErrorInfo{LinkLost, "LinkLost", 10, true, "the link to the peer ended"},
    ErrorInfo{ProtocolViolation, "ProtocolViolation", 10, false,
              "the peer broke the local protocol"},
    ErrorInfo{VersionMismatch, "VersionMismatch", 10, false,
              "no version of the local protocol in common; update one side"},
    ErrorInfo{ProfileMismatch, "ProfileMismatch", 10, false,
              "the sides are set to different KDF profiles"},
    ErrorInfo{BtidChanged, "BtidChanged", 10, true, "the MT has a newer B-TID; ask again"},
    ErrorInfo{BtidStale, "BtidStale", 10, true,
              "the UICC holds no key for this B-TID; ask for a new one"},
    ErrorInfo{RetryAfter, "RetryAfter", 10, true, "over a limit for now; try again later"},
    ErrorInfo{ConfirmationFailed, "ConfirmationFailed", 10, false,
              "the other side does not hold the same key; nothing was stored"},
    ErrorInfo{NoKey, "NoKey", 5, false, "no key for this device"},
    ErrorInfo{KeyExpired, "KeyExpired", 10, true, "the key has expired; establish a new one"},
    ErrorInfo{LimitExceeded, "LimitExceeded", 1, true, "a limit is reached"},
    ErrorInfo{InProgress, "InProgress", 1, true, "already in progress"},
    ErrorInfo{NotInProgress, "NotInProgress", 1, false, "nothing is in progress"},
    ErrorInfo{Cancelled, "Cancelled", 9, true, "cancelled"},
    ErrorInfo{TimedOut, "TimedOut", 8, true, "no answer in time"},
    ErrorInfo{NotAuthorized, "NotAuthorized", 4, false,
              "not authorised; use root, or let polkit allow it"},
    ErrorInfo{NotReady, "NotReady", 1, true, "not ready yet"},
    ErrorInfo{Rejected, "Rejected", 1, false, "rejected"},
    ErrorInfo{StoreFailed, "StoreFailed", 1, true,
              "the key store could not be written; check space and permissions"},
    ErrorInfo{ConfigInvalid, "ConfigInvalid", 2, false, "the configuration is not valid"},
    ErrorInfo{InvalidArgument, "InvalidArgument", 2, false, "invalid argument"},
    ErrorInfo{Malformed, "Malformed", 1, false, "malformed data"},
    ErrorInfo{NotFound, "NotFound", 5, false, "not found"},
    ErrorInfo{IoFailed, "IoFailed", 1, true, "input or output failed"},
    ErrorInfo{RandomFailed, "RandomFailed", 1, false, "the system gave no random octets"},
    ErrorInfo{CryptoFailed, "CryptoFailed", 1, false, "a cryptographic operation failed"},
    ErrorInfo{Internal, "Internal", 1, false, "internal error; please report it"},
};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kTable.size(); ++i) {
        if (static_cast<std::size_t>(kTable[i].code) != i) {
            return false;
        }
    }
    return kTable.size() == static_cast<std::size_t>(Internal) + 1;
}
static_assert(in_order(), "one row per Errc, in the order of the enumeration");

} // namespace

const ErrorInfo& info(Errc code) {
    const auto index = static_cast<std::size_t>(code);
    return index < kTable.size() ? kTable[index] : kTable.back();
}

Errc errc_from_name(std::string_view name) {
    for (const auto& row : kTable) {
        if (row.name == name) {
            return row.code;
        }
    }
    return Internal;
}

std::string describe(const Error& error) {
    std::string text;
    if (!error.context.empty()) {
        text = error.context + ": ";
    }
    text += info(error.code).sentence;
    if (error.code == RetryAfter && error.detail != 0) {
        text += " (in " + std::to_string(error.detail) + " s)";
    } else if (error.detail != 0) {
        std::array<char, 32> detail{};
        // Status words and SCARD codes are written in hex everywhere; errno and HTTP status are
        // small.
        if (error.detail > 999) {
            std::snprintf(detail.data(), detail.size(), " (0x%04X)", error.detail);
        } else {
            std::snprintf(detail.data(), detail.size(), " (%u)", error.detail);
        }
        text += detail.data();
    }
    return text;
}

} // namespace mtkey
