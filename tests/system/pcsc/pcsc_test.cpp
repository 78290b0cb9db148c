// SPDX-License-Identifier: Apache-2.0
// uicc/pcsc.hpp and uicc/reader_monitor.hpp against a real pcscd with vsmartcard's virtual reader.
#include "base/encoding.hpp"
#include "pcsc_rig.hpp"
#include "uicc/application.hpp"
#include "uicc/authenticate.hpp"
#include "uicc/pcsc.hpp"
#include "uicc/reader_monitor.hpp"
#include "vectors/vector_file.hpp"

#include <condition_variable>
#include <gtest/gtest.h>
#include <map>
#include <sys/resource.h>

namespace mtkey::uicc {
namespace {

using namespace std::chrono_literals;
using test::PrivatePcscd;
using test::VirtualCard;

constexpr auto kLong = 8s; // pcscd looks at its readers every 0.4 s

/// Answers of the worked example's card: on T=0 what it wants to give is fetched by GET RESPONSE.
class ExampleCard {
public:
    explicit ExampleCard(Protocol protocol = Protocol::T0) : on_t1_(protocol == Protocol::T1) {}
    Bytes operator()(ByteView command) {
        const auto hex = to_hex(command);
        if (hex.starts_with("00c00000")) {
            return vectors::hex(std::exchange(waiting_, "") + "9000");
        }
        const auto u = example_["gba_u"];
        const auto t0 = [this](const vectors::Json& text) {
            const std::string with_le = text;
            return on_t1_ ? with_le : with_le.substr(0, with_le.size() - 2);
        };
        const auto answer = [this](const vectors::Json& text, const char* status) {
            const std::string data = text;
            if (on_t1_) {
                return vectors::hex(data + "9000");
            }
            waiting_ = data;
            return vectors::hex(status);
        };
        if (hex == t0(u["apdu_authenticate_gba_bootstrap"])) {
            return answer(u["card_answer_bootstrap"], "610a");
        }
        if (hex == t0(u["apdu_authenticate_gba_naf"])) {
            return answer(u["card_answer_naf"], "6122");
        }
        if (hex == static_cast<std::string>(u["apdu_update_binary_btid_lifetime"]) ||
            hex.starts_with("00a4")) {
            return vectors::hex("9000");
        }
        return vectors::hex("6d00");
    }

private:
    vectors::Json example_ = vectors::load("worked_example.json");
    std::string waiting_;
    bool on_t1_;
};

/// What a monitor has reported, to be waited for.
class Reports {
public:
    ReaderMonitor::Callback callback() {
        return [this](const ReaderReport& report) {
            const std::lock_guard lock(mutex_);
            all_.push_back(report);
            changed_.notify_all();
        };
    }
    /// True once a report that has not been looked at satisfies `wanted`.
    bool wait(const std::function<bool(const ReaderReport&)>& wanted,
              std::chrono::milliseconds limit = kLong) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, limit, [&] {
            while (seen_ < all_.size()) {
                if (wanted(all_[seen_++])) {
                    return true;
                }
            }
            return false;
        });
    }
    std::size_t count() {
        const std::lock_guard lock(mutex_);
        return all_.size();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<ReaderReport> all_;
    std::size_t seen_ = 0;
};

bool has_card(const ReaderReport& report) {
    return report.service && report.readers.size() == 1 && report.readers[0].present &&
           !report.readers[0].mute && report.readers[0].atr == VirtualCard::atr();
}
bool is_empty(const ReaderReport& report) {
    return report.service && report.readers.size() == 1 && !report.readers[0].present;
}
bool is_gone(const ReaderReport& report) {
    return !report.service;
}

class PcscTest : public testing::Test {
protected:
    static void SetUpTestSuite() {
        why_not_ = PrivatePcscd::missing();
        if (why_not_.empty()) {
            why_not_ = test::enter_private_surroundings();
        }
        if (why_not_.empty()) {
            pcscd_ = std::make_unique<PrivatePcscd>();
        }
    }
    static void TearDownTestSuite() { pcscd_.reset(); }

