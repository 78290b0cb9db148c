// SPDX-License-Identifier: Apache-2.0
// The whole sequence with the simulated card of testbed/, on both protocols; then with a fault at
// each of its commands.
#include "aka/aka.hpp"
#include "testbed/virtual_uicc/card.hpp"
#include "uicc/application.hpp"
#include "uicc/authenticate.hpp"
#include "uicc/transmit.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

const vectors::Json& example() {
    static const auto loaded = vectors::load("worked_example.json");
    return loaded;
}
std::unique_ptr<aka::Algorithm> algorithm() {
    return aka::milenage(vectors::secret<16>(example()["milenage"]["k"]),
                         vectors::secret<16>(example()["milenage"]["opc"]));
}

enum class Fault {
    None,
    Removed,
    Mute,
    NoStatusWord,
    CardError,
    PinMissing,
    NoMemory,
    FileMissing,
    EndlessChain,
    Empty
};
constexpr std::array kFaults{Fault::Removed,     Fault::Mute,         Fault::NoStatusWord,
                             Fault::CardError,   Fault::PinMissing,   Fault::NoMemory,
                             Fault::FileMissing, Fault::EndlessChain, Fault::Empty};

/// The simulated card behind a reader that fails at one command; an endless chain and a removal
/// stay.
class FaultyReader final : public RawCard {
public:
    explicit FaultyReader(testbed::Card& card) : card_(card) {}
    void plan(Fault fault, unsigned at) {
        fault_ = fault;
        at_ = at;
        commands = 0;
    }
    Result<SecretBytes> exchange(ByteView command) override {
        const auto number = commands++;
        const bool stays = fault_ == Fault::Removed || fault_ == Fault::EndlessChain;
        if (fault_ == Fault::None || number < at_ || (number > at_ && !stays)) {
            return card_.transmit(command);
        }
        switch (fault_) {
        case Fault::Removed:
            return fail(Errc::NoCard, "pulled out", 0x80100069);
        case Fault::Mute:
            return fail(Errc::CardFailed, "mute", 0x80100066);
        case Fault::NoStatusWord:
            return SecretBytes(1);
        case Fault::CardError:
            return answer({0x6F, 0x00});
        case Fault::PinMissing:
            return answer({0x69, 0x82});
        case Fault::NoMemory:
            return answer({0x65, 0x81});
        case Fault::FileMissing:
            return answer({0x6A, 0x82});
        case Fault::EndlessChain:
            return answer({0x61, 0x00});
        case Fault::Empty:
        case Fault::None:
            break;
        }
        return answer({0x90, 0x00});
    }
    unsigned commands = 0;

private:
    static SecretBytes answer(const Bytes& octets) { return SecretBytes(octets); }
    testbed::Card& card_;
    Fault fault_ = Fault::None;
    unsigned at_ = 0;
};

struct Setting {
    const char* name;
    Protocol protocol;
    bool pin;
};

class VirtualCardTest : public testing::TestWithParam<Setting> {
protected:
    void SetUp() override {
        testbed::CardProfile profile;
        profile.iccid = "8901263200000000010";
        profile.imsi = static_cast<std::string>(example()["identities"]["imsi"]);
        profile.local_key = true;
        profile.naf_key_centers = {static_cast<std::string>(example()["identities"]["naf_fqdn"]),
                                   "naf2.example.org"};
        if (GetParam().pin) {
            profile.pin = SecretBytes(as_octets("1234"));
        }
        profile.protocol =
            GetParam().protocol == Protocol::T0 ? testbed::Protocol::T0 : testbed::Protocol::T1;
        card_.emplace(*testbed::Card::create(profile, algorithm(), aka::sqn_from_number(0)));
        reader_.emplace(*card_);
        channel_.emplace(*reader_, GetParam().protocol, [](std::chrono::milliseconds) {});
        options_.pin = [](std::string_view) { return SecretBytes(as_octets("1234")); };
    }
    /// The challenge of a network that counts on.
    Challenge next_challenge() {
        aka::Rand rand{};
        rand[15] = static_cast<std::uint8_t>(++sqn_ & 0xFF);
        const auto network = algorithm();
        auto vector =
            aka::generate_vector(*network, rand, aka::sqn_from_number(sqn_ * 32), {0x80, 0x00});
        expected_res_ = vector.xres.clone();
        aka::gba_u_flip(expected_res_, {});
        return {rand, aka::gba_u_autn(vector.autn, vector.ik, {})};
    }
    /// Opens the card and derives a key, as the card worker does; the Error of the first step that
    /// fails.
    Result<void> run() {
        application_ = MTKEY_TRY(open_usim(*channel_, options_));
        const auto outcome = MTKEY_TRY(gba_bootstrap(*channel_, next_challenge()));
        const auto* done = std::get_if<Bootstrapped>(&outcome);
        if (done == nullptr) {
            return fail(Errc::SyncFailure);
        }
        EXPECT_EQ(to_hex(done->res.reveal()), to_hex(expected_res_.reveal()));
        MTKEY_CHECK(update_gbabp(*channel_, application_.gbabp_size,
                                 static_cast<std::string>(example()["btid"]),
                                 static_cast<std::string>(example()["lifetime"])));
        MTKEY_CHECK(gba_derive_naf(*channel_, vectors::hex(example()["identities"]["naf_id_hex"]),
                                   static_cast<std::string>(example()["identities"]["impi"])));
        return {};
    }

    std::optional<testbed::Card> card_;
    std::optional<FaultyReader> reader_;
    std::optional<MappedChannel> channel_;
    OpenOptions options_;
    Application application_;
    SecretBytes expected_res_;
    std::uint64_t sqn_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Protocols, VirtualCardTest,
                         testing::Values(Setting{"T0", Protocol::T0, false},
                                         Setting{"T0Pin", Protocol::T0, true},
                                         Setting{"T1", Protocol::T1, false},
                                         Setting{"T1Pin", Protocol::T1, true}),
                         [](const auto& instance) { return instance.param.name; });

