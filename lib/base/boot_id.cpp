// SPDX-License-Identifier: Apache-2.0
#include "base/boot_id.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"

#include <algorithm>

namespace mtkey {

Result<BootId> system_boot_id() {
    const std::string path = "/proc/sys/kernel/random/boot_id";
    std::string text = MTKEY_TRY(read_file(path, 64, Trust::Any));
    std::erase_if(text, [](char c) { return c == '-' || c == '\n'; });
    const auto octets = from_hex(text);
    BootId out{};
    if (!octets || octets->size() != out.size()) {
        return fail(Errc::Malformed, path + " holds no UUID");
    }
    std::ranges::copy(*octets, out.begin());
    return out;
}

} // namespace mtkey
