// SPDX-License-Identifier: Apache-2.0
#include "daemon/key_keeper.hpp"

#include "base/log.hpp"
#include "daemon/config.hpp"
#include "kdf/establishment.hpp"

#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey::daemon {
namespace {

constexpr const char* kCredential = "mtkeyd.store-key";

Secret<32> key_id_of(const Secret<32>& ks_local_mt, const std::array<std::uint8_t, 32>& th_est) {
    return kdf::establishment_keys(ks_local_mt, th_est).key_id.clone();
}

void tell(const StoreInfo& info, const std::string& state_dir, bool file_waits) {
    if (info.distrusted) {
        log_warning("the key store is not believed and begins empty" +
                        (info.kept_as.empty() ? "" : "; it is kept as " + info.kept_as),
                    *info.distrusted);
    }
    if (!info.persistent) {
        log(file_waits ? LogLevel::Warning : LogLevel::Notice,
            "keys live in memory only and end with the daemon",
            {{"why", state_dir.empty() ? "no state_dir" : "no key encryption key"},
             {"store", file_waits ? "left alone, its key is missing" : "none"}});
    }
    if (info.time_unknown) {
        log(LogLevel::Warning, "the clock is behind what the key store has seen: stored keys wait");
    }
}

} // namespace

Result<std::unique_ptr<KeyKeeper>> KeyKeeper::open(const Config& config, FileOps& files,
                                                   const Clock& clock, RandomSource& random) {
    const char* credentials = ::secure_getenv("CREDENTIALS_DIRECTORY");
    store::KekSource source{.credentials_directory = credentials == nullptr ? "" : credentials,
                            .credential = kCredential,
                            .key_file = config.store_key_file};
    auto keks = MTKEY_TRY(store::load_keks(source));
    const auto boot_id = MTKEY_TRY(system_boot_id());
    return open(config, files, clock, random, std::move(keks), boot_id);
}

Result<std::unique_ptr<KeyKeeper>> KeyKeeper::open(const Config& config, FileOps& files,
                                                   const Clock& clock, RandomSource& random,
                                                   store::Keks keks, const BootId& boot_id) {
    auto next = std::move(keks.next);
    if (next) {
        keks.next = next->clone();
    }
    std::string origin = keks.origin;
    if (config.state_dir.empty()) {
        keks = {};
        origin = "none";
    } else {
        ::mkdir(config.state_dir.c_str(), 0700); // systemd has made it; what fails is told below
    }
    store::StorePlace place{.directory = config.state_dir,
                            .runtime_directory = config.runtime_dir,
                            .store_id = "mtkeyd"};
    auto sealed = MTKEY_TRY(store::SealedKeyStore::open(
        std::move(place),
        {.files = files, .clock = clock, .random = random, .boot_id = boot_id, .key_id = key_id_of},
        std::move(keks)));
    std::unique_ptr<KeyKeeper> out(new KeyKeeper(std::move(sealed), config.state_dir));
    out->key_origin_ = std::move(origin);
    out->next_ = std::move(next);
    const std::string file = config.state_dir + "/" + store::kStoreFile;
    out->file_waits_ =
        !config.state_dir.empty() && !out->persistent() && ::access(file.c_str(), F_OK) == 0;
    tell(out->info(), config.state_dir, out->file_waits_);
    return out;
}

Result<void> KeyKeeper::put(store::KeyRecord record) {
    const std::scoped_lock lock(mutex_);
    return sealed_->put(std::move(record));
}

Result<void> KeyKeeper::end(std::span<const std::string> device_ids,
                            std::vector<store::Tombstone> tombstones) {
    const std::scoped_lock lock(mutex_);
    return sealed_->end(device_ids, std::move(tombstones));
}

std::vector<store::Tombstone> KeyKeeper::tombstones() const {
    const std::scoped_lock lock(mutex_);
    return sealed_->tombstones();
}

