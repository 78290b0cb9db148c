// SPDX-License-Identifier: Apache-2.0
#include "device/key_center.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "device/stored_key.hpp"

namespace mtkey::device {
namespace {

class HttpKeyCenter final : public KeyCenterConnection {
public:
    explicit HttpKeyCenter(http::ClientSettings settings) : client_(std::move(settings)) {}
    Result<void> connect() override { return client_.connect(); }
    bool authenticated() const override { return client_.authenticated(); }
    Result<HttpResponse> exchange(const HttpRequest& request) override {
        return client_.exchange(request);
    }
    void cancel() override { client_.cancel(); }

private:
    http::Client client_;
};

/// "application/xml", whatever parameters follow.
bool has_media_type(const HttpResponse& response) {
    const auto value = response.headers.single("Content-Type");
    if (!value || !*value) {
        return false;
    }
    std::string_view type = **value;
    type = type.substr(0, type.find(';'));
    while (type.ends_with(' ') || type.ends_with('\t')) {
        type.remove_suffix(1);
    }
    return equal_ignoring_case(type, keycenter::kMediaType);
}

/// DRAFT-GAP(key-request): the statuses are ours, too.
std::unexpected<Error> refused(unsigned status) {
    switch (status) {
    case 410: // and no other, so that a wrong path or a proxy never costs the MT a bootstrapping
        return fail(Errc::BtidUnknown, "Key Center", status);
    case 429:
        return fail(Errc::RetryAfter, "the Key Center has been asked too often", status);
    case 404:
        return fail(Errc::KeyCenterRejected, "no Key Center answers at this path", status);
    case 403:
        return fail(Errc::KeyCenterRejected,
                    "this device is not allowed (does its certificate carry the Device_ID?)",
                    status);
    case 409:
        return fail(Errc::KeyCenterRejected, "the Key Center does not serve this NAF_ID", status);
    case 500:
    case 502:
    case 503:
    case 504:
        return fail(Errc::KeyCenterUnreachable, "the Key Center has trouble reaching its BSF",
                    status);
    default:
        return fail(Errc::KeyCenterRejected, "Key Center", status);
    }
}

Result<void> compare(const keycenter::KeyAnswer& answer, const keycenter::KeyRequest& request) {
    const auto mismatch = [](const char* what) {
        return fail(Errc::KeyCenterBadAnswer, std::string("the answer is about another ") + what);
    };
    if (answer.b_tid != request.b_tid) {
        return mismatch("B-TID");
    }
    if (answer.device_id != request.device_id) {
        return mismatch("Device_ID");
    }
    if (request.naf_id && answer.naf_id != *request.naf_id) {
        return mismatch("NAF_ID");
    }
    if (!printable_name(answer.mt_id) || !printable_name(answer.profile)) {
        return fail(Errc::KeyCenterBadAnswer, "names in the answer are not printable");
    }
    return {};
}

} // namespace

Result<KeyCenterTarget> key_center_target(const local::NafEntry& entry) {
    KeyCenterTarget target;
    target.fqdn = entry.naf_id.fqdn;
    if (!entry.key_center_uri) {
        return target;
    }
    auto uri = MTKEY_TRY(local::parse_key_center_uri(*entry.key_center_uri, target.fqdn));
    target.port = uri.port;
    if (!uri.path.empty()) {
        target.path = std::move(uri.path);
    }
    return target;
}

OpenKeyCenter http_key_centers(KeyCenterSettings settings) {
    return [settings = std::move(settings)](
               const KeyCenterTarget& target) -> Result<std::unique_ptr<KeyCenterConnection>> {
        http::ClientSettings client;
        client.fqdn = target.fqdn;
        client.port = target.port;
        if (const auto known = settings.addresses.find(target.fqdn);
            known != settings.addresses.end()) {
            client.address = known->second;
        }
        client.tls = true;
        client.tls_settings = settings.tls;
        client.body_limit = keycenter::kDocumentLimit;
        client.unreachable = Errc::KeyCenterUnreachable;
        return std::make_unique<HttpKeyCenter>(std::move(client));
    };
}

Result<keycenter::KeyAnswer> request_key(KeyCenterConnection& connection, const std::string& path,
                                         const keycenter::KeyRequest& request,
                                         const std::function<void()>& on_sent) {
    HttpRequest post;
    post.method = "POST";
    post.target = path;
    post.headers.add("Content-Type", std::string(keycenter::kMediaType));
    post.headers.add("Accept", std::string(keycenter::kMediaType));
    post.body = keycenter::encode(request);
    on_sent();
    auto response = MTKEY_TRY(connection.exchange(post));
    if (response.status != 200) {
        return refused(response.status);
    }
    if (!has_media_type(response)) {
        wipe(response.body);
        return fail(Errc::KeyCenterBadAnswer,
                    "the answer is not " + std::string(keycenter::kMediaType));
    }
    auto answer = keycenter::parse_answer(response.body);
    wipe(response.body);
    if (!answer) {
        return fail(Errc::KeyCenterBadAnswer, answer.error().context);
    }
    MTKEY_CHECK(compare(*answer, request));
    return std::move(*answer);
}

} // namespace mtkey::device
