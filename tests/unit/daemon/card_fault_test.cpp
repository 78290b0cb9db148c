// SPDX-License-Identifier: Apache-2.0
// What a UICC that goes wrong for a moment must not cost: attempts of its PIN, GBA_U, its identity.
// The matrix (tests/integration/fault_matrix_test.cpp) tries everything; here is what it has found.
#include "unit/daemon/card_fixture.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;
using State = CardState::State;

constexpr std::uint8_t kVerify = 0x20;
constexpr std::uint8_t kAuthenticate = 0x88;
constexpr std::uint8_t kSelect = 0xA4;
constexpr std::uint8_t kReadBinary = 0xB0;

const Error kCommError{Errc::CardFailed, 0x80100016, "reader"}; // SCARD_E_NOT_TRANSACTED

SecretBytes status(std::uint16_t sw) {
    Bytes out;
    append_u16(out, sw);
    return SecretBytes(out);
}

bool shows_pin(ByteView command) {
    return command[1] == kVerify && command.size() > 5;
}

class LostPinAnswer : public testing::Test {
protected:
    LostPinAnswer() {
        std::string name = testing::TempDir() + "/pin.XXXXXX";
        folder = mkdtemp(name.data());
        config.uicc.pin_file = folder + "/pin";
    }
    ~LostPinAnswer() override { std::filesystem::remove_all(folder); }
    /// A card with the PIN 1234, whose answer to the file's PIN is lost.
    std::unique_ptr<CardRig> rig_with(const std::string& digits) {
        std::ofstream(config.uicc.pin_file) << digits << "\n";
        std::filesystem::permissions(config.uicc.pin_file, std::filesystem::perms::owner_read |
                                                               std::filesystem::perms::owner_write);
        auto rig = std::make_unique<CardRig>("1234", config);
        rig->on_answer = [](ByteView command, SecretBytes answer) -> Result<SecretBytes> {
            return shows_pin(command) ? Result<SecretBytes>(std::unexpected(kCommError))
                                      : std::move(answer);
        };
        rig->work.readers_changed(rig->report());
        EXPECT_EQ(rig->work.state().state, State::Failed);
        EXPECT_EQ(rig->verifies, 1U);
        rig->on_answer = {};
        return rig;
    }
    std::string folder;
    Config config;
};

TEST_F(LostPinAnswer, WrongPinIsNotShownAgain) {
    const auto rig = rig_with("4321");
    rig->work.retry();
    EXPECT_EQ(rig->work.state().state, State::PinRequired);
    EXPECT_FALSE(rig->work.bootstrap(false));
    ++rig->insertions;
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(rig->work.state().state, State::PinRequired);
    EXPECT_EQ(rig->verifies, 1U);
    EXPECT_EQ(rig->card.memory().pin_attempts.front().second, 2U);
    EXPECT_TRUE(rig->work.send_pin(SecretBytes(as_octets("1234")))) << "whoever knows it may";
}

TEST_F(LostPinAnswer, RightPinIs) {
    const auto rig = rig_with("1234");
    rig->work.retry();
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_EQ(rig->verifies, 2U);
}

/// A card whose answers to one instruction on one file are another's.
class RefusedFile : public testing::Test {
protected:
    static Config other_mnc_length() {
        Config config;
        config.uicc.mnc_length = 3; // of another identity than that of EF_AD
        return config;
    }
    void refuse(std::string file, std::uint8_t instruction, std::uint16_t sw, unsigned times) {
        left = times;
        rig.on_answer = [=, this](ByteView command, SecretBytes answer) -> Result<SecretBytes> {
            if (left > 0 && command[1] == instruction && rig.selected_file == file) {
                --left;
                return status(sw);
            }
            return answer;
        };
    }
    /// The first look, which adopts nothing of what it has seen.
    void fail_to_open(std::uint16_t sw) {
        ++rig.insertions;
        rig.work.readers_changed(rig.report());
        const auto state = rig.work.state();
        EXPECT_EQ(state.state, State::Failed);
        EXPECT_EQ(state.uicc, "");
        ASSERT_TRUE(state.last_error);
        EXPECT_EQ(state.last_error->code, Errc::CardFailed) << "no PIN would help";
        EXPECT_EQ(state.last_error->detail, sw);
        ASSERT_TRUE(rig.work.retry_at());
    }
    static constexpr std::array<std::uint16_t, 3> kRefusals{0x6F00, 0x6982, 0x6985};
    static constexpr unsigned kAlways = 1000;
    CardRig rig{{}, other_mnc_length(), [](testbed::CardProfile& profile) {
                    profile.local_key = true;
                    profile.naf_key_centers = {"kc.example.org"};
                }};
    unsigned left = 0;
};

TEST_F(RefusedFile, EmptyServiceTableIsNoCardWithoutGba) {
    refuse("6f38", kReadBinary, 0x9000, 1);
    fail_to_open(0x9000);
    rig.work.retry();
    EXPECT_TRUE(rig.work.state().gba);
    ASSERT_TRUE(rig.work.bootstrap(false));
    EXPECT_EQ(rig.work.state().mode, gba::Mode::GbaU);
}

TEST_F(RefusedFile, IdentityIsNotThatOfTheMoment) {
    for (const auto sw : kRefusals) {
        refuse("6fad", kSelect, sw, 1);
        fail_to_open(sw);
        rig.work.retry();
        EXPECT_EQ(rig.work.state().state, State::Ready);
        EXPECT_EQ(rig.work.state().mnc_source, "ef-ad");
        EXPECT_TRUE(rig.work.bootstrap(false));
    }
}

