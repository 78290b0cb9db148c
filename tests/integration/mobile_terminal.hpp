// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gba/bootstrapping.hpp"
#include "gba/identities.hpp"
#include "kdf/establishment.hpp"
#include "kdf/local_mt.hpp"
#include "keys/procedures.hpp"
#include "local/mt_session.hpp"
#include "parties.hpp"
#include "store/key_store.hpp"
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
        keys::NafList list({{.naf_id = naf_id,
                             .key_center_uri = std::nullopt,
                             .origin = keys::NafOrigin::Configuration}});
        list.set_from_uicc(application.naf_key_centers);
        return list;
    }
    Result<gba::Context> bootstrap() {
        return gba::bootstrap(network.card, bsf, network.clock, cnonces, settings);
    }

    Network& network;
    kdf::NafId naf_id =
        kdf::make_naf_id(text(example()["identities"]["naf_fqdn"]), kdf::kDefaultUaId).value();
    DirectExchange bsf;
    uicc::Application application;
    gba::RunSettings settings;
    fakes::FixedRandom cnonces;
    std::vector<Line> opening;
};

/// One connection's end at the MT: answers what a device asks, out of the MT's one context. Draft
/// clauses 5.5.2 and 5.5.3 as lib/keys decides them; what mtkeyd adds (approval, limits, threads)
/// is left out. What it cannot do it refuses.
class MtPeer {
public:
    /// `store`: where a confirmed key goes, if anywhere.
    MtPeer(MobileTerminal& mt, std::optional<gba::Context>& context, RandomSource& random,
           store::KeyStore* store = nullptr)
        : mt_(mt),
          context_(context),
          random_(random),
          store_(store),
          session_({}, random, std::nullopt, mt.network.clock.boot_now()) {}

    [[nodiscard]] local::MtSession& session() { return session_; }
    void work() {
        while (auto event = session_.next_event()) {
            const auto done = std::visit([this](const auto& asked) { return on(asked); }, *event);
            if (!done) {
                error = done.error();
                if (!std::holds_alternative<local::PeerGone>(*event)) {
                    session_.refuse({.code = local::error_code_from(error->code),
                                     .retry_after = 0,
                                     .text = std::string(info(error->code).sentence),
                                     .b_tid = {}},
                                    mt_.network.clock.boot_now());
                }
            }
        }
    }

    // What the test looks at.
    std::optional<Secret<32>> ks_local_mt;
    kdf::TranscriptHash th_est{};
    std::optional<UtcTime> agreed; ///< set when the device has confirmed
    std::optional<Error> error;
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
    Result<void> on(const local::ResumeAsked&) { return fail(Errc::Internal, "no stored key"); }
    Result<void> on(const local::PeerGone& gone) { return std::unexpected(gone.reason); }
    Result<void> on(const local::KeyInfoAsked& asked) {
        device_id_ = asked.request.device_id;
        local::KeyInfo info;
        info.b_tid = keys::b_tid_for_key_info(facts(), mt_.network.clock, false);
        const auto nafs = mt_.naf_list(); // a value: it must outlive the loop
        for (const auto& entry : nafs.entries()) {
            info.nafs.push_back({.naf_id = entry.naf_id, .key_center_uri = entry.key_center_uri});
        }
        session_.answer_key_info(info, mt_.network.clock.boot_now());
        return {};
    }
    Result<void> on(const local::EstablishmentAsked& asked) {
        const auto& request = asked.request;
        const auto decision = keys::decide({.naf_id = request.naf_id, .b_tid = request.b_tid},
                                           facts(), mt_.naf_list(), mt_.network.clock, false);
        if (std::holds_alternative<keys::RunBootstrapping>(decision)) {
            context_ = MTKEY_TRY(mt_.bootstrap());
            ++runs;
        } else if (!std::holds_alternative<keys::DeriveFromContext>(decision)) {
            return fail(Errc::Internal, "another decision");
        }
        const auto* ks_naf = MTKEY_TRY(context_->ks_naf(&mt_.network.card, request.naf_id));
        ks_local_mt = MTKEY_TRY(kdf::ks_local_mt(kdf::draft_1(), *ks_naf, context_->b_tid(),
                                                 request.naf_id, request.device_id));
        local::EstablishmentAnswer answer;
        MTKEY_CHECK(random_.fill(answer.est_id));
        answer.b_tid = context_->b_tid();
        answer.naf_id = request.naf_id;
        answer.profile = kdf::draft_1().name;
        answer.mode = gba::to_text(context_->mode());
        answer.ks_expires = context_->expires();
        answer.seconds_left = static_cast<std::uint32_t>(
            std::chrono::floor<std::chrono::seconds>(context_->left(mt_.network.clock)).count());
        th_est = session_.answer_establishment(answer, mt_.network.clock.boot_now());
        answer_ = answer;
        return {};
    }
    Result<void> on(const local::ConfirmAsked& asked) {
        const auto keys = kdf::establishment_keys(*ks_local_mt, th_est);
        const auto expected =
            kdf::confirm_mac(keys.confirm_device, th_est, asked.th_conn, asked.body);
        const auto& confirm = asked.confirm;
        if (!equal_constant_time(expected, asked.mac) || confirm.est_id != answer_.est_id ||
            confirm.b_tid != answer_.b_tid || confirm.naf_id != answer_.naf_id) {
            return fail(Errc::ConfirmationFailed, device_id_);
        }
        const auto& clock = mt_.network.clock;
        const local::ConfirmAck ack{
            .status = local::ConfirmAck::Status::Stored,
            .expires = keys::agreed_expiry(answer_.ks_expires, confirm.expires, clock.utc_now())};
        const auto mac = kdf::confirm_ack_mac(keys.confirm_mt, th_est, asked.th_conn, asked.mac,
                                              encode_confirm_ack_body(ack));
        if (store_ != nullptr) { // before the answer, as mtkeyd does
            MTKEY_CHECK(store_->put(record(ack.expires, keys.key_id)));
        }
        agreed = ack.expires;
        session_.answer_confirm(ack, mac, clock.boot_now());
        return {};
    }
    [[nodiscard]] store::KeyRecord record(UtcTime expires, const Secret<32>& key_id) const {
        const auto& clock = mt_.network.clock;
        store::KeyRecord out;
        out.device_id = device_id_;
        out.transport = "memory";
        out.peer = "peer";
        out.naf_fqdn = answer_.naf_id.fqdn;
        out.naf_ua.assign(answer_.naf_id.ua.begin(), answer_.naf_id.ua.end());
        out.b_tid = answer_.b_tid;
        out.mode = answer_.mode;
        out.profile = answer_.profile;
        out.ks_local_mt = ks_local_mt->clone();
        out.th_est = th_est;
        out.est_id = answer_.est_id;
        out.key_id = key_id.clone();
        out.created = out.confirmed = out.last_used = clock.utc_now();
        out.expires = out.local_end = expires;
        out.deadline = clock.boot_now() + (expires - clock.utc_now());
        return out;
    }

    MobileTerminal& mt_;
    std::optional<gba::Context>& context_;
    RandomSource& random_;
    store::KeyStore* store_;
    local::MtSession session_;
    local::EstablishmentAnswer answer_;
    std::string device_id_;
};

} // namespace mtkey::integration