    void SetUp() override {
        if (!why_not_.empty()) {
            GTEST_SKIP() << why_not_;
        }
    }
    /// pcscd looks at the reader now and then only: the next test must not meet this one's card.
    void TearDown() override {
        if (pcscd_) {
            remove();
        }
    }
    /// Puts the card in and waits until pcscd knows it.
    void insert() {
        card_.insert();
        ASSERT_TRUE(
            wait_for([](const ReaderState& state) { return state.present && !state.atr.empty(); }));
    }
    void remove() {
        card_.remove();
        ASSERT_TRUE(wait_for([](const ReaderState& state) { return !state.present; }));
    }
    static bool wait_for(const std::function<bool(const ReaderState&)>& wanted) {
        auto context = ScardContext::establish();
        std::vector<ReaderState> states;
        const auto end = std::chrono::steady_clock::now() + kLong;
        while (context && std::chrono::steady_clock::now() < end) {
            auto changed = wait_for_change(*context, states, 500ms);
            if (!changed) {
                return false;
            }
            states = *std::move(changed);
            if (std::ranges::any_of(states, [&](const ReaderState& state) {
                    return state.name == PrivatePcscd::kReader && wanted(state);
                })) {
                return true;
            }
        }
        return false;
    }
    static std::unique_ptr<ReaderMonitor> watch(Reports& reports) {
        ReaderFilter filter;
        filter.pattern = PrivatePcscd::kReader;
        return *ReaderMonitor::start(filter, reports.callback());
    }
    /// The worked example with the card that is in, on the protocol that it offers.
    static void bootstrap(Protocol protocol, unsigned commands) {
        const auto example = vectors::load("worked_example.json");
        auto context = ScardContext::establish();
        ASSERT_TRUE(context) << describe(context.error());
        auto card = connect(*context, PrivatePcscd::kReader);
        ASSERT_TRUE(card) << describe(card.error());
        EXPECT_EQ(card->protocol(), protocol);
        EXPECT_EQ(card->reader(), PrivatePcscd::kReader);
        auto transaction = card->begin();
        ASSERT_TRUE(transaction) << describe(transaction.error());
        EXPECT_FALSE(transaction->card_was_reset());
        const Challenge challenge{vectors::array<16>(example["milenage"]["rand"]),
                                  vectors::array<16>(example["gba_u"]["autn_star_sent"])};
        const auto outcome = gba_bootstrap(*transaction, challenge);
        ASSERT_TRUE(outcome) << describe(outcome.error());
        ASSERT_TRUE(update_gbabp(*transaction, 160, static_cast<std::string>(example["btid"]),
                                 static_cast<std::string>(example["lifetime"])));
        const auto key =
            gba_derive_naf(*transaction, vectors::hex(example["identities"]["naf_id_hex"]),
                           static_cast<std::string>(example["identities"]["impi"]));
        ASSERT_TRUE(key) << describe(key.error());
        EXPECT_EQ(vectors::text_of(*key), static_cast<std::string>(example["gba_u"]["ks_ext_naf"]));
        EXPECT_EQ(card->apdu_count(), commands);
    }
    static void wait_for_none_stuck() {
        const auto end = std::chrono::steady_clock::now() + kLong;
        while (stuck_threads() != 0 && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(20ms);
        }
        EXPECT_EQ(stuck_threads(), 0U);
    }
    static CommandApdu command(const std::string& hex) { return *parse_command(vectors::hex(hex)); }

