// SPDX-License-Identifier: Apache-2.0
#include "kdf/naf_keys.hpp"
#include "testbed/virtual_uicc/authentication.hpp"
#include "testbed/virtual_uicc/card_files.hpp"
#include "uicc/ber_tlv.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::testbed {
namespace {

constexpr std::uint8_t kTagSuccess = 0xDB;
constexpr std::size_t kUaIdLength = 5;
constexpr std::size_t kBtidAt = 1 + 16; // in EF_GBABP, behind L1 and RAND

/// B-TID as the ME wrote it; empty when it has not.
ByteView stored_b_tid(const Bytes& gbabp) {
    if (gbabp.size() < kBtidAt) {
        return {};
    }
    ByteView rest = ByteView(gbabp).subspan(kBtidAt);
    return take_value(rest).value_or(ByteView());
}

/// EF_GBANL's record for a NAF_ID (TS 31.102 clause 4.2.83): its own, else an unused one, else the
/// least recently used.
std::size_t choose_record(std::vector<std::optional<IntKey>>& keys, ByteView naf_id) {
    const auto own = std::ranges::find_if(
        keys, [&](const auto& key) { return key && std::ranges::equal(key->naf_id, naf_id); });
    const auto last_use = [](const auto& key) { return key ? key->last_use : 0; };
    const auto chosen = own != keys.end() ? own : std::ranges::min_element(keys, {}, last_use);
    return static_cast<std::size_t>(chosen - keys.begin());
}

/// Keeps Ks_int_NAF and names it in EF_GBANL. False where the file has no room.
bool keep_int_key(ApplicationState& application, Directory& adf, ByteView naf_id,
                  Secret<32> ks_int_naf) {
    const auto fids = gba_files(application.kind);
    auto* gbanl = adf.find(fids.gbanl);
    const auto* gbabp = adf.find(fids.gbabp);
    if (gbanl == nullptr || gbabp == nullptr || !gbanl->has_records()) {
        return false;
    }
    Bytes entry;
    uicc::append_tlv(entry, 0x80, naf_id);
    uicc::append_tlv(entry, 0x81, stored_b_tid(gbabp->content));
    if (entry.size() > gbanl->record_length) {
        return false;
    }
    application.int_keys.resize(gbanl->records());
    const std::size_t chosen = choose_record(application.int_keys, naf_id);
    application.int_keys[chosen] =
        IntKey{Bytes(naf_id.begin(), naf_id.end()), std::move(ks_int_naf), ++application.uses};
    const auto record = gbanl->record(chosen);
    std::ranges::fill(std::ranges::copy(entry, record.begin()).out, record.end(),
                      std::uint8_t{0xFF});
    return true;
}

} // namespace

Answer derive_naf_key(ByteView data, ApplicationState& application, Directory& adf) {
    const auto naf_id = take_value(data);
    const auto impi = naf_id ? take_value(data) : std::nullopt;
    if (!impi || !data.empty()) {
        return refuse(sw::kWrongLength);
    }
    if (naf_id->size() <= kUaIdLength || impi->empty()) {
        return refuse(sw::kWrongData);
    }
    if (!application.context) {
        return refuse(sw::kConditionsOfUse);
    }
    // As they came: a card converts nothing.
    kdf::NafId naf{std::string(as_text(naf_id->first(naf_id->size() - kUaIdLength))), {}};
    std::ranges::copy(naf_id->last(kUaIdLength), naf.ua.begin());
    const auto& [ks, rand] = *application.context;
    const auto ext_key = kdf::ks_ext_naf(ks, rand, as_text(*impi), naf);
    auto int_key = kdf::ks_int_naf(ks, rand, as_text(*impi), naf);
    if (!ext_key || !int_key) {
        return refuse(sw::kWrongData);
    }
    if (!keep_int_key(application, adf, *naf_id, std::move(*int_key))) {
        return refuse(sw::kNoMemorySpace);
    }
    return tagged(kTagSuccess, {ext_key->reveal()});
}

} // namespace mtkey::testbed
