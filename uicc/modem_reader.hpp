// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "uicc/at_port.hpp"
#include "uicc/device_watch.hpp"
#include "uicc/reader_monitor.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace mtkey::uicc {

/// A modem as a reader of one card, named by its device. Owns its port, and a thread that listens
/// to it while nobody asks anything: what the modem says of its card unasked, its hang-up, its
/// return. There is a card as long as there is a modem: only to ask for it tells
/// (DRAFT-GAP(modem-card)).
class ModemReader {
public:
    /// As ReaderMonitor's: on the thread, first with the state found, then after every change. The
    /// counter in ReaderState::raw goes up with each of them.
    using Callback = ReaderMonitor::Callback;

    explicit ModemReader(AtPortOptions options) : options_(std::move(options)) {}
    ModemReader(const ModemReader&) = delete;
    ModemReader& operator=(const ModemReader&) = delete;
    ~ModemReader() { stop_listening(); }

    /// Errors: NotReady (no descriptors left).
    [[nodiscard]] Result<void> listen(Callback callback);
    /// No callback runs or comes after it; the port can still be used.
    void stop_listening();

    /// The port for oneself; one at a time. Ends before the reader does.
    class Lease {
    public:
        explicit Lease(ModemReader& owner);
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease();
        /// Opened if it is not. Errors: those of AtPort.
        [[nodiscard]] Result<AtPort*> port();

    private:
        ModemReader& owner_;
    };

private:
    void run(const Callback& callback);
    bool enter();
    void leave();
    void told();
    [[nodiscard]] bool has_news() const; ///< for whoever is in
    void signal() const;
    void wait();
    bool something_happened();
    [[nodiscard]] ReaderReport report() const;

    AtPortOptions options_;
    std::optional<AtPort> port_;        ///< of whoever is in, thread or lease
    std::optional<DeviceWatch> device_; ///< the thread's, as is what follows
    bool was_connected_ = false;
    unsigned card_lines_ = 0;
    std::uint32_t event_ = 0;

    UniqueFd wake_; ///< eventfd: ends the thread's wait
    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned leases_ = 0;    ///< wanted or held; under mutex_, as are the others
    bool listening_ = false; ///< the thread is in
    bool leased_ = false;
    bool news_ = false; ///< seen at the end of a lease, not told yet
    bool stopping_ = false;
    bool running_ = false;
    std::thread thread_;
};

} // namespace mtkey::uicc
