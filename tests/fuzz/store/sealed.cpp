// SPDX-License-Identifier: Apache-2.0
// The two files of a store, of anybody's making: without the key none is believed. The first octet
// says which; with its highest bit set the file is one of ours that the rest is laid over.
#include "store/generation.hpp"
#include "store/snapshot.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

using namespace mtkey;
using namespace mtkey::store;

namespace {

class FixedSalt final : public RandomSource {
public:
    Result<void> fill(std::span<std::uint8_t> out) override {
        std::ranges::fill(out, std::uint8_t{0x5A});
        return {};
    }
};

const Kek& kek() {
    static const Kek one;
    return one;
}

Bytes ours(bool store) {
    FixedSalt salt;
    return store ? seal(Snapshot{}, kek(), "fuzz", salt).value()
                 : encode_generation({}, kek(), "fuzz");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const bool is_store = (data[0] & 1) == 0;
    static const std::array<Bytes, 2> originals{ours(true), ours(false)};
    const Bytes& original = originals[is_store ? 0 : 1];
    Bytes file(data + 1, data + size);
    if ((data[0] & 0x80) != 0) {
        const Bytes laid_over = std::exchange(file, original);
        for (std::size_t i = 0; i < std::min(file.size(), laid_over.size()); ++i) {
            file[i] ^= laid_over[i];
        }
    }
    const std::array keks{&kek()};
    const bool believed = is_store ? open(file, keks, "fuzz").has_value()
                                   : parse_generation(file, keks, "fuzz").has_value();
    if (believed != (file == original)) {
        std::abort();
    }
    return 0;
}
