// SPDX-License-Identifier: Apache-2.0
// Shows the messages of lib/local to another CBOR implementation, for cbor_compare.py.
//   local_messages print    a line "type name hex" for every sample
//   local_messages check    reads lines "type hex", answers each with "ok hex" (as we write it) or
//   "refused"
#include "unit/local/samples.hpp"

#include <iostream>

namespace {

using namespace mtkey;
using namespace mtkey::local;

int print() {
    for (const auto& sample : test::samples()) {
        std::cout << static_cast<int>(sample.type) << " " << sample.name << " "
                  << to_hex(sample.octets) << "\n";
    }
    return 0;
}

int check() {
    int type = 0;
    std::string text;
    while (std::cin >> type >> text) {
        const auto octets = from_hex(text == "-" ? "" : text);
        if (!octets) {
            return 2;
        }
        const auto again = test::recode(static_cast<MessageType>(type), *octets);
        std::cout << (again ? "ok " + to_hex(*again) : "refused") << "\n";
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view mode = argc == 2 ? argv[1] : "";
    if (mode == "print") {
        return print();
    }
    if (mode == "check") {
        return check();
    }
    std::cerr << "usage: local_messages print|check\n";
    return 2;
}
