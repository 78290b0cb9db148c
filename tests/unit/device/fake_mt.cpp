// SPDX-License-Identifier: Apache-2.0
#include "unit/device/fake_mt.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"

#include <array>
#include <condition_variable>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mtkey::device {
namespace {

constexpr const char* kOuterFolder = "MTKEY_TEST_DEVICE_FOLDER"; // in the environment

UtcTime in_a_day() {
    return SystemClock().utc_now() + std::chrono::hours(24);
}

} // namespace

Secret<32> test_key(const std::string& b_tid) {
    return Secret<32>(
        std::span<const std::uint8_t, 32>(sha256({as_octets("key of "), as_octets(b_tid)})));
}

local::NafEntry naf_entry(const std::string& fqdn, std::optional<std::string> uri) {
    local::NafEntry entry;
    entry.naf_id.fqdn = fqdn;
    entry.key_center_uri = std::move(uri);
    return entry;
}

// A death test starts the program anew and ends it without destructors: what is made there lies in
// the folder of the one that waits for it, and goes with that.
TestFolder::TestFolder() {
    const char* outer = std::getenv(kOuterFolder);
    std::string name =
        (outer != nullptr ? std::filesystem::path(outer) : std::filesystem::temp_directory_path()) /
        "mtkey-device-XXXXXX";
    path_ = ::mkdtemp(name.data());
    if (outer == nullptr) {
        ::setenv(kOuterFolder, path_.c_str(), 1);
    }
}

