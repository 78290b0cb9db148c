// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"
#include "device/mtkey_device.h"
#include "device/naf_choice.hpp"
#include "device/procedure.hpp"
#include "kdf/local_mt.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>

namespace mtkey::device {
namespace {

constexpr std::uint32_t kDefaultSeconds = 180;
constexpr std::uint32_t kMostSeconds = 3600;
constexpr int kUsage = 2; // info(Errc::InvalidArgument).exit_status

template <std::size_t N>
void copy_text(char (&out)[N], std::string_view text) {
    const std::size_t length = std::min(text.size(), N - 1);
    std::memcpy(out, text.data(), length);
    out[length] = '\0';
}

std::string text_or_empty(const char* text) {
    return text == nullptr ? std::string() : std::string(text);
}

Result<std::string> required(const char* text, const char* name) {
    if (text == nullptr || *text == '\0') {
        return fail(Errc::InvalidArgument, std::string(name) + " is not set");
    }
    return std::string(text);
}

Result<KeyPlace> read_key_place(const mtkey_device_config& config) {
    return KeyPlace{.state_dir = MTKEY_TRY(required(config.state_dir, "state_dir")),
                    .runtime_dir = text_or_empty(config.runtime_dir),
                    .store_key_file = text_or_empty(config.store_key_file),
                    .credentials_directory =
                        text_or_empty(::secure_getenv("CREDENTIALS_DIRECTORY"))};
}

Result<ProcedureSettings> read_settings(const mtkey_device_config& config) {
    ProcedureSettings out;
    out.device_id =
        MTKEY_TRY(kdf::canonical_device_id(MTKEY_TRY(required(config.device_id, "device_id"))));
    for (const char* const* suffix = config.allowed_suffixes;
         suffix != nullptr && *suffix != nullptr; ++suffix) {
        out.allowed_suffixes.push_back(MTKEY_TRY(kdf::canonical_fqdn(*suffix)));
    }
    if (out.allowed_suffixes.empty()) {
        return fail(Errc::InvalidArgument, "allowed_suffixes names no domain");
    }
    out.preferred_naf = text_or_empty(config.preferred_naf);
    if (config.kdf_profile != nullptr) {
        out.kdf_profile = config.kdf_profile;
    }
    static_cast<void>(MTKEY_TRY(kdf::find_profile(out.kdf_profile)));
    out.renew = config.renew != 0;
    return out;
}

OpenKeyCenter read_key_centers(const mtkey_device_config& config,
                               const mtkey_device_callbacks& callbacks) {
    KeyCenterSettings settings;
    settings.tls.ca_file = text_or_empty(config.ca_file);
    settings.tls.certificate_file = text_or_empty(config.certificate_file);
    settings.tls.private_key_file = text_or_empty(config.private_key_file);
    return [settings, &callbacks](const KeyCenterTarget& target) {
        KeyCenterSettings known = settings;
        if (callbacks.key_center_address != nullptr) {
            const char* address =
                callbacks.key_center_address(callbacks.context, target.fqdn.c_str());
            if (address != nullptr) {
                known.addresses[target.fqdn] = address;
            }
        }
        return http_key_centers(std::move(known))(target);
    };
}

Result<transports::Connection> open_link(const mtkey_device_callbacks& callbacks) {
    int reliable = 0;
    transports::Connection connection;
    connection.fd.reset(callbacks.open_link(callbacks.context, &reliable));
    const int fd = connection.fd.get();
    const int flags = fd < 0 ? -1 : ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return fail(Errc::IoFailed, "open_link gave no link");
    }
    connection.peer = "firmware";
    connection.reliable = reliable != 0;
    connection.role = transports::Role::Connect;
    return connection;
}

Result<void> establish(const mtkey_device_config& config, const mtkey_device_callbacks& callbacks,
                       mtkey_device_result& result) {
    MTKEY_CHECK(init_secure_heap()); // without it OpenSSL would put the keys into the plain heap
    if (config.size < sizeof config || callbacks.size < sizeof callbacks ||
        callbacks.open_link == nullptr) {
        return fail(Errc::InvalidArgument, "a size or open_link is not set");
    }
    auto settings = MTKEY_TRY(read_settings(config));
    SystemParts system;
    auto keys = MTKEY_TRY(DeviceKeys::open(MTKEY_TRY(read_key_place(config)),
                                           MTKEY_TRY(system.parts()), store::Access::Change));
    const auto limit = std::chrono::seconds(
        config.total_seconds == 0 ? kDefaultSeconds : std::min(config.total_seconds, kMostSeconds));
    Surroundings out{
        [&callbacks](const Limits&) { return open_link(callbacks); },
        read_key_centers(config, callbacks),
        keys,
        system.random,
        Limits{system.clock, system.clock.boot_now() + limit,
               callbacks.cancel_fd > 0 ? callbacks.cancel_fd : -1},
        {},
    };
    if (callbacks.progress != nullptr) {
        out.on_step = [&callbacks](Step step, std::string_view detail) {
            callbacks.progress(callbacks.context, std::string(info(step).name).c_str(),
                               std::string(detail).c_str());
        };
    }
    DeviceProcedure procedure(std::move(settings), std::move(out));
    const auto outcome = procedure.run();
    keys.note_time();
    result.retry_after = procedure.report().retry_after;
    if (!outcome) {
        copy_text(result.message, describe(outcome.error(), procedure.report()));
        return std::unexpected(outcome.error());
    }
    const StoredKey* key = keys.find_active(outcome->mt_id);
    if (key == nullptr) {
        return fail(Errc::Internal, "the key is gone");
    }
    copy_text(result.procedure, procedure_name(outcome->kind));
    copy_text(result.mt_id, mt_id_of(*key));
    copy_text(result.fingerprint, fingerprint_of(*key));
    copy_text(result.lifetime, format_utc(key->expires));
    return {};
}

Result<void> application_key(const mtkey_device_config& config, std::string_view mt_id,
                             std::string_view label, std::string_view consumer, std::uint8_t* out) {
    MTKEY_CHECK(init_secure_heap());
    SystemParts system;
    const auto keys = MTKEY_TRY(DeviceKeys::open(MTKEY_TRY(read_key_place(config)),
                                                 MTKEY_TRY(system.parts()), store::Access::Read));
    const StoredKey* key = keys.find_active(mt_id);
    if (key == nullptr) {
        return fail(Errc::NoKey, "no active key for this MT");
    }
    if (!key->usable(system.clock)) { // or the clock was set back since
        return fail(Errc::KeyExpired, "key for this MT");
    }
    const auto derived = establishment_keys_of(*key);
    const auto app = kdf::application_key(derived.application, label, consumer);
    std::memcpy(out, app.reveal().data(), app.reveal().size());
    return {};
}

/// C callers get a status; whatever a library or a callback throws ends here.
template <typename Call>
Result<void> fenced(Call call) noexcept {
    try {
        return call();
    } catch (const std::bad_alloc&) {
        return fail(Errc::Internal, "no memory");
    } catch (...) {
        return fail(Errc::Internal);
    }
}

} // namespace
} // namespace mtkey::device

