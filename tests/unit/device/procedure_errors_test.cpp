// SPDX-License-Identifier: Apache-2.0
// Every way in which a run must end without a new key.
#include "device/mtkey_device.h"
#include "unit/device/procedure_fixture.hpp"

#include <csignal>
#include <sys/eventfd.h>
#include <thread>

namespace mtkey::device {
namespace {

using ::testing::HasSubstr;

class ProcedureErrorsTest : public ProcedureTest {
protected:
    /// Fails with `code`, and the store holds what it held before.
    const Error& expect_failure(Errc code) {
        const auto before = stored();
        const auto outcome = run();
        EXPECT_FALSE(outcome);
        if (outcome) {
            return last_error_;
        }
        last_error_ = outcome.error();
        EXPECT_EQ(outcome.error().code, code) << describe(outcome.error());
        const auto after = stored();
        EXPECT_TRUE(std::ranges::none_of(after, &StoredKey::pending));
        EXPECT_TRUE(std::ranges::equal(before, after, {}, &StoredKey::est_id, &StoredKey::est_id));
        return last_error_;
    }
    bool confirmed_by_mt() const {
        return std::ranges::any_of(mt.held,
                                   [](const FakeMt::Held& held) { return held.confirmed; });
    }

private:
    Error last_error_;
};

TEST_F(ProcedureErrorsTest, AcknowledgementWithAWrongMac) {
    mt.on_confirm = {FakeMt::OnConfirm::WrongMac};
    EXPECT_THAT(expect_failure(Errc::ConfirmationFailed).context, HasSubstr("wrong MAC"));
    establish_first();
    settings.renew = true;
    mt.on_confirm = {FakeMt::OnConfirm::WrongMac};
    expect_failure(Errc::ConfirmationFailed);
    EXPECT_EQ(stored().size(), 1U) << "the old key stays";
}

TEST_F(ProcedureErrorsTest, RefusedConfirmation) {
    mt.on_confirm = {FakeMt::OnConfirm::RefusedStatus};
    expect_failure(Errc::ConfirmationFailed);
    mt.on_confirm = {FakeMt::OnConfirm::Error};
    EXPECT_THAT(expect_failure(Errc::ConfirmationFailed).context, HasSubstr("wrong MAC"));
}

// The MT's own trouble says nothing of the key: it stays pending and is confirmed by the next run.
TEST_F(ProcedureErrorsTest, TroubleOfTheMtAtTheConfirmation) {
    mt.on_confirm = {FakeMt::OnConfirm::Trouble};
    const auto outcome = run();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::Internal);
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_EQ(stored()[0].state, store::KeyState::Pending);
    const int l1_before = mt.l1;
    ASSERT_TRUE(run());
    EXPECT_EQ(mt.l1, l1_before);
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_EQ(stored()[0].state, store::KeyState::Confirmed);
}

// "The UICC says that the challenge is not its home network's" is no reason to insert it again:
// many errors of the MT are one for the device, whose sentence is not added to the MT's own.
TEST_F(ProcedureErrorsTest, RefusalOfTheMtIsToldInItsWords) {
    local::ErrorMessage error;
    error.code = local::ErrorCode::Card;
    error.text = "the home network's key is another";
    mt.refuse_l3 = {error};
    EXPECT_EQ(describe(expect_failure(Errc::CardFailed), report),
              "the MT says: the home network's key is another");
    error.text = "";
    error.retry_after = 5;
    mt.refuse_l3 = {error};
    EXPECT_EQ(describe(expect_failure(Errc::CardFailed), report),
              "the MT says: no (again after 5 s): " + std::string(info(Errc::CardFailed).sentence));
    mt.on_confirm = {FakeMt::OnConfirm::Error}; // says "wrong MAC", the device says more
    EXPECT_EQ(describe(expect_failure(Errc::ConfirmationFailed), report),
              "the MT says: wrong MAC: " + std::string(info(Errc::ConfirmationFailed).sentence));
}

// A wrong key anywhere in the network: MT and Key Center do not agree.
TEST_F(ProcedureErrorsTest, KeyCenterWithAnotherKey) {
    key_center.change = [](keycenter::KeyAnswer& answer) {
        answer.ks_local_mt = test_key("other");
    };
    mt.on_confirm = {FakeMt::OnConfirm::Store}; // even if the MT did not look
    expect_failure(Errc::ConfirmationFailed);
    EXPECT_FALSE(mt.confirm_macs_right);
}

TEST_F(ProcedureErrorsTest, AnswerAboutSomethingElse) {
    using Answer = keycenter::KeyAnswer;
    const std::vector<std::pair<const char*, std::function<void(Answer&)>>> rows{
        {"B-TID", [](Answer& answer) { answer.b_tid = "other@bsf.example.org"; }},
        {"Device_ID", [](Answer& answer) { answer.device_id = "urn:uuid:2"; }},
        {"NAF_ID", [](Answer& answer) { answer.naf_id.fqdn = "other.3gppnetwork.org"; }},
        {"NAF_ID", [](Answer& answer) { answer.naf_id.ua = "0000000000"; }},
    };
    for (const auto& [what, change] : rows) {
        key_center.change = change;
        EXPECT_THAT(expect_failure(Errc::KeyCenterBadAnswer).context, HasSubstr(what));
        EXPECT_TRUE(mt.confirms.empty());
    }
    key_center.change = [](Answer& answer) { answer.profile = "rel-7"; };
    expect_failure(Errc::ProfileMismatch);
    key_center.change = [this](Answer& answer) {
        answer.expires = clock.utc_now() - std::chrono::hours(1);
    };
    expect_failure(Errc::KeyExpired);
}

TEST_F(ProcedureErrorsTest, AnswerThatIsNone) {
    key_center.change_response = [](HttpResponse& response) { response.body = "<html/>"; };
    expect_failure(Errc::KeyCenterBadAnswer);
    key_center.change_response = [](HttpResponse& response) {
        response.headers = {};
        response.headers.add("Content-Type", "text/html");
    };
    expect_failure(Errc::KeyCenterBadAnswer);
}

TEST_F(ProcedureErrorsTest, StatusesOfTheKeyCenter) {
    const std::vector<std::pair<unsigned, Errc>> rows{
        {400, Errc::KeyCenterRejected},    {403, Errc::KeyCenterRejected},
        {404, Errc::KeyCenterRejected},    {409, Errc::KeyCenterRejected},
        {410, Errc::BtidUnknown},          {500, Errc::KeyCenterUnreachable},
        {502, Errc::KeyCenterUnreachable}, {301, Errc::KeyCenterRejected},
        {429, Errc::RetryAfter},
    };
    for (const auto& [status, code] : rows) {
        key_center.statuses = {status};
        mt.l3.clear();
        EXPECT_EQ(expect_failure(code).detail, status);
        EXPECT_EQ(mt.l3.size(), 1U) << "full already: nothing else to try";
    }
}

// A wrong path or a proxy in between: no reason for a bootstrapping.
TEST_F(ProcedureErrorsTest, OnlyTheKeyCentersOwnWordLeadsToAFullRun) {
    mt.b_tid = "old@bsf.example.org";
    for (const unsigned status : {404U, 429U, 403U, 500U}) {
        key_center.statuses = {status};
        mt.l3.clear();
        EXPECT_FALSE(run());
        EXPECT_EQ(mt.l3.size(), 1U) << status;
    }
}

TEST_F(ProcedureErrorsTest, BtidUnknownTwice) {
    mt.b_tid = "old@bsf.example.org";
    key_center.statuses = {410, 410};
    expect_failure(Errc::BtidUnknown);
    EXPECT_EQ(mt.l3.size(), 2U);
}

TEST_F(ProcedureErrorsTest, KeyCenterThatIsNotTrustedOrNotThere) {
    key_center.authenticated = false;
    expect_failure(Errc::PeerUntrusted);
    EXPECT_TRUE(key_center.requests.empty()) << "nothing was sent";
    key_center.connect_error = Error{Errc::KeyCenterUnreachable, 111, "refused"};
    expect_failure(Errc::KeyCenterUnreachable);
    EXPECT_TRUE(std::ranges::find(steps, Step::TunnelEstablished) == steps.end());
}

// The mt-id is the word of whichever Key Center answers: one of another operator may not put its
// own key in the place of a key that it has nothing to do with.
TEST_F(ProcedureErrorsTest, MtIdBelongsToTheOperatorThatGaveItFirst) {
    settings.renew = true;
    settings.allowed_suffixes = {"3gppnetwork.org", "mnc002.mcc001.3gppnetwork.org",
                                 "kc.example.com"};
    mt.nafs = {naf_entry("one.mnc001.mcc001.3gppnetwork.org")};
    establish_first();
    for (const auto* other : {"one.kc.example.com", "one.mnc002.mcc001.3gppnetwork.org"}) {
        mt.nafs = {naf_entry(other)};
        mt.given_up = 0;
        mt.confirms.clear();
        const auto& error = expect_failure(Errc::Rejected);
        for (const auto* named :
             {"mt-one", "one.mnc001.mcc001.3gppnetwork.org", other, "mtkey-device forget --mt"}) {
            EXPECT_THAT(error.context, HasSubstr(named));
        }
        EXPECT_LT(describe(error).size(), sizeof(mtkey_device_result::message));
        EXPECT_EQ(mt.given_up, 1) << "the MT drops its key, too";
        EXPECT_TRUE(mt.confirms.empty());
        EXPECT_EQ(stored().at(0).naf_fqdn, "one.mnc001.mcc001.3gppnetwork.org");
    }
    key_center.change = [](keycenter::KeyAnswer& answer) { answer.mt_id = "mt-two"; };
    ASSERT_TRUE(run()) << "another mt-id is another's";
    key_center.change = nullptr;
    mt.nafs = {naf_entry("two.mnc001.mcc001.3gppnetwork.org")};
    ASSERT_TRUE(run()) << "another Key Center of the same operator";
    EXPECT_EQ(stored().size(), 2U);

    // The operator of the stored key is allowed no more: nobody knows whose it is.
    settings.allowed_suffixes = {"mnc002.mcc001.3gppnetwork.org", "kc.example.com"};
    mt.nafs = {naf_entry("one.kc.example.com")};
    expect_failure(Errc::Rejected);
    ASSERT_EQ(open_keys(store::Access::Change)->forget("mt-one"), 1U);
    ASSERT_TRUE(run());
    EXPECT_EQ(stored().size(), 2U);
}

TEST_F(ProcedureErrorsTest, MtIdOfAPendingKeyBelongsToItsOperator) {
    using enum FakeMt::OnConfirm;
    settings.renew = true;
    settings.allowed_suffixes = {"3gppnetwork.org", "kc.example.com"};
    mt.on_confirm = {LoseLink, LoseLink, LoseLink};
    ASSERT_FALSE(run());
    const auto before = store_content();
    mt.nafs = {naf_entry("one.kc.example.com")};
    const auto outcome = run();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::Rejected);
    EXPECT_EQ(mt.given_up, 1);
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_TRUE(stored()[0].pending());
    EXPECT_EQ(store_content(), before);
}