TEST_P(VirtualCardTest, EverythingThatIsReadIsRight) {
    const auto done = run();
    ASSERT_TRUE(done) << describe(done.error());
    EXPECT_EQ(application_.iccid, "8901263200000000010");
    EXPECT_EQ(application_.imsi, static_cast<std::string>(example()["identities"]["imsi"]));
    EXPECT_EQ(application_.mnc_length, 2U);
    EXPECT_EQ(application_.mnc_source, MncSource::EfAd);
    EXPECT_TRUE(application_.gba);
    EXPECT_TRUE(application_.local_key);
    EXPECT_EQ(
        application_.naf_key_centers,
        (std::vector<std::string>{static_cast<std::string>(example()["identities"]["naf_fqdn"]),
                                  "naf2.example.org"}));
    EXPECT_GE(application_.gbabp_size, 101U);
    EXPECT_EQ(application_.pin_attempts_left, GetParam().pin ? 3 : -1);
}

TEST_P(VirtualCardTest, WorkedExample) {
    ASSERT_TRUE(open_usim(*channel_, options_));
    const auto u = example()["gba_u"];
    const Challenge challenge{vectors::array<16>(example()["milenage"]["rand"]),
                              vectors::array<16>(u["autn_star_sent"])};
    const auto before = reader_->commands;
    const auto outcome = gba_bootstrap(*channel_, challenge);
    ASSERT_TRUE(outcome && std::holds_alternative<Bootstrapped>(*outcome));
    EXPECT_EQ(to_hex(std::get<Bootstrapped>(*outcome).res.reveal()),
              static_cast<std::string>(u["res_flipped"]));
    ASSERT_TRUE(update_gbabp(*channel_, 160, static_cast<std::string>(example()["btid"]),
                             static_cast<std::string>(example()["lifetime"])));
    const auto key = gba_derive_naf(*channel_, vectors::hex(example()["identities"]["naf_id_hex"]),
                                    static_cast<std::string>(example()["identities"]["impi"]));
    ASSERT_TRUE(key) << describe(key.error());
    EXPECT_EQ(vectors::text_of(*key), static_cast<std::string>(u["ks_ext_naf"]));
    // design.md section 6: the least possible.
    EXPECT_EQ(reader_->commands - before, GetParam().protocol == Protocol::T0 ? 6U : 4U);
    // The same challenge again is an old SQN for the card.
    const auto again = gba_bootstrap(*channel_, challenge);
    ASSERT_TRUE(again) << describe(again.error());
    EXPECT_TRUE(std::holds_alternative<SyncFailure>(*again));
}

TEST_P(VirtualCardTest, SelectedFilesDoNotMatterToWhatComesNext) {
    ASSERT_TRUE(run());
    // Away to the MF and back, as somebody who looks whether it is still the same card.
    ASSERT_TRUE(read_iccid(*channel_));
    ASSERT_TRUE(select_application(*channel_, application_.entry.aid));
    EXPECT_TRUE(gba_bootstrap(*channel_, next_challenge()));
    // A reset takes the PIN with it.
    card_->reset();
    ASSERT_TRUE(select_application(*channel_, application_.entry.aid));
    const auto without_pin = gba_bootstrap(*channel_, next_challenge());
    EXPECT_EQ(without_pin.has_value(), !GetParam().pin);
    ASSERT_TRUE(reopen_usim(*channel_, application_, options_));
    EXPECT_TRUE(gba_bootstrap(*channel_, next_challenge()));
}

class VirtualCardWithPinTest : public VirtualCardTest {};
INSTANTIATE_TEST_SUITE_P(Protocols, VirtualCardWithPinTest,
                         testing::Values(Setting{"T0", Protocol::T0, true},
                                         Setting{"T1", Protocol::T1, true}),
                         [](const auto& instance) { return instance.param.name; });

TEST_P(VirtualCardWithPinTest, WrongPinCostsOneAttempt) {
    options_.pin = [](std::string_view) { return SecretBytes(as_octets("4321")); };
    const auto wrong = open_usim(*channel_, options_);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::PinIncorrect);
    EXPECT_EQ(wrong.error().detail, 2U);
    // At 2 one more is allowed; then the floor holds, whatever happens.
    ASSERT_FALSE(open_usim(*channel_, options_));
    for (int i = 0; i < 5; ++i) {
        const auto refused = open_usim(*channel_, options_);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::PinFloor);
        EXPECT_EQ(refused.error().detail, 1U);
    }
}

TEST_P(VirtualCardTest, FaultAtAnyCommandIsSurvived) {
    ASSERT_TRUE(run());
    const auto total = reader_->commands;
    unsigned harmless = 0;
    for (unsigned at = 0; at < total; ++at) {
        for (const auto fault : kFaults) {
            card_->reset();
            reader_->plan(fault, at);
            const auto faulty = run();
            harmless += faulty ? 1 : 0;
            if (fault == Fault::Removed) {
                ASSERT_FALSE(faulty) << at;
                EXPECT_EQ(faulty.error().code, Errc::NoCard) << at;
            }
            EXPECT_LT(reader_->commands, total + 300) << at;
            card_->reset();
            reader_->plan(Fault::None, 0);
            const auto after = run();
            ASSERT_TRUE(after) << at << " " << describe(after.error());
        }
    }
    // Some do no harm: a file that need not be there, STATUS, a PIN counter that says "verified
    // already".
    EXPECT_LT(harmless, total * kFaults.size() / 2);
}

} // namespace
} // namespace mtkey::uicc
