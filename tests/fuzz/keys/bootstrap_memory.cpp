// SPDX-License-Identifier: Apache-2.0
// A memory file of anybody's making, with its checksum made right: what is read comes back the
// same.
#include "keys/bootstrap_memory.hpp"
#include "base/encoding.hpp"
#include "base/hash.hpp"

#include <cstdlib>

using namespace mtkey;
using namespace mtkey::keys;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string lines(as_text({data, size}));
    (void)parse_bootstrap_past(lines);
    const auto text = lines + "end " + to_hex(sha256({as_octets(lines)})) + "\n";
    if (const auto past = parse_bootstrap_past(text)) {
        if (encode_bootstrap_past(*past) != text || past->runs.size() > kMostRuns ||
            past->without_gba.size() > kMostWithoutGba) {
            std::abort();
        }
    }
    return 0;
}
