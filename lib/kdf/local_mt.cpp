// SPDX-License-Identifier: Apache-2.0
#include "kdf/local_mt.hpp"

#include "base/log.hpp"
#include "kdf/kdf.hpp"

#include <algorithm>
#include <array>

namespace mtkey::kdf {
namespace {

using Input = KdfProfile::Input;

constexpr std::size_t kLongestDeviceId = 128;

/// 0x21 to 0x7E without A to Z.
bool is_device_id(std::string_view text) {
    return !text.empty() && text.size() <= kLongestDeviceId &&
           std::ranges::all_of(
               text, [](char c) { return c > ' ' && c <= '~' && !(c >= 'A' && c <= 'Z'); });
}

bool names_each_input_once(const std::vector<Input>& order) {
    const auto once = [&](Input input) { return std::ranges::count(order, input) == 1; };
    return order.size() == 3 && once(Input::BTid) && once(Input::NafId) && once(Input::DeviceId);
}

} // namespace

const KdfProfile& draft_1() {
    // DRAFT-GAP(kdf): FC 01 and a static label, as TS 33.220 separates its own uses; the order is
    // that of the draft's sentence (clause 5.5.2 step 9).
    static const KdfProfile profile{
        "draft-1", {0x01}, "ks-local-mt", {Input::BTid, Input::NafId, Input::DeviceId}};
    return profile;
}

Result<const KdfProfile*> find_profile(std::string_view name) {
    if (name == draft_1().name) {
        return &draft_1();
    }
    return fail(Errc::ProfileMismatch, "key derivation profile " + printable(name, 64));
}

Result<Secret<32>> ks_local_mt(const KdfProfile& profile, const Secret<32>& ks_naf,
                               std::string_view b_tid, const NafId& naf_id,
                               std::string_view device_id) {
    if (!names_each_input_once(profile.order)) {
        return fail(Errc::InvalidArgument, "key derivation profile " + printable(profile.name, 64) +
                                               " must name B-TID, NAF_ID and Device_ID once each");
    }
    if (b_tid.empty() || naf_id.fqdn.empty()) {
        return fail(Errc::InvalidArgument, "Ks_local_MT needs a B-TID and a NAF_ID");
    }
    if (!is_device_id(device_id)) {
        return fail(Errc::InvalidArgument, "Device_ID is not in its canonical form");
    }
    const Bytes naf = naf_id.octets();
    std::array<ByteView, 4> parameters{};
    std::size_t used = 0;
    if (!profile.p0.empty()) {
        parameters[used++] = as_octets(profile.p0);
    }
    for (const Input input : profile.order) {
        parameters[used++] = input == Input::BTid    ? as_octets(b_tid)
                             : input == Input::NafId ? ByteView(naf)
                                                     : as_octets(device_id);
    }
    return derive(ks_naf.reveal(), profile.fc, std::span<const ByteView>(parameters).first(used));
}

// DRAFT-GAP(device-id): the draft leaves the form of Device_ID open. Nothing is converted, so that
// what a certificate names and what goes into the key are the same octets.
Result<std::string> canonical_device_id(std::string_view text) {
    if (!is_device_id(text)) {
        return fail(
            Errc::Malformed,
            "Device_ID must be 1 to 128 printable ASCII octets in lower case, without spaces: " +
                printable(text, 64));
    }
    return std::string(text);
}

} // namespace mtkey::kdf
