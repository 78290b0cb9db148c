// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "network/nafkc/key_center.hpp"

#include <string>
#include <string_view>

namespace mtkey::nafkc {

/// nafkc.toml. Paths are relative to the folder of the file.
struct Config {
    KeyCenterSettings key_center;  ///< without its secret
    std::string mt_id_secret_file; ///< empty = none
    http::ServerSettings server;   ///< TLS, client certificates mandatory
    http::ClientSettings bsf;      ///< Zn
};

/// Errors (ConfigInvalid) name `file`, line, key and remedy. Unknown keys are errors.
Result<Config> parse_config(std::string_view text, const std::string& file);
/// The same from a file that only root or we can write.
Result<Config> read_config(const std::string& path);

/// The secret under the mt-ids: 32 to 128 hex digits in a file of mode 0600.
Result<SecretBytes> read_mt_id_secret(const std::string& path);

} // namespace mtkey::nafkc
