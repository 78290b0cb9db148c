// SPDX-License-Identifier: Apache-2.0
#include "daemon/memory_file.hpp"

#include "base/file.hpp"
#include "base/log.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace mtkey::daemon {
MemoryFile::MemoryFile(const std::string& state_dir)
    : path_(state_dir.empty() ? "" : state_dir + "/bootstrap") {
    if (path_.empty()) {
        log(LogLevel::Notice, "no state_dir: nothing of the bootstrappings outlives the daemon");
    }
}

Result<std::optional<keys::BootstrapPast>> MemoryFile::load() {
    if (path_.empty()) {
        return std::nullopt;
    }
    auto text = read_file(path_, keys::kBootstrapPastLimit, Trust::Private);
    if (!text && text.error().code == Errc::NotFound) {
        return std::nullopt;
    }
    auto past = text ? keys::parse_bootstrap_past(*text)
                     : Result<keys::BootstrapPast>(std::unexpected(text.error()));
    if (!past) {
        if (std::rename(path_.c_str(), (path_ + ".bad").c_str()) != 0) {
            past.error().context += "; cannot be set aside: " + std::string(std::strerror(errno));
        }
        return std::unexpected(past.error());
    }
    return *std::move(past);
}

Result<void> MemoryFile::store(const keys::BootstrapPast& past) {
    return path_.empty() ? Result<void>()
                         : write_private_file(path_, as_octets(keys::encode_bootstrap_past(past)));
}

Result<void> MemoryFile::remove() const {
    if (!path_.empty() && ::unlink(path_.c_str()) != 0 && errno != ENOENT) {
        return fail(Errc::StoreFailed, "cannot remove " + path_ + ": " + std::strerror(errno));
    }
    return {};
}

} // namespace mtkey::daemon
