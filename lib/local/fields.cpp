// SPDX-License-Identifier: Apache-2.0
#include "local/fields.hpp"

#include "base/log.hpp"
#include "kdf/local_mt.hpp"

namespace mtkey::local {

namespace {

constexpr std::uint64_t kLastSecond = 253'402'300'799; // 9999-12-31T23:59:59Z

bool is_visible(char c) {
    return c > ' ' && c <= '~';
}

} // namespace

/// What a person may see of a text that anybody may have written.
std::string sanitised(std::string_view text) {
    constexpr std::size_t kDots = 3; // printable() adds "..." where it cuts
    return printable(text, text.size() > kLongestText ? kLongestText - kDots : kLongestText);
}

Result<std::size_t> read_count(CborReader& reader, std::size_t fewest, std::size_t most) {
    const std::size_t count = MTKEY_TRY(reader.array());
    if (count < fewest || count > most) {
        return fail(Errc::Malformed, "array has a wrong number of items");
    }
    return count;
}

Result<std::string> read_name(CborReader& reader, std::size_t longest) {
    const std::string_view text = MTKEY_TRY(reader.text());
    if (text.empty() || text.size() > longest || !std::ranges::all_of(text, is_visible)) {
        return fail(Errc::Malformed, "text is empty, too long or not printable");
    }
    return std::string(text);
}

Result<std::string> read_device_id(CborReader& reader) {
    return kdf::canonical_device_id(MTKEY_TRY(reader.text()));
}

Result<kdf::NafId> read_naf_id(CborReader& reader) {
    static_cast<void>(MTKEY_TRY(read_count(reader, 2, 2)));
    const std::string_view fqdn = MTKEY_TRY(reader.text());
    const auto ua = MTKEY_TRY(read_array<std::tuple_size_v<kdf::UaId>>(reader));
    auto naf_id = MTKEY_TRY(kdf::make_naf_id(fqdn, ua));
    if (naf_id.fqdn != fqdn) {
        return fail(Errc::Malformed, "FQDN is not in its canonical form");
    }
    return naf_id;
}

Result<std::string> read_uri(CborReader& reader, std::string_view fqdn) {
    std::string uri = MTKEY_TRY(read_name(reader, kLongestUri));
    static_cast<void>(MTKEY_TRY(parse_key_center_uri(uri, fqdn)));
    return uri;
}

Result<UtcTime> read_time(CborReader& reader) {
    return UtcTime(std::chrono::seconds(MTKEY_TRY(read_number<std::int64_t>(reader, kLastSecond))));
}

void write_naf_id(CborWriter& out, const kdf::NafId& naf_id) {
    out.array(2);
    out.text(naf_id.fqdn);
    out.octets(naf_id.ua);
}

void write_time(CborWriter& out, UtcTime time) {
    constexpr auto kLast = static_cast<std::int64_t>(kLastSecond);
    const std::int64_t seconds = time.time_since_epoch().count();
    out.number(static_cast<std::uint64_t>(std::clamp<std::int64_t>(seconds, 0, kLast)));
}

} // namespace mtkey::local
