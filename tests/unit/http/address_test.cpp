// SPDX-License-Identifier: Apache-2.0
#include "http/client.hpp"

#include <gtest/gtest.h>

namespace mtkey::http {
namespace {

TEST(Address, IsTakenApart) {
    struct Row {
        std::string_view text;
        std::string host;
        int port; ///< -1 = refused
    };
    for (const auto& row : {
             Row{"127.0.0.1:8080", "127.0.0.1", 8080},
             Row{"127.0.0.1", "127.0.0.1", 443},
             Row{"bsf.example.org:0", "bsf.example.org", 0},
             Row{"bsf.example.org:65535", "bsf.example.org", 65535},
             Row{"[::1]:80", "::1", 80},
             Row{"[fe80::1%eth0]", "fe80::1%eth0", 443},
             Row{"", "", -1},
             Row{":80", "", -1},
             Row{"[]:80", "", -1},
             Row{"[::1", "", -1},
             Row{"[::1]80", "", -1},
             Row{"[host]:80", "", -1},
             Row{"::1", "", -1},
             Row{"::1:80", "", -1},
             Row{"host:", "", -1},
             Row{"host:65536", "", -1},
             Row{"host:-1", "", -1},
             Row{"host:+1", "", -1},
             Row{"host:80 ", "", -1},
             Row{"ho st:80", "", -1},
             Row{"http://host:80", "", -1},
             Row{"host/path", "", -1},
             Row{std::string_view("host\0x:80", 9), "", -1},
         }) {
        const auto parsed = parse_address(row.text, 443);
        EXPECT_EQ(parsed.has_value(), row.port >= 0) << row.text;
        if (parsed) {
            EXPECT_EQ(parsed->first, row.host);
            EXPECT_EQ(parsed->second, row.port);
        }
    }
    EXPECT_FALSE(parse_address(std::string(300, 'a'), 1));
}

} // namespace
} // namespace mtkey::http
