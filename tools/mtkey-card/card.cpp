// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/card.hpp"

#include "uicc/application.hpp"
#include "uicc/at_channel.hpp"
#include "uicc/pcsc.hpp"
#include "uicc/reader_choice.hpp"

#include <thread>

namespace mtkey::tools {
namespace {
using std::chrono::steady_clock;

/// The channel over whatever raw() is at the moment: it changes with every reset.
class Mapped final : public uicc::CardChannel {
public:
    explicit Mapped(Card& card) : card_(card) {}
    Result<uicc::ResponseApdu> transmit(const uicc::CommandApdu& command) override {
        return uicc::transmit(card_.raw(), card_.protocol(), command, uicc::sleep_for_real);
    }

private:
    Card& card_;
};

class PcscCard final : public Card, private uicc::RawCard {
public:
    PcscCard(const uicc::ReaderState& reader, std::chrono::milliseconds limit) : limit_(limit) {
        place_ = reader.name;
        atr_ = reader.atr;
    }
    ~PcscCard() override { leave(); }
    PcscCard(const PcscCard&) = delete;
    PcscCard& operator=(const PcscCard&) = delete;

    Result<void> take() {
        uicc::ConnectOptions options;
        options.call_limit = limit_;
        session_ = std::make_unique<uicc::CardSession>(
            MTKEY_TRY(uicc::connect_within(limit_, place_, options)));
        protocol_ = session_->card.protocol();
        transaction_ = std::make_unique<uicc::Transaction>(MTKEY_TRY(session_->card.begin()));
        return {};
    }
    uicc::RawCard& raw() override { return *this; }
    [[nodiscard]] uicc::Protocol protocol() const override { return protocol_; }
    Result<void> reset(Power power) override {
        if (session_) {
            session_->card.set_disposition(power == Power::Cold ? uicc::Disposition::Unpower
                                                                : uicc::Disposition::Reset);
        }
        leave();
        return take();
    }
    void leave() override {
        transaction_.reset();
        session_.reset();
    }
    [[nodiscard]] std::string access() const override {
        return protocol_ == uicc::Protocol::T0 ? "PC/SC, T=0" : "PC/SC, T=1";
    }
    [[nodiscard]] bool is_modem() const override { return false; }
    Result<std::string> check_exclusion() override;

private:
    Result<SecretBytes> exchange(ByteView command) override {
        if (!transaction_) {
            return fail(Errc::NoCard, place_ + ": given up");
        }
        return observed(transaction_->raw(), command);
    }
    std::chrono::milliseconds limit_;
    uicc::Protocol protocol_ = uicc::Protocol::T0;
    std::unique_ptr<uicc::CardSession> session_;
    std::unique_ptr<uicc::Transaction> transaction_; // ends before the session
};

class ModemCard final : public Card, private uicc::RawCard {
public:
    ModemCard(uicc::AtPort port, uicc::AtChannelOptions options)
        : port_(std::move(port)), options_(std::move(options)) {
        place_ = port_.options().device;
    }
    Result<void> take() {
        channel_ =
            std::make_unique<uicc::AtChannel>(MTKEY_TRY(uicc::AtChannel::open(port_, options_)));
        return {};
    }
    uicc::RawCard& raw() override { return *this; }
    [[nodiscard]] uicc::Protocol protocol() const override { return options_.protocol; }
    Result<void> reset(Power /*power*/) override {
        if (!channel_) {
            return take();
        }
        return fail(Errc::NotSupportedByCard, place_ + ": a modem does not reset its card for us");
    }
    void leave() override { channel_.reset(); }
    [[nodiscard]] std::string access() const override {
        return channel_ && channel_->session()
                   ? "AT+CGLA, session " + std::to_string(*channel_->session())
                   : "AT+CSIM, basic channel";
    }
    [[nodiscard]] bool is_modem() const override { return true; }
    Result<std::string> check_exclusion() override {
        const auto second = uicc::AtPort::open(port_.options());
        if (second || second.error().code != Errc::ReaderBusy) {
            return fail(Errc::CardFailed, place_ + ": a second program got the tty too");
        }
        return "a second program is refused the tty";
    }

private:
    Result<SecretBytes> exchange(ByteView command) override {
        if (!channel_) {
            return fail(Errc::NoCard, place_ + ": given up");
        }
        return observed(*channel_, command);
    }
    uicc::AtPort port_;
    uicc::AtChannelOptions options_;
    std::unique_ptr<uicc::AtChannel> channel_; // ends before the port
};

constexpr std::chrono::milliseconds kHold{300};

/// One client holds a transaction, another one asks for one: how long it waited.
Result<std::chrono::milliseconds> wait_behind(uicc::ScardCard& holder, uicc::ScardCard& waiter) {
    auto held = std::make_unique<uicc::Transaction>(MTKEY_TRY(holder.begin()));
    const auto begin = steady_clock::now();
    steady_clock::time_point entered;
    Result<void> got;
    std::thread thread([&] {
        const auto transaction = waiter.begin();
        entered = steady_clock::now();
        if (!transaction) {
            got = std::unexpected(transaction.error());
        }
    });
    std::this_thread::sleep_for(kHold);
    held.reset();
    thread.join();
    MTKEY_CHECK(got);
    return std::chrono::duration_cast<std::chrono::milliseconds>(entered - begin);
}

Result<std::string> PcscCard::check_exclusion() {
    const auto intruder = uicc::connect_within(limit_, place_);
    if (intruder || intruder.error().code != Errc::ReaderBusy) {
        return fail(Errc::CardFailed,
                    place_ + ": a second program got the card that is ours alone");
    }
    leave();
    uicc::ConnectOptions shared;
    shared.sharing = uicc::Sharing::Shared;
    shared.on_leaving = uicc::Disposition::Leave;
    Result<std::chrono::milliseconds> waited;
    {
        auto first = MTKEY_TRY(uicc::connect_within(limit_, place_, shared));
        auto second = MTKEY_TRY(uicc::connect_within(limit_, place_, shared));
        waited = wait_behind(first.card, second.card);
    }
    MTKEY_CHECK(take());
    const auto time = MTKEY_TRY(waited);
    if (time < kHold) {
        return fail(Errc::CardFailed, place_ + ": a second program did not wait for the end of a "
                                               "transaction");
    }
    return "exclusive: refused; in a transaction of " + std::to_string(kHold.count()) +
           " ms: waited " + std::to_string(time.count()) + " ms";
}

Result<std::unique_ptr<PcscCard>> take_card(const uicc::ReaderState& reader,
                                            std::chrono::milliseconds limit) {
    auto card = std::make_unique<PcscCard>(reader, limit);
    MTKEY_CHECK(card->take());
    return card;
}

Result<std::unique_ptr<Card>> open_reader(const CardPlace& place) {
    const auto readers = MTKEY_TRY(list_reader_states());
    uicc::ReaderWish wish;
    wish.pattern = place.reader;
    wish.iccid = place.iccid;
    wish.allow_virtual = true; // for those who test
    const auto choice = uicc::choose_reader(
        readers, wish, [&](const uicc::ReaderState& reader) -> Result<std::string> {
            auto card = MTKEY_TRY(take_card(reader, place.limit));
            return uicc::read_iccid(card->channel());
        });
    if (choice.chosen) {
        return MTKEY_TRY(take_card(*choice.chosen, place.limit));
    }
    // Another name than the wanted one is another failure than an empty reader.
    Errc code = Errc::NoReader;
    std::string there;
    for (const auto& one : choice.skipped) {
        there += (there.empty() ? "" : "; ") + one.name + " " + std::string(describe(one.why));
        if (one.why == uicc::ReaderSkip::NoCard || one.why == uicc::ReaderSkip::OtherCard) {
            code = Errc::NoCard;
        } else if (one.why == uicc::ReaderSkip::MuteCard && code == Errc::NoReader) {
            code = Errc::CardFailed;
        }
    }
    return fail(code, "no reader '" + place.reader + "' with the card" +
                          (there.empty() ? "" : " (" + there + ")"));
}

Result<std::unique_ptr<Card>> open_modem(const CardPlace& place) {
    uicc::AtPortOptions port_options;
    port_options.device = place.modem;
    port_options.baud = place.baud;
    port_options.answer_limit = place.limit;
    uicc::AtChannelOptions options;
    options.access = place.at == "csim"      ? uicc::AtAccess::Csim
                     : place.at == "session" ? uicc::AtAccess::Session
                                             : uicc::AtAccess::Any;
    auto port = MTKEY_TRY(uicc::AtPort::open(std::move(port_options)));
    auto card = std::make_unique<ModemCard>(std::move(port), std::move(options));
    MTKEY_CHECK(card->take());
    return card;
}
} // namespace

uicc::CardChannel& Card::channel() {
    if (!channel_) {
        channel_ = std::make_unique<Mapped>(*this);
    }
    return *channel_;
}

Result<SecretBytes> Card::observed(uicc::RawCard& card, ByteView command) {
    const auto begin = steady_clock::now();
    auto answer = card.exchange(command);
    const auto round_trip = steady_clock::now() - begin;
    for (const auto& observer : observers_) {
        observer(command, answer, round_trip);
    }
    return answer;
}

Result<std::vector<uicc::ReaderState>> list_reader_states() {
    const auto context = MTKEY_TRY(uicc::ScardContext::establish());
    return uicc::wait_for_change(context, {}, std::chrono::milliseconds(0));
}

Result<std::unique_ptr<Card>> open_card(const CardPlace& place) {
    return place.modem.empty() ? open_reader(place) : open_modem(place);
}

} // namespace mtkey::tools
