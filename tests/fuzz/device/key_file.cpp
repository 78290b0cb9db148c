// SPDX-License-Identifier: Apache-2.0
// A key file of anybody's making. What is read comes back the same when it is written again.
#include "device/key_file.hpp"

#include <cstdlib>

using namespace mtkey;
using namespace mtkey::device;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto keys = parse_key_file({data, size}, "file");
    if (!keys) {
        return 0;
    }
    const Bytes text = encode_key_file(*keys);
    const auto again = parse_key_file(text, "file");
    if (keys->size() > kMostKeys || (again && encode_key_file(*again) != text) ||
        (!again && text.size() <= kKeyFileLimit)) {
        std::abort();
    }
    return 0;
}