    static inline std::string why_not_;
    static inline std::unique_ptr<PrivatePcscd> pcscd_;
    VirtualCard card_{ExampleCard()};
};

TEST_F(PcscTest, BootstrappingTakesTheLeastPossibleCommands) {
    insert();
    // AUTHENTICATE twice with GET RESPONSE, SELECT, UPDATE BINARY
    bootstrap(Protocol::T0, 6);
    EXPECT_EQ(card_.commands(), 6U);
}

TEST_F(PcscTest, BootstrappingOnT1) {
    VirtualCard card(ExampleCard(Protocol::T1), VirtualCard::atr_t1());
    card.insert();
    ASSERT_TRUE(
        wait_for([](const ReaderState& state) { return state.atr == VirtualCard::atr_t1(); }));
    bootstrap(Protocol::T1, 4);
    EXPECT_EQ(card.commands(), 4U);
}

TEST_F(PcscTest, MonitorSeesTheCardComeAndGo) {
    Reports reports;
    const auto monitor = watch(reports);
    ASSERT_TRUE(reports.wait(is_empty));
    card_.insert();
    ASSERT_TRUE(reports.wait(has_card));
    card_.remove();
    ASSERT_TRUE(reports.wait(is_empty));
    card_.insert();
    ASSERT_TRUE(reports.wait(has_card));
    monitor->stop();
    const auto count = reports.count();
    remove();
    EXPECT_EQ(reports.count(), count);
}

TEST_F(PcscTest, MonitorSleepsWhileNothingHappens) {
    insert();
    Reports reports;
    const auto monitor = watch(reports);
    ASSERT_TRUE(reports.wait(has_card));
    const auto count = reports.count();
    const auto waits = monitor->waits();
    rusage before{};
    getrusage(RUSAGE_SELF, &before);
    EXPECT_FALSE(reports.wait([](const ReaderReport&) { return true; }, 3s));
    rusage after{};
    getrusage(RUSAGE_SELF, &after);
    EXPECT_EQ(reports.count(), count);
    EXPECT_LE(monitor->waits() - waits, 3U);          // of 1 s, 2 s, 4 s, ...
    EXPECT_LT(after.ru_nvcsw - before.ru_nvcsw, 200); // a busy loop makes tens of thousands
}

TEST_F(PcscTest, OtherProgramsDoNotMakeReports) {
    insert();
    Reports reports;
    const auto monitor = watch(reports);
    ASSERT_TRUE(reports.wait(has_card));
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    for (int i = 0; i < 2; ++i) {
        const auto card = connect(*context, PrivatePcscd::kReader);
        ASSERT_TRUE(card) << describe(card.error());
        EXPECT_FALSE(reports.wait([](const ReaderReport&) { return true; }, 600ms));
    }
    EXPECT_FALSE(reports.wait([](const ReaderReport&) { return true; }, 600ms));
}

TEST_F(PcscTest, ReaderInUseIsSeen) {
    insert();
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    for (const auto sharing : {Sharing::Exclusive, Sharing::Shared}) {
        ConnectOptions options;
        options.sharing = sharing;
        const auto card = connect(*context, PrivatePcscd::kReader, options);
        ASSERT_TRUE(card) << describe(card.error());
        EXPECT_TRUE(wait_for([](const ReaderState& state) { return state.in_use; }));
    }
    EXPECT_TRUE(wait_for([](const ReaderState& state) { return !state.in_use; }));
}

TEST_F(PcscTest, TransmitAfterRemovalSaysNoCard) {
    insert();
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    auto card = connect(*context, PrivatePcscd::kReader);
    ASSERT_TRUE(card) << describe(card.error());
    {
        auto transaction = card->begin();
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(transaction->transmit(command("00a4000c023f00")));
        remove();
        const auto response = transaction->transmit(command("00a4000c023f00"));
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().code, Errc::NoCard) << describe(response.error());
        EXPECT_TRUE(response.error().context.starts_with(PrivatePcscd::kReader));
    }
    insert();
    // The old handle stays useless, and holds the reader until it is dropped.
    EXPECT_FALSE(card->begin());
    const auto busy = connect(*context, PrivatePcscd::kReader);
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().code, Errc::ReaderBusy) << describe(busy.error());
    {
        const auto dropped = std::move(card);
    }
    auto again = connect(*context, PrivatePcscd::kReader);
    ASSERT_TRUE(again) << describe(again.error());
    auto transaction = again->begin();
    ASSERT_TRUE(transaction) << describe(transaction.error());
    EXPECT_TRUE(transaction->transmit(command("00a4000c023f00")));
}

