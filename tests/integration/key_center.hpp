// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/key_center.hpp"
#include "network/nafkc/key_center.hpp"
#include "parties.hpp"

#include <memory>
#include <string>

namespace mtkey::integration {

/// The NAF Key Center of the example with the BSF's Zn behind it. Where the sockets would be stand
/// the handlers themselves, with what a TLS handshake would have proved about the client.
class KeyCenter {
public:
    explicit KeyCenter(Network& network)
        : clock_(network.clock),
          zn_handler_({{.client = naf_fqdn_, .fqdns = {naf_fqdn_}}}, network.store, network.clock),
          zn_("bsf", true,
              [this](const HttpRequest& request) {
                  http::Peer peer = certified();
                  peer.san_dns = {naf_fqdn_};
                  return zn_handler_.handle(request, peer);
              }),
          handler_(create()) {}

    /// The device's own code, with a client certificate for `device_id`.
    Result<keycenter::KeyAnswer> ask(const keycenter::KeyRequest& request,
                                     const std::string& device_id) {
        Tunnel tunnel(*this, device_id);
        return device::request_key(tunnel, std::string(keycenter::kPath), request, [] {});
    }
    [[nodiscard]] const DirectExchange& zn() const { return zn_; }

private:
    class Tunnel final : public device::KeyCenterConnection {
    public:
        Tunnel(KeyCenter& owner, const std::string& device_id)
            : owner_(owner), peer_(owner.certified()) {
            peer_.san_uris = {device_id};
        }
        [[nodiscard]] Result<void> connect() override { return {}; }
        [[nodiscard]] bool authenticated() const override { return true; }
        [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest& request) override {
            return owner_.handler_->handle(request, peer_);
        }
        void cancel() override {}

    private:
        KeyCenter& owner_;
        http::Peer peer_;
    };

    [[nodiscard]] http::Peer certified() const {
        http::Peer peer;
        peer.authenticated = true;
        peer.client_auth_usage = true;
        peer.anchor = "device-ca";
        const auto end = clock_.utc_now() + std::chrono::days(365);
        peer.not_after = end.time_since_epoch().count();
        return peer;
    }
    std::unique_ptr<nafkc::KeyCenter> create() {
        nafkc::KeyCenterSettings settings;
        settings.nafs = {{.fqdn = naf_fqdn_, .ua = kdf::kDefaultUaId}};
        settings.device_cas = {{.file = {}, .device_ids = {"*"}, .anchors = {"device-ca"}}};
        settings.mt_id_secret = SecretBytes(Bytes(32, 0x4D));
        SystemRandom random;
        return nafkc::KeyCenter::create(
                   std::move(settings),
                   [this](const HttpRequest& request) { return zn_.exchange(request); }, clock_,
                   random)
            .value();
    }

    const Clock& clock_;
    std::string naf_fqdn_ = text(example()["identities"]["naf_fqdn"]);
    bsf::ZnHandler zn_handler_;
    DirectExchange zn_;
    std::unique_ptr<nafkc::KeyCenter> handler_;
};

} // namespace mtkey::integration
