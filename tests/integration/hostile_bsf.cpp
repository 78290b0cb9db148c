// SPDX-License-Identifier: Apache-2.0
#include "integration/hostile_bsf.hpp"

#include "gba/identities.hpp"
#include "http/codec.hpp"
#include "kdf/naf_keys.hpp"
#include "uicc/application.hpp"

#include <gtest/gtest.h>

namespace mtkey::integration {
namespace {

constexpr http::Limits kRequestLimits{16384, 8192};
constexpr std::uint8_t kAuthenticate = 0x88;
constexpr std::uint8_t kUpdateBinary = 0xD6;

struct FreeSsl {
    void operator()(SSL* p) const { SSL_free(p); }
};

std::optional<HttpRequest> parsed(const std::string& text) {
    http::RequestReader reader(kRequestLimits);
    const auto complete = reader.feed(as_octets(text));
    return complete && *complete ? std::optional(reader.take()) : std::nullopt;
}

} // namespace

bool Wire::send(std::string_view text) {
    if (ssl_ == nullptr) {
        return fakes::raw_send(fd_.get(), text);
    }
    return text.empty() || SSL_write(ssl_, text.data(), static_cast<int>(text.size())) > 0;
}

std::string Wire::receive() {
    if (ssl_ == nullptr) {
        return fakes::raw_receive(fd_.get(), "\r\n\r\n");
    }
    std::string text;
    char octet = 0;
    while (!text.ends_with("\r\n\r\n") && SSL_read(ssl_, &octet, 1) == 1) {
        text.push_back(octet);
    }
    return text;
}

std::string Turn::text() const {
    return http::encode(response, true, false).value();
}

bool say(Turn& turn) {
    return turn.wire.send(turn.text());
}

/// The card's contacts, where its commands are counted (T=0: data in the command itself).
class HostileRig::Contacts final : public uicc::RawCard {
public:
    explicit Contacts(testbed::Card& card) : card_(card) {}
    [[nodiscard]] Result<SecretBytes> exchange(ByteView command) override {
        const bool naf = command.size() > 5 && command[3] == 0x84 && command[5] == 0xDE;
        authenticates += command[1] == kAuthenticate && !naf ? 1U : 0U;
        updates += command[1] == kUpdateBinary ? 1U : 0U;
        return card_.transmit(command);
    }
    unsigned authenticates = 0;
    unsigned updates = 0;

private:
    testbed::Card& card_;
};

const std::string& HostileRig::fqdn() {
    static const std::string name = text(example()["identities"]["bsf_fqdn"]);
    return name;
}

HostileRig::HostileRig(const std::string& mode, bool card_has_gba)
    : centre_(Network::subscribers(mode), random_),
      store_(centre_.database(), bsf_clock, "memory"),
      ub_({.fqdn = fqdn(), .lifetime = std::chrono::hours(24), .gba_u = {}}, centre_, store_,
          bsf_clock, random_),
      card_(Network::make_card(card_has_gba, "000000000000")),
      contacts_(std::make_unique<Contacts>(card_)),
      channel_(std::make_unique<uicc::MappedChannel>(*contacts_, uicc::Protocol::T0)) {
    const auto opened = uicc::open_usim(*channel_, {});
    EXPECT_TRUE(opened) << describe(opened.error());
    settings.impi = gba::impi_from_imsi(opened->imsi, opened->mnc_length).value();
    settings.card_has_gba = opened->gba;
    settings.gbabp_size = opened->gbabp_size;
}

HostileRig::~HostileRig() = default;

void HostileRig::desynchronise() {
    auto memory_of_card = card_.memory();
    for (auto& seq : memory_of_card.seq) {
        seq += 1000;
    }
    EXPECT_TRUE(card_.restore(memory_of_card));
}

/// On the server's thread; the test's waits meanwhile.
void HostileRig::serve(UniqueFd& fd, const Setting& setting, int& exchange) {
    std::unique_ptr<SSL, FreeSsl> ssl;
    if (setting.tls != nullptr) {
        ssl.reset(SSL_new(setting.tls));
        SSL_set_fd(ssl.get(), fd.get());
    }
    Wire wire(fd, ssl.get());
    if (setting.welcome && !setting.welcome(wire)) {
        return;
    }
    if (ssl != nullptr && SSL_accept(ssl.get()) != 1) {
        return;
    }
    while (fd.valid()) {
        auto request = parsed(wire.receive());
        if (!request) {
            return;
        }
        Turn turn{wire, exchange++, std::move(*request), {}};
        turn.response = ub_.handle(turn.request);
        if (turn.exchange == 0 && turn.response.status == 401) {
            used_challenges.push_back(turn.response);
        }
        if (!(setting.act ? setting.act(turn) : say(turn))) {
            return;
        }
    }
}

HostileRig::Outcome HostileRig::run_at(const std::string& address, const Setting& setting) {
    auto how = setting.client;
    how.fqdn = fqdn();
    how.address = address;
    how.tls = setting.tls != nullptr || how.tls;
    how.unreachable = Errc::BsfUnreachable;
    if (how.run_timeout == std::chrono::milliseconds(0)) {
        how.run_timeout = std::chrono::seconds(10);
    }
    contacts_->authenticates = 0;
    contacts_->updates = 0;
    const auto before = std::chrono::steady_clock::now();
    http::Client client(std::move(how));
    Outcome out{gba::bootstrap(*channel_, client, clock, random_, settings, {}, &memory)};
    out.took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - before);
    out.authenticates = contacts_->authenticates;
    out.updates = contacts_->updates;
    return out;
}

HostileRig::Outcome HostileRig::run(Setting setting) {
    int exchange = 0;
    fakes::RawServer server([&](UniqueFd& fd, int) { serve(fd, setting, exchange); });
    auto out = run_at(server.address(), setting);
    out.connections = static_cast<unsigned>(server.connections());
    return out;
}

HostileRig::Outcome HostileRig::run_against_nobody() {
    UniqueFd taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); // bound, never listening
    auto address = fakes::loopback(0);
    socklen_t size = sizeof address;
    ::bind(taken.get(), reinterpret_cast<const sockaddr*>(&address), size);
    ::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return run_at("127.0.0.1:" + std::to_string(ntohs(address.sin_port)), {});
}

void HostileRig::expect_right_keys(gba::Context& context) {
    const auto made = store_.find(context.b_tid());
    ASSERT_TRUE(made) << "a B-TID that the BSF does not know";
    const auto naf_id = kdf::make_naf_id("naf.example.org", kdf::kDefaultUaId).value();
    const auto key = context.ks_naf(channel_.get(), naf_id);
    ASSERT_TRUE(key) << describe(key.error());
    const auto expected = kdf::ks_ext_naf(made->ks, made->rand, made->impi, naf_id);
    EXPECT_TRUE(expected && *expected == **key) << "a wrong key";
}

void HostileRig::expect_recovery() {
    bsf_clock = clock;
    auto next = run({});
    ASSERT_TRUE(next.context) << describe(next.context.error());
    // One challenge, or one more behind a resynchronisation: what was sent before may have been
    // nobody's.
    EXPECT_LE(next.authenticates, 2U);
    expect_right_keys(*next.context);
}

} // namespace mtkey::integration
