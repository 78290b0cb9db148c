// SPDX-License-Identifier: Apache-2.0
#include "network/common/config_reading.hpp"

#include "http/client.hpp"
#include "kdf/naf_id.hpp"

namespace mtkey::network {

Result<std::string> read_path(ConfigTable& table, std::string_view key) {
    const auto path = MTKEY_TRY(table.text(key));
    if (path.empty()) {
        return table.error(key, "is empty", "write the path of a file");
    }
    return table.resolve(path);
}

Result<std::string> read_fqdn(ConfigTable& table, std::string_view key) {
    auto name = kdf::canonical_fqdn(MTKEY_TRY(table.text(key)));
    if (!name) {
        return table.error(key, "is no fully qualified domain name",
                           "write one like \"name.example.org\"");
    }
    return name;
}

Result<std::string> read_address(ConfigTable& table, std::string_view key) {
    auto address = MTKEY_TRY(table.text(key));
    const auto one = http::parse_address(address, 1);
    const auto other = http::parse_address(address, 2);
    if (!one || !other || one->second != other->second) { // no port: the one that we put in
        return table.error(key, "is not host and port",
                           "write \"host:port\" or \"[v6 address]:port\"");
    }
    return address;
}

Result<std::string> read_crl(ConfigTable& table, std::string_view key) {
    const auto how = MTKEY_TRY(table.word_or("revocation", "crl", {"crl", "none"}));
    if (how == "crl" && !table.has(key)) {
        return table.error(key, "is missing",
                           "write the path of a certificate revocation list, or revocation = "
                           "\"none\" to let revoked certificates in");
    }
    if (how == "none" && table.has(key)) {
        return table.error("revocation", "is \"none\" beside a revocation list",
                           "write one of the two");
    }
    return how == "crl" ? read_path(table, key) : Result<std::string>("");
}

} // namespace mtkey::network
