// SPDX-License-Identifier: Apache-2.0
#include "daemon/card_ports.hpp"

#include "uicc/pcsc.hpp"

#include <optional>

namespace mtkey::daemon {
namespace {

constexpr std::chrono::seconds kConnectLimit{10};
// Another program that is just leaving the reader gets this long.
constexpr std::chrono::seconds kBusyPatience{3};

class PcscLink final : public CardLink {
public:
    explicit PcscLink(uicc::CardSession session) : session_(std::move(session)) {}
    [[nodiscard]] Result<uicc::CardChannel*> begin() override {
        if (!transaction_) {
            transaction_.emplace(MTKEY_TRY(session_.card.begin()));
        }
        return &*transaction_;
    }
    void end() override { transaction_.reset(); }
    [[nodiscard]] unsigned apdu_count() const override { return session_.card.apdu_count(); }
    void leave_alone() override { session_.card.set_disposition(uicc::Disposition::Leave); }

private:
    uicc::CardSession session_;
    std::optional<uicc::Transaction> transaction_; ///< ends before the session
};

class HttpBsf final : public BsfLink {
public:
    explicit HttpBsf(http::ClientSettings settings) : client_(std::move(settings)) {}
    [[nodiscard]] std::string_view fqdn() const override { return client_.fqdn(); }
    [[nodiscard]] bool authenticated() const override { return client_.authenticated(); }
    [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest& request) override {
        return client_.exchange(request);
    }
    void cancel() override { client_.cancel(); }

private:
    http::Client client_;
};

} // namespace

CardPorts real_ports(const UiccConfig& config) {
    uicc::ConnectOptions options;
    options.sharing = config.exclusive ? uicc::Sharing::Exclusive : uicc::Sharing::Shared;
    options.patience = kBusyPatience;
    return {.connect = [options](const std::string& reader) -> Result<std::unique_ptr<CardLink>> {
                return std::make_unique<PcscLink>(
                    MTKEY_TRY(uicc::connect_within(kConnectLimit, reader, options)));
            },
            .bsf = [](http::ClientSettings settings) -> std::unique_ptr<BsfLink> {
                return std::make_unique<HttpBsf>(std::move(settings));
            }};
}

} // namespace mtkey::daemon
