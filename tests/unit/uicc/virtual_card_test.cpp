// SPDX-License-Identifier: Apache-2.0
// The whole sequence with the simulated card of testbed/, on both protocols; then with a fault at
// each of its commands.
#include "aka/aka.hpp"
#include "kdf/naf_id.hpp"
#include "kdf/naf_keys.hpp"
#include "testbed/virtual_uicc/card.hpp"
#include "uicc/application.hpp"
#include "uicc/authenticate.hpp"
#include "uicc/transmit.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>
#include <set>

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
        if (command[1] != 0xC0) {
            last_ins_ = command[1];
        }
        if (number == at_) {
            hit = {command[1], last_ins_, command.size() > 5};
        }
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
    /// The command that met the fault.
    struct Hit {
        std::uint8_t ins = 0;
        std::uint8_t of = 0; ///< for GET RESPONSE: the command it belongs to
        bool has_data = false;
    } hit;

private:
    std::uint8_t last_ins_ = 0;
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
        expected_key_ = ks_ext_naf(vector, rand);
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
        const std::string b_tid = example()["btid"];
        const std::string lifetime = example()["lifetime"];
        if (fits_gbabp(application_.gbabp_size, b_tid, lifetime)) {
            MTKEY_CHECK(update_gbabp(*channel_, application_.gbabp_size, b_tid, lifetime));
        }
        // Whatever happened on the way: a key that comes out is the network's.
        const auto key = MTKEY_TRY(derive());
        EXPECT_EQ(vectors::text_of(key), vectors::text_of(*expected_key_));
        ++keys_;
        return {};
    }

    Result<Secret<32>> derive() {
        return gba_derive_naf(*channel_, vectors::hex(example()["identities"]["naf_id_hex"]),
                              static_cast<std::string>(example()["identities"]["impi"]));
    }
    static Secret<32> ks_ext_naf(const aka::Vector& vector, const aka::Rand& rand) {
        const auto& who = example()["identities"];
        const auto octets = vectors::hex(who["naf_id_hex"]);
        const auto naf_id =
            kdf::make_naf_id(static_cast<std::string>(who["naf_fqdn"]), ByteView(octets).last(5));
        return *kdf::ks_ext_naf(kdf::ks(vector.ck.reveal(), vector.ik.reveal()), rand,
                                static_cast<std::string>(who["impi"]), *naf_id);
    }

    std::optional<testbed::Card> card_;
    std::optional<FaultyReader> reader_;
    std::optional<MappedChannel> channel_;
    OpenOptions options_;
    Application application_;
    SecretBytes expected_res_;
    std::optional<Secret<32>> expected_key_;
    unsigned keys_ = 0;
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
    const auto bootstrap_and_derive = [this] {
        const auto outcome = gba_bootstrap(*channel_, next_challenge());
        ASSERT_TRUE(outcome) << describe(outcome.error());
        ASSERT_TRUE(std::holds_alternative<Bootstrapped>(*outcome));
        EXPECT_EQ(std::get<Bootstrapped>(*outcome).res, expected_res_);
        const auto key = derive();
        ASSERT_TRUE(key) << describe(key.error());
        EXPECT_EQ(*key, *expected_key_);
    };
    // Away to the MF and back, as somebody who looks whether it is still the same card.
    ASSERT_TRUE(read_iccid(*channel_));
    ASSERT_TRUE(select_application(*channel_, application_.entry.aid));
    bootstrap_and_derive();
    // A reset takes the PIN with it.
    card_->reset();
    ASSERT_TRUE(select_application(*channel_, application_.entry.aid));
    const auto without_pin = gba_bootstrap(*channel_, next_challenge());
    EXPECT_EQ(without_pin.has_value(), !GetParam().pin);
    if (!without_pin) {
        EXPECT_EQ(without_pin.error().code, Errc::PinRequired);
    }
    ASSERT_TRUE(reopen_usim(*channel_, application_, options_));
    bootstrap_and_derive();
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

/// What a fault at a command may come to; Errc::Cancelled stands for "no harm".
std::set<Errc> allowed(Fault fault, const FaultyReader::Hit& hit) {
    constexpr auto kNoHarm = Errc::Cancelled;
    if (fault == Fault::Removed) {
        return {Errc::NoCard};
    }
    if (fault == Fault::Mute || fault == Fault::NoStatusWord || fault == Fault::EndlessChain) {
        return {Errc::CardFailed};
    }
    const auto by_status = fault == Fault::PinMissing ? Errc::PinRequired : Errc::CardFailed;
    switch (hit.of) {
    case 0xF2: // STATUS
        return {kNoHarm};
    case 0xA4: // SELECT: the file may be one that need not be there
        if (hit.ins == 0xC0 && fault != Fault::Empty) {
            return {kNoHarm}; // selected all the same
        }
        if (fault == Fault::Empty) { // said that it has selected, and has not
            return {kNoHarm, Errc::CardFailed, Errc::PinRequired, Errc::NotSupportedByCard};
        }
        if (fault == Fault::FileMissing) {
            return {kNoHarm, Errc::CardFailed, Errc::NotSupportedByCard, Errc::NotFound};
        }
        return {kNoHarm, by_status, Errc::CardFailed}; // no PIN helps with EF_GBABP
    case 0xB0:                                         // READ BINARY, READ RECORD
    case 0xB2:
        if (fault == Fault::Empty) {
            return {kNoHarm, Errc::CardFailed, Errc::NotSupportedByCard};
        }
        return {kNoHarm, by_status};
    case 0x20: // VERIFY: the counter, then the PIN
        if (fault == Fault::Empty) {
            return {Errc::PinRequired};
        }
        return {hit.has_data ? Errc::PinIncorrect : Errc::PinFloor};
    case 0xD6: // UPDATE BINARY
        return {fault == Fault::Empty ? kNoHarm : by_status};
    case 0x88: // AUTHENTICATE
        return {by_status};
    default:
        return {};
    }
}

TEST_P(VirtualCardTest, FaultAtAnyCommandIsSurvived) {
    ASSERT_TRUE(run());
    const auto total = reader_->commands;
    unsigned cases = 0;
    for (unsigned at = 0; at < total; ++at) {
        for (const auto fault : kFaults) {
            card_->reset();
            reader_->plan(fault, at);
            const auto keys_before = keys_;
            const auto faulty = run();
            ++cases;
            EXPECT_EQ(keys_ - keys_before, faulty ? 1U : 0U);
            const auto code = faulty ? Errc::Cancelled : faulty.error().code;
            EXPECT_TRUE(allowed(fault, reader_->hit).contains(code))
                << "command " << at << " (INS " << std::hex << unsigned{reader_->hit.ins} << " of "
                << unsigned{reader_->hit.of} << "), fault " << static_cast<int>(fault) << ": "
                << (faulty ? "no harm" : describe(faulty.error()));
            EXPECT_LT(reader_->commands, total + 300) << at;
            card_->reset();
            reader_->plan(Fault::None, 0);
            const auto after = run();
            ASSERT_TRUE(after) << at << " " << describe(after.error());
        }
    }
    EXPECT_EQ(cases, total * kFaults.size());
    EXPECT_GT(keys_, cases); // every run behind a fault has derived one
}

} // namespace
} // namespace mtkey::uicc
