// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace mtkey {

/// Every failure of every program. Names are those of the D-Bus errors
/// (`org.mtkeyd1.Error.<name>`).
enum class Errc : std::uint16_t {
    // card and reader
    NoReader,
    NoCard,
    ReaderBusy,
    CardFailed,
    PinRequired,
    PinIncorrect,
    PinBlocked,
    PinFloor,
    NotSupportedByCard,
    MacFailure,
    SyncFailure,
    KeyFreshness,
    NoKsOnCard,
    // BSF, Key Center, network
    BsfUnreachable,
    BsfRejected,
    BsfUntrusted,
    BsfBadAnswer,
    KeyCenterUnreachable,
    KeyCenterRejected,
    KeyCenterBadAnswer,
    PeerUntrusted,
    BtidUnknown,
    NafNotAllowed,
    // external device and local interface
    UnknownDevice,
    DeviceNotApproved,
    LinkLost,
    ProtocolViolation,
    VersionMismatch,
    ProfileMismatch,
    BtidChanged,
    BtidStale,
    RetryAfter,
    ConfirmationFailed,
    NoKey,
    KeyExpired,
    LimitExceeded,
    // daemon
    InProgress,
    NotInProgress,
    Cancelled,
    TimedOut,
    NotAuthorized,
    NotReady,
    Rejected,
    StoreFailed,
    ConfigInvalid,
    // everywhere
    InvalidArgument,
    Malformed,
    NotFound,
    IoFailed,
    RandomFailed,
    CryptoFailed,
    Internal,
};

/// One row of the only table of errors: D-Bus name, CLI exit status, sentence with remedy.
struct ErrorInfo {
    Errc code;
    std::string_view name;     ///< last element of the D-Bus error name
    int exit_status;           ///< of mtkeyctl and the other programs (docs: `mtkeyctl --help`)
    bool retry_helps;          ///< the same request may succeed later without anybody's help
    std::string_view sentence; ///< for people; ends with the remedy where there is one
};

const ErrorInfo& info(Errc code);

/// The code of a D-Bus error name's last element; Internal when it is not ours.
Errc errc_from_name(std::string_view name);

} // namespace mtkey
