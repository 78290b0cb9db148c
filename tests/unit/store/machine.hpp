// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/hash.hpp"
#include "fakes/manual_clock.hpp"
#include "fakes/scratch_directory.hpp"
#include "store/sealed_store.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>

namespace mtkey::store {

inline Kek kek_of(std::uint8_t octet) {
    Kek kek;
    std::ranges::fill(kek.reveal_writable(), octet);
    return kek;
}

/// A record with something in each field.
inline KeyRecord record_of(const std::string& device_id, std::uint8_t key, const Clock& clock,
                           std::chrono::seconds life = std::chrono::hours(24)) {
    KeyRecord out;
    out.device_id = device_id;
    out.label = "kitchen";
    out.transport = "serial0";
    out.peer = "/dev/ttyUSB0";
    out.naf_fqdn = "kc.home1.example";
    out.naf_ua = {0xFF, 0x00, 0x03, 0x32, 0x59};
    out.b_tid = "AAECAwQFBgcICQoLDA0ODw==@bsf.home1.example";
    out.mode = "gba-u";
    out.profile = "draft-1";
    out.uicc = std::string(64, 'a');
    std::ranges::fill(out.ks_local_mt.reveal_writable(), key);
    out.th_est.fill(static_cast<std::uint8_t>(key + 1));
    out.est_id.fill(static_cast<std::uint8_t>(key + 2));
    out.created = clock.utc_now();
    out.confirmed = clock.utc_now();
    out.last_used = clock.utc_now();
    out.expires = clock.utc_now() + life + std::chrono::seconds(5); // the network's clock is ahead
    out.local_end = clock.utc_now() + life;
    out.deadline = clock.boot_now() + life;
    return out;
}

/// The same, waiting for its CONFIRM to be acknowledged.
inline KeyRecord pending_of(const std::string& device_id, std::uint8_t key, const Clock& clock) {
    auto out = record_of(device_id, key, clock);
    out.state = KeyState::Pending;
    return out;
}

inline Secret<32> test_key_id(const Secret<32>& ks_local_mt,
                              const std::array<std::uint8_t, 32>& th_est) {
    return hmac_sha256(th_est, {ks_local_mt.reveal()});
}

/// Nothing waits for the disk, for tests that do not ask what it has; nor does a lock keep out the
/// restart that they make while the first start's object still lives.
class QuickFiles : public FileOps {
public:
    int fdatasync(int) override { return 0; }
    int fsync(int) override { return 0; }
    int flock(int, int) override { return 0; }
};

/// One computer: its disk, its tmpfs, its clocks, its keys.
class Machine {
public:
    Machine() {
        std::filesystem::create_directory(disk());
        std::filesystem::create_directory(run());
    }
    [[nodiscard]] std::filesystem::path disk() const { return scratch_.path() / "disk"; }
    [[nodiscard]] std::filesystem::path run() const { return scratch_.path() / "run"; }
    [[nodiscard]] std::filesystem::path store_path() const { return disk() / "store"; }

    [[nodiscard]] Result<std::unique_ptr<SealedKeyStore>> try_start(FileOps& files) {
        Keks keks{.current = {}, .next = {}, .origin = "file"};
        if (kek) {
            keks.current = kek->clone();
        }
        if (next_kek) {
            keks.next = next_kek->clone();
        }
        StorePlace place{.directory = disk(),
                         .runtime_directory = run(),
                         .store_id = "mtkeyd",
                         .layouts = layouts,
                         .access = access};
        return SealedKeyStore::open(std::move(place),
                                    StoreParts{.files = files,
                                               .clock = clock,
                                               .random = *random,
                                               .boot_id = boot_id,
                                               .key_id = test_key_id},
                                    std::move(keks), limit);
    }
    /// A start that fails ends the test program.
    [[nodiscard]] std::unique_ptr<SealedKeyStore> start() { return try_start(quick).value(); }

    /// That long, by a wall clock that goes on, the last ten seconds of it in the new boot; what is
    /// in the tmpfs is gone.
    void reboot(std::chrono::seconds off = std::chrono::seconds(0)) {
        const auto utc = clock.utc_now() + off;
        clock = fakes::ManualClock(format_utc(utc), std::min(off, std::chrono::seconds(10)));
        ++boot_id[0];
        std::filesystem::remove_all(run());
        std::filesystem::create_directory(run());
    }
    [[nodiscard]] Bytes file() const { return read(store_path()); }
    void set_file(ByteView content) const { write(store_path(), content); }
    [[nodiscard]] static Bytes read(const std::filesystem::path& path) {
        std::ifstream in(path, std::ios::binary);
        return Bytes(std::istreambuf_iterator<char>(in), {});
    }
    static void write(const std::filesystem::path& path, ByteView content) {
        std::ofstream(path, std::ios::binary) << as_text(content);
        std::filesystem::permissions(path, std::filesystem::perms(0600));
    }

    fakes::ManualClock clock{"2030-01-01T00:00:00Z"};
    SystemRandom system_random;
    RandomSource* random = &system_random;
    BootId boot_id{1};
    std::optional<Kek> kek = kek_of(0x11);
    std::optional<Kek> next_kek;
    std::span<const Layout> layouts = kLayouts;
    Access access = Access::Change;
    std::size_t limit = kMostRecords;
    QuickFiles quick;

private:
    fakes::ScratchDirectory scratch_;
};

/// Device_ID -> first octet of its key, of what can be used; "?" behind that of a pending one.
inline std::map<std::string, int> keys_of(const KeyStore& store) {
    std::map<std::string, int> out;
    for (const auto* record : store.all()) {
        if (record->state == KeyState::Confirmed || record->pending()) {
            out[record->device_id + (record->pending() ? "?" : "")] =
                record->ks_local_mt.reveal()[0];
        }
    }
    return out;
}

/// By a name as keys_of() has it.
inline const KeyRecord* find_named(const SealedKeyStore& store, std::string_view name) {
    return name.ends_with('?') ? store.find_pending(name.substr(0, name.size() - 1))
                               : store.find(name);
}

} // namespace mtkey::store
