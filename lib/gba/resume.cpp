// SPDX-License-Identifier: Apache-2.0
#include "gba/resume.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "uicc/gba_files.hpp"

#include <algorithm>
#include <new>

namespace mtkey::gba {
namespace {

std::nullopt_t none(std::string_view why) {
    log(LogLevel::Info, "no context resumed from the UICC", {{"why", why}});
    return std::nullopt;
}

bool made_of(std::string_view b_tid, const kdf::Rand& rand) {
    return b_tid.substr(0, b_tid.rfind('@')) == to_base64(rand);
}

/// The times that the lifetime in the file alone gives. The start is nowhere: it counts from here.
std::optional<ContextRecord> record_from(const uicc::Gbabp& gbabp, std::chrono::seconds cap,
                                         const Clock& clock) {
    const auto lifetime = parse_utc(gbabp.lifetime);
    const auto now = clock.utc_now();
    // A lifetime that lies too far ahead is rather a clock that is behind.
    if (!lifetime || *lifetime <= now || *lifetime - now > cap) {
        return std::nullopt;
    }
    ContextRecord out;
    out.rand = gbabp.rand;
    out.b_tid = gbabp.b_tid;
    out.created = now;
    out.expires = *lifetime;
    out.local_end = out.expires;
    out.deadline = clock.boot_now() + (out.expires - now);
    return out;
}

/// With one NAF there is nothing to choose, and nothing is read.
Result<kdf::NafId> cheapest_naf(uicc::CardChannel& card, const ResumeSettings& settings,
                                std::string_view b_tid) {
    if (settings.nafs.size() == 1) {
        return settings.nafs.front();
    }
    const auto records = MTKEY_TRY(uicc::read_gbanl(card, settings.application));
    for (const auto& naf_id : settings.nafs) {
        const auto listed = std::ranges::any_of(records, [&](const auto& record) {
            return record.naf_id == naf_id.octets() && record.b_tid == b_tid;
        });
        if (listed) {
            return naf_id;
        }
    }
    return settings.nafs.front();
}

} // namespace

ContextRecord record_of(const Context& context) {
    return {.rand = context.rand(),
            .b_tid = context.b_tid(),
            .created = context.created(),
            .expires = context.expires(),
            .local_end = context.local_end(),
            .deadline = context.deadline()};
}

/// Makes a Context of what a card holds.
class Resumption {
public:
    static Context make(const ResumeSettings& settings, const ContextRecord& record) {
        Context out;
        out.mode_ = Mode::GbaU;
        out.b_tid_ = record.b_tid;
        out.impi_ = settings.impi;
        out.rand_ = record.rand;
        out.created_ = record.created;
        out.expires_ = record.expires;
        out.local_end_ = record.local_end;
        out.deadline_ = record.deadline;
        out.application_ = settings.application;
        out.watch_rand_ = settings.card_is_shared;
        out.in_gbabp_ = true;
        return out;
    }
};

// DRAFT-GAP(resume): AUTHENTICATE(DD) changes RAND in EF_GBABP while the B-TID before it still
// stands there, and the lifetime says nothing of this terminal's clock: what makes such a file
// believable. Until then L2 names no B-TID; without a NAF to derive for, it is not believed at all.
Result<std::optional<Context>> resume(uicc::CardChannel& card, const Clock& clock,
                                      const ResumeSettings& settings) {
    if (settings.nafs.empty()) {
        return none("no NAF to try it with");
    }
    const auto gbabp =
        settings.gbabp ? *settings.gbabp : MTKEY_TRY(uicc::read_gbabp(card, settings.application));
    if (!gbabp || gbabp->b_tid.empty()) {
        return none("EF_GBABP holds none");
    }
    const auto& remembered = settings.remembered;
    if (remembered ? gbabp->rand != remembered->rand || gbabp->b_tid != remembered->b_tid
                   : !made_of(gbabp->b_tid, gbabp->rand)) {
        return none("RAND and B-TID in EF_GBABP do not belong together");
    }
    const auto record = remembered ? remembered : record_from(*gbabp, settings.lifetime_cap, clock);
    if (!record) {
        return none("the lifetime in EF_GBABP is over, or is no time");
    }
    auto context = Resumption::make(settings, *record);
    if (!context.valid(clock)) {
        return none("it is over");
    }
    try {
        const auto naf_id = MTKEY_TRY(cheapest_naf(card, settings, record->b_tid));
        const auto key = context.ks_naf(&card, naf_id);
        if (key) {
            return context;
        }
        if (key.error().code == Errc::NoKsOnCard || key.error().code == Errc::BtidStale) {
            return none("the UICC has no Ks of it");
        }
        return std::unexpected(key.error());
    } catch (const std::bad_alloc&) { // the secure heap has an end
        return fail(Errc::LimitExceeded, "no memory for a NAF key");
    }
}

} // namespace mtkey::gba
