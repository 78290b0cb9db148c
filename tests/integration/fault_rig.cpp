// SPDX-License-Identifier: Apache-2.0
#include "integration/fault_rig.hpp"

#include "kdf/naf_keys.hpp"
#include "uicc/application.hpp"
#include "uicc/gba_files.hpp"
#include "uicc/logical_channel.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace mtkey::integration {
namespace {

using State = daemon::CardState::State;
constexpr std::chrono::seconds kRecovery{1};
constexpr std::uint16_t kGbabp = 0x6FD6;
constexpr std::uint8_t kVerify = 0x20;
constexpr std::uint8_t kAuthenticate = 0x88;
constexpr std::uint8_t kUpdateBinary = 0xD6;
constexpr unsigned kPinFloor = 2;

/// Of the worked example, read once: its JSON is copied at every access, and there are thousands of
/// rigs.
struct Example {
    std::string imsi = text(example()["identities"]["imsi"]);
    std::string bsf_fqdn = text(example()["identities"]["bsf_fqdn"]);
    std::string naf_fqdn = text(example()["identities"]["naf_fqdn"]);
    std::array<std::uint8_t, 16> k = vectors::array<16>(example()["milenage"]["k"]);
    std::array<std::uint8_t, 16> opc = vectors::array<16>(example()["milenage"]["opc"]);
    aka::Amf amf = vectors::array<2>(example()["milenage"]["amf"]);
    aka::Sqn sqn = vectors::array<6>(example()["milenage"]["sqn"]);
};
const Example& known() {
    static const Example out;
    return out;
}

std::unique_ptr<aka::Algorithm> algorithm() {
    return aka::milenage(Secret<16>(known().k), Secret<16>(known().opc));
}

std::vector<aka::Subscriber> subscribers(bool gba_u) {
    std::vector<aka::Subscriber> out(1);
    out.front().imsi = known().imsi;
    out.front().keys = {aka::AlgorithmKind::Milenage, Secret<16>(known().k),
                        Secret<16>(known().opc)};
    out.front().amf = known().amf;
    out.front().sqn = known().sqn;
    out.front().mode = gba_u ? aka::GbaMode::GbaU : aka::GbaMode::GbaMe;
    return out;
}

/// The card as the test sees it, beside the reader.
class Contacts final : public uicc::RawCard {
public:
    explicit Contacts(testbed::Card& card) : card_(card) {}
    [[nodiscard]] Result<SecretBytes> exchange(ByteView command) override {
        return card_.transmit(command);
    }

private:
    testbed::Card& card_;
};

class Bsf final : public daemon::BsfLink {
public:
    explicit Bsf(bsf::UbHandler& ub) : ub_(ub) {}
    [[nodiscard]] std::string_view fqdn() const override { return known().bsf_fqdn; }
    [[nodiscard]] bool authenticated() const override { return false; }
    [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest& request) override {
        return cancelled_ ? fail(Errc::Cancelled, "bsf")
                          : Result<HttpResponse>(ub_.handle(request));
    }
    void cancel() override { cancelled_ = true; }

private:
    bsf::UbHandler& ub_;
    bool cancelled_ = false;
};

bool about_pin(Errc code) {
    return code == Errc::PinRequired || code == Errc::PinIncorrect || code == Errc::PinFloor;
}

} // namespace

FaultRig::FaultRig(const FaultSetting& setting)
    : setting_(setting),
      config_(make_config(setting)),
      centre_(subscribers(setting.card_has_gba), random_),
      ub_({.fqdn = known().bsf_fqdn, .lifetime = std::chrono::hours(24), .gba_u = {}}, centre_,
          store_, clock_, random_),
      card_(make_card(setting)) {
    reader_.seed = setting.seed;
    reader_.on_command = [this](ByteView command) { watch(command); };
}

testbed::Card FaultRig::make_card(const FaultSetting& setting) {
    testbed::CardProfile profile;
    profile.iccid = "8900101000000000018";
    profile.imsi = known().imsi;
    profile.gba = setting.card_has_gba;
    profile.local_key = setting.card_has_gba;
    profile.naf_key_centers = {known().naf_fqdn};
    profile.protocol = setting.protocol;
    if (!setting.pin.empty()) {
        profile.pin = SecretBytes(as_octets(setting.pin));
    }
    if (setting.card_has_gba) {
        // For the test itself, which has no PIN to show.
        testbed::FileProfile gbabp;
        gbabp.where = testbed::ApplicationKind::Usim;
        gbabp.fid = kGbabp;
        gbabp.read = testbed::Access::Always;
        profile.files.push_back(std::move(gbabp));
    }
    return testbed::Card::create(profile, algorithm(), aka::Sqn{}).value();
}

