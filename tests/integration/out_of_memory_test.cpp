// SPDX-License-Identifier: Apache-2.0
// A complete run of both procedures with the sealed store, where allocation n fails, for every n:
// an error or std::bad_alloc, and behind it parties that succeed and a store that tells the truth.
#include "base/hash.hpp"
#include "base/log.hpp"
#include "external_device.hpp"
#include "fakes/failing_memory.hpp"
#include "fakes/scratch_directory.hpp"
#include "key_center.hpp"
#include "store/sealed_store.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <tuple>

namespace mtkey::integration {
namespace {

using fakes::Allocator;

const std::string kDevice = "urn:uuid:00000000-0000-4000-8000-000000000001";
const std::string kOther = "urn:uuid:00000000-0000-4000-8000-000000000002";

class QuickFiles final : public FileOps {
public:
    int fdatasync(int) override { return 0; }
    int fsync(int) override { return 0; }
};

using Keys = std::map<std::string, std::string>; ///< Device_ID -> Ks_local_MT
Keys keys_of(const store::KeyStore& store) {
    Keys out;
    for (const auto* record : store.all()) {
        EXPECT_EQ(record->state, store::KeyState::Confirmed);
        out[record->device_id] = to_hex(record->ks_local_mt.reveal());
    }
    return out;
}

/// MTKEY_FAULT_STEP = 3: every third allocation, where each costs ten times as much (sanitizers).
long step() {
    const char* text = std::getenv("MTKEY_FAULT_STEP");
    return text != nullptr ? std::max(1L, std::strtol(text, nullptr, 10)) : 1L;
}

/// One MT with its card, its store and its networks, and what became of a device's run.
class Parties {
public:
    explicit Parties(gba::Mode mode)
        : gba_u_(mode == gba::Mode::GbaU),
          network(gba_u_ ? "gba-u" : "gba-me", gba_u_, "ff9bb4d0b606"),
          mt(network),
          key_center(network) {
        // Enough for a few bootstrappings; each is another one.
        Bytes octets(256);
        EXPECT_TRUE(random.fill(octets));
        network.random.push(octets);
        mt.cnonces.push(octets);
        store = open_store();
    }
    /// With Access::Read beside the one that the parties have.
    std::unique_ptr<store::SealedKeyStore>
    open_store(store::Access access = store::Access::Change) {
        store::Kek kek;
        std::ranges::fill(kek.reveal_writable(), std::uint8_t{0x11});
        auto opened = store::SealedKeyStore::open(
            {.directory = scratch_.path(),
             .runtime_directory = {},
             .store_id = "mtkeyd",
             .layouts = store::kLayouts,
             .access = access},
            {.files = files_,
             .clock = network.clock,
             .random = random,
             .boot_id = {1},
             .key_id = [](const auto& key,
                          const auto& th_est) { return hmac_sha256(th_est, {key.reveal()}); }},
            {.current = std::move(kek), .next = {}, .origin = "file"});
        EXPECT_TRUE(opened) << describe(opened.error());
        EXPECT_FALSE((*opened)->report().distrusted);
        return std::move(*opened);
    }

