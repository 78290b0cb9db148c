// SPDX-License-Identifier: Apache-2.0
#include "http/client.hpp"

#include <charconv>

namespace mtkey::http {

Result<std::pair<std::string, std::uint16_t>> parse_address(std::string_view text,
                                                            std::uint16_t default_port) {
    const auto bad = [&] {
        return fail(Errc::InvalidArgument,
                    "\"" + std::string(text.substr(0, 100)) + "\" is not host:port or [v6]:port");
    };
    std::string_view host = text;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) {
            return bad();
        }
        host = text.substr(1, end - 1);
        port = text.substr(end + 1);
        if (host.find(':') == std::string_view::npos) {
            return bad();
        }
    } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon);
    }
    if (host.empty() || host.size() > 255) {
        return bad();
    }
    for (const char c : host) {
        if (c <= ' ' || c > '~' || c == '[' || c == ']' || c == '/') {
            return bad();
        }
    }
    if (port.empty()) {
        return std::pair(std::string(host), default_port);
    }
    std::uint16_t number = 0;
    const char* const last = port.data() + port.size();
    const auto [end, code] = std::from_chars(port.data() + 1, last, number);
    if (port[0] != ':' || code != std::errc() || end != last) {
        return bad();
    }
    return std::pair(std::string(host), number);
}

} // namespace mtkey::http
