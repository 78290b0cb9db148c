// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace mtkey::bsf {

/// Whom an address of http::Peer ("host:port", "[v6]:port") counts for: an IPv4 address, or the /64
/// of an IPv6 address, in which one host can have as many as it likes. Not for people.
std::string peer_network(std::string_view address);

} // namespace mtkey::bsf
