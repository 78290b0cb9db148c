// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/gsmtap.hpp"

#include "base/file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace mtkey::tools {
namespace {
constexpr std::size_t kIpHeader = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::uint16_t kGsmtapPort = 4729;
constexpr std::uint8_t kGsmtapVersion = 2;
constexpr std::uint8_t kGsmtapWords = 4; // of its header
constexpr std::uint8_t kGsmtapTypeSim = 0x04;
constexpr std::uint32_t kPcapNanoseconds = 0xA1B23C4D;
constexpr std::uint32_t kLinktypeIpv4 = 228;
constexpr std::size_t kHeader = 5; // CLA INS P1 P2 P3

void append_u32(Bytes& out, std::uint32_t value) {
    append_u16(out, value >> 16);
    append_u16(out, value & 0xFFFF);
}

/// RFC 1071, over an even number of octets.
std::uint16_t internet_checksum(ByteView octets) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < octets.size(); i += 2) {
        sum += static_cast<std::uint32_t>(octets[i] << 8 | octets[i + 1]);
    }
    while (sum > 0xFFFF) {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

std::unexpected<Error> file_error(const std::string& path) {
    return fail(errno == EACCES || errno == EPERM ? Errc::NotAuthorized : Errc::IoFailed,
                path + ": " + std::strerror(errno), static_cast<std::uint32_t>(errno));
}
} // namespace

Bytes gsmtap_packet(GsmtapSim kind, ByteView payload) {
    const std::size_t udp = kUdpHeader + kGsmtapWords * std::size_t{4} + payload.size();
    Bytes out{0x45, 0x00};
    append_u16(out, kIpHeader + udp);
    append(out, Bytes{0, 0, 0x40, 0, 64, 17}); // no fragments, TTL, UDP
    append_u16(out, 0);                        // checksum, below
    append(out, Bytes{127, 0, 0, 1, 127, 0, 0, 1});
    const auto checksum = internet_checksum(out);
    out[10] = static_cast<std::uint8_t>(checksum >> 8);
    out[11] = static_cast<std::uint8_t>(checksum & 0xFF);
    append_u16(out, kGsmtapPort);
    append_u16(out, kGsmtapPort);
    append_u16(out, udp);
    append_u16(out, 0); // no checksum (RFC 768)
    append(out, Bytes{kGsmtapVersion, kGsmtapWords, kGsmtapTypeSim, 0});
    append(out, Bytes(8, 0)); // ARFCN, signal, SNR, frame number: of the radio
    append(out, Bytes{static_cast<std::uint8_t>(kind), 0, 0, 0});
    append(out, payload);
    return out;
}

Result<Capture> Capture::create(const std::string& path) {
    UniqueFd file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    // A file that was there keeps its mode: captures may hold identities, with --secrets keys.
    if (!file.valid() || ::fchmod(file.get(), 0600) != 0) {
        return file_error(path);
    }
    Bytes head;
    append_u32(head, kPcapNanoseconds);
    append_u16(head, 2);
    append_u16(head, 4);
    append_u32(head, 0);
    append_u32(head, 0);
    append_u32(head, 65535);
    append_u32(head, kLinktypeIpv4);
    MTKEY_CHECK(write_all(file.get(), head));
    return Capture(std::move(file), path);
}

Result<void> Capture::write(std::chrono::system_clock::time_point when, GsmtapSim kind,
                            ByteView payload) {
    const auto nanoseconds =
        std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
    const auto packet = gsmtap_packet(kind, payload);
    Bytes record;
    append_u32(record, static_cast<std::uint32_t>(nanoseconds / 1'000'000'000));
    append_u32(record, static_cast<std::uint32_t>(nanoseconds % 1'000'000'000));
    append_u32(record, static_cast<std::uint32_t>(packet.size()));
    append_u32(record, static_cast<std::uint32_t>(packet.size()));
    append(record, packet);
    if (auto written = write_all(file_.get(), record); !written) {
        return fail(written.error().code, path_, written.error().detail);
    }
    ++packets_;
    return {};
}

Result<void> Capture::write_exchange(std::chrono::system_clock::time_point when, ByteView command,
                                     ByteView answer) {
    Bytes sent(command.begin(), command.end());
    if (sent.size() == kHeader - 1) {
        sent.push_back(0); // case 1 has a P3 on T=0
    }
    const std::size_t lc = sent.size() > kHeader ? sent[kHeader - 1] : 0;
    if (lc > 0 && sent.size() > kHeader + lc) {
        sent.resize(kHeader + lc); // Le
    }
    if (lc == 0 || answer.size() <= 2) {
        append(sent, answer);
        return write(when, GsmtapSim::Apdu, sent);
    }
    const auto length = static_cast<std::uint8_t>((answer.size() - 2) & 0xFF);
    append(sent, Bytes{0x61, length});
    MTKEY_CHECK(write(when, GsmtapSim::Apdu, sent));
    // The class of the GSM directory stays; else the proprietary bit goes, the channel stays.
    const bool gsm = (command[0] & 0xF0) == 0xA0;
    const auto cla = static_cast<std::uint8_t>(gsm ? command[0] : command[0] & 0x4F);
    Bytes fetched{cla, 0xC0, 0, 0, length};
    append(fetched, answer);
    return write(when, GsmtapSim::Apdu, fetched);
}

} // namespace mtkey::tools