void KeyKeeper::used(std::string_view device_id, UtcTime now) {
    const std::scoped_lock lock(mutex_);
    sealed_->used(device_id, now);
}

const store::KeyRecord* KeyKeeper::find(std::string_view device_id) const {
    return sealed_->find(device_id);
}

std::vector<const store::KeyRecord*> KeyKeeper::all() const {
    return sealed_->all();
}

void KeyKeeper::trust_time() {
    const std::scoped_lock lock(mutex_);
    if (sealed_->report().time_unknown) {
        sealed_->trust_time();
        note_trust();
    }
}

void KeyKeeper::recheck_time() {
    const std::scoped_lock lock(mutex_);
    if (!sealed_->report().time_unknown) {
        return;
    }
    sealed_->recheck_time();
    if (!sealed_->report().time_unknown) {
        note_trust();
    }
}

/// A restart must not doubt again.
void KeyKeeper::note_trust() {
    log(LogLevel::Notice, "the time is known again: stored keys can be used");
    if (const auto noted = sealed_->note_time(); !noted) {
        log_warning("the key store cannot be written", noted.error());
    }
}

bool KeyKeeper::newest_of_this_boot() const {
    const std::scoped_lock lock(mutex_);
    return sealed_->report().vouched;
}

Result<std::optional<keys::BootstrapPast>> KeyKeeper::load() {
    const std::scoped_lock lock(mutex_);
    if (!sealed_->persistent()) {
        auto past = file_.load();
        if (past && !*past && file_waits_) {
            return fail(Errc::NotFound, "it is in the key store, whose key is missing");
        }
        return past;
    }
    if (const auto& why = sealed_->report().distrusted) {
        return std::unexpected(*why);
    }
    const auto& known = sealed_->memory().bootstrap;
    if (known.empty()) { // the key may be new: what was remembered without one is not lost
        return file_.load();
    }
    return keys::parse_bootstrap_past(as_text(known));
}

Result<void> KeyKeeper::store(const keys::BootstrapPast& past) {
    const std::scoped_lock lock(mutex_);
    if (!sealed_->persistent()) {
        return file_.store(past);
    }
    auto memory = sealed_->memory();
    const auto text = keys::encode_bootstrap_past(past);
    const auto octets = as_octets(text);
    memory.bootstrap.assign(octets.begin(), octets.end());
    if (past.context) {
        memory.uicc = past.context->uicc;
    }
    MTKEY_CHECK(sealed_->remember(std::move(memory)));
    return file_.remove();
}

StoreInfo KeyKeeper::info() const {
    const std::scoped_lock lock(mutex_);
    const auto& report = sealed_->report();
    return {.persistent = sealed_->persistent(),
            .key_origin = key_origin_,
            .next_key = next_.has_value(),
            .file = sealed_->persistent() ? state_dir_ + "/" + store::kStoreFile : std::string(),
            .keys = sealed_->all().size(),
            .generation = sealed_->generation(),
            .time_unknown = report.time_unknown,
            .distrusted = report.distrusted,
            .kept_as = report.kept_as};
}

Result<void> KeyKeeper::verify() const {
    const std::scoped_lock lock(mutex_);
    return sealed_->verify();
}

Result<void> KeyKeeper::distrust(Error why) {
    const std::scoped_lock lock(mutex_);
    return sealed_->distrust(std::move(why));
}

Result<void> KeyKeeper::rekey() {
    const std::scoped_lock lock(mutex_);
    if (!next_) {
        return fail(Errc::NotReady, "there is no next key: make one (mtkeyd-keygen next, or a key "
                                    "file with .new behind the name of the first) and start the "
                                    "daemon again");
    }
    return sealed_->rekey(*next_);
}

Result<void> KeyKeeper::note_time() {
    const std::scoped_lock lock(mutex_);
    return sealed_->note_time();
}

void KeyKeeper::close() {
    const std::scoped_lock lock(mutex_);
    sealed_->close();
}

} // namespace mtkey::daemon