TEST_F(ProcedureErrorsTest, NoPermittedKeyCenter) {
    mt.nafs = {naf_entry("kc.example.com"), naf_entry("kc.evil3gppnetwork.org"),
               naf_entry("3gppnetwork.org.example.com")};
    expect_failure(Errc::NafNotAllowed);
    EXPECT_TRUE(mt.l3.empty());
    EXPECT_TRUE(key_center.targets.empty());
    // The URI may not lead elsewhere. The message's own check may find it first and end the
    // connection.
    mt.nafs = {naf_entry("kc.3gppnetwork.org", "https://kc.example.com/")};
    const auto outcome = run();
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(key_center.targets.empty());
}

TEST_F(ProcedureErrorsTest, RefusalsOfTheMt) {
    const std::vector<std::pair<local::ErrorCode, Errc>> rows{
        {local::ErrorCode::Pending, Errc::DeviceNotApproved},
        {local::ErrorCode::RetryAfter, Errc::RetryAfter},
        {local::ErrorCode::Profile, Errc::ProfileMismatch},
    };
    for (const auto& [code, expected] : rows) {
        local::ErrorMessage error;
        error.code = code;
        error.retry_after = 5;
        error.text = "because";
        mt.refuse_l1 = error;
        EXPECT_THAT(expect_failure(expected).context, HasSubstr("because"));
        EXPECT_EQ(report.retry_after, 5U);
        mt.refuse_l1.reset();
        mt.refuse_l3 = {error};
        expect_failure(expected);
        EXPECT_EQ(report.retry_after, 5U);
    }
    // Without a B-TID of ours there is none to change or to be stale.
    local::ErrorMessage stale;
    stale.code = local::ErrorCode::BtidStale;
    mt.refuse_l3 = {stale};
    expect_failure(Errc::BtidStale);
}

