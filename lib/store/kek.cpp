// SPDX-License-Identifier: Apache-2.0
#include "store/kek.hpp"

#include "base/directory.hpp"

namespace mtkey::store {
namespace {

Result<std::optional<Kek>> read_kek(const std::string& path, Trust trust) {
    constexpr std::size_t kSize = 32;
    const auto octets = read_secret_file(path, kSize, trust);
    if (!octets && octets.error().code == Errc::NotFound) {
        return std::nullopt;
    }
    if (!octets) {
        return std::unexpected(octets.error());
    }
    if (octets->size() != kSize) {
        return fail(Errc::ConfigInvalid, path + " is no key of 32 octets; make it anew");
    }
    return Kek(octets->reveal().first<kSize>());
}

Result<Keks> read_keks(const std::string& path, Trust trust, const char* origin) {
    Keks out;
    out.current = MTKEY_TRY(read_kek(path, trust));
    out.next = MTKEY_TRY(read_kek(path + ".new", trust));
    if (!out.current) { // the last step of a change of keys was cut short
        out.current = std::exchange(out.next, std::nullopt);
    }
    out.origin = out.current ? origin : "none";
    return out;
}

} // namespace

Result<Keks> load_keks(const KekSource& source) {
    if (!source.credentials_directory.empty()) {
        auto keks = read_keks(source.credentials_directory + "/" + source.credential,
                              Trust::Credential, "credential");
        if (!keks || keks->current) {
            return keks;
        }
    }
    if (!source.key_file.empty()) {
        return read_keks(source.key_file, Trust::Private, "file");
    }
    return Keks{.current = {}, .next = {}, .origin = "none"};
}

Result<bool> make_kek(const std::string& key_file, FileOps& files, RandomSource& random) {
    const auto slash = key_file.rfind('/');
    const auto name = key_file.substr(slash + 1);
    auto made = [&]() -> Result<bool> {
        const auto directory = MTKEY_TRY(
            Directory::open(files, slash == std::string::npos ? "." : key_file.substr(0, slash + 1),
                            Trust::Config));
        // Two programs that share the file must not each seal under a key of its own.
        const auto lock = MTKEY_TRY(directory.wait_for_lock());
        const bool there = MTKEY_TRY(directory.has(name));
        if (!there) {
            Kek kek;
            MTKEY_CHECK(random.fill(kek.reveal_writable()));
            auto file =
                MTKEY_TRY(directory.replace(name, kek.reveal(), Outlives::PowerCut, S_IRUSR));
            MTKEY_CHECK(file.publish());
        }
        // One that is there may have come a moment ago, from somebody who was killed before this.
        const auto synced = directory.sync(); // which a read-only image does not know
        if (!synced && !there) {
            return std::unexpected(synced.error());
        }
        return !there;
    }();
    if (!made && made.error().code != Errc::RandomFailed) {
        made.error().code = Errc::StoreFailed;
    }
    return made;
}

} // namespace mtkey::store
