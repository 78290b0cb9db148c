// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <functional>
#include <stdexcept>
#include <vector>

namespace mtkey::local::test {

/// A CBOR item as the test sees it: parsed without the code under test, and written in any
/// spelling, also wrong ones.
struct Item {
    unsigned major = 0;
    std::uint64_t value = 0;
    Bytes string;               ///< of octet and text strings
    std::vector<Item> children; ///< of arrays; of maps key, value, key, value
    unsigned head_octets = 0;   ///< behind the first octet: 0 = shortest, else 1, 2, 4 or 8
    bool indefinite = false;
    Bytes raw;                    ///< written instead of everything above
    std::int64_t count_error = 0; ///< added to the length or count that the head says
};

inline Item parse_item(ByteView& octets) {
    const auto take = [&] {
        const std::uint8_t first = octets.front();
        octets = octets.subspan(1);
        return first;
    };
    const std::uint8_t first = take();
    Item item;
    item.major = first >> 5;
    item.value = first & 0x1F;
    if (item.value >= 24) {
        unsigned more = 1U << (item.value - 24);
        for (item.value = 0; more > 0; --more) {
            item.value = item.value << 8 | take();
        }
    }
    if (item.major == 2 || item.major == 3) {
        const ByteView string = octets.first(item.value);
        item.string.assign(string.begin(), string.end());
        octets = octets.subspan(item.value);
    }
    const std::uint64_t children = item.major == 4   ? item.value
                                   : item.major == 5 ? 2 * item.value
                                                     : 0;
    for (std::uint64_t i = 0; i < children; ++i) {
        item.children.push_back(parse_item(octets));
    }
    return item;
}

inline void write_item(Bytes& out, const Item& item) {
    if (!item.raw.empty()) {
        append(out, item.raw);
        return;
    }
    std::uint64_t value = item.value;
    if (item.major == 2 || item.major == 3) {
        value = item.string.size();
    } else if (item.major == 4) {
        value = item.children.size();
    } else if (item.major == 5) {
        value = item.children.size() / 2;
    }
    value += static_cast<std::uint64_t>(item.count_error);
    const auto type = static_cast<std::uint8_t>(item.major << 5);
    if (item.indefinite) {
        out.push_back(type | 0x1F);
        if (item.major == 2 || item.major == 3) { // one chunk
            Item chunk = item;
            chunk.indefinite = false;
            write_item(out, chunk);
        }
    } else {
        unsigned more = value < 24            ? 0
                        : value <= 0xFF       ? 1
                        : value <= 0xFFFF     ? 2
                        : value <= 0xFFFFFFFF ? 4
                                              : 8;
        more = std::max(more, item.head_octets);
        const unsigned info = more == 0   ? static_cast<unsigned>(value)
                              : more == 1 ? 24
                              : more == 2 ? 25
                              : more == 4 ? 26
                                          : 27;
        out.push_back(static_cast<std::uint8_t>(type | info));
        for (unsigned shift = 8 * more; shift > 0;) {
            shift -= 8;
            out.push_back(static_cast<std::uint8_t>(value >> shift));
        }
        append(out, item.string);
    }
    for (const Item& child : item.children) {
        write_item(out, child);
    }
    if (item.indefinite) {
        out.push_back(0xFF);
    }
}

inline Item tree_of(ByteView octets) {
    Item item = parse_item(octets);
    if (!octets.empty()) {
        throw std::logic_error("octets behind the item");
    }
    return item;
}

inline Bytes written(const Item& item) {
    Bytes out;
    write_item(out, item);
    return out;
}

/// Calls `change` for every item of the tree; each call sees the tree unchanged but for its own
/// item.
inline void for_each_item(const Item& root,
                          const std::function<void(Item&, const Item& whole)>& change) {
    Item copy = root;
    const std::function<void(Item&)> visit = [&](Item& at) {
        const Item before = at;
        change(at, copy);
        at = before;
        for (Item& child : at.children) {
            visit(child);
        }
    };
    visit(copy);
}

} // namespace mtkey::local::test
