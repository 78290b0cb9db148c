// SPDX-License-Identifier: Apache-2.0
// What the command of av_command writes. What is accepted stood in the text.
#include "network/bsf/av_answer.hpp"
#include "base/encoding.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string>

using namespace mtkey;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text(ByteView(data, size));
    const auto answer = bsf::parse_av_answer(text);
    if (answer) {
        const auto all = lower(text);
        const auto& vector = answer->vector;
        require(vector.xres.size() >= 4 && vector.xres.size() <= 16);
        for (const auto octets :
             {ByteView(vector.rand), ByteView(vector.autn), vector.xres.reveal(),
              ByteView(vector.ck.reveal()), ByteView(vector.ik.reveal())}) {
            require(all.find(to_hex(octets)) != std::string::npos);
        }
        require(!answer->lifetime || answer->lifetime->count() > 0);
    } else {
        require(answer.error().code == Errc::IoFailed || answer.error().code == Errc::NotFound ||
                answer.error().code == Errc::Rejected);
    }
    return 0;
}
