// SPDX-License-Identifier: Apache-2.0
#include "local/messages.hpp"

#include "base/log.hpp"
#include "local/codec.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mtkey::local {

namespace {

struct Row {
    Errc errc;
    ErrorCode code;
};

/// DRAFT-GAP(local-errors): the draft has no error messages.
/// The first row of a code is what the receiver reports; the others only go out. What is not here
/// is Internal.
constexpr std::array kTable{
    Row{Errc::ProtocolViolation, ErrorCode::Protocol},
    Row{Errc::Malformed, ErrorCode::Protocol},
    Row{Errc::VersionMismatch, ErrorCode::Version},
    Row{Errc::DeviceNotApproved, ErrorCode::Pending},
    Row{Errc::UnknownDevice, ErrorCode::Pending},
    Row{Errc::Rejected, ErrorCode::Refused},
    Row{Errc::NotAuthorized, ErrorCode::Refused},
    Row{Errc::InvalidArgument, ErrorCode::Refused},
    Row{Errc::RetryAfter, ErrorCode::RetryAfter},
    Row{Errc::LimitExceeded, ErrorCode::RetryAfter},
    Row{Errc::InProgress, ErrorCode::RetryAfter},
    Row{Errc::NotReady, ErrorCode::RetryAfter},
    Row{Errc::TimedOut, ErrorCode::RetryAfter},
    Row{Errc::Cancelled, ErrorCode::RetryAfter},
    Row{Errc::BtidChanged, ErrorCode::BtidChanged},
    Row{Errc::BtidStale, ErrorCode::BtidStale},
    Row{Errc::NoKsOnCard, ErrorCode::BtidStale},
    Row{Errc::NafNotAllowed, ErrorCode::NafUnknown},
    Row{Errc::ProfileMismatch, ErrorCode::Profile},
    Row{Errc::ConfirmationFailed, ErrorCode::Confirmation},
    Row{Errc::NoKey, ErrorCode::Confirmation},
    Row{Errc::KeyExpired, ErrorCode::Confirmation},
    Row{Errc::CardFailed, ErrorCode::Card},
    Row{Errc::NoReader, ErrorCode::Card},
    Row{Errc::NoCard, ErrorCode::Card},
    Row{Errc::ReaderBusy, ErrorCode::Card},
    Row{Errc::PinRequired, ErrorCode::Card},
    Row{Errc::PinIncorrect, ErrorCode::Card},
    Row{Errc::PinBlocked, ErrorCode::Card},
    Row{Errc::PinFloor, ErrorCode::Card},
    Row{Errc::NotSupportedByCard, ErrorCode::Card},
    Row{Errc::MacFailure, ErrorCode::Card},
    Row{Errc::SyncFailure, ErrorCode::Card},
    Row{Errc::KeyFreshness, ErrorCode::Card},
    Row{Errc::BsfUnreachable, ErrorCode::Network},
    Row{Errc::BsfRejected, ErrorCode::Network},
    Row{Errc::BsfUntrusted, ErrorCode::Network},
    Row{Errc::BsfBadAnswer, ErrorCode::Network},
    Row{Errc::Internal, ErrorCode::Internal},
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

} // namespace

Result<KeyCenterUri> parse_key_center_uri(std::string_view uri, std::string_view fqdn) {
    constexpr std::string_view kScheme = "https://";
    const auto refuse = [&] {
        return fail(Errc::Malformed, "Key Center URI is no https URI of port and path on " +
                                         printable(fqdn, kLongestUri));
    };
    std::string_view rest = uri;
    if (uri.size() > kLongestUri || !rest.starts_with(kScheme) ||
        !rest.substr(kScheme.size()).starts_with(fqdn)) {
        return refuse();
    }
    KeyCenterUri out;
    rest.remove_prefix(kScheme.size() + fqdn.size());
    if (rest.starts_with(':')) {
        rest.remove_prefix(1);
        const std::string_view port = rest.substr(
            0, static_cast<std::size_t>(std::ranges::find_if_not(rest, is_digit) - rest.begin()));
        const auto [end, error] = std::from_chars(port.begin(), port.end(), out.port);
        if (error != std::errc{} || port.front() == '0') {
            return refuse();
        }
        rest.remove_prefix(port.size());
    }
    // What follows the host must be a path: "https://host@elsewhere" has another one.
    const auto foreign = [](char c) {
        return c <= ' ' || c > '~' || std::string_view("?#\"<>\\^`{|}").contains(c);
    };
    if ((!rest.empty() && rest.front() != '/') || std::ranges::any_of(rest, foreign)) {
        return refuse();
    }
    out.path = rest;
    return out;
}

Errc errc_from(ErrorCode code) {
    const auto row = std::ranges::find(kTable, code, &Row::code);
    return row == kTable.end() ? Errc::Internal : row->errc;
}

ErrorCode error_code_from(Errc code) {
    const auto row = std::ranges::find(kTable, code, &Row::errc);
    return row == kTable.end() ? ErrorCode::Internal : row->code;
}

} // namespace mtkey::local