using namespace mtkey;

#define MTKEY_EXPORT extern "C" __attribute__((visibility("default")))

MTKEY_EXPORT int mtkey_device_init() {
    const auto done = device::fenced([] { return init_secure_heap(); });
    return done ? 0 : info(done.error().code).exit_status;
}

MTKEY_EXPORT int mtkey_device_establish(const mtkey_device_config* config,
                                        const mtkey_device_callbacks* callbacks,
                                        mtkey_device_result* result) {
    if (config == nullptr || callbacks == nullptr || result == nullptr ||
        result->size < sizeof *result) {
        return device::kUsage;
    }
    *result = {};
    result->size = sizeof *result;
    const auto done =
        device::fenced([&] { return device::establish(*config, *callbacks, *result); });
    if (done) {
        return 0;
    }
    static_cast<void>(device::fenced([&]() -> Result<void> {
        device::copy_text(result->error, info(done.error().code).name);
        if (result->message[0] == '\0') { // it has not come to a run
            device::copy_text(result->message, describe(done.error()));
        }
        return {};
    }));
    return info(done.error().code).exit_status;
}

MTKEY_EXPORT int mtkey_device_application_key(const mtkey_device_config* config, const char* mt_id,
                                              const char* label, const char* consumer,
                                              std::uint8_t key[32]) {
    if (config == nullptr || config->size < sizeof *config || mt_id == nullptr ||
        label == nullptr || consumer == nullptr || key == nullptr) {
        return device::kUsage;
    }
    const auto done = device::fenced(
        [&] { return device::application_key(*config, mt_id, label, consumer, key); });
    return done ? 0 : info(done.error().code).exit_status;
}
