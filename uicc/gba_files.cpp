// SPDX-License-Identifier: Apache-2.0
#include "uicc/gba_files.hpp"

#include "uicc/ber_tlv.hpp"
#include "uicc/files.hpp"
#include "uicc/status.hpp"

#include <algorithm>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kReadBinary = 0xB0;
constexpr std::uint8_t kUpdateBinary = 0xD6;
constexpr std::uint8_t kUnused = 0xFF;
constexpr std::size_t kRand = 16;
constexpr std::size_t kBehindRand = 1 + kRand;
constexpr std::size_t kLongestData = 255;
constexpr std::size_t kUaProtocol = 5; // octets behind the FQDN of a NAF_ID
constexpr unsigned kMostNafs = 254;

std::uint16_t gbabp_of(DirEntry::Kind kind) {
    return kind == DirEntry::Kind::Isim ? fid::kIsimGbabp : fid::kGbabp;
}
std::uint16_t gbanl_of(DirEntry::Kind kind) {
    return kind == DirEntry::Kind::Isim ? fid::kIsimGbanl : fid::kGbanl;
}

bool printable_ascii(ByteView octets) {
    return std::ranges::all_of(octets,
                               [](std::uint8_t octet) { return octet > 0x20 && octet < 0x7F; });
}

/// `L octets` from the front of `rest`; empty where the length says "not written".
Result<ByteView> take_field(ByteView& rest, const char* name) {
    if (rest.empty() || rest[0] == 0 || rest[0] == kUnused) {
        rest = {};
        return ByteView{};
    }
    const std::size_t length = rest[0];
    if (length > rest.size() - 1) {
        return fail(Errc::Malformed, std::string("EF_GBABP: ") + name + " is longer than the file");
    }
    const auto field = rest.subspan(1, length);
    rest = rest.subspan(1 + length);
    return field;
}
} // namespace

Result<std::optional<Gbabp>> parse_gbabp(ByteView file) {
    auto rest = file;
    const auto rand = MTKEY_TRY(take_field(rest, "RAND"));
    if (rand.empty()) {
        return std::nullopt;
    }
    if (rand.size() != kRand) {
        return fail(Errc::Malformed, "EF_GBABP: RAND is not of 16 octets");
    }
    Gbabp out;
    std::ranges::copy(rand, out.rand.begin());
    const auto b_tid = MTKEY_TRY(take_field(rest, "B-TID"));
    if (!printable_ascii(b_tid)) {
        return fail(Errc::Malformed, "EF_GBABP: B-TID is no text");
    }
    out.b_tid = as_text(b_tid);
    out.lifetime = as_text(MTKEY_TRY(take_field(rest, "lifetime")));
    return out;
}

bool fits_gbabp(std::size_t file_size, std::string_view b_tid, std::string_view lifetime) {
    const auto length = 1 + b_tid.size() + 1 + lifetime.size();
    return !b_tid.empty() && !lifetime.empty() && length <= kLongestData &&
           kBehindRand + length <= file_size;
}

Result<std::optional<GbanlEntry>> parse_gbanl_record(ByteView record) {
    const auto naf_id = MTKEY_TRY(find_tlv(record, 0x80));
    if (!naf_id || naf_id->empty()) {
        return std::nullopt;
    }
    const auto b_tid = MTKEY_TRY(find_tlv(record, 0x81));
    if (!b_tid || naf_id->size() <= kUaProtocol || !printable_ascii(*b_tid)) {
        return fail(Errc::Malformed, "EF_GBANL record without NAF_ID and B-TID");
    }
    return GbanlEntry{Bytes(naf_id->begin(), naf_id->end()), std::string(as_text(*b_tid))};
}

Result<std::optional<Gbabp>> read_gbabp(CardChannel& card, DirEntry::Kind kind) {
    const auto content = MTKEY_TRY(read_transparent(card, Under::Current, gbabp_of(kind)));
    if (!content) {
        return std::nullopt;
    }
    auto parsed = parse_gbabp(*content);
    if (!parsed) {
        return fail(Errc::CardFailed, parsed.error().context);
    }
    return parsed;
}

Result<std::optional<std::array<std::uint8_t, 16>>> read_gbabp_rand(CardChannel& card,
                                                                    DirEntry::Kind kind) {
    if (!MTKEY_TRY(select_file_quietly(card, Under::Current, gbabp_of(kind)))) {
        return std::nullopt;
    }
    CommandApdu read;
    read.ins = kReadBinary;
    read.le = kBehindRand;
    const auto response = MTKEY_TRY(card.transmit(read));
    if (!response.ok()) {
        return status_error(response.sw, "READ BINARY EF_GBABP");
    }
    const auto parsed = parse_gbabp(response.data.reveal());
    if (!parsed) {
        return fail(Errc::CardFailed, parsed.error().context);
    }
    return *parsed ? std::optional((*parsed)->rand) : std::nullopt;
}

Result<std::vector<GbanlEntry>> read_gbanl(CardChannel& card, DirEntry::Kind kind) {
    std::vector<GbanlEntry> out;
    const auto records = MTKEY_TRY(read_records(card, Under::Current, gbanl_of(kind), kMostNafs));
    for (const auto& record : records.value_or(std::vector<Bytes>{})) {
        auto entry = parse_gbanl_record(record);
        if (entry && *entry) {
            out.push_back(**std::move(entry));
        }
    }
    return out;
}

Result<void> update_gbabp(CardChannel& card, DirEntry::Kind kind, std::size_t file_size,
                          std::string_view b_tid, std::string_view lifetime) {
    if (!fits_gbabp(file_size, b_tid, lifetime)) {
        return fail(Errc::InvalidArgument, "B-TID and lifetime do not fit into EF_GBABP");
    }
    if (!MTKEY_TRY(select_file_quietly(card, Under::Current, gbabp_of(kind)))) {
        return fail(Errc::NotFound, "the card has no EF_GBABP", sw::kFileNotFound);
    }
    Bytes content;
    content.push_back(static_cast<std::uint8_t>(b_tid.size()));
    append(content, as_octets(b_tid));
    content.push_back(static_cast<std::uint8_t>(lifetime.size()));
    append(content, as_octets(lifetime));
    CommandApdu update;
    update.ins = kUpdateBinary;
    update.p2 = kBehindRand;
    update.data = SecretBytes(content);
    const auto response = MTKEY_TRY(card.transmit(update));
    if (!response.ok()) {
        return status_error(response.sw, "UPDATE BINARY EF_GBABP");
    }
    return {};
}

Result<void> update_gbabp(CardChannel& card, std::size_t file_size, std::string_view b_tid,
                          std::string_view lifetime) {
    return update_gbabp(card, DirEntry::Kind::Usim, file_size, b_tid, lifetime);
}

} // namespace mtkey::uicc
