// SPDX-License-Identifier: Apache-2.0
#include "keys/procedures.hpp"

#include <algorithm>

namespace mtkey::keys {

bool alive(const ContextFacts& context, const Clock& clock) {
    return clock.utc_now() < context.local_end && !ended(context, clock);
}

bool ended(const ContextFacts& context, const Clock& clock) {
    return clock.boot_now() >= context.deadline;
}

bool usable(const ContextFacts& context, const Clock& clock) {
    return alive(context, clock) && clock.utc_now() < context.created + kLongestUse &&
           clock.boot_now() < context.use_deadline;
}

std::optional<std::string> b_tid_for_key_info(const std::optional<ContextFacts>& context,
                                              const Clock& clock, bool tombstoned) {
    if (!context || tombstoned || !usable(*context, clock)) {
        return std::nullopt;
    }
    return context->b_tid;
}

Decision decide(const Request& request, const std::optional<ContextFacts>& context,
                const NafList& nafs, const Clock& clock, bool tombstoned) {
    if (!nafs.contains(request.naf_id)) {
        return NafUnknown{};
    }
    if (!request.b_tid) {
        return RunBootstrapping{};
    }
    if (tombstoned || !context || !usable(*context, clock)) {
        return BtidGone{};
    }
    if (*request.b_tid != context->b_tid) {
        return BtidChanged{context->b_tid};
    }
    return DeriveFromContext{};
}

UtcTime agreed_expiry(UtcTime ks_expires, UtcTime key_center_expires, UtcTime start) {
    return std::min({ks_expires, key_center_expires, UtcTime(start + kLongestKey)});
}

} // namespace mtkey::keys
