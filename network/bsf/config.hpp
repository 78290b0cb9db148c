// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "http/server.hpp"
#include "network/bsf/ub_handler.hpp"
#include "network/bsf/zn_handler.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mtkey::bsf {

/// bsf.toml. Paths are relative to the folder of the file.
struct Config {
    std::string subscribers; ///< path of the subscriber file
    UbSettings ub;
    http::ServerSettings ub_server; ///< plain HTTP without [ub.tls]
    http::ServerSettings zn_server; ///< TLS, client certificates mandatory
    std::vector<NafClient> naf_clients;
};

/// Errors (ConfigInvalid) name `file`, line, key and remedy. Unknown keys are errors.
Result<Config> parse_config(std::string_view text, const std::string& file);
/// The same from a file that only root or we can write.
Result<Config> read_config(const std::string& path);

} // namespace mtkey::bsf
