// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/http_message.hpp"
#include "http/server.hpp"
#include "network/bsf/bootstrapping_store.hpp"
#include "network/bsf/zn_documents.hpp"

#include <string>
#include <vector>

namespace mtkey::bsf {

/// Who may ask for which NAF's keys: the mapping of TS 29.109 clause 4.3 from the identity on Zn to
/// NAF_IDs.
struct NafClient {
    std::string client;             ///< dNSName in the client certificate
    std::vector<std::string> fqdns; ///< canonical
};

/// The network end of Zn in its REST form (TS 29.309, Nbsp_GBA version 1) over mutual TLS. The rest
/// is borrowed. Authorisation comes before the look-up: a client learns nothing about B-TIDs for
/// NAFs that are not its own. Safe from several threads.
class ZnHandler {
public:
    ZnHandler(std::vector<NafClient> clients, BootstrappingStore& store, const Clock& clock);

    /// The body of a 200 holds key text: whoever sends it wipes it.
    [[nodiscard]] HttpResponse handle(const HttpRequest& request, const http::Peer& peer);

private:
    [[nodiscard]] HttpResponse retrieve(const HttpRequest& request, const http::Peer& peer);
    [[nodiscard]] HttpResponse deliver(const BootstrappingInfoRequest& wanted);
    [[nodiscard]] bool acceptable(const http::Peer& peer) const;
    [[nodiscard]] bool allowed(const http::Peer& peer, const std::string& fqdn) const;

    std::vector<NafClient> clients_;
    BootstrappingStore& store_;
    const Clock& clock_;
};

} // namespace mtkey::bsf
