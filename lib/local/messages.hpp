// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "kdf/naf_id.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::local {

using Tag = std::array<std::uint8_t, 16>;
using Mac = std::array<std::uint8_t, 32>;
using EstId = std::array<std::uint8_t, 16>;

enum class Role : std::uint8_t { Device = 0, Mt = 1 };

/// The type octet of a frame's header.
enum class MessageType : std::uint8_t {
    Hello = 0x01,
    Resume = 0x02,
    ResumeAnswer = 0x03,
    KeyInfoRequest = 0x04,       ///< L1, draft 5.5.2 and 5.5.3 step 2
    KeyInfo = 0x05,              ///< L2, steps 4-5 / 4
    EstablishmentRequest = 0x06, ///< L3, step 6
    EstablishmentAnswer = 0x07,  ///< L4, step 10 / 8
    Confirm = 0x08,              ///< step 18 / 16
    ConfirmAck = 0x09,
    Error = 0x0A,
    Ping = 0x0B,
    Pong = 0x0C,
    Bye = 0x0D,
    Data = 0x10,  ///< reserved: no capability for it is announced yet
    Relay = 0x11, ///< reserved likewise
};
inline constexpr std::uint8_t kProtocolVersion = 1;

struct Hello {
    Role role = Role::Device;
    std::vector<std::uint8_t> versions; ///< of the local protocol, now {1}
    std::vector<std::string> capabilities;
    std::array<std::uint8_t, 32> nonce{};
    std::uint32_t largest_frame = 0;
    std::optional<std::string> mt_id;
};

/// Where a Key Center is asked. Its host is always the FQDN of its NAF_ID.
struct KeyCenterUri {
    std::uint16_t port = 443;
    std::string path; ///< empty: the fixed one
};
/// https, the host `fqdn`, a port or none, a path or none, nothing else: docs/local-interface.md,
/// message 05.
Result<KeyCenterUri> parse_key_center_uri(std::string_view uri, std::string_view fqdn);

/// One key center of the MT's list (draft 5.5.2 step 4).
struct NafEntry {
    kdf::NafId naf_id;
    std::optional<std::string> key_center_uri; ///< as parse_key_center_uri() takes it
};

inline constexpr std::size_t kMostTags = 8;
struct Resume {
    std::vector<Tag> tags; ///< 1 to kMostTags
};
struct ResumeAnswer {
    enum class Status : std::uint8_t { Unknown = 0, Known = 1, Wait = 2, Delete = 3 };
    Status status = Status::Unknown;
    std::uint8_t index = 0;        ///< which tag
    std::uint32_t retry_after = 0; ///< seconds, with Wait
    std::optional<Mac> mac;        ///< always there but for Unknown
};
struct KeyInfoRequest { // L1
    std::string device_id;
};
struct KeyInfo { // L2
    std::optional<std::string> b_tid;
    std::vector<NafEntry> nafs; ///< 1 to 8
};
enum class Reason : std::uint8_t { NoKey = 0, Renewal = 1, BtidUnknownToNetwork = 2 };
struct EstablishmentRequest { // L3
    kdf::NafId naf_id;
    std::string device_id;
    std::optional<std::string> b_tid;
    Reason reason = Reason::NoKey;
};
struct EstablishmentAnswer { // L4
    EstId est_id{};
    std::string b_tid;
    kdf::NafId naf_id;
    std::string profile; ///< KDF profile
    std::string mode;    ///< "gba-u", "gba-me", "gba-2g"
    UtcTime ks_expires{};
    std::uint32_t seconds_left = 0;
};
struct Confirm {
    EstId est_id{};
    std::string b_tid;
    kdf::NafId naf_id;
    std::string profile;
    UtcTime expires{}; ///< what the Key Center gave
};
struct ConfirmAck {
    enum class Status : std::uint8_t { Stored = 0, Refused = 1 };
    Status status = Status::Refused;
    UtcTime expires{}; ///< agreed end; the device adopts it
};
/// Codes of ERROR with the Errc that each side reports; docs/local-interface.md has the table.
enum class ErrorCode : std::uint8_t {
    Protocol = 0,
    Version = 1,
    Pending = 2, ///< not (yet) approved
    Refused = 3,
    RetryAfter = 4,
    BtidChanged = 5, ///< carries the new one
    BtidStale = 6,
    NafUnknown = 7,
    Profile = 8,
    Confirmation = 9,
    Card = 10,
    Network = 11,
    Internal = 12,
};
struct ErrorMessage {
    ErrorCode code = ErrorCode::Internal;
    std::uint32_t retry_after = 0; ///< seconds; 0 = do not retry by yourself
    std::string text;              ///< for people, at most 200 printable characters
    std::optional<std::string> b_tid;
};

/// One table for both. A code on the wire is reported as one Errc; many an Errc goes out as the
/// same code.
Errc errc_from(ErrorCode code);
ErrorCode error_code_from(Errc code);

} // namespace mtkey::local