daemon::Config FaultRig::make_config(const FaultSetting& setting) {
    daemon::Config out;
    out.uicc.exclusive = setting.exclusive;
    out.uicc.pin_file = setting.pin_file;
    out.uicc.mnc_length = 3; // wrong: whoever loses EF_AD gets another identity
    return out;
}

daemon::CardPorts FaultRig::ports() {
    const auto hold = setting_.exclusive ? daemon::Hold::Card : daemon::Hold::Nothing;
    return {
        .connect = [this, hold](const std::string&) { return reader_.connect(protocol(), hold); },
        .bsf = [this](http::ClientSettings) -> std::unique_ptr<daemon::BsfLink> {
            return std::make_unique<Bsf>(ub_);
        }};
}

uicc::Protocol FaultRig::protocol() const {
    return setting_.protocol == testbed::Protocol::T0 ? uicc::Protocol::T0 : uicc::Protocol::T1;
}

kdf::NafId FaultRig::naf_id(unsigned number) {
    return kdf::make_naf_id("naf" + std::to_string(number) + ".example.org", kdf::kDefaultUaId)
        .value();
}

uicc::ReaderReport FaultRig::report(bool present) const {
    uicc::ReaderState reader;
    reader.name = "reader";
    reader.present = present;
    reader.raw = insertions_ << 16;
    return {.service = true, .readers = {reader}};
}

/// As the daemon's monitor thread does, and then the worker.
void FaultRig::tell(const uicc::ReaderReport& report) {
    interruption_.card_left(report);
    work_.readers_changed(report);
    check();
}

void FaultRig::insert() {
    ++insertions_;
    tell(report(true));
}

void FaultRig::pull() {
    ++insertions_;
    tell(report(false));
    EXPECT_EQ(work_.state().state, State::NoCard);
    EXPECT_EQ(b_tid(), "") << "the card has left, its context has not";
}

std::string FaultRig::b_tid() const {
    const auto state = work_.state();
    return state.context ? state.context->b_tid : "";
}

Result<void> FaultRig::bootstrap(bool force) {
    interruption_.arm();
    const auto done = work_.bootstrap(force);
    EXPECT_EQ(done.has_value() && b_tid().empty(), false) << "a success without a B-TID";
    check();
    return done;
}

Result<void> FaultRig::naf_key(const kdf::NafId& naf_id) {
    return naf_key(naf_id, b_tid());
}

Result<void> FaultRig::naf_key(const kdf::NafId& naf_id, const std::string& b_tid) {
    const auto key = work_.naf_key(naf_id, b_tid);
    check();
    if (!key) {
        return std::unexpected(key.error());
    }
    EXPECT_EQ(key->b_tid, b_tid);
    EXPECT_EQ(key->uicc, uicc_);
    EXPECT_EQ(key->mode, setting_.card_has_gba ? gba::Mode::GbaU : gba::Mode::GbaMe);
    const auto made = store_.find(b_tid);
    EXPECT_TRUE(made) << "a key of a B-TID that the BSF does not know";
    if (made) {
        const auto expected = kdf::ks_ext_naf(made->ks, made->rand, made->impi, naf_id);
        EXPECT_TRUE(expected && *expected == key->ks_naf) << "a wrong key";
        keys_ += expected && *expected == key->ks_naf ? 1U : 0U;
    }
    return {};
}

Result<void> FaultRig::send_pin(const std::string& digits) {
    const auto done = work_.send_pin(SecretBytes(as_octets(digits)));
    check();
    return done;
}

void FaultRig::desynchronise() {
    auto memory = card_.memory();
    for (auto& seq : memory.seq) {
        seq += 1000;
    }
    EXPECT_TRUE(card_.restore(memory));
}

unsigned FaultRig::pin_attempts() const {
    return card_.memory().pin_attempts.front().second;
}

void FaultRig::watch(ByteView command) {
    if (command[1] == kUpdateBinary || command[1] == kAuthenticate) {
        gbabp_.reset();
    }
    if (command[1] != kVerify || command.size() <= 5) {
        return;
    }
    pin_floor_kept_ = pin_floor_kept_ && pin_attempts() >= kPinFloor;
    const auto digits = as_octets(setting_.pin);
    const bool right = std::ranges::equal(command.subspan(5).first(digits.size()), digits);
    wrong_pins_ += right ? 0U : 1U;
}