TEST_F(ProcedureErrorsTest, WrongEstablishmentAnswer) {
    using Answer = local::EstablishmentAnswer;
    mt.change_l4 = [](Answer& answer) { answer.naf_id.fqdn = "other.3gppnetwork.org"; };
    expect_failure(Errc::ProtocolViolation);
    mt.change_l4 = [](Answer& answer) { answer.naf_id.ua = {0, 0, 0, 0, 0}; };
    expect_failure(Errc::ProtocolViolation);
    mt.change_l4 = [](Answer& answer) { answer.profile = "rel-7"; };
    expect_failure(Errc::ProfileMismatch);
    mt.b_tid = "old@bsf.example.org";
    mt.change_l4 = [](Answer& answer) { answer.b_tid = "other@bsf.example.org"; };
    expect_failure(Errc::ProtocolViolation);
    EXPECT_TRUE(key_center.targets.empty());
    EXPECT_FALSE(confirmed_by_mt());
}

TEST_F(ProcedureErrorsTest, AnswersToResume) {
    establish_first();
    // Worth no more than "unknown": the key stays, and a new establishment is asked for.
    local::ErrorMessage pending;
    pending.code = local::ErrorCode::Pending;
    for (const auto wrong : {FakeMt::OnResume::WrongMac, FakeMt::OnResume::DeleteWrongMac}) {
        const int l1_so_far = mt.l1;
        mt.on_resume = wrong;
        mt.refuse_l1 = pending;
        expect_failure(Errc::DeviceNotApproved);
        EXPECT_EQ(mt.l1, l1_so_far + 1);
        mt.refuse_l1.reset();
    }
    const int l1_before = mt.l1;
    mt.on_resume = FakeMt::OnResume::BadIndex;
    expect_failure(Errc::ProtocolViolation);
    mt.on_resume = FakeMt::OnResume::Wait;
    expect_failure(Errc::RetryAfter);
    EXPECT_EQ(report.retry_after, 30U);
    mt.on_resume = FakeMt::OnResume::Error;
    expect_failure(Errc::RetryAfter);
    EXPECT_EQ(report.retry_after, 7U);
    EXPECT_EQ(mt.l1, l1_before) << "none of these leads to an establishment";

    mt.on_resume = FakeMt::OnResume::Delete;
    mt.refuse_l1 = local::ErrorMessage{};
    const auto outcome = run();
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(stored().empty()) << "deleted by an authenticated answer, whatever came after";
}

