// SPDX-License-Identifier: Apache-2.0
// First octet: type of the message; the rest is its payload. What is accepted has one spelling.
#include "unit/local/samples.hpp"

#include "local/cbor.hpp"

#include <algorithm>
#include <cstdlib>

using namespace mtkey;
using namespace mtkey::local;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const auto type = static_cast<MessageType>(data[0] % 16);
    const ByteView payload(data + 1, size - 1);
    const auto again = test::recode(type, payload);
    if (again) {
        // HELLO drops unknown keys and ERROR makes its text printable: then the second spelling is
        // the final one.
        const bool lossy = type == MessageType::Hello || type == MessageType::Error;
        const auto twice = test::recode(type, *again);
        if (!twice || *twice != *again || (!lossy && !std::ranges::equal(*again, payload))) {
            std::abort();
        }
    } else if (again.error().code != Errc::Malformed) {
        std::abort();
    }
    CborReader reader(payload);
    if (reader.skip() && reader.end()) {
        CborReader map(payload);
        static_cast<void>(map.map());
    }
    return 0;
}
