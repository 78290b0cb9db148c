// SPDX-License-Identifier: Apache-2.0
#include "daemon/modem_link.hpp"

#include "base/log.hpp"
#include "uicc/logical_channel.hpp"

#include <optional>

namespace mtkey::daemon {
namespace {

/// What the modem tells unasked is heard between any two commands.
class LeasedChannel final : public uicc::CardChannel {
public:
    LeasedChannel(uicc::ModemReader& reader, uicc::AtChannel channel)
        : reader_(reader), channel_(std::move(channel)) {}
    LeasedChannel(const LeasedChannel&) = delete;
    LeasedChannel& operator=(const LeasedChannel&) = delete;
    ~LeasedChannel() override {
        const uicc::ModemReader::Lease lease(reader_);
        channel_.reset();
    }
    [[nodiscard]] Result<uicc::ResponseApdu> transmit(const uicc::CommandApdu& command) override {
        const uicc::ModemReader::Lease lease(reader_);
        return channel_->transmit(command);
    }
    [[nodiscard]] const uicc::AtChannel& at() const { return *channel_; }

private:
    uicc::ModemReader& reader_;
    std::optional<uicc::AtChannel> channel_;
};

class ModemLink final : public CardLink {
public:
    ModemLink(std::shared_ptr<uicc::ModemReader> reader, uicc::AtChannel channel)
        : reader_(std::move(reader)), channel_(*reader_, std::move(channel)) {}

    /// AT+CSIM: the modem itself uses the basic channel.
    [[nodiscard]] Result<void> take_logical_channel() {
        if (!channel_.at().session()) {
            logical_.emplace(MTKEY_TRY(uicc::LogicalChannel::open(channel_)));
        }
        return {};
    }
    [[nodiscard]] Result<uicc::CardChannel*> begin() override {
        return logical_ ? static_cast<uicc::CardChannel*>(&*logical_) : &channel_;
    }
    void end() override {}
    [[nodiscard]] Hold hold() const override {
        return logical_ && logical_->number() == 0 ? Hold::Nothing : Hold::Channel;
    }
    [[nodiscard]] bool tells_of_removal() const override { return false; }
    [[nodiscard]] unsigned apdu_count() const override { return channel_.at().apdu_count(); }
    [[nodiscard]] std::string_view way() const {
        return hold() == Hold::Nothing ? "csim-basic-channel"
               : logical_              ? "csim-logical-channel"
                                       : "session";
    }

private:
    std::shared_ptr<uicc::ModemReader> reader_;
    LeasedChannel channel_;
    std::optional<uicc::LogicalChannel> logical_; ///< ends before it
};

/// What a session may be opened with, in this order.
std::vector<Bytes> aids_of(const uicc::ApplicationChoice& choice) {
    using Kind = uicc::ApplicationChoice::Kind;
    const Bytes usim{0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
    const Bytes isim{0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x04};
    switch (choice.kind) {
    case Kind::Auto:
        return {usim, isim};
    case Kind::Usim:
        return {usim};
    case Kind::Isim:
        return {isim};
    case Kind::Aid:
        return {choice.aid};
    }
    return {};
}

Result<uicc::AtChannel> open_channel(uicc::AtPort& port, const UiccConfig& config) {
    uicc::AtChannelOptions options;
    if (config.modem.access != uicc::AtAccess::Csim) {
        options.access = uicc::AtAccess::Session;
        Error refusal{Errc::NotSupportedByCard, 0, "no application"};
        for (const auto& aid : aids_of(config.application)) {
            options.aid = aid;
            auto opened = uicc::AtChannel::open(port, options);
            if (opened || uicc::is_final_at_error(opened.error().code)) {
                return opened;
            }
            refusal = opened.error();
        }
        if (config.modem.access == uicc::AtAccess::Session) {
            return std::unexpected(refusal);
        }
    }
    options.access = uicc::AtAccess::Csim;
    return uicc::AtChannel::open(port, options);
}

} // namespace

Result<std::unique_ptr<CardLink>> connect_modem(const std::shared_ptr<uicc::ModemReader>& reader,
                                                const UiccConfig& config) {
    std::unique_ptr<ModemLink> link;
    {
        uicc::ModemReader::Lease lease(*reader);
        auto* port = MTKEY_TRY(lease.port());
        link = std::make_unique<ModemLink>(reader, MTKEY_TRY(open_channel(*port, config)));
    }
    MTKEY_CHECK(link->take_logical_channel());
    log(LogLevel::Info, "modem", {{"device", config.modem.device}, {"access", link->way()}});
    return link;
}

} // namespace mtkey::daemon
