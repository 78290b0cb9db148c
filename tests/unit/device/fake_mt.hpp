// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/procedure.hpp"
#include "local/mt_session.hpp"

#include <atomic>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mtkey::device {

/// Both sides' Ks_local_MT in these tests: a function of the B-TID alone.
Secret<32> test_key(const std::string& b_tid);

/// A folder of its own for each test; removed at the end.
class TestFolder {
public:
    TestFolder();
    ~TestFolder();
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// The MT's end on the real MtSession, in a thread per connection; what it says is scripted. Look
/// at what it has noted only when the device's run is over and stop() was called.
class FakeMt {
public:
    enum class OnConfirm {
        Store,
        WrongMac,
        RefusedStatus,
        Error,
        Trouble,
        LoseLink,
        LoseLinkAfterStoring
    };
    enum class OnResume { Look, WrongMac, Delete, DeleteWrongMac, Wait, Error, BadIndex };
    struct Held {
        Secret<32> ks_local_mt;
        kdf::TranscriptHash th_est{};
        local::EstId est_id{};
        bool confirmed = false;
    };

    FakeMt();
    ~FakeMt() { stop(); }
    FakeMt(const FakeMt&) = delete;
    FakeMt& operator=(const FakeMt&) = delete;

    /// The device's end of a new connection.
    Result<transports::Connection> connect(bool reliable = true);
    void stop(); ///< waits for the threads

    // The script
    std::optional<std::string> b_tid; ///< nothing: L2 leads to the full procedure
    std::vector<local::NafEntry> nafs;
    std::optional<local::ErrorMessage> refuse_l1;
    std::deque<local::ErrorMessage> refuse_l3; ///< one for each L3, then answers
    std::function<void(local::EstablishmentAnswer&)> change_l4;
    OnResume on_resume = OnResume::Look;
    std::deque<OnConfirm> on_confirm; ///< one for each CONFIRM, then Store
    std::chrono::seconds agreed_earlier{0};
    std::vector<Held> held;
    int lose_links = 0;         ///< so many connections end right after HELLO
    std::size_t lose_at_l3 = 0; ///< the link ends at this L3, counted from 1

    // What it noted
    std::vector<local::EstablishmentRequest> l3;
    std::vector<local::Confirm> confirms;
    int resumes = 0;
    int l1 = 0;
    int connections = 0;
    int given_up = 0; ///< connections that the device ended with ERROR
    bool confirm_macs_right = true;

private:
    class Conversation;
    std::vector<std::thread> threads_;
    std::uint8_t next_est_ = 1;
    int next_b_tid_ = 1;
    SystemRandom random_;
    SystemClock clock_;
};

/// Answers like a Key Center that derived the same key; `change` makes it lie.
class FakeKeyCenter {
public:
    OpenKeyCenter opener();

    std::deque<unsigned> statuses; ///< one for each request, then 200
    std::function<void(keycenter::KeyAnswer&)> change;
    std::function<void(HttpResponse&)> change_response;
    std::function<void()> on_open;
    std::optional<Error> connect_error;
    bool authenticated = true;
    bool hang = false; ///< until cancelled

    std::vector<KeyCenterTarget> targets;
    std::vector<keycenter::KeyRequest> requests;
    std::vector<std::string> paths;
    std::atomic<int> cancelled = 0;

private:
    class Exchange;
};

local::NafEntry naf_entry(const std::string& fqdn, std::optional<std::string> uri = {});

} // namespace mtkey::device
