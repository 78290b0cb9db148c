// SPDX-License-Identifier: Apache-2.0
#include "daemon/card_ports.hpp"

#include "daemon/modem_link.hpp"
#include "uicc/pcsc.hpp"

#include <optional>

namespace mtkey::daemon {
namespace {

constexpr std::chrono::seconds kConnectLimit{10};
// Another program that is just leaving the reader gets this long.
constexpr std::chrono::seconds kBusyPatience{3};

class PcscLink final : public CardLink {
public:
    PcscLink(uicc::CardSession session, bool exclusive)
        : session_(std::move(session)), exclusive_(exclusive) {}
    [[nodiscard]] Result<uicc::CardChannel*> begin() override {
        if (!transaction_) {
            transaction_.emplace(MTKEY_TRY(session_.card.begin()));
        }
        return &*transaction_;
    }
    void end() override { transaction_.reset(); }
    [[nodiscard]] Hold hold() const override { return exclusive_ ? Hold::Card : Hold::Nothing; }
    [[nodiscard]] unsigned apdu_count() const override { return session_.card.apdu_count(); }
    void leave_alone() override { session_.card.set_disposition(uicc::Disposition::Leave); }

private:
    uicc::CardSession session_;
    bool exclusive_;
    std::optional<uicc::Transaction> transaction_; ///< ends before the session
};

class PcscWatch final : public ReaderWatch {
public:
    explicit PcscWatch(std::unique_ptr<uicc::ReaderMonitor> monitor)
        : monitor_(std::move(monitor)) {}

private:
    std::unique_ptr<uicc::ReaderMonitor> monitor_;
};

class ModemWatch final : public ReaderWatch {
public:
    explicit ModemWatch(std::shared_ptr<uicc::ModemReader> reader) : reader_(std::move(reader)) {}
    ModemWatch(const ModemWatch&) = delete;
    ModemWatch& operator=(const ModemWatch&) = delete;
    ~ModemWatch() override { reader_->stop_listening(); }

private:
    std::shared_ptr<uicc::ModemReader> reader_;
};

class HttpBsf final : public BsfLink {
public:
    explicit HttpBsf(http::ClientSettings settings) : client_(std::move(settings)) {}
    [[nodiscard]] std::string_view fqdn() const override { return client_.fqdn(); }
    [[nodiscard]] bool authenticated() const override { return client_.authenticated(); }
    [[nodiscard]] Result<void> connect() override { return client_.connect(); }
    [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest& request) override {
        return client_.exchange(request);
    }
    void cancel() override { client_.cancel(); }

private:
    http::Client client_;
};

std::unique_ptr<BsfLink> connect_bsf(http::ClientSettings settings) {
    return std::make_unique<HttpBsf>(std::move(settings));
}

CardPorts pcsc_ports(const UiccConfig& config) {
    uicc::ConnectOptions options;
    options.sharing = config.exclusive ? uicc::Sharing::Exclusive : uicc::Sharing::Shared;
    options.patience = kBusyPatience;
    CardPorts out;
    out.watch = [](auto callback) -> Result<std::unique_ptr<ReaderWatch>> {
        // All of them: CardWork says why it does not use one. To watch a reader does nothing to it.
        uicc::ReaderFilter filter{.pattern = "*", .ignore = {}};
        return std::make_unique<PcscWatch>(
            MTKEY_TRY(uicc::ReaderMonitor::start(std::move(filter), std::move(callback))));
    };
    out.connect = [options, exclusive = config.exclusive](
                      const std::string& reader) -> Result<std::unique_ptr<CardLink>> {
        return std::make_unique<PcscLink>(
            MTKEY_TRY(uicc::connect_within(kConnectLimit, reader, options)), exclusive);
    };
    out.bsf = connect_bsf;
    return out;
}

CardPorts modem_ports(const UiccConfig& config) {
    uicc::AtPortOptions options;
    options.device = config.modem.device;
    options.baud = config.modem.baud;
    options.init = config.modem.init;
    auto reader = std::make_shared<uicc::ModemReader>(std::move(options));
    CardPorts out;
    out.watch = [reader](auto callback) -> Result<std::unique_ptr<ReaderWatch>> {
        MTKEY_CHECK(reader->listen(std::move(callback)));
        return std::make_unique<ModemWatch>(reader);
    };
    out.connect = [reader, &config](const std::string&) { return connect_modem(reader, config); };
    out.bsf = connect_bsf;
    return out;
}

} // namespace

CardPorts real_ports(const UiccConfig& config) {
    return config.modem.device.empty() ? pcsc_ports(config) : modem_ports(config);
}

} // namespace mtkey::daemon
