// SPDX-License-Identifier: Apache-2.0
// The plaintext of a store, as only somebody with the key could make it. What is read is written
// again octet by octet.
#include "store/snapshot.hpp"

#include <algorithm>
#include <cstdlib>

using namespace mtkey;
using namespace mtkey::store;

namespace {

struct Plain final : PlainSink, PlainSource {
    explicit Plain(ByteView given) : rest(given) {}
    void write(ByteView octets) override { append(written, octets); }
    Result<void> read(std::span<std::uint8_t> out) override {
        if (out.size() > rest.size()) {
            return fail(Errc::Malformed);
        }
        std::ranges::copy(rest.first(out.size()), out.begin());
        rest = rest.subspan(out.size());
        return {};
    }
    std::size_t left() const override { return rest.size(); }
    ByteView rest;
    Bytes written;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Plain plain({data, size});
    const auto snapshot = parse_snapshot(plain);
    if (snapshot && (!encode_snapshot(*snapshot, plain) ||
                     !std::ranges::equal(plain.written, ByteView(data, size)))) {
        std::abort();
    }
    return 0;
}
