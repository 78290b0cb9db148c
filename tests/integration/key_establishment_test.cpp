// SPDX-License-Identifier: Apache-2.0
// The whole of draft clauses 5.5.2 and 5.5.3 in one process: card, BSF, MT, external device and Key
// Center, each with its own code, and no value passed from one to the other but over their
// interfaces.
#include "external_device.hpp"
#include "key_center.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mtkey::integration {
namespace {

const std::string kDeviceId = text(example()["identities"]["device_id"]);
const std::string kDeviceId2 = "urn:uuid:00000000-0000-4000-8000-000000000002";

bool contains(const Bytes& wire, ByteView octets) {
    return !std::ranges::search(wire, octets).empty();
}

class KeyEstablishment : public testing::TestWithParam<gba::Mode> {
protected:
    [[nodiscard]] bool gba_u() const { return GetParam() == gba::Mode::GbaU; }
    [[nodiscard]] vectors::Json column() const { return example()[gba_u() ? "gba_u" : "gba_me"]; }

    Network network{gba_u() ? "gba-u" : "gba-me", gba_u(), "ff9bb4d0b606"};
    MobileTerminal mt{network};
    KeyCenter key_center{network};
    std::optional<gba::Context> context;
    SystemRandom random; // of the link: nonces and est_id have no place in the example

    void SetUp() override {
        network.next_challenge(text(example()["milenage"]["rand"]),
                               text(example()["digest_constants"]["opaque"]));
        mt.cnonces.push_hex(text(example()["digest_constants"]["cnonce"]));
    }
    void establish(MtPeer& peer, ExternalDevice& device, const std::string& certified_as) {
        device.establish(peer, [&](const keycenter::KeyRequest& request) {
            return key_center.ask(request, certified_as);
        });
    }
    void expect_established(const MtPeer& peer, const ExternalDevice& device) const {
        ASSERT_FALSE(peer.error) << describe(*peer.error);
        ASSERT_FALSE(device.error) << describe(*device.error);
        ASSERT_TRUE(peer.agreed);
        ASSERT_TRUE(device.agreed);
        EXPECT_EQ(*peer.agreed, *device.agreed);
        EXPECT_EQ(format_utc(*device.agreed), text(example()["lifetime"]));
        EXPECT_TRUE(*peer.ks_local_mt == device.answer->ks_local_mt);
        EXPECT_EQ(peer.th_est, device.th_est);
        EXPECT_EQ(device.told->b_tid, example()["btid"]);
        EXPECT_EQ(device.told->mode, gba::to_text(GetParam()));
        EXPECT_EQ(device.told->profile, "draft-1");
        EXPECT_EQ(to_hex(device.told->naf_id.octets()), example()["identities"]["naf_id_hex"]);
        EXPECT_EQ(format_utc(device.told->ks_expires), text(example()["lifetime"]));
        EXPECT_EQ(device.told->seconds_left, 24U * 3600);
        EXPECT_FALSE(device.answer->mt_id.empty());
        EXPECT_FALSE(contains(device.wire, peer.ks_local_mt->reveal()));
        EXPECT_FALSE(contains(device.wire, vectors::hex(text(example()["ks"]))));
        EXPECT_FALSE(
            contains(device.wire, vectors::hex(text(column()[gba_u() ? "ks_ext_naf" : "ks_naf"]))));
    }
};

TEST_P(KeyEstablishment, FullThenOptimised) {
    MtPeer peer(mt, context, random);
    ExternalDevice device(kDeviceId, random, network.clock);
    establish(peer, device, kDeviceId);
    ASSERT_NO_FATAL_FAILURE(expect_established(peer, device));
    EXPECT_EQ(peer.runs, 1U);
    EXPECT_FALSE(device.key_info->b_tid);
    EXPECT_EQ(to_hex(peer.ks_local_mt->reveal()), example()["ks_local_mt"]["value"]);
    EXPECT_EQ(mt.bsf.lines().size(), 2U);
    EXPECT_EQ(header(mt.bsf.lines()[1].request.headers, "Authorization"),
              column()["ub"]["authorization_header"]);
    EXPECT_EQ(network.card.take().size(), gba_u() ? 4U : 1U);

    // Zn: the NAF key that the BSF gave is the one that the MT made.
    ASSERT_EQ(key_center.zn().lines().size(), 1U);
    EXPECT_NE(key_center.zn().lines()[0].response.body.find(
                  text(column()[gba_u() ? "ks_ext_naf" : "ks_naf"])),
              std::string::npos);

    // 5.5.3: another device, the same B-TID; neither Ub nor the card is asked again.
    MtPeer second_peer(mt, context, random);
    ExternalDevice second(kDeviceId2, random, network.clock);
    establish(second_peer, second, kDeviceId2);
    ASSERT_NO_FATAL_FAILURE(expect_established(second_peer, second));
    EXPECT_EQ(second.key_info->b_tid, device.told->b_tid);
    EXPECT_EQ(second_peer.runs, 0U);
    EXPECT_EQ(mt.bsf.lines().size(), 2U);
    EXPECT_TRUE(network.card.take().empty());
    EXPECT_FALSE(*second_peer.ks_local_mt == *peer.ks_local_mt);
    EXPECT_NE(second.answer->mt_id, device.answer->mt_id); // pairwise
}

// Certified as somebody else: the Key Center gives nothing, and the device is left without a key.
TEST_P(KeyEstablishment, DeviceIdOfAnotherCertificate) {
    MtPeer peer(mt, context, random);
    ExternalDevice device(kDeviceId, random, network.clock);
    establish(peer, device, kDeviceId2);
    ASSERT_TRUE(device.error);
    EXPECT_EQ(device.error->code, Errc::KeyCenterRejected) << describe(*device.error);
    EXPECT_FALSE(device.answer);
    EXPECT_FALSE(peer.agreed);
    EXPECT_TRUE(key_center.zn().lines().empty()); // refused before the BSF is asked
}

INSTANTIATE_TEST_SUITE_P(Modes, KeyEstablishment,
                         testing::Values(gba::Mode::GbaU, gba::Mode::GbaMe), [](const auto& mode) {
                             return mode.param == gba::Mode::GbaU ? "GbaU" : "GbaMe";
                         });

} // namespace
} // namespace mtkey::integration
