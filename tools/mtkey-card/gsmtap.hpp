// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace mtkey::tools {

/// Kind of a GSMTAP packet of type SIM (libosmocore gsmtap.h).
enum class GsmtapSim : std::uint8_t { Apdu = 0, Atr = 1 };

/// GSMTAP in UDP in IPv4, as Wireshark dissects it.
[[nodiscard]] Bytes gsmtap_packet(GsmtapSim kind, ByteView payload);

/// Owns a capture file (pcap with nanoseconds, LINKTYPE_IPV4), mode 0600. Each packet is in the
/// file when its call returns.
class Capture {
public:
    /// IoFailed, NotAuthorized; the context names the file.
    [[nodiscard]] static Result<Capture> create(const std::string& path);

    /// One packet.
    [[nodiscard]] Result<void> write(std::chrono::system_clock::time_point when, GsmtapSim kind,
                                     ByteView payload);
    /// Command and answer as T=0 has them, the form that dissectors know: a command with data and
    /// answer, which T=1 and modems pass in one, becomes itself with 61xx and a GET RESPONSE.
    [[nodiscard]] Result<void> write_exchange(std::chrono::system_clock::time_point when,
                                              ByteView command, ByteView answer);
    [[nodiscard]] unsigned packets() const { return packets_; }

private:
    Capture(UniqueFd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
    UniqueFd file_;
    std::string path_;
    unsigned packets_ = 0;
};

} // namespace mtkey::tools
