// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/peer_network.hpp"

#include <arpa/inet.h>
#include <cstddef>
#include <iterator>
#include <netinet/in.h>

namespace mtkey::bsf {
namespace {

constexpr std::size_t kNetworkOctets = 8;

} // namespace

std::string peer_network(std::string_view address) {
    std::string host(address.substr(0, address.rfind(':')));
    if (!host.starts_with('[') || !host.ends_with(']')) {
        return host;
    }
    host = host.substr(1, host.size() - 2);
    in6_addr octets{};
    if (::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &octets) != 1 ||
        IN6_IS_ADDR_V4MAPPED(&octets)) {
        return host;
    }
    return std::string(std::begin(octets.s6_addr), std::begin(octets.s6_addr) + kNetworkOctets);
}

} // namespace mtkey::bsf
