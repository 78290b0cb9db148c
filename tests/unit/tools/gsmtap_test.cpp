// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "tools/mtkey-card/gsmtap.hpp"

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace mtkey::tools {
namespace {

class CaptureTest : public ::testing::Test {
protected:
    CaptureTest() {
        std::string name = "/tmp/mtkey-capture.XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~CaptureTest() override { std::filesystem::remove_all(folder_); }
    [[nodiscard]] std::string path() const { return folder_ + "/trace.pcap"; }
    /// Payload of each packet, behind its headers.
    std::vector<std::string> payloads() {
        auto octets = read_file(path(), 1 << 20, Trust::Any).value().substr(24);
        std::vector<std::string> out;
        while (!octets.empty()) {
            const auto size = static_cast<std::size_t>(static_cast<std::uint8_t>(octets[10])) << 8 |
                              static_cast<std::uint8_t>(octets[11]);
            out.push_back(to_hex(as_octets(std::string_view(octets).substr(16 + 44, size - 44))));
            octets.erase(0, 16 + size);
        }
        return out;
    }
    std::string folder_;
};

TEST(Gsmtap, a_packet_is_what_the_specifications_say) {
    // RFC 791, RFC 768, libosmocore gsmtap.h; the checksum was computed apart.
    EXPECT_EQ(to_hex(gsmtap_packet(GsmtapSim::Apdu, Bytes{0x00, 0xA4, 0x90, 0x00})), "45000030"
                                                                                     "00004000"
                                                                                     "40113cbb"
                                                                                     "7f000001"
                                                                                     "7f000001"
                                                                                     "12791279"
                                                                                     "001c0000"
                                                                                     "02040400"
                                                                                     "00000000"
                                                                                     "00000000"
                                                                                     "00000000"
                                                                                     "00a49000");
    EXPECT_EQ(gsmtap_packet(GsmtapSim::Atr, {}).at(20 + 8 + 12), 1);
}

TEST_F(CaptureTest, is_a_private_pcap_file_with_nanoseconds) {
    auto capture = Capture::create(path()).value();
    const auto when =
        std::chrono::system_clock::time_point(std::chrono::nanoseconds(1'500'000'007));
    ASSERT_TRUE(capture.write(when, GsmtapSim::Apdu, Bytes{0x90, 0x00}));
    const auto hex = to_hex(as_octets(read_file(path(), 4096, Trust::Any).value()));
    EXPECT_EQ(hex.substr(0, 48), "a1b23c4d"
                                 "00020004"
                                 "00000000"
                                 "00000000"
                                 "0000ffff"
                                 "000000e4");
    EXPECT_EQ(hex.substr(48, 32), "00000001"
                                  "1dcd6507"
                                  "0000002e"
                                  "0000002e");
    struct stat status{};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(CaptureTest, exchanges_take_the_form_of_t0) {
    auto capture = Capture::create(path()).value();
    const auto now = std::chrono::system_clock::now();
    const auto write = [&](const char* command, const char* answer) {
        ASSERT_TRUE(
            capture.write_exchange(now, from_hex(command).value(), from_hex(answer).value()));
    };
    write("80f2000c", "9000");             // case 1 gets a P3
    write("00b000000a", "01029000");       // case 2
    write("00a4000c023f00", "9000");       // case 3
    write("00a40004023f0000", "6a82");     // case 4 without an answer
    write("00a40004023f0000", "62009000"); // case 4 of T=1
    write("41a40004023f0000", "62009000"); // on a channel
    const std::vector<std::string> expected{"80f2000c00"
                                            "9000",
                                            "00b000000a"
                                            "01029000",
                                            "00a4000c023f00"
                                            "9000",
                                            "00a40004023f00"
                                            "6a82",
                                            "00a40004023f00"
                                            "6102",
                                            "00c0000002"
                                            "62009000",
                                            "41a40004023f00"
                                            "6102",
                                            "41c0000002"
                                            "62009000"};
    EXPECT_EQ(payloads(), expected);
    EXPECT_EQ(capture.packets(), expected.size());
}

TEST_F(CaptureTest, a_file_that_cannot_be_made_is_named) {
    const auto capture = Capture::create(folder_ + "/none/x");
    ASSERT_FALSE(capture);
    EXPECT_EQ(capture.error().code, Errc::IoFailed);
    EXPECT_NE(capture.error().context.find("/none/x"), std::string::npos);
    // No writing through somebody's link.
    std::filesystem::create_symlink("/dev/null", folder_ + "/link");
    EXPECT_FALSE(Capture::create(folder_ + "/link"));
}

} // namespace
} // namespace mtkey::tools
