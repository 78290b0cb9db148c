// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/card_work.hpp"
#include "fakes/ram_memory.hpp"
#include "integration/parties.hpp"

#include <functional>
#include <map>
#include <set>

namespace mtkey::daemon {

/// Around CardWork: the simulated card in a reader, our BSF without a network, and hooks for what
/// goes wrong in between.
class CardRig {
public:
    /// `shape`: what the card differs in.
    CardRig(const std::optional<std::string>& pin, Config settings,
            const std::function<void(testbed::CardProfile&)>& shape = {})
        : config(std::move(settings)),
          centre(integration::Network::subscribers(config.gba.allow_2g ? "gba-2g"
                                                   : config.gba.mode == gba::ModePolicy::MeOnly
                                                       ? "gba-me"
                                                       : "gba-u"),
                 random),
          ub({.fqdn = bsf_fqdn(),
              .lifetime = std::chrono::hours(24),
              .gba_u = {},
              .tls = config.bsf.tls},
             centre, store, clock, random),
          card(make_card(pin, shape)) {
        work.set_changed([this] {
            ++changes;
            if (on_change) {
                on_change();
            }
        });
    }
    static std::string bsf_fqdn() {
        return integration::text(integration::example()["identities"]["bsf_fqdn"]);
    }
    static std::string imsi() {
        return integration::text(integration::example()["identities"]["imsi"]);
    }
    static testbed::Card make_card(const std::optional<std::string>& pin,
                                   const std::function<void(testbed::CardProfile&)>& shape) {
        testbed::CardProfile profile;
        profile.iccid = iccid();
        profile.imsi = imsi();
        if (pin) {
            profile.pin = SecretBytes(as_octets(*pin));
        }
        if (shape) {
            shape(profile);
        }
        auto algorithm = std::move(integration::Network::subscribers("gba-u").front().algorithm);
        return testbed::Card::create(profile, std::move(algorithm), aka::Sqn{}).value();
    }

    static std::string iccid() { return "8900101000000000018"; }
    static kdf::NafId naf_id() {
        return kdf::make_naf_id("kc.example.org", kdf::kDefaultUaId).value();
    }

    uicc::ReaderReport report(bool present = true) const {
        uicc::ReaderState reader;
        reader.name = "reader";
        reader.present = present;
        reader.raw = insertions << 16;
        return {.service = true, .readers = {reader}};
    }
    /// Readers that all hold cards, with pcscd's counter.
    static uicc::ReaderReport
    report_of(const std::vector<std::pair<std::string, std::uint32_t>>& readers) {
        uicc::ReaderReport out;
        for (const auto& [name, event] : readers) {
            uicc::ReaderState reader;
            reader.name = name;
            reader.present = true;
            reader.raw = event << 16;
            out.readers.push_back(reader);
        }
        return out;
    }
    static bool is_derivation(ByteView command) {
        return command.size() > 5 && command[1] == 0x88 && command[5] == 0xDE;
    }
    std::string b_tid() const {
        const auto state = work.state();
        return state.context ? state.context->b_tid : "";
    }

    /// For a CardWork besides `work`: a daemon that is started anew.
    CardPorts ports() {
        return {.connect = [this](const std::string& reader) -> Result<std::unique_ptr<CardLink>> {
                    ++connects;
                    connected.push_back(reader);
                    if (connect_error) {
                        return std::unexpected(*connect_error);
                    }
                    if (connect_errors.contains(reader)) {
                        return std::unexpected(connect_errors.at(reader));
                    }
                    const auto other = more_cards.find(reader);
                    auto* here = other != more_cards.end() ? &other->second : &card;
                    return std::make_unique<Link>(*this, reader,
                                                  bank_cards.contains(reader) ? nullptr : here);
                },
                .bsf = [this](http::ClientSettings settings) -> std::unique_ptr<BsfLink> {
                    bsf_cancelled = false;
                    asked_bsf = settings.fqdn;
                    return std::make_unique<Bsf>(*this);
                }};
    }

    /// Another program has the card bootstrap with its own challenge, as in shared mode it may.
    void bootstrap_elsewhere() {
        const auto bsf = integration::example()["identities"];
        const auto vector = centre.next_vector(integration::text(bsf["impi"])).value().vector;
        const auto autn = aka::gba_u_autn(vector.autn, vector.ik, {});
        Bytes command{0x00, 0x88, 0x00, 0x84, 0x23, 0xDD, 0x10};
        append(command, vector.rand);
        command.push_back(0x10);
        append(command, autn);
        (void)card.transmit(command);
    }

    Config config;
    fakes::ManualClock clock{"2029-12-31T12:00:00Z"};
    SystemRandom random;
    bsf::AuthenticationCentre centre;
    bsf::BootstrappingStore store{centre.database(), clock, "memory"};
    bsf::UbHandler ub;
    testbed::Card card;
    std::uint32_t insertions = 1;

