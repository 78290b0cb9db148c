// SPDX-License-Identifier: Apache-2.0
#include "device/key_center.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "device/stored_key.hpp"

#include <algorithm>
#include <charconv>

namespace mtkey::device {
namespace {

constexpr std::size_t kLongestPath = 512;

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
    case 404: // the BSF does not know the B-TID
    case 410: // its keys have expired
        return fail(Errc::BtidUnknown, "Key Center", status);
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
    const auto bad = [&] {
        return fail(Errc::NafNotAllowed,
                    "the MT's URI for " + target.fqdn + " is no https URI on that host");
    };
    std::string_view rest = *entry.key_center_uri;
    const std::string start = "https://" + target.fqdn;
    if (!rest.starts_with(start)) {
        return bad();
    }
    rest.remove_prefix(start.size());
    if (rest.starts_with(':')) {
        rest.remove_prefix(1);
        const auto* end = rest.data() + rest.size();
        const auto [after, error] = std::from_chars(rest.data(), end, target.port);
        if (error != std::errc{} || target.port == 0) {
            return bad();
        }
        rest.remove_prefix(static_cast<std::size_t>(after - rest.data()));
    }
    if (rest.empty()) {
        return target;
    }
    // A path and nothing else: user info, queries and fragments have no business here.
    if (rest.front() != '/' || rest.find_first_of("?#@\\") != std::string_view::npos ||
        !printable_name(rest, kLongestPath)) {
        return bad();
    }
    target.path = rest;
    return target;
}

OpenKeyCenter http_key_centers(KeyCenterSettings settings) {
    return [settings = std::move(settings)](
               const KeyCenterTarget& target) -> Result<std::unique_ptr<KeyCenterConnection>> {
        http::ClientSettings client;
        client.fqdn = target.fqdn;
        const auto known = settings.addresses.find(target.fqdn);
        client.address = known != settings.addresses.end()
                             ? known->second
                             : target.fqdn + ":" + std::to_string(target.port);
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
