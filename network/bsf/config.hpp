// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/sqn_generation.hpp"
#include "base/result.hpp"
#include "http/server.hpp"
#include "network/bsf/external_command.hpp"
#include "network/bsf/ub_handler.hpp"
#include "network/bsf/zn_handler.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::bsf {

/// bsf.toml. Paths are relative to the folder of the file.
struct Config {
    std::string database;    ///< path; empty = in memory
    std::string subscribers; ///< path of a subscriber file to import at the start; empty = none
    std::optional<ExternalCommand> av_command; ///< in the place of subscribers
    aka::SqnScheme sqn = aka::SqnScheme::FixedInd;
    UbSettings ub;
    http::ServerSettings ub_server; ///< plain HTTP without [ub.tls]
    http::ServerSettings zn_server; ///< TLS, client certificates mandatory
    std::vector<NafClient> naf_clients;
    std::string metrics_listen; ///< loopback; empty = none
};

/// Errors (ConfigInvalid) name `file`, line, key and remedy. Unknown keys are errors.
Result<Config> parse_config(std::string_view text, const std::string& file);
/// The same from a file that only root or we can write.
Result<Config> read_config(const std::string& path);

} // namespace mtkey::bsf