    // What the test looks at, and where it puts its faults.
    unsigned connects = 0;
    bool in_job = false;   ///< a link holds the card
    unsigned verifies = 0; ///< with digits
    unsigned authenticates = 0;
    unsigned updates = 0;
    unsigned derivations = 0;
    unsigned reads = 0; ///< READ BINARY
    unsigned exchanges = 0;
    unsigned changes = 0;
    std::string asked_bsf;     ///< FQDN
    std::string selected_file; ///< identifier in hex, by SELECT
    std::string updated_file;
    bool bsf_cancelled = false;
    std::optional<Error> connect_error;
    std::optional<Error> command_error;
    std::map<std::string, Error> connect_errors;     ///< by reader
    std::map<std::string, testbed::Card> more_cards; ///< in other readers than "reader"
    std::set<std::string> bank_cards;                ///< readers that hold one
    std::vector<std::string> connected;              ///< readers, in order
    std::vector<std::string> left_alone;
    std::function<std::optional<Error>()> on_exchange; ///< before the BSF is asked
    std::function<void(ByteView)> on_command;          ///< before the card gets it
    /// What the daemon gets in place of the card's answer.
    std::function<Result<SecretBytes>(ByteView, SecretBytes)> on_answer;
    std::function<void()> on_change;

    fakes::RamMemory memory;
    PastKeeper past{memory, clock, "b000"};
    Interruption interruption;
    CardWork work{config, clock, random, interruption, past, ports()};

private:
    class Link final : public CardLink, private uicc::RawCard {
    public:
        Link(CardRig& rig, std::string reader, testbed::Card* card)
            : rig_(rig), reader_(std::move(reader)), card_(card) {
            Link::end();
        }
        ~Link() override { rig_.in_job = false; }
        Link(const Link&) = delete;
        Link& operator=(const Link&) = delete;
        [[nodiscard]] Result<uicc::CardChannel*> begin() override {
            rig_.in_job = true;
            return &mapped_;
        }
        void end() override {
            rig_.in_job = false;
            if (card_ != nullptr) {
                card_->reset();
            }
        }
        [[nodiscard]] Hold hold() const override {
            return rig_.config.uicc.exclusive ? Hold::Card : Hold::Nothing;
        }
        void leave_alone() override { rig_.left_alone.push_back(reader_); }
        [[nodiscard]] unsigned apdu_count() const override { return apdus_; }

    private:
        [[nodiscard]] Result<SecretBytes> exchange(ByteView command) override {
            ++apdus_;
            const auto instruction = command[1];
            rig_.verifies += instruction == 0x20 && command.size() > 5 ? 1U : 0U;
            rig_.authenticates += instruction == 0x88 ? 1U : 0U;
            rig_.updates += instruction == 0xD6 ? 1U : 0U;
            rig_.reads += instruction == 0xB0 ? 1U : 0U;
            rig_.derivations += is_derivation(command) ? 1U : 0U;
            if (instruction == 0xA4 && command.size() == 7) {
                rig_.selected_file = to_hex(command.subspan(5));
            }
            if (instruction == 0xD6) {
                rig_.updated_file = rig_.selected_file;
            }
            if (rig_.on_command) {
                rig_.on_command(command);
            }
            if (rig_.command_error) {
                return std::unexpected(*rig_.command_error);
            }
            auto answer =
                card_ != nullptr ? card_->transmit(command) : SecretBytes(Bytes{0x6A, 0x82});
            if (rig_.on_answer) {
                return rig_.on_answer(command, std::move(answer));
            }
            return answer;
        }
        CardRig& rig_;
        std::string reader_;
        testbed::Card* card_; ///< none = a bank card
        uicc::MappedChannel mapped_{*this, uicc::Protocol::T0};
        unsigned apdus_ = 0;
    };

    class Bsf final : public BsfLink {
    public:
        explicit Bsf(CardRig& rig) : rig_(rig), fqdn_(bsf_fqdn()) {}
        [[nodiscard]] std::string_view fqdn() const override { return fqdn_; }
        [[nodiscard]] bool authenticated() const override { return rig_.config.bsf.tls; }
        [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest& request) override {
            ++rig_.exchanges;
            if (rig_.on_exchange) {
                if (const auto error = rig_.on_exchange()) {
                    return std::unexpected(*error);
                }
            }
            if (rig_.bsf_cancelled) {
                return fail(Errc::Cancelled, "bsf");
            }
            return rig_.ub.handle(request);
        }
        void cancel() override { rig_.bsf_cancelled = true; }

    private:
        CardRig& rig_;
        std::string fqdn_;
    };
};

inline std::unique_ptr<CardRig> make_rig(std::optional<std::string> pin = {}, Config config = {}) {
    auto rig = std::make_unique<CardRig>(pin, std::move(config));
    rig->work.readers_changed(rig->report());
    return rig;
}

inline testbed::Card isim_only(const std::string& iccid) {
    return CardRig::make_card({}, [&](testbed::CardProfile& profile) {
        profile.iccid = iccid;
        profile.applications.resize(1);
        profile.applications[0].kind = testbed::ApplicationKind::Isim;
    });
}

} // namespace mtkey::daemon
