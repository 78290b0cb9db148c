// SPDX-License-Identifier: Apache-2.0
#include "keys/procedures.hpp"

#include <algorithm>

namespace mtkey::keys {

bool usable(const ContextFacts& context, UtcTime now) {
    return context.valid && now < context.expires && now < context.created + kLongestUse;
}

std::optional<std::string> b_tid_for_key_info(const std::optional<ContextFacts>& context,
                                              UtcTime now, bool tombstoned) {
    if (!context || tombstoned || !usable(*context, now)) {
        return std::nullopt;
    }
    return context->b_tid;
}

Decision decide(const Request& request, const std::optional<ContextFacts>& context,
                const NafList& nafs, UtcTime now, bool tombstoned) {
    if (!nafs.contains(request.naf_id)) {
        return NafUnknown{};
    }
    if (!request.b_tid || tombstoned || !context || !usable(*context, now)) {
        return RunBootstrapping{};
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
