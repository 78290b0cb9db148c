// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/algorithm.hpp"
#include "base/result.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::aka {

enum class GbaMode { GbaU, GbaMe };

/// What an Algorithm is made of, for those who must store it.
enum class AlgorithmKind { Milenage, XorTest };
struct SubscriberKeys {
    AlgorithmKind kind = AlgorithmKind::Milenage;
    Secret<16> k;
    Secret<16> opc; ///< Milenage alone; else zeros
};
std::unique_ptr<Algorithm> make_algorithm(const SubscriberKeys& keys);

/// One [[subscriber]] of a subscriber file: what an HSS knows, and what the USIM of the same
/// subscriber knows.
struct Subscriber {
    std::string imsi;        ///< 6 to 15 digits
    unsigned mnc_length = 2; ///< 2 or 3
    SubscriberKeys keys;
    std::unique_ptr<Algorithm> algorithm; ///< made of `keys`
    Amf amf{0x80, 0x00};
    Sqn sqn{0, 0, 0, 0, 0, 0x20}; ///< the next vector's
    GbaMode mode = GbaMode::GbaU;
    std::optional<std::chrono::seconds> lifetime; ///< of Ks; none = the BSF's own
};

/// TOML, [[subscriber]] tables: imsi, mnc_length, k, opc or op, algorithm ("milenage", "xor"), amf,
/// sqn, mode ("gba-u", "gba-me"), lifetime_seconds. 256 subscribers at most. Unknown keys, a
/// repeated IMSI and an empty list are errors; an error names `file`, line, key and remedy, never a
/// value. No error holds key octets. toml++ copies the text in passing: its strings are wiped as
/// far as it gives access, then freed.
Result<std::vector<Subscriber>> parse_subscribers(std::string_view text, const std::string& file);

/// The same from a file that nobody else may read or write (mode 0600), at most 64 KiB.
Result<std::vector<Subscriber>> read_subscribers(const std::string& path);

} // namespace mtkey::aka