TEST_F(PcscTest, ReaderWithoutCard) {
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    const auto card = connect(*context, PrivatePcscd::kReader);
    ASSERT_FALSE(card);
    EXPECT_EQ(card.error().code, Errc::NoCard) << describe(card.error());
}

TEST_F(PcscTest, ReaderThatIsNotThere) {
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    const auto card = connect(*context, "No such reader 00 00");
    ASSERT_FALSE(card);
    EXPECT_EQ(card.error().code, Errc::NoReader);
    const auto readers = list_readers(*context);
    ASSERT_TRUE(readers);
    EXPECT_EQ(*readers, (std::vector<std::string>{"Test reader 00 00", "Test reader 00 01"}));
}

TEST_F(PcscTest, ExclusiveAccess) {
    insert();
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    auto first = connect(*context, PrivatePcscd::kReader);
    ASSERT_TRUE(first) << describe(first.error());
    for (const auto sharing : {Sharing::Exclusive, Sharing::Shared}) {
        auto other = ScardContext::establish();
        ASSERT_TRUE(other);
        ConnectOptions options;
        options.sharing = sharing;
        const auto second = connect(*other, PrivatePcscd::kReader, options);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::ReaderBusy) << describe(second.error());
        EXPECT_TRUE(second.error().context.starts_with(PrivatePcscd::kReader));
    }
    // With patience the second one gets it as soon as the first has left.
    ConnectOptions patient;
    patient.patience = kLong;
    std::thread leave([&] {
        std::this_thread::sleep_for(300ms);
        auto left = std::move(first);
    });
    auto other = ScardContext::establish();
    const auto second = connect(*other, PrivatePcscd::kReader, patient);
    leave.join();
    EXPECT_TRUE(second) << describe(second.error());
}

TEST_F(PcscTest, LeavingResetsTheCard) {
    insert();
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    const auto resets_by = [&](Disposition disposition, std::chrono::milliseconds limit) {
        auto card = connect(*context, PrivatePcscd::kReader);
        EXPECT_TRUE(card) << describe(card.error());
        card->set_disposition(disposition);
        EXPECT_TRUE(card->begin());
        const auto before = card_.resets();
        {
            const auto left = std::move(card);
        }
        // A card that is switched off is told when pcscd next looks at its reader.
        for (auto waited = 0ms; waited < limit && card_.resets() == before; waited += 20ms) {
            std::this_thread::sleep_for(20ms);
        }
        return card_.resets() - before;
    };
    EXPECT_GE(resets_by(Disposition::Reset, 2s), 1U);
    EXPECT_EQ(resets_by(Disposition::Leave, 500ms), 0U);
    EXPECT_GE(resets_by(Disposition::Unpower, 2s), 1U);
}

TEST_F(PcscTest, SharedCardThatSomebodyHasReset) {
    insert();
    auto context = ScardContext::establish();
    auto other_context = ScardContext::establish();
    ASSERT_TRUE(context && other_context);
    ConnectOptions shared;
    shared.sharing = Sharing::Shared;
    shared.on_leaving = Disposition::Leave;
    auto card = connect(*context, PrivatePcscd::kReader, shared);
    ASSERT_TRUE(card) << describe(card.error());
    {
        auto transaction = card->begin();
        ASSERT_TRUE(transaction);
        EXPECT_FALSE(transaction->card_was_reset());
    }
    {
        shared.on_leaving = Disposition::Reset;
        auto other = connect(*other_context, PrivatePcscd::kReader, shared);
        ASSERT_TRUE(other) << describe(other.error());
        ASSERT_TRUE(other->begin());
    }
    auto transaction = card->begin();
    ASSERT_TRUE(transaction) << describe(transaction.error());
    EXPECT_TRUE(transaction->card_was_reset());
    EXPECT_TRUE(transaction->transmit(command("00a4000c023f00")));
}

