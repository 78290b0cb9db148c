// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "tools/mtkey-card/options.hpp"

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

// Each command collects one JSON document; each show_... writes it for people to stdout.
namespace mtkey::tools {

using Document = Result<nlohmann::json>;

[[nodiscard]] Document readers();
void show_readers(const nlohmann::json& document);

/// ATR, ICCID, applications with their PINs and services. What the card refuses is said, no Error.
[[nodiscard]] Document card_info(Card& card, const Options& options);
void show_info(const nlohmann::json& document);

/// The known files that are there, with structure and size; nothing is read.
[[nodiscard]] Document list_files(Card& card, const Options& options);
void show_files(const nlohmann::json& document);
/// `file`: a name ("EF_IMSI", "imsi") or identifiers in hex ("2FE2", "3F00/2FE2", "7FFF/6F07").
[[nodiscard]] Document read_file(Card& card, const Options& options, const std::string& file);
void show_file(const nlohmann::json& document);

[[nodiscard]] Document pin_status(Card& card, const Options& options);
void show_pins(const nlohmann::json& document);
/// `reference` 0 = the one that the application wants. `floor`: PinFloor with fewer attempts.
[[nodiscard]] Document pin_verify(Card& card, const Options& options, std::uint8_t reference,
                                  unsigned floor);
void show_verified(const nlohmann::json& document);

/// Each command in its turn. `raw`: 61xx and 6Cxx are shown, not followed.
[[nodiscard]] Document send_apdus(Card& card, const Options& options,
                                  const std::vector<SecretBytes>& commands, bool raw);
void show_apdus(const nlohmann::json& document);

} // namespace mtkey::tools
