// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/http_message.hpp"
#include "base/random.hpp"
#include "http/server.hpp"
#include "kdf/local_mt.hpp"
#include "keycenter/documents.hpp"
#include "network/nafkc/delivered_keys.hpp"
#include "network/nafkc/miss_limiter.hpp"
#include "network/nafkc/zn_documents.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::nafkc {

/// A CA of devices and the Device_IDs that it may vouch for.
struct DeviceCa {
    std::string file;
    std::vector<std::string> device_ids; ///< octet by octet; a '*' at the end stands for anything
    std::vector<std::string> anchors;    ///< http::certificate_digests() of the file
};

struct KeyCenterSettings {
    std::vector<DeviceCa> device_cas; ///< a device of none of them gets nothing
    std::vector<kdf::NafId> nafs;     ///< whose Key Center this is; at least one
    std::string kdf_profile = "draft-1";
    bool require_gba_u = false;
    bool allow_2g = false; ///< keys that come of a SIM (gbaType 2G_GBA)
    std::chrono::seconds lifetime_cap = std::chrono::days(7); ///< counted from the bootstrapping
    SecretBytes mt_id_secret; ///< empty: a random one, so that mt-ids change with every start
};

/// One question on Zn; blocks, safe from several threads.
using ZnExchange = std::function<Result<HttpResponse>(const HttpRequest&)>;

/// Draft 5.5.2 steps 12 to 16 and 5.5.3 steps 10 to 14 as a function from request to response; no
/// sockets. `clock` is borrowed. Safe from several threads.
class KeyCenter {
public:
    /// Errors: ProfileMismatch (unknown profile), ConfigInvalid, RandomFailed.
    static Result<std::unique_ptr<KeyCenter>> create(KeyCenterSettings settings, ZnExchange zn,
                                                     const Clock& clock, RandomSource& random);

    /// The body of a 200 holds the key: whoever sends it wipes it.
    [[nodiscard]] HttpResponse handle(const HttpRequest& request, const http::Peer& peer);
    void purge(); ///< keys leave memory when they end, asked for or not

private:
    struct Question {
        keycenter::KeyRequest request;
        kdf::NafId naf_id;
        UtcTime not_after{}; ///< of the certificate
        [[nodiscard]] DeliveredKeys::Name name() const;
    };

    KeyCenter(KeyCenterSettings settings, const kdf::KdfProfile& profile, ZnExchange zn,
              const Clock& clock);
    Result<HttpResponse> answer(const HttpRequest& request, const http::Peer& peer);
    Result<Question> understand(const HttpRequest& request, const http::Peer& peer);
    Result<kdf::NafId> choose_naf_id(const std::optional<keycenter::NafIdText>& named,
                                     const HttpRequest& request) const;
    Result<DeliveredKeys::Entry> fetch(const Question& question);
    Result<BootstrappingInfo> ask_bsf(const Question& question);
    Result<UtcTime> end_of(const BootstrappingInfo& info) const;
    [[nodiscard]] std::string mt_id(std::string_view impi, std::string_view device_id) const;

    KeyCenterSettings settings_;
    const kdf::KdfProfile& profile_;
    ZnExchange zn_;
    const Clock& clock_;
    DeliveredKeys delivered_;
    MissLimiter misses_;
};

} // namespace mtkey::nafkc
