// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "network/bsf/vector_source.hpp"

#include <string>
#include <string_view>

namespace mtkey::bsf {

/// What the command of av_command reads: {"impi": TEXT} and, after a synchronisation failure,
/// "resync": {"rand": HEX, "auts": HEX}. NotFound for an IMPI that cannot be a subscriber's:
/// something else than printable ASCII without quotes and backslashes.
Result<std::string> write_av_request(std::string_view impi, const Resynchronisation* resync);

/// What it writes: one JSON object of texts and whole numbers, at most 2 KiB, no name twice:
///   "rand" "autn" "ck" "ik" (32 hex digits), "xres" (8 to 32), and it may say
///   "mode" ("gba-me", which is the default, or "gba-u"), "lifetime_seconds" (1 to 31622400);
/// or {"error": "unknown-subscriber"} (NotFound), {"error": "resync-refused"} (Rejected).
/// Unknown names are passed over. IoFailed otherwise; the error holds nothing of the text. Reads
/// without a copy: the text holds CK and IK, and is the caller's to wipe.
Result<IssuedVector> parse_av_answer(std::string_view text);

} // namespace mtkey::bsf
