// SPDX-License-Identifier: Apache-2.0
#include "uicc/pcsc_context.hpp"

#include <winscard.h>

namespace mtkey::uicc {
namespace {
Errc code_of(long code) {
    switch (code) {
    case SCARD_E_NO_SERVICE:
    case SCARD_E_SERVICE_STOPPED:
    case SCARD_E_INVALID_HANDLE: // of a pcscd that has ended since
    case SCARD_E_NO_READERS_AVAILABLE:
    case SCARD_E_UNKNOWN_READER:
    case SCARD_E_READER_UNAVAILABLE:
    case SCARD_E_INVALID_VALUE: // a handle whose reader was unplugged
    case SCARD_F_COMM_ERROR:    // the socket to pcscd
        return Errc::NoReader;
    case SCARD_E_NO_SMARTCARD:
    case SCARD_W_REMOVED_CARD:
    case SCARD_W_RESET_CARD:
        return Errc::NoCard;
    case SCARD_E_SHARING_VIOLATION:
        return Errc::ReaderBusy;
    case SCARD_E_TIMEOUT:
        return Errc::TimedOut;
    case SCARD_E_CANCELLED:
        return Errc::Cancelled;
    case SCARD_W_SECURITY_VIOLATION: // polkit
    case SCARD_E_NO_ACCESS:
        return Errc::NotAuthorized;
    case SCARD_E_INVALID_PARAMETER:
        return Errc::InvalidArgument;
    case SCARD_E_NO_MEMORY:
    case SCARD_F_INTERNAL_ERROR:
    case SCARD_F_UNKNOWN_ERROR:
        return Errc::Internal;
    default: // W_UNRESPONSIVE_CARD, W_UNPOWERED_CARD, W_UNSUPPORTED_CARD, E_NOT_TRANSACTED,
             // E_PROTO_MISMATCH, ...
        return Errc::CardFailed;
    }
}
} // namespace

Error pcsc_error(long code, std::string what) {
    return Error{code_of(code), static_cast<std::uint32_t>(code),
                 std::move(what) + ": " + pcsc_stringify_error(code)};
}

bool is_service_away(const Error& error) {
    switch (static_cast<long>(error.detail)) {
    case SCARD_E_NO_SERVICE:
    case SCARD_E_SERVICE_STOPPED:
    case SCARD_E_INVALID_HANDLE:
    case SCARD_F_COMM_ERROR:
        return true;
    default:
        return false;
    }
}

bool is_card_reset(const Error& error) {
    return error.detail == static_cast<std::uint32_t>(SCARD_W_RESET_CARD);
}

} // namespace mtkey::uicc