/// On a logical channel of the test's own, so that the daemon's selection stays.
std::optional<uicc::Gbabp> FaultRig::read_gbabp() {
    Contacts contacts(card_);
    uicc::MappedChannel mapped(contacts, protocol());
    auto channel = uicc::LogicalChannel::open(mapped);
    if (!channel || channel->number() == 0) {
        ADD_FAILURE() << "no logical channel";
        return std::nullopt;
    }
    const Bytes usim{0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
    EXPECT_TRUE(uicc::select_application(*channel, usim));
    auto read = uicc::read_gbabp(*channel, uicc::DirEntry::Kind::Usim);
    EXPECT_TRUE(read) << describe(read.error());
    return read ? *std::move(read) : std::nullopt;
}

/// Nothing half-written: a B-TID that is handed out is known to the BSF, and in GBA_U it stands in
/// EF_GBABP beside its RAND (threats U8).
void FaultRig::check() {
    EXPECT_TRUE(pin_floor_kept_) << "a PIN was shown below the floor";
    EXPECT_LE(wrong_pins_, 1U) << "a refused PIN was shown again";
    const auto state = work_.state();
    if (state.state == State::Ready) {
        if (uicc_.empty()) {
            uicc_ = state.uicc;
        }
        EXPECT_EQ(state.uicc, uicc_) << "another identity than this card's";
        EXPECT_EQ(state.gba, setting_.card_has_gba) << "EF_UST was misread";
        const std::vector<std::string> listed(setting_.card_has_gba ? 1 : 0, known().naf_fqdn);
        EXPECT_EQ(state.naf_key_centers, listed) << "EF_NAFKCA was misread";
    }
    if (!state.context) {
        return;
    }
    EXPECT_EQ(state.state, State::Ready);
    EXPECT_EQ(state.mode, setting_.card_has_gba ? gba::Mode::GbaU : gba::Mode::GbaMe);
    const auto made = store_.find(state.context->b_tid);
    ASSERT_TRUE(made) << "a B-TID that the BSF does not know";
    if (state.mode == gba::Mode::GbaU) {
        gbabp_ = gbabp_ ? gbabp_ : read_gbabp();
        ASSERT_TRUE(gbabp_);
        EXPECT_EQ(gbabp_->b_tid, made->b_tid) << "half-written: EF_GBABP holds another B-TID";
        EXPECT_EQ(gbabp_->rand, made->rand) << "half-written: EF_GBABP holds another RAND";
    }
}

void FaultRig::mend(const Fault& fault) {
    if (fault.kind == FaultKind::Removed) {
        pull();
    }
    if (fault.kind == FaultKind::NoService) {
        tell({.service = false, .readers = {}});
        EXPECT_EQ(b_tid(), "");
    }
    if (fault.kind == FaultKind::Endless) {
        // Nobody powers the card up before a run has met it; the one after that is the next.
        (void)bootstrap(true);
    }
    reader_.mend();
    if (fault.kind == FaultKind::Removed) {
        insert();
    } else if (fault.kind == FaultKind::NoService) {
        tell(report(true));
    }
}

void FaultRig::expect_recovery(bool pin_may_count_as_refused) {
    const auto back = clock_.boot_now();
    // One that wants its PIN is not tried again: what is due then is the end of the grace.
    const bool wants_pin = work_.state().state == daemon::CardState::State::PinRequired;
    if (const auto at = work_.retry_at(); at && !wants_pin) {
        ASSERT_LE(*at, back + kRecovery) << "the card is back, and the daemon waits";
        clock_.advance(std::max(*at - back, std::chrono::milliseconds(0)));
        work_.retry();
        check();
    }
    if (!b_tid().empty()) { // what is still there must be good
        const auto kept = naf_key(naf_id(8));
        EXPECT_TRUE(kept) << describe(kept.error());
    }
    auto made = bootstrap();
    if (!made && about_pin(made.error().code) && pin_may_count_as_refused) {
        // It is not shown again by itself; whoever knows it may.
        const auto given = send_pin(setting_.pin);
        ASSERT_TRUE(given) << describe(given.error());
        made = bootstrap();
    }
    ASSERT_TRUE(made) << describe(made.error());
    for (const unsigned number : {1U, 9U}) {
        const auto key = naf_key(naf_id(number));
        ASSERT_TRUE(key) << describe(key.error());
    }
    const auto before = b_tid();
    const auto again = bootstrap(true);
    ASSERT_TRUE(again) << describe(again.error());
    EXPECT_NE(b_tid(), before);
    const auto key = naf_key(naf_id(1));
    ASSERT_TRUE(key) << describe(key.error());
    EXPECT_FALSE(naf_key(naf_id(1), before)) << "a key of an earlier bootstrapping";
    EXPECT_LE(clock_.boot_now() - back, kRecovery);
}

} // namespace mtkey::integration
