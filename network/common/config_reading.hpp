// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/config_table.hpp"
#include "http/server.hpp"

#include <string>
#include <string_view>

/// What BSF and Key Center share: neither owns it.
namespace mtkey::network {

/// The path of a file, relative to the configuration's folder.
Result<std::string> read_path(ConfigTable& table, std::string_view key);
/// Canonical.
Result<std::string> read_fqdn(ConfigTable& table, std::string_view key);
/// "host:port" or "[v6]:port"; the port must be written.
Result<std::string> read_address(ConfigTable& table, std::string_view key);
/// `key` names the revocation list of the clients' CAs; to do without one, revocation = "none" must
/// be written.
Result<std::string> read_crl(ConfigTable& table, std::string_view key);

} // namespace mtkey::network