TEST_F(ProcedureErrorsTest, EndOfTimeAndCancellation) {
    total_limit = std::chrono::milliseconds(0);
    expect_failure(Errc::TimedOut);
    total_limit = std::chrono::milliseconds(20'000);
    const UniqueFd cancelled(::eventfd(1, EFD_CLOEXEC));
    cancel_fd = cancelled.get();
    expect_failure(Errc::Cancelled);
}

TEST_F(ProcedureErrorsTest, CancellationReachesTheKeyCenter) {
    const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC));
    cancel_fd = cancel.get();
    key_center.hang = true;
    on_step = [&](Step step) {
        if (step == Step::ServiceRequested) {
            ::eventfd_write(cancel.get(), 1);
        }
    };
    expect_failure(Errc::Cancelled);
    EXPECT_GE(key_center.cancelled, 1);
}

// cancel() comes while the worker is between connect() and the exchange, and just before the
// exchange begins: it must not be lost.
TEST_F(ProcedureErrorsTest, CancellationBetweenTwoCallsIsNotLost) {
    for (const Step moment : {Step::TunnelEstablished, Step::ServiceRequested}) {
        const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC));
        cancel_fd = cancel.get();
        key_center.hang = true;
        key_center.cancelled = 0;
        key_center.requests.clear();
        on_step = [&](Step step) {
            if (step == moment) {
                ::eventfd_write(cancel.get(), 1);
                while (key_center.cancelled == 0) {
                    std::this_thread::yield();
                }
            }
        };
        expect_failure(Errc::Cancelled);
        EXPECT_EQ(key_center.requests.size(), moment == Step::ServiceRequested ? 1U : 0U);
    }
}

