// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "daemon/card_service.hpp"
#include "daemon/config.hpp"
#include "http/client.hpp"
#include "uicc/application.hpp"
#include "uicc/pcsc.hpp"
#include "uicc/reader_monitor.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mtkey::daemon {

/// The sequential work with one UICC, as the card worker's thread does it: identify -> Ub ->
/// AUTHENTICATE(DD) -> Ub -> UPDATE EF_GBABP -> AUTHENTICATE(DE). Owns card, application and GBA
/// context. May block for seconds.
class CardWork {
public:
    CardWork(const Config& config, const Clock& clock, RandomSource& random);

    void readers_changed(const uicc::ReaderReport& report);
    Result<void> bootstrap(bool force);
    Result<NafKey> naf_key(const kdf::NafId& naf_id, const std::string& b_tid);
    void discard();

    [[nodiscard]] CardState state() const;
    [[nodiscard]] const Statistics& statistics() const { return statistics_; }

    /// From another thread: the HTTP exchange under way ends.
    void cancel();

private:
    /// Everything that ends together when the card leaves.
    struct Open {
        uicc::CardSession session;
        std::optional<uicc::Transaction> transaction; ///< held all the time in exclusive mode
        uicc::Application application;
        std::string impi;
        std::string uicc; ///< hash of the identity
    };

    Result<void> open(const std::string& reader);
    void close(CardState::State state);
    void failed(const Error& error);
    std::optional<SecretBytes> pin_for(std::string_view iccid);
    uicc::OpenOptions open_options();
    /// The card for one job; in shared mode a transaction of its own and the application selected
    /// anew.
    Result<uicc::CardChannel*> begin_job();
    void end_job();
    Result<gba::Context> run(uicc::CardChannel& card);
    [[nodiscard]] http::ClientSettings bsf_settings() const;
    void note_apdus();

    const Config& config_;
    const Clock& clock_;
    RandomSource& random_;
    std::optional<Open> open_;
    std::string reader_; ///< where the card is, or would be
    std::uint32_t event_ = 0;
    CardState::State state_ = CardState::State::NoReader;
    std::optional<Error> last_error_;
    int pin_attempts_left_ = -1;
    std::set<std::string, std::less<>> refused_pins_; ///< ICCIDs
    std::string asked_iccid_;                         ///< of the card that wanted its PIN last
    std::optional<gba::Context> context_;
    Statistics statistics_;
    unsigned apdus_seen_ = 0; ///< of the present card, already in the statistics
    std::mutex client_mutex_;
    http::Client* client_ = nullptr; ///< under client_mutex_
    std::atomic<bool> cancelled_ = false;
};

} // namespace mtkey::daemon