TEST_F(PcscTest, SharedUseTakesTurnsAndEachLeavesAResetCard) {
    insert();
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    ConnectOptions shared;
    shared.sharing = Sharing::Shared;
    auto card = connect(*context, PrivatePcscd::kReader, shared);
    ASSERT_TRUE(card);
    for (int turn = 0; turn < 3; ++turn) {
        const auto before = card_.resets();
        {
            auto transaction = card->begin();
            ASSERT_TRUE(transaction) << turn << describe(transaction.error());
            EXPECT_TRUE(transaction->transmit(command("00a4000c023f00")));
        }
        EXPECT_GT(card_.resets(), before) << turn;
    }
}

TEST_F(PcscTest, ConnectThatPcscdHoldsIsLeftBehind) {
    insert();
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    ConnectOptions shared;
    shared.sharing = Sharing::Shared;
    auto holder = connect(*context, PrivatePcscd::kReader, shared);
    ASSERT_TRUE(holder) << describe(holder.error());
    {
        auto transaction = holder->begin();
        ASSERT_TRUE(transaction);
        for (int i = 0; i < 2; ++i) {
            const auto session = connect_within(300ms, PrivatePcscd::kReader, shared);
            ASSERT_FALSE(session);
            EXPECT_EQ(session.error().code, Errc::TimedOut) << describe(session.error());
        }
        EXPECT_EQ(stuck_threads(), 2U);
        const auto refused = connect_within(300ms, PrivatePcscd::kReader, shared);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::Internal);
    }
    wait_for_none_stuck();
    auto session = connect_within(kLong, PrivatePcscd::kReader, shared);
    ASSERT_TRUE(session) << describe(session.error());
    EXPECT_TRUE(session->card.begin());
}

TEST_F(PcscTest, ConnectThatComesTooLateLeavesTheCardAlone) {
    insert();
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    ConnectOptions shared;
    shared.sharing = Sharing::Shared;
    shared.on_leaving = Disposition::Leave;
    auto holder = connect(*context, PrivatePcscd::kReader, shared);
    ASSERT_TRUE(holder) << describe(holder.error());
    const auto before = card_.resets();
    {
        auto transaction = holder->begin();
        ASSERT_TRUE(transaction);
        shared.on_leaving = Disposition::Reset;
        const auto session = connect_within(300ms, PrivatePcscd::kReader, shared);
        ASSERT_FALSE(session);
    }
    wait_for_none_stuck();
    EXPECT_EQ(card_.resets(), before);
    auto transaction = holder->begin();
    ASSERT_TRUE(transaction) << describe(transaction.error());
    EXPECT_FALSE(transaction->card_was_reset());
}

TEST_F(PcscTest, CardThatAnswersNothingIsLeftBehind) {
    std::atomic<bool> answers{false};
    VirtualCard card([&](ByteView) {
        while (!answers) {
            std::this_thread::sleep_for(10ms);
        }
        return vectors::hex("9000");
    });
    card.insert();
    ASSERT_TRUE(wait_for([](const ReaderState& state) { return state.present; }));
    ConnectOptions options;
    options.call_limit = 300ms;
    {
        auto session = connect_within(kLong, PrivatePcscd::kReader, options);
        ASSERT_TRUE(session) << describe(session.error());
        const auto started = std::chrono::steady_clock::now();
        {
            auto transaction = session->card.begin();
            ASSERT_TRUE(transaction) << describe(transaction.error());
            for (int i = 0; i < 2; ++i) {
                const auto response = transaction->transmit(command("00a4000c023f00"));
                ASSERT_FALSE(response);
                EXPECT_EQ(response.error().code, Errc::CardFailed) << describe(response.error());
                EXPECT_EQ(response.error().detail, 0x8010000AU);
            }
        }
        EXPECT_FALSE(session->card.begin());
        const auto dropped = *std::move(session);
        EXPECT_LT(std::chrono::steady_clock::now() - started, 2s);
    }
    EXPECT_EQ(stuck_threads(), 1U);
    answers = true;
    wait_for_none_stuck();
    auto again = connect_within(kLong, PrivatePcscd::kReader, options);
    ASSERT_TRUE(again) << describe(again.error());
    auto transaction = again->card.begin();
    ASSERT_TRUE(transaction) << describe(transaction.error());
    EXPECT_TRUE(transaction->transmit(command("00a4000c023f00")));
}