/// Does something else, once, when the thread that made it asks for the time.
class InterruptedClock final : public Clock {
public:
    UtcTime utc_now() const override { return clock_.utc_now(); }
    BootTime boot_now() const override {
        if (std::this_thread::get_id() == owner_ && instead) {
            std::exchange(instead, nullptr)();
        }
        return clock_.boot_now();
    }
    mutable std::function<void()> instead;

private:
    SystemClock clock_;
    std::thread::id owner_ = std::this_thread::get_id();
};

// We may be a part of somebody's firmware: an exception is the caller's to catch, not its end.
TEST_F(ProcedureErrorsTest, ExceptionWhileTheKeyCenterIsAskedWaitsForTheThread) {
    const InterruptedClock interrupted;
    limits_clock = &interrupted;
    key_center.hang = true;
    std::atomic<bool> asked = false;
    on_step = [&](Step step) {
        if (step == Step::ServiceRequested) {
            asked = true;
            asked.notify_all();
        }
    };
    key_center.on_open = [&] {
        interrupted.instead = [&] { // this thread waits for the other one
            asked.wait(false);
            throw std::bad_alloc();
        };
    };
    EXPECT_THROW(static_cast<void>(run()), std::bad_alloc);
    EXPECT_GE(key_center.cancelled, 1);
    mt.stop();
    EXPECT_TRUE(stored().empty());
}

TEST_F(ProcedureErrorsTest, ExceptionOfAnyKindOnTheKeyCentersThread) {
    struct NoStdException {};
    on_step = [](Step step) {
        if (step == Step::TunnelEstablished) {
            throw NoStdException();
        }
    };
    expect_failure(Errc::Internal);
    on_step = [](Step step) {
        if (step == Step::TunnelEstablished) {
            throw std::bad_alloc();
        }
    };
    EXPECT_EQ(expect_failure(Errc::Internal).context, "no memory");
}

TEST_F(ProcedureErrorsTest, SignalsAreForTheThreadsOfTheProgram) {
    sigset_t before;
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
    sigset_t there;
    sigemptyset(&there);
    on_step = [&](Step step) {
        if (step == Step::ServiceRequested) {
            ::pthread_sigmask(SIG_SETMASK, nullptr, &there);
        }
    };
    ASSERT_TRUE(run());
    sigset_t after;
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
    for (const int signal : {SIGTERM, SIGINT, SIGALRM, SIGCHLD, SIGUSR1, SIGPIPE, SIGRTMIN}) {
        EXPECT_EQ(sigismember(&there, signal), 1) << signal;
        EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
    }
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
        EXPECT_EQ(sigismember(&there, fault), sigismember(&before, fault)) << fault;
    }
}

TEST_F(ProcedureErrorsTest, StoreWithoutItsKeyEndsTheRunBeforeAnythingElse) {
    establish_first();
    const auto before = store_content();
    const int connections = mt.connections;
    std::filesystem::remove(place.store_key_file);
    const auto outcome = run();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::ConfigInvalid);
    EXPECT_THAT(outcome.error().context, HasSubstr(store_file()));
    EXPECT_EQ(mt.connections, connections);
    EXPECT_EQ(store_content(), before);
}

} // namespace
} // namespace mtkey::device
