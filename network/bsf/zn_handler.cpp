// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/zn_handler.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/steps.hpp"
#include "kdf/kdf.hpp"
#include "kdf/naf_keys.hpp"
#include "network/bsf/metrics.hpp"
#include "network/common/zn.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace mtkey::bsf {
namespace {

// DRAFT-GAP(zn-cause): which `cause` goes with which refusal of Nbsp_GBA; taken from the general
// list of TS 29.500.
HttpResponse problem(unsigned status, std::string_view cause, std::string_view title) {
    HttpResponse response;
    response.status = status;
    response.headers.add("Content-Type", "application/problem+json");
    response.body = write_problem(status, cause, title);
    return response;
}

/// "application/json", with or without parameters (RFC 9110 section 8.3).
bool is_json(const HttpRequest& request) {
    const auto type = request.headers.single("Content-Type");
    if (!type || !*type) {
        return false;
    }
    auto essence = (*type)->substr(0, (*type)->find(';'));
    while (!essence.empty() && (essence.back() == ' ' || essence.back() == '\t')) {
        essence.remove_suffix(1);
    }
    return equal_ignoring_case(essence, "application/json");
}

struct NafKeys {
    Secret<32> external; ///< Ks_NAF or Ks_ext_NAF: one derivation
    std::optional<Secret<32>>
        internal; ///< Ks_int_NAF, where the NAF asked for it and the UICC has it
};

Result<NafKeys> derive(const BootstrappingContext& context,
                       const BootstrappingInfoRequest& wanted) {
    NafKeys keys;
    keys.external =
        MTKEY_TRY(kdf::ks_ext_naf(context.ks, context.rand, context.impi, wanted.naf_id));
    if (wanted.gba_u_aware && context.mode == Mode::GbaU) {
        keys.internal =
            MTKEY_TRY(kdf::ks_int_naf(context.ks, context.rand, context.impi, wanted.naf_id));
    }
    return keys;
}

} // namespace

ZnHandler::ZnHandler(std::vector<NafClient> clients, BootstrappingStore& store, const Clock& clock)
    : clients_(std::move(clients)), store_(store), clock_(clock) {}

HttpResponse ZnHandler::handle(const HttpRequest& request, const http::Peer& peer) {
    HttpResponse response;
    try {
        response = retrieve(request, peer);
    } catch (const std::exception& error) { // the secure heap may be full
        log(LogLevel::Error, "Zn request failed", {{"why", error.what()}});
        response = problem(503, "NF_CONGESTION", "not served");
    }
    count_zn(response.status);
    return response;
}

HttpResponse ZnHandler::retrieve(const HttpRequest& request, const http::Peer& peer) {
    if (!acceptable(peer)) {
        log(LogLevel::Warning,
            "Zn client refused: its certificate is not valid for TLS client authentication",
            {{"peer", peer.address}});
        return problem(403, "UNAUTHORIZED_CLIENT", "client certificate not acceptable");
    }
    if (request.target != network::kRetrievalPath) {
        return problem(404, "RESOURCE_URI_STRUCTURE_NOT_FOUND", "no such resource");
    }
    if (request.method != "POST") {
        auto response = problem(405, "INVALID_API", "POST only");
        response.headers.add("Allow", "POST");
        return response;
    }
    if (!is_json(request)) {
        return problem(415, "INVALID_MSG_FORMAT", "application/json only");
    }
    const auto wanted = parse_bootstrapping_info_request(request.body);
    if (!wanted) {
        log(LogLevel::Warning, "Zn request malformed",
            {{"peer", peer.address}, {"cause", wanted.error().context}});
        return problem(400, wanted.error().context, "not a BootstrappingInfoRequest");
    }
    if (!allowed(peer, wanted->naf_id.fqdn)) {
        log(LogLevel::Warning, "Zn client may not ask for this NAF",
            {{"peer", peer.address},
             {"client", peer.san_dns.empty() ? std::string_view("-")
                                             : std::string_view(peer.san_dns.front())},
             {"naf_id", wanted->naf_id.text()}});
        return problem(403, "UNAUTHORIZED_CLIENT", "this client may not ask for this NAF");
    }
    return deliver(*wanted);
}

HttpResponse ZnHandler::deliver(const BootstrappingInfoRequest& wanted) {
    const auto context = store_.find(wanted.b_tid);
    if (!context && context.error().code != Errc::NotFound) {
        log_error("Zn request", context.error());
        return problem(503, "NF_CONGESTION", "not served");
    }
    if (!context) {
        log(LogLevel::Notice, "B-TID unknown or expired", {{"b_tid", masked_b_tid(wanted.b_tid)}});
        return problem(404, "CONTEXT_NOT_FOUND", "no such B-TID");
    }
    const auto keys = derive(*context, wanted);
    if (!keys) {
        log_error("key derivation", keys.error());
        return problem(500, "SYSTEM_FAILURE", "not served");
    }
    HttpResponse response;
    response.headers.add("Content-Type", "application/json");
    response.headers.add("Cache-Control", "no-store");
    response.body = write_bootstrapping_info(
        {keys->external, keys->internal, context->expires, context->created, context->impi});
    emit_step(Step::CredentialsReturned,
              {{"naf_id", wanted.naf_id.text()},
               {"b_tid", masked_b_tid(wanted.b_tid)},
               {"mode", to_text(context->mode)},
               {"fingerprint", to_hex(kdf::fingerprint(keys->external.reveal()))}});
    log(LogLevel::Info, "credentials returned",
        {{"b_tid", masked_b_tid(wanted.b_tid)},
         {"impi", masked_identity(context->impi)},
         {"naf_id", wanted.naf_id.text()},
         {"mode", to_text(context->mode)}});
    return response;
}

/// The handshake has verified the chain; that OpenSSL lets a certificate without extendedKeyUsage
/// pass, and that a kept connection outlives its certificate, is for us.
bool ZnHandler::acceptable(const http::Peer& peer) const {
    return peer.authenticated && peer.client_auth_usage &&
           clock_.utc_now().time_since_epoch().count() <= peer.not_after;
}

bool ZnHandler::allowed(const http::Peer& peer, const std::string& fqdn) const {
    return std::ranges::any_of(clients_, [&](const NafClient& entry) {
        const bool same_client = std::ranges::any_of(peer.san_dns, [&](const std::string& name) {
            return equal_ignoring_case(name, entry.client);
        });
        return same_client && std::ranges::find(entry.fqdns, fqdn) != entry.fqdns.end();
    });
}

} // namespace mtkey::bsf
