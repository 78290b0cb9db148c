// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/key_center.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/steps.hpp"
#include "kdf/kdf.hpp"
#include "network/common/zn.hpp"
#include "network/nafkc/request_rules.hpp"

#include <algorithm>
#include <array>

namespace mtkey::nafkc {
namespace {

constexpr std::size_t kMtIdSecret = 32;
constexpr std::size_t kMtIdOctets = 16;

void append_counted(Bytes& out, std::string_view text) {
    append_u16(out, text.size());
    append(out, as_octets(text));
}

bool fits(std::string_view pattern, std::string_view device_id) {
    return pattern.ends_with('*') ? device_id.starts_with(pattern.substr(0, pattern.size() - 1))
                                  : device_id == pattern;
}

/// One device CA cannot make certificates for the devices of another.
bool may_vouch(const std::vector<DeviceCa>& device_cas, const std::string& anchor,
               std::string_view device_id) {
    return std::ranges::any_of(device_cas, [&](const DeviceCa& ca) {
        return std::ranges::find(ca.anchors, anchor) != ca.anchors.end() &&
               std::ranges::any_of(ca.device_ids, [&](const std::string& pattern) {
                   return fits(pattern, device_id);
               });
    });
}

} // namespace

Result<std::unique_ptr<KeyCenter>> KeyCenter::create(KeyCenterSettings settings, ZnExchange zn,
                                                     const Clock& clock, RandomSource& random) {
    const auto* const profile = MTKEY_TRY(kdf::find_profile(settings.kdf_profile));
    if (settings.nafs.empty()) {
        return fail(Errc::ConfigInvalid, "no NAF_ID is served");
    }
    if (settings.mt_id_secret.empty()) {
        settings.mt_id_secret = SecretBytes(kMtIdSecret);
        MTKEY_CHECK(random.fill(settings.mt_id_secret.reveal_writable()));
    }
    return std::unique_ptr<KeyCenter>(
        new KeyCenter(std::move(settings), *profile, std::move(zn), clock));
}

KeyCenter::KeyCenter(KeyCenterSettings settings, const kdf::KdfProfile& profile, ZnExchange zn,
                     const Clock& clock)
    : settings_(std::move(settings)),
      profile_(profile),
      zn_(std::move(zn)),
      clock_(clock),
      delivered_(clock) {}

DeliveredKeys::Name KeyCenter::Question::name() const {
    return {request.b_tid, naf_id.text(), request.device_id};
}

void KeyCenter::purge() {
    delivered_.purge();
}

HttpResponse KeyCenter::handle(const HttpRequest& request, const http::Peer& peer) {
    try {
        auto response = answer(request, peer);
        if (response) {
            return std::move(*response);
        }
        const auto& error = response.error();
        const bool ours = error.code == Errc::Rejected;
        const unsigned status = ours ? error.detail : kInternalError;
        log(status >= kInternalError ? LogLevel::Warning : LogLevel::Notice, "key request refused",
            {{"peer", peer.address}, {"status", std::int64_t{status}}, {"why", error.context}});
        auto refusal = problem(status, ours ? error.context : "internal error");
        if (status == kMethodNotAllowed) {
            refusal.headers.add("Allow", "POST");
        }
        return refusal;
    } catch (const std::exception& e) { // the secure heap may be full
        log(LogLevel::Error, "key request failed", {{"why", e.what()}});
        return problem(kInternalError, "internal error");
    }
}

Result<HttpResponse> KeyCenter::answer(const HttpRequest& request, const http::Peer& peer) {
    const auto question = MTKEY_TRY(understand(request, peer));
    // A repeated request is served from here; it lives no longer for that.
    auto entry = delivered_.find(question.name());
    if (!entry) {
        entry = MTKEY_TRY(fetch(question));
    }
    const auto expires = std::min(entry->expires, question.not_after);
    if (expires <= clock_.utc_now()) {
        return refuse(kGone, "the key has expired");
    }
    const keycenter::KeyAnswer document{question.request.b_tid,
                                        question.request.device_id,
                                        {question.naf_id.fqdn, to_hex(question.naf_id.ua)},
                                        profile_.name,
                                        std::move(entry->ks_local_mt),
                                        expires,
                                        std::move(entry->mt_id)};
    HttpResponse response;
    response.status = kOk;
    response.headers.add("Content-Type", std::string(keycenter::kMediaType));
    response.headers.add("Cache-Control", "no-store");
    response.body = keycenter::encode(document);
    const auto lifetime = format_utc(expires);
    emit_step(Step::KeyDelivered, {{"naf_id", question.naf_id.text()},
                                   {"device_id", question.request.device_id},
                                   {"lifetime", lifetime}});
    log(LogLevel::Info, "key delivered",
        {{"device_id", question.request.device_id},
         {"naf_id", question.naf_id.text()},
         {"b_tid", masked_b_tid(question.request.b_tid)},
         {"mt_id", document.mt_id},
         {"lifetime", lifetime}});
    return response;
}

/// Who asks comes first: a stranger learns nothing about paths, NAF_IDs or B-TIDs.
Result<KeyCenter::Question> KeyCenter::understand(const HttpRequest& request,
                                                  const http::Peer& peer) {
    Question question;
    // Year 9999 is the end of what a document can say.
    constexpr std::int64_t kLastSecond = 253'402'300'799;
    question.not_after =
        UtcTime(std::chrono::seconds(std::clamp<std::int64_t>(peer.not_after, 0, kLastSecond)));
    // OpenSSL lets a certificate without extendedKeyUsage pass, and a kept connection outlives its
    // certificate.
    if (!peer.authenticated || !peer.client_auth_usage || question.not_after <= clock_.utc_now()) {
        return refuse(kForbidden,
                      "the client certificate is not one for TLS client authentication");
    }
    if (request.target != keycenter::kPath) {
        return refuse(kNotFound, "no such resource");
    }
    if (request.method != "POST") {
        return refuse(kMethodNotAllowed, "POST only");
    }
    if (!is_xml(request)) {
        return refuse(kUnsupportedMediaType, "application/xml in UTF-8 only");
    }
    auto document = keycenter::parse_request(request.body);
    if (!document) {
        return refuse(kBadRequest, document.error().context);
    }
    question.request = std::move(*document);
    // Draft 5.4.4: "capable of determining whether an external device is trusted". Octet by octet.
    if (std::ranges::find(peer.san_uris, question.request.device_id) == peer.san_uris.end()) {
        return refuse(kForbidden, "the client certificate does not carry this Device_ID");
    }
    if (!may_vouch(settings_.device_cas, peer.anchor, question.request.device_id)) {
        return refuse(kForbidden, "the certificate's CA is not one for this Device_ID");
    }
    question.naf_id = MTKEY_TRY(choose_naf_id(question.request.naf_id, request));
    return question;
}

Result<kdf::NafId> KeyCenter::choose_naf_id(const std::optional<keycenter::NafIdText>& named,
                                            const HttpRequest& request) const {
    // DRAFT-GAP(request-naf-id): the draft's payload has no NAF_ID, the derivation needs it.
    const auto host = host_of(request);
    std::vector<kdf::NafId> fitting;
    for (const auto& naf_id : settings_.nafs) {
        if (named ? naf_id.fqdn == named->fqdn && to_hex(naf_id.ua) == named->ua
                  : equal_ignoring_case(naf_id.fqdn, host)) {
            fitting.push_back(naf_id);
        }
    }
    if (fitting.empty()) {
        return refuse(kConflict, "this NAF_ID is not served here");
    }
    if (fitting.size() > 1) {
        return refuse(kConflict, "several NAF_IDs are served under this name: say which");
    }
    return fitting.front();
}

Result<DeliveredKeys::Entry> KeyCenter::fetch(const Question& question) {
    const auto& request = question.request;
    const auto now = clock_.boot_now();
    if (const auto wait = misses_.wait(request.device_id, now); wait.count() > 0) {
        return refuse(kTooManyRequests,
                      "too many unknown B-TIDs; wait " + std::to_string(wait.count()) + " seconds");
    }
    auto info = ask_bsf(question);
    if (!info) {
        if (info.error().detail == kGone) {
            misses_.miss(request.device_id, now);
        }
        return std::unexpected(std::move(info).error());
    }
    if (settings_.require_gba_u && !info->has_uicc_key) {
        // DRAFT-GAP(require-gba-u): Ks_NAF and Ks_ext_NAF are the same number, only the other key
        // tells the mode.
        return refuse(kForbidden, "this Key Center serves keys of GBA_U only");
    }
    if (info->gba_2g && !settings_.allow_2g) {
        return refuse(kForbidden, "this Key Center serves no keys of 2G GBA");
    }
    const auto expires = MTKEY_TRY(end_of(*info));
    DeliveredKeys::Entry entry{MTKEY_TRY(kdf::ks_local_mt(profile_, info->ks_naf, request.b_tid,
                                                          question.naf_id, request.device_id)),
                               std::min(expires, question.not_after),
                               mt_id(info->impi, request.device_id),
                               {}};
    if (entry.expires <= clock_.utc_now()) {
        return refuse(kGone, "the key has expired");
    }
    emit_step(Step::KeyCenterKeyDerived,
              {{"naf_id", question.naf_id.text()},
               {"fingerprint", to_hex(kdf::fingerprint(entry.ks_local_mt.reveal()))}});
    delivered_.put(question.name(), {entry.ks_local_mt.clone(), entry.expires, entry.mt_id, {}});
    return entry;
}

Result<BootstrappingInfo> KeyCenter::ask_bsf(const Question& question) {
    HttpRequest request{"POST", std::string(network::kRetrievalPath), {}, {}};
    request.headers.add("Content-Type", "application/json");
    request.headers.add("Accept", "application/json, application/problem+json");
    request.body =
        write_retrieval(question.request.b_tid, question.naf_id, settings_.require_gba_u);
    emit_step(Step::CredentialsRequested, {{"naf_id", question.naf_id.text()},
                                           {"b_tid", masked_b_tid(question.request.b_tid)}});
    auto response = zn_(request);
    if (!response) {
        log_warning("Zn", response.error());
        return refuse(kBadGateway, "the BSF cannot be asked now");
    }
    // Unknown and not allowed look the same from outside (threat N10).
    if (response->status == 404 || response->status == 403) {
        log(LogLevel::Notice, "the BSF does not give this key",
            {{"status", std::int64_t{response->status}},
             {"b_tid", masked_b_tid(question.request.b_tid)},
             {"naf_id", question.naf_id.text()}});
        return refuse(kGone, "the network does not know this B-TID");
    }
    if (response->status != kOk) {
        wipe(response->body);
        log(LogLevel::Warning, "Zn", {{"status", std::int64_t{response->status}}});
        return refuse(kBadGateway, "the BSF cannot be asked now");
    }
    auto info = take_retrieved(response->body);
    wipe(response->body);
    if (!info) {
        log_warning("Zn", info.error());
        return refuse(kBadGateway, "the BSF's answer makes no sense");
    }
    return info;
}

/// T_KC but for the certificate: never counted from now, so that a repeated request revives
/// nothing.
Result<UtcTime> KeyCenter::end_of(const BootstrappingInfo& info) const {
    // DRAFT-GAP(key-lifetime): min(Ks expiry, bootstrapping + cap). TS 29.309 requires neither;
    // what is missing does not limit, and zn_documents sees to it that one is there.
    if (!info.created) {
        return *info.expires;
    }
    const auto capped = *info.created + settings_.lifetime_cap;
    return info.expires ? std::min(*info.expires, capped) : capped;
}

// DRAFT-GAP(mt-id): the draft speaks of "a particular MT" and names none. Pairwise, so that two
// devices cannot find out that they know the same MT.
std::string KeyCenter::mt_id(std::string_view impi, std::string_view device_id) const {
    constexpr std::array<std::uint8_t, 1> kSeparator{0};
    Bytes names;
    append_counted(names, impi);
    append_counted(names, device_id);
    const auto mac =
        hmac_sha256(settings_.mt_id_secret.reveal(), {as_octets("mtkey mt-id"), kSeparator, names});
    return "mt-" + to_hex(ByteView(mac.reveal()).first(kMtIdOctets));
}

} // namespace mtkey::nafkc