TEST_F(RefusedFile, NorIsTheListOfKeyCenters) {
    for (const auto sw : kRefusals) {
        refuse("6fdd", kSelect, sw, 1);
        fail_to_open(sw);
        rig.work.retry();
        EXPECT_EQ(rig.work.state().naf_key_centers, std::vector<std::string>{"kc.example.org"});
    }
}

TEST_F(RefusedFile, CardThatRefusesAgainIsUsedWithoutIt) {
    for (const auto sw : kRefusals) {
        refuse("6fdd", kSelect, sw, kAlways);
        fail_to_open(sw);
        rig.work.retry();
        EXPECT_EQ(rig.work.state().state, State::Ready);
        EXPECT_TRUE(rig.work.state().naf_key_centers.empty());
        EXPECT_TRUE(rig.work.bootstrap(false));
        ++rig.insertions; // known by now
        rig.work.readers_changed(rig.report());
        EXPECT_EQ(rig.work.state().state, State::Ready);
        refuse("6fdd", kSelect, sw, 0); // once it is there, it must be there
        ++rig.insertions;
        rig.work.readers_changed(rig.report());
        EXPECT_FALSE(rig.work.state().naf_key_centers.empty());
    }
}

TEST_F(RefusedFile, BtidIsWrittenWhatHappenedWhenItWasOpened) {
    for (const auto sw : kRefusals) {
        refuse("6fd6", kSelect, sw, 1);
        fail_to_open(sw);
        rig.work.retry();
        const auto before = rig.updates;
        EXPECT_TRUE(rig.work.bootstrap(true));
        EXPECT_EQ(rig.updates, before + 1);
        refuse("6fd6", kSelect, sw, kAlways);
        fail_to_open(sw);
        rig.work.retry();
        EXPECT_EQ(rig.work.state().state, State::Failed) << "never beside another's RAND";
        EXPECT_TRUE(rig.work.retry_at());
    }
}

/// 6Cxx has been followed once: a card that says it again is closed, and reset thereby; one that
/// says 6F00 has answered, and goes on.
TEST(StuckCard, IsResetAndUsedAgain) {
    for (const bool stuck : {true, false}) {
        CardRig rig({}, {});
        rig.work.readers_changed(rig.report());
        ASSERT_TRUE(rig.work.bootstrap(false));
        std::optional<unsigned> since; // this connection
        rig.on_answer = [&](ByteView command, SecretBytes answer) -> Result<SecretBytes> {
            if (command[1] == kAuthenticate) {
                since = since ? since : rig.connects;
            }
            return since == rig.connects ? status(stuck ? 0x6C10 : 0x6F00) : std::move(answer);
        };
        EXPECT_EQ(rig.work.naf_key(CardRig::naf_id(), rig.b_tid()).error().code, Errc::CardFailed);
        EXPECT_EQ(rig.work.state().state, stuck ? State::Failed : State::Ready);
        EXPECT_EQ(rig.b_tid().empty(), stuck);
        ASSERT_EQ(rig.work.retry_at().has_value(), stuck);
        if (stuck) {
            EXPECT_EQ(*rig.work.retry_at() - rig.clock.boot_now(), 1s);
            rig.work.retry();
            EXPECT_EQ(rig.work.state().state, State::Ready);
            EXPECT_TRUE(rig.work.bootstrap(false));
        }
        EXPECT_EQ(rig.connects, stuck ? 2U : 1U);
    }
}

/// What a job has begun with the card ends with it, however it ends.
TEST(NoMemory, CardIsGivenBack) {
    Config config;
    config.uicc.exclusive = false;
    CardRig rig({}, config);
    rig.work.readers_changed(rig.report());
    ASSERT_TRUE(rig.work.bootstrap(false));
    rig.on_command = [](ByteView command) {
        if (command[1] == kSelect) {
            throw std::bad_alloc();
        }
    };
    EXPECT_THROW((void)rig.work.naf_key(CardRig::naf_id(), rig.b_tid()), std::bad_alloc);
    EXPECT_FALSE(rig.in_job) << "other programs wait for it";
    rig.on_command = {};
    EXPECT_TRUE(rig.work.naf_key(CardRig::naf_id(), rig.b_tid()));
}

TEST(NoMemory, CardHalfOpenIsNone) {
    for (unsigned nth = 1;; ++nth) {
        CardRig rig({}, {});
        unsigned commands = 0;
        rig.on_command = [&](ByteView) {
            if (++commands == nth) {
                throw std::bad_alloc();
            }
        };
        try {
            rig.work.readers_changed(rig.report());
            EXPECT_GT(nth, 10U) << "as many commands as it takes to open a card";
            break;
        } catch (const std::bad_alloc&) {
        }
        EXPECT_FALSE(rig.in_job) << nth;
        EXPECT_TRUE(rig.work.retry_at()) << nth;
        EXPECT_TRUE(rig.work.bootstrap(false)) << nth;
        EXPECT_EQ(rig.work.state().state, State::Ready) << nth;
        EXPECT_TRUE(rig.work.naf_key(CardRig::naf_id(), rig.b_tid())) << nth;
    }
}

} // namespace
} // namespace mtkey::daemon