    enum class End { Agreed, Refused, Thrown };
    /// 5.5.2 where there is no context, 5.5.3 where there is one.
    End establish(const std::string& device_id) {
        try {
            MtPeer peer(mt, context, random, store.get());
            ExternalDevice device(device_id, random, network.clock);
            device.establish(peer, [&](const keycenter::KeyRequest& request) {
                return key_center.ask(request, device_id);
            });
            if (device.agreed) {
                agreed[device_id] = to_hex(device.answer->ks_local_mt.reveal());
                return End::Agreed;
            }
            const auto& why = device.error ? device.error : peer.error;
            error = why ? describe(*why) : "";
            return End::Refused;
        } catch (const std::bad_alloc&) {
            return End::Thrown;
        }
    }
    End establish_both() {
        const auto first = establish(kDevice);
        const auto second = establish(kOther);
        return first == End::Agreed ? second : first;
    }

private:
    bool gba_u_;
    fakes::ScratchDirectory scratch_;
    QuickFiles files_;

public:
    SystemRandom random; ///< its first use, which is OpenSSL's seeding, is behind us
    Network network;
    MobileTerminal mt;
    KeyCenter key_center;
    std::optional<gba::Context> context;
    std::unique_ptr<store::SealedKeyStore> store;
    Keys agreed;       ///< as the devices hold them
    std::string error; ///< of the run that was refused
};

class OutOfMemory : public testing::TestWithParam<std::tuple<gba::Mode, Allocator>> {
protected:
    static void SetUpTestSuite() { set_log_level(LogLevel{}); } // each case would say its error
    static void TearDownTestSuite() { set_log_level(LogLevel::Info); }

    /// False: the run makes fewer allocations.
    bool try_one(long first, bool for_ever) {
        const auto [mode, allocator] = GetParam();
        Parties parties(mode);
        fakes::fail_allocation(allocator, first, for_ever);
        const auto end = parties.establish_both();
        const bool failed = fakes::end_failing();
        ++ends[end];
        if (end == Parties::End::Refused) {
            EXPECT_NE(parties.error, "");
        }
        EXPECT_TRUE(failed || end == Parties::End::Agreed) << parties.error;

        // What a device was told is stored; what is stored is whole, and what a restart finds. A
        // key whose acknowledgement was lost is there too: the device offers it again.
        const auto stored = keys_of(*parties.store);
        for (const auto& [device_id, key] : parties.agreed) {
            EXPECT_EQ(stored.contains(device_id) ? stored.at(device_id) : "none", key);
        }
        EXPECT_EQ(keys_of(*parties.open_store(store::Access::Read)), stored);

        EXPECT_EQ(parties.establish_both(), Parties::End::Agreed) << parties.error;
        EXPECT_EQ(keys_of(*parties.store), parties.agreed);
        EXPECT_EQ(parties.agreed.size(), 2U);
        EXPECT_EQ(keys_of(*parties.open_store(store::Access::Read)), parties.agreed);
        return failed;
    }

    std::map<Parties::End, unsigned> ends;
};

TEST_P(OutOfMemory, EachAllocationOnce) {
    {
        const Parties warm(std::get<0>(GetParam()));
    }
    long first = 0;
    while (try_one(first, false)) {
        ASSERT_FALSE(HasFailure()) << "allocation " << first;
        first += step();
    }
    std::printf("out of memory: %ld allocations, one failing: %u refusals, %u std::bad_alloc, %u "
                "without harm\n",
                first, ends[Parties::End::Refused], ends[Parties::End::Thrown],
                ends[Parties::End::Agreed]);
    RecordProperty("allocations", static_cast<int>(first));
    EXPECT_GT(first, 300);
    EXPECT_GT(ends[Parties::End::Refused] + ends[Parties::End::Thrown], first / step() / 2);
}

TEST_P(OutOfMemory, NoMemoryFromThereOn) {
    constexpr long kStep = 7; // a prime: it meets no rhythm of the run
    for (long first = 0; try_one(first, true); first += kStep) {
        ASSERT_FALSE(HasFailure()) << "allocation " << first;
    }
    EXPECT_EQ(ends[Parties::End::Agreed], 1U);
}

INSTANTIATE_TEST_SUITE_P(Runs, OutOfMemory,
                         testing::Combine(testing::Values(gba::Mode::GbaU, gba::Mode::GbaMe),
                                          testing::Values(Allocator::New, Allocator::OpenSsl)),
                         [](const auto& run) {
                             return std::string(std::get<0>(run.param) == gba::Mode::GbaU
                                                    ? "GbaU"
                                                    : "GbaMe") +
                                    (std::get<1>(run.param) == Allocator::New ? "New" : "OpenSsl");
                         });

} // namespace
} // namespace mtkey::integration
