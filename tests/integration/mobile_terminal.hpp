// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gba/bootstrapping.hpp"
#include "gba/identities.hpp"
#include "kdf/establishment.hpp"
#include "kdf/local_mt.hpp"
#include "keys/procedures.hpp"
#include "local/mt_session.hpp"
#include "parties.hpp"
#include "uicc/application.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace mtkey::integration {

using Line = RecordingChannel::Line;

/// The mobile terminal with the library parts that mtkeyd is made of.
struct MobileTerminal {
    explicit MobileTerminal(Network& home)
        : network(home),
          bsf(text(example()["identities"]["bsf_fqdn"]), false,
              [&home](const HttpRequest& request) { return home.ub.handle(request); }) {
        uicc::OpenOptions options;
        auto opened = uicc::open_usim(network.card, options);
        EXPECT_TRUE(opened) << describe(opened.error());
        application = std::move(*opened);
        settings.impi = gba::impi_from_imsi(application.imsi, application.mnc_length).value();
        settings.card_has_gba = application.gba;
        settings.gbabp_size = application.gbabp_size;
        opening = network.card.take();
    }
    /// Of the UICC; a card without local key establishment has none, then as if configured.
    [[nodiscard]] keys::NafList naf_list() const {
        keys::NafList list({{.naf_id = kdf::make_naf_id(text(example()["identities"]["naf_fqdn"]),
                                                        kdf::kDefaultUaId)
                                           .value(),
                             .key_center_uri = std::nullopt,
                             .origin = keys::NafOrigin::Configuration}});
        list.set_from_uicc(application.naf_key_centers);
        return list;
    }
    Result<gba::Context> bootstrap() {
        return gba::bootstrap(network.card, bsf, network.clock, cnonces, settings);
    }

    Network& network;
    DirectExchange bsf;
    uicc::Application application;
    gba::RunSettings settings;
    fakes::FixedRandom cnonces;
    std::vector<Line> opening;
};

/// One connection's end at the MT: answers what a device asks, out of the MT's one context. Draft
/// clauses 5.5.2 and 5.5.3 as lib/keys decides them; what mtkeyd adds (approval, limits, threads)
/// is left out.
class MtPeer {
public:
    MtPeer(MobileTerminal& mt, std::optional<gba::Context>& context, RandomSource& random)
        : mt_(mt),
          context_(context),
          random_(random),
          session_({}, random, std::nullopt, mt.network.clock.boot_now()) {}

    [[nodiscard]] local::MtSession& session() { return session_; }
    void work() {
        while (auto event = session_.next_event()) {
            std::visit([this](const auto& asked) { on(asked); }, *event);
        }
    }

    // What the test looks at.
    std::optional<Secret<32>> ks_local_mt;
    kdf::TranscriptHash th_est{};
    std::optional<UtcTime> agreed; ///< set when the device has confirmed
    unsigned runs = 0;

private:
    [[nodiscard]] std::optional<keys::ContextFacts> facts() const {
        if (!context_) {
            return std::nullopt;
        }
        return keys::ContextFacts{.b_tid = context_->b_tid(),
                                  .expires = context_->expires(),
                                  .created = context_->created(),
                                  .local_end = context_->local_end(),
                                  .deadline = context_->deadline(),
                                  .use_deadline = context_->deadline()};
    }
    void on(const local::ResumeAsked&) { FAIL() << "no stored key here"; }
    void on(const local::PeerGone& gone) { FAIL() << describe(gone.reason); }
    void on(const local::KeyInfoAsked&) {
        local::KeyInfo info;
        info.b_tid = keys::b_tid_for_key_info(facts(), mt_.network.clock, false);
        const auto nafs = mt_.naf_list(); // a value: it must outlive the loop
        for (const auto& entry : nafs.entries()) {
            info.nafs.push_back({.naf_id = entry.naf_id, .key_center_uri = entry.key_center_uri});
        }
        session_.answer_key_info(info, mt_.network.clock.boot_now());
    }
    void on(const local::EstablishmentAsked& asked) {
        const auto& request = asked.request;
        const auto decision = keys::decide({.naf_id = request.naf_id, .b_tid = request.b_tid},
                                           facts(), mt_.naf_list(), mt_.network.clock, false);
        if (std::holds_alternative<keys::RunBootstrapping>(decision)) {
            auto context = mt_.bootstrap();
            ASSERT_TRUE(context) << describe(context.error());
            context_ = std::move(*context);
            ++runs;
        } else {
            ASSERT_TRUE(std::holds_alternative<keys::DeriveFromContext>(decision));
        }
        const auto ks_naf = context_->ks_naf(&mt_.network.card, request.naf_id);
        ASSERT_TRUE(ks_naf) << describe(ks_naf.error());
        ks_local_mt = kdf::ks_local_mt(kdf::draft_1(), **ks_naf, context_->b_tid(), request.naf_id,
                                       request.device_id)
                          .value();
        local::EstablishmentAnswer answer;
        ASSERT_TRUE(random_.fill(answer.est_id));
        answer.b_tid = context_->b_tid();
        answer.naf_id = request.naf_id;
        answer.profile = kdf::draft_1().name;
        answer.mode = gba::to_text(context_->mode());
        answer.ks_expires = context_->expires();
        answer.seconds_left = static_cast<std::uint32_t>(
            std::chrono::floor<std::chrono::seconds>(context_->left(mt_.network.clock)).count());
        th_est = session_.answer_establishment(answer, mt_.network.clock.boot_now());
        answer_ = answer;
    }
    void on(const local::ConfirmAsked& asked) {
        const auto keys = kdf::establishment_keys(*ks_local_mt, th_est);
        const auto expected =
            kdf::confirm_mac(keys.confirm_device, th_est, asked.th_conn, asked.body);
        ASSERT_TRUE(equal_constant_time(expected, asked.mac));
        EXPECT_EQ(asked.confirm.est_id, answer_.est_id);
        EXPECT_EQ(asked.confirm.b_tid, answer_.b_tid);
        EXPECT_EQ(asked.confirm.naf_id, answer_.naf_id);
        agreed = keys::agreed_expiry(answer_.ks_expires, asked.confirm.expires,
                                     mt_.network.clock.utc_now());
        const local::ConfirmAck ack{.status = local::ConfirmAck::Status::Stored,
                                    .expires = *agreed};
        session_.answer_confirm(ack,
                                kdf::confirm_ack_mac(keys.confirm_mt, th_est, asked.th_conn,
                                                     asked.mac, encode_confirm_ack_body(ack)),
                                mt_.network.clock.boot_now());
    }

    MobileTerminal& mt_;
    std::optional<gba::Context>& context_;
    RandomSource& random_;
    local::MtSession session_;
    local::EstablishmentAnswer answer_;
};

} // namespace mtkey::integration