TestFolder::~TestFolder() {
    if (const char* outer = std::getenv(kOuterFolder); outer != nullptr && path_ == outer) {
        ::unsetenv(kOuterFolder);
    }
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

FakeMt::FakeMt() : nafs{naf_entry("nafkc.mnc001.mcc001.pub.3gppnetwork.org")} {}

void FakeMt::stop() {
    for (auto& thread : threads_) {
        thread.join();
    }
    threads_.clear();
}

/// One connection: the owner of one MtSession.
class FakeMt::Conversation {
public:
    Conversation(FakeMt& mt, UniqueFd fd, bool reliable)
        : mt_(mt),
          fd_(std::move(fd)),
          session_(settings(reliable), mt.random_, std::nullopt, mt.clock_.boot_now()) {}

    void run(bool lose) {
        while (!session_.finished() && !lost_) {
            flush();
            pollfd wait{fd_.get(), POLLIN, 0};
            if (::poll(&wait, 1, 10'000) != 1) {
                return; // the device must end its side long before
            }
            std::array<std::uint8_t, 1024> buffer{};
            const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
            if (got <= 0) {
                return;
            }
            session_.receive(ByteView(buffer).first(static_cast<std::size_t>(got)),
                             mt_.clock_.boot_now());
            if (lose) {
                flush();
                return;
            }
            while (auto event = session_.next_event()) {
                std::visit([this](const auto& one) { handle(one); }, *event);
            }
        }
        flush();
    }

private:
    static local::SessionSettings settings(bool reliable) {
        local::SessionSettings out;
        out.framing = reliable ? local::Framing::LengthPrefixed : local::Framing::Cobs;
        return out;
    }

    void flush() {
        const Bytes out = session_.take_output();
        static_cast<void>(::send(fd_.get(), out.data(), out.size(), MSG_NOSIGNAL));
    }

    void handle(const local::ResumeAsked& asked) {
        ++mt_.resumes;
        if (mt_.on_resume == OnResume::Error) {
            local::ErrorMessage error;
            error.code = local::ErrorCode::RetryAfter;
            error.retry_after = 7;
            session_.refuse(error, mt_.clock_.boot_now());
            return;
        }
        using Status = local::ResumeAnswer::Status;
        local::ResumeAnswer answer;
        const Held* found = nullptr;
        for (const auto& one : mt_.held) {
            const auto tag = kdf::resume_tag(
                kdf::establishment_keys(one.ks_local_mt, one.th_est).key_id, asked.th_conn);
            for (std::size_t i = 0; i < asked.resume.tags.size(); ++i) {
                if (asked.resume.tags[i] == tag && one.confirmed) {
                    answer.index = static_cast<std::uint8_t>(i);
                    found = &one;
                }
            }
        }
        if (found != nullptr) {
            const bool remove =
                mt_.on_resume == OnResume::Delete || mt_.on_resume == OnResume::DeleteWrongMac;
            answer.status = remove                            ? Status::Delete
                            : mt_.on_resume == OnResume::Wait ? Status::Wait
                                                              : Status::Known;
            answer.retry_after = answer.status == Status::Wait ? 30 : 0;
            answer.mac = kdf::resume_answer_mac(
                kdf::establishment_keys(found->ks_local_mt, found->th_est).confirm_mt,
                found->th_est, asked.th_conn, local::encode_resume_answer_body(answer));
            if (mt_.on_resume == OnResume::WrongMac || mt_.on_resume == OnResume::DeleteWrongMac) {
                answer.mac->back() ^= 1;
            }
            if (mt_.on_resume == OnResume::BadIndex) {
                answer.index = 7;
            }
        }
        session_.answer_resume(answer, mt_.clock_.boot_now());
    }

    void handle(const local::KeyInfoAsked&) {
        ++mt_.l1;
        if (mt_.refuse_l1) {
            session_.refuse(*mt_.refuse_l1, mt_.clock_.boot_now());
            return;
        }
        local::KeyInfo info;
        info.b_tid = mt_.b_tid;
        info.nafs = mt_.nafs;
        session_.answer_key_info(info, mt_.clock_.boot_now());
    }

    void handle(const local::EstablishmentAsked& asked) {
        mt_.l3.push_back(asked.request);
        if (mt_.l3.size() == mt_.lose_at_l3) {
            lost_ = true;
            return;
        }
        if (!mt_.refuse_l3.empty()) {
            session_.refuse(mt_.refuse_l3.front(), mt_.clock_.boot_now());
            mt_.refuse_l3.pop_front();
            return;
        }
        local::EstablishmentAnswer answer;
        answer.est_id.fill(mt_.next_est_++);
        answer.b_tid = asked.request.b_tid.value_or("new" + std::to_string(mt_.next_b_tid_++) +
                                                    "@bsf.example.org");
        answer.naf_id = asked.request.naf_id;
        answer.profile = "draft-1";
        answer.mode = "gba-u";
        answer.ks_expires = in_a_day();
        answer.seconds_left = 86400;
        if (mt_.change_l4) {
            mt_.change_l4(answer);
        }
        Held made;
        made.ks_local_mt = test_key(answer.b_tid);
        made.est_id = answer.est_id;
        made.th_est = session_.answer_establishment(answer, mt_.clock_.boot_now());
        mt_.held.push_back(std::move(made));
    }

    void handle(const local::ConfirmAsked& asked) {
        mt_.confirms.push_back(asked.confirm);
        OnConfirm what = OnConfirm::Store;
        if (!mt_.on_confirm.empty()) {
            what = mt_.on_confirm.front();
            mt_.on_confirm.pop_front();
        }
        Held* found = nullptr;
        for (auto& one : mt_.held) {
            found = one.est_id == asked.confirm.est_id ? &one : found;
        }
        if (found != nullptr &&
            (what == OnConfirm::LoseLink || what == OnConfirm::LoseLinkAfterStoring)) {
            found->confirmed = what == OnConfirm::LoseLinkAfterStoring;
            lost_ = true;
            return;
        }
        if (found == nullptr || what == OnConfirm::Error || what == OnConfirm::Trouble) {
            local::ErrorMessage error;
            error.code = what == OnConfirm::Trouble ? local::ErrorCode::Internal
                                                    : local::ErrorCode::Confirmation;
            error.text = "wrong MAC";
            session_.refuse(error, mt_.clock_.boot_now());
            return;
        }
        const auto keys = kdf::establishment_keys(found->ks_local_mt, found->th_est);
        mt_.confirm_macs_right =
            mt_.confirm_macs_right && kdf::confirm_mac(keys.confirm_device, found->th_est,
                                                       asked.th_conn, asked.body) == asked.mac;
        local::ConfirmAck ack;
        ack.status = what == OnConfirm::RefusedStatus ? local::ConfirmAck::Status::Refused
                                                      : local::ConfirmAck::Status::Stored;
        ack.expires = asked.confirm.expires - mt_.agreed_earlier;
        auto mac = kdf::confirm_ack_mac(keys.confirm_mt, found->th_est, asked.th_conn, asked.mac,
                                        local::encode_confirm_ack_body(ack));
        if (what == OnConfirm::WrongMac) {
            mac[0] ^= 0x80;
        } else {
            found->confirmed = what == OnConfirm::Store;
        }
        session_.answer_confirm(ack, mac, mt_.clock_.boot_now());
    }

    void handle(const local::PeerGone& gone) { mt_.given_up += gone.gave_up ? 1 : 0; }

    FakeMt& mt_;
    UniqueFd fd_;
    local::MtSession session_;
    bool lost_ = false;
};

Result<transports::Connection> FakeMt::connect(bool reliable) {
    stop(); // one connection at a time: the one before has ended
    ++connections;
    int pair[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return fail(Errc::IoFailed, "socketpair");
    }
    ::fcntl(pair[0], F_SETFL, O_NONBLOCK);
    const bool lose = lose_links-- > 0;
    threads_.emplace_back([this, reliable, lose, fd = pair[1]] {
        Conversation(*this, UniqueFd(fd), reliable).run(lose);
    });
    transports::Connection connection;
    connection.fd.reset(pair[0]);
    connection.peer = "test";
    connection.reliable = reliable;
    return connection;
}

/// cancel() ends what is under way and nothing that begins later.
class FakeKeyCenter::Exchange final : public KeyCenterConnection {
public:
    explicit Exchange(FakeKeyCenter& owner) : owner_(owner) {}

    Result<void> connect() override {
        if (owner_.connect_error) {
            return std::unexpected(*owner_.connect_error);
        }
        return {};
    }
    bool authenticated() const override { return owner_.authenticated; }
    Result<HttpResponse> exchange(const HttpRequest& request) override {
        owner_.paths.push_back(request.target);
        auto asked = MTKEY_TRY(keycenter::parse_request(request.body));
        owner_.requests.push_back(asked);
        if (owner_.hang) {
            std::unique_lock lock(mutex_);
            const int before = owner_.cancelled;
            stopped_.wait(lock, [this, before] { return owner_.cancelled > before; });
            return fail(Errc::Cancelled, "cancelled");
        }
        HttpResponse response;
        if (!owner_.statuses.empty()) {
            response.status = owner_.statuses.front();
            owner_.statuses.pop_front();
        }
        if (response.status != 200) {
            return response;
        }
        keycenter::KeyAnswer answer;
        answer.b_tid = asked.b_tid;
        answer.device_id = asked.device_id;
        answer.naf_id = asked.naf_id.value_or(keycenter::NafIdText{});
        answer.profile = "draft-1";
        answer.ks_local_mt = test_key(asked.b_tid);
        answer.expires = in_a_day();
        answer.mt_id = "mt-one";
        if (owner_.change) {
            owner_.change(answer);
        }
        response.headers.add("Content-Type", "application/xml; charset=utf-8");
        response.body = keycenter::encode(answer);
        if (owner_.change_response) {
            owner_.change_response(response);
        }
        return response;
    }
    void cancel() override {
        const std::lock_guard lock(mutex_);
        ++owner_.cancelled;
        stopped_.notify_all();
    }

private:
    FakeKeyCenter& owner_;
    std::mutex mutex_;
    std::condition_variable stopped_;
};

OpenKeyCenter FakeKeyCenter::opener() {
    return [this](const KeyCenterTarget& target) -> Result<std::unique_ptr<KeyCenterConnection>> {
        targets.push_back(target);
        if (on_open) {
            on_open();
        }
        return std::make_unique<Exchange>(*this);
    };
}

} // namespace mtkey::device