TEST_F(PcscTest, CardThatIsSlowWithinTheRulesMeetsAnEnd) {
    VirtualCard slow([](ByteView) {
        std::this_thread::sleep_for(50ms);
        return vectors::hex("6101");
    });
    slow.insert();
    ASSERT_TRUE(wait_for([](const ReaderState& state) { return state.present; }));
    ConnectOptions options;
    options.command_limit = 400ms;
    auto session = connect_within(kLong, PrivatePcscd::kReader, options);
    ASSERT_TRUE(session) << describe(session.error());
    const auto started = std::chrono::steady_clock::now();
    auto transaction = session->card.begin();
    ASSERT_TRUE(transaction);
    const auto response = transaction->transmit(command("00a40004023f0000"));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::CardFailed) << describe(response.error());
    EXPECT_LT(std::chrono::steady_clock::now() - started, 2s);
    EXPECT_GE(slow.commands(), 3U);
    EXPECT_LE(slow.commands(), 9U);
}

TEST_F(PcscTest, WaitForABusyCardIsInterrupted) {
    VirtualCard busy([](ByteView) { return vectors::hex("9300"); });
    busy.insert();
    ASSERT_TRUE(wait_for([](const ReaderState& state) { return state.present; }));
    std::stop_source stop;
    ConnectOptions options;
    options.stop = stop.get_token();
    auto session = connect_within(kLong, PrivatePcscd::kReader, options);
    ASSERT_TRUE(session) << describe(session.error());
    auto transaction = session->card.begin();
    ASSERT_TRUE(transaction);
    const auto started = std::chrono::steady_clock::now();
    std::jthread stopper([&] {
        std::this_thread::sleep_for(100ms);
        stop.request_stop();
    });
    const auto response = transaction->transmit(command("00b0000001"));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::Cancelled) << describe(response.error());
    EXPECT_LT(std::chrono::steady_clock::now() - started, 1s); // ten times 500 ms otherwise
}

TEST_F(PcscTest, SharedCardWhoseWarmResetFailedOnce) {
    insert();
    auto context = ScardContext::establish();
    ASSERT_TRUE(context);
    ConnectOptions shared;
    shared.sharing = Sharing::Shared;
    auto card = connect(*context, PrivatePcscd::kReader, shared);
    ASSERT_TRUE(card) << describe(card.error());
    {
        auto transaction = card->begin();
        ASSERT_TRUE(transaction);
        card_.stay_mute(2); // the reset at the end of this transaction, and pcscd's next try
    }
    auto transaction = card->begin();
    ASSERT_TRUE(transaction) << describe(transaction.error());
    EXPECT_TRUE(transaction->card_was_reset());
    EXPECT_TRUE(transaction->transmit(command("00a4000c023f00")));
}

