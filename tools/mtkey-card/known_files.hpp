// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::tools {

enum class Home : std::uint8_t { MasterFile, Usim, Isim };
enum class Coding : std::uint8_t {
    Raw,
    Dir,
    Iccid,
    Imsi,
    Ad,
    Ust,
    Ist,
    Languages,
    Plmns,
    Name,    ///< EF_SPN
    ImsName, ///< 80 L text
    Gbabp,
    Gbanl,
    Keys, ///< redacted
};

/// A file that has a name (TS 102 221 clause 13, TS 31.102 clause 4.2, TS 31.103 clause 4.2).
struct KnownFile {
    std::string_view name;
    Home home;
    std::uint16_t identifier;
    Coding coding;
};
[[nodiscard]] std::span<const KnownFile> known_files();
/// By name, with or without "EF_", any case; by identifier. `preferred` where two have the name.
[[nodiscard]] const KnownFile* find_known_file(std::string_view name, Home preferred);
[[nodiscard]] const KnownFile* find_known_file(std::uint16_t identifier, Home home);

/// What stands in it, for people and programs; null when nothing is known of its coding.
[[nodiscard]] nlohmann::json decode(Coding coding, const std::vector<Bytes>& content);

} // namespace mtkey::tools
