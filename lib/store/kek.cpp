// SPDX-License-Identifier: Apache-2.0
#include "store/kek.hpp"

#include "base/file.hpp"

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

} // namespace mtkey::store