TEST_F(PcscTest, FrozenPcscdHoldsNoCardUp) {
    insert();
    ConnectOptions options;
    options.call_limit = 300ms;
    auto session = connect_within(kLong, PrivatePcscd::kReader, options);
    ASSERT_TRUE(session) << describe(session.error());
    auto idle = ScardContext::establish();
    ASSERT_TRUE(idle);
    pcscd_->freeze();
    const auto started = std::chrono::steady_clock::now();
    EXPECT_FALSE(session->card.begin());
    {
        const auto dropped = *std::move(session);
        const auto released = *std::move(idle);
    }
    // 300 ms for the call, 3 s at most to leave the card, 2 s to release the other context.
    EXPECT_LT(std::chrono::steady_clock::now() - started, 7s);
    pcscd_->thaw();
    wait_for_none_stuck();
}

TEST_F(PcscTest, RestartsInARowAreFollowedWithinThreeSeconds) {
    insert();
    Reports reports;
    const auto monitor = watch(reports);
    ASSERT_TRUE(reports.wait(has_card));
    for (int i = 0; i < 6; ++i) {
        pcscd_->stop();
        ASSERT_TRUE(reports.wait(is_gone)) << i;
        pcscd_->start();
        EXPECT_TRUE(reports.wait(has_card, 3s)) << i;
    }
}

TEST_F(PcscTest, RestartOfPcscdIsSurvived) {
    insert();
    Reports reports;
    const auto monitor = watch(reports);
    ASSERT_TRUE(reports.wait(has_card));
    auto session = connect_within(kLong, PrivatePcscd::kReader);
    ASSERT_TRUE(session) << describe(session.error());
    // As with socket activation: the socket stays, the next client starts the service.
    pcscd_->stop();
    ASSERT_TRUE(reports.wait(is_gone));
    const auto begun = session->card.begin();
    ASSERT_FALSE(begun);
    EXPECT_TRUE(is_service_away(begun.error())) << describe(begun.error());
    EXPECT_EQ(begun.error().code, Errc::NoReader);
    pcscd_->start();
    ASSERT_TRUE(reports.wait(has_card));
    auto again = connect_within(kLong, PrivatePcscd::kReader);
    ASSERT_TRUE(again) << describe(again.error());
    EXPECT_TRUE(again->card.begin());
}

TEST_F(PcscTest, NoServiceAtAllIsWaitedFor) {
    insert();
    Reports reports;
    const auto monitor = watch(reports);
    ASSERT_TRUE(reports.wait(has_card));
    pcscd_->stop();
    pcscd_->close_socket();
    ASSERT_TRUE(reports.wait(is_gone));
    const auto context = ScardContext::establish();
    ASSERT_FALSE(context);
    EXPECT_EQ(context.error().code, Errc::NoReader);
    EXPECT_TRUE(is_service_away(context.error()));
    EXPECT_FALSE(reports.wait([](const ReaderReport&) { return true; }, 500ms)); // said once
    pcscd_->open_socket();
    pcscd_->start();
    EXPECT_TRUE(reports.wait(has_card));
}

TEST_F(PcscTest, FrozenPcscdHoldsNobodyUp) {
    insert();
    Reports reports;
    const auto monitor = watch(reports);
    ASSERT_TRUE(reports.wait(has_card));
    pcscd_->freeze();
    const auto started = std::chrono::steady_clock::now();
    monitor->stop();
    EXPECT_LT(std::chrono::steady_clock::now() - started, 2500ms);
    const auto session = connect_within(300ms, PrivatePcscd::kReader);
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().code, Errc::TimedOut);
    pcscd_->thaw();
    wait_for_none_stuck();
}

TEST_F(PcscTest, StopWhileWaitingIsQuickEveryTime) {
    for (int i = 0; i < 20; ++i) {
        Reports reports;
        const auto monitor = watch(reports);
        if (i % 2 == 0) {
            ASSERT_TRUE(reports.wait([](const ReaderReport& report) { return report.service; }));
        }
        const auto started = std::chrono::steady_clock::now();
        monitor->stop();
        EXPECT_LT(std::chrono::steady_clock::now() - started, 1s) << i;
    }
}

} // namespace
} // namespace mtkey::uicc
