// SPDX-License-Identifier: Apache-2.0
// Malformed messages, made from every good one by the same list of changes. Threat L1: all refused,
// none accepted by another spelling.
#include "cbor_tree.hpp"
#include "local/cbor.hpp"
#include "samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace mtkey::local {
namespace {

using test::hex;
using test::Item;
using test::Sample;

/// Counts what was tried, so that a generator that makes nothing is noticed.
class Malformed : public testing::Test {
protected:
    void expect_refused(const Sample& sample, const Bytes& octets, std::string_view change) {
        if (octets == sample.octets || !seen_.insert(octets).second) {
            return;
        }
        ++rows_;
        const auto result = test::recode(sample.type, octets);
        EXPECT_FALSE(result) << sample.name << ", " << change << ": " << to_hex(octets);
        if (!result) {
            EXPECT_EQ(result.error().code, Errc::Malformed) << sample.name << ", " << change;
        }
    }
    void TearDown() override { RecordProperty("rows", rows_); }

    int rows_ = 0;

private:
    std::set<Bytes> seen_;
};

/// The tree of a sample; of a message with a sealed body also that of the body, which is changed
/// and sealed again.
void for_each_tree(
    const Sample& sample,
    const std::function<void(const Item&, const std::function<Bytes(const Item&)>&)>& use) {
    const Item whole = test::tree_of(sample.octets);
    use(whole, test::written);
    if (sample.type == MessageType::Confirm || sample.type == MessageType::ConfirmAck ||
        sample.type == MessageType::ResumeAnswer) {
        use(test::tree_of(whole.children[1].string), [&](const Item& body) {
            Item sealed = whole;
            sealed.children[1].string = test::written(body);
            return test::written(sealed);
        });
    }
}

TEST_F(Malformed, OtherSpellingsOfTheSameItem) {
    for (const Sample& sample : test::samples()) {
        for_each_tree(sample, [&](const Item& root, const auto& write) {
            test::for_each_item(root, [&](Item& item, const Item& whole) {
                for (const unsigned octets : {1U, 2U, 4U, 8U}) {
                    item.head_octets = octets;
                    expect_refused(sample, write(whole), "longer head");
                }
                item.head_octets = 0;
                if (item.major >= 2) {
                    item.indefinite = true;
                    expect_refused(sample, write(whole), "indefinite length");
                    item.indefinite = false;
                }
            });
        });
    }
    EXPECT_GE(rows_, 800);
}

TEST_F(Malformed, ItemsOfAnotherType) {
    const char* const kOthers[] = {
        "00",   "20",     "4100", "6161",   "80",         "a0",
        "f4",   "f6",     "f7",   "f93c00", "fa3f800000", "fb3ff0000000000000",
        "c100", "d82000", "ff",   "1c",     "9fff",       "bfff",
        "5fff", "7fff",   "e0",   "f800"};
    for (const Sample& sample : test::samples()) {
        for_each_tree(sample, [&](const Item& root, const auto& write) {
            test::for_each_item(root, [&](Item& item, const Item& whole) {
                for (const char* other : kOthers) {
                    const Bytes raw = hex(other);
                    if (raw[0] >> 5 != item.major) {
                        item.raw = raw;
                        expect_refused(sample, write(whole), "other type");
                        item.raw.clear();
                    }
                }
            });
        });
    }
    EXPECT_GE(rows_, 3000);
}

TEST_F(Malformed, LengthsAndCountsThatLie) {
    for (const Sample& sample : test::samples()) {
        for_each_tree(sample, [&](const Item& root, const auto& write) {
            test::for_each_item(root, [&](Item& item, const Item& whole) {
                if (item.major < 2) {
                    return;
                }
                for (const std::int64_t error :
                     {-1L, 1L, 255L, 65535L, 0x7FFFFFFFL, 0x7FFFFFFFFFFFFFL}) {
                    item.count_error = error;
                    expect_refused(sample, write(whole), "length lies");
                }
            });
        });
    }
    EXPECT_GE(rows_, 500);
}

/// The keys of the top map (or the body's) that may be missing, by sample.
bool may_be_left_out(const Sample& sample, std::uint64_t key) {
    switch (sample.type) {
    case MessageType::Hello:
        return key == 6;
    case MessageType::KeyInfo:
        return key == 2;
    case MessageType::EstablishmentRequest:
        return key == 4;
    case MessageType::Error:
        return key >= 2;
    default:
        return false;
    }
}

TEST_F(Malformed, PairsMissingTwiceOutOfOrderUnknown) {
    for (const Sample& sample : test::samples()) {
        for_each_tree(sample, [&](const Item& root, const auto& write) {
            test::for_each_item(root, [&](Item& item, const Item& whole) {
                if (item.major != 5) {
                    return;
                }
                const bool top = &item == &whole;
                const bool naf_entry = !top;
                const std::vector<Item> pairs = item.children;
                const auto at = [&](std::size_t i) {
                    return pairs.begin() + static_cast<std::ptrdiff_t>(i);
                };
                for (std::size_t i = 0; i < pairs.size(); i += 2) {
                    const bool optional =
                        naf_entry ? pairs[i].value == 2 : may_be_left_out(sample, pairs[i].value);
                    if (!optional) {
                        item.children.assign(pairs.begin(), at(i));
                        item.children.insert(item.children.end(), at(i + 2), pairs.end());
                        expect_refused(sample, write(whole), "key missing");
                    }
                    item.children = pairs;
                    item.children.insert(item.children.begin() + static_cast<std::ptrdiff_t>(i),
                                         at(i), at(i + 2));
                    expect_refused(sample, write(whole), "key twice");
                    item.children = pairs;
                    item.children.insert(item.children.end(), at(i), at(i + 2));
                    expect_refused(sample, write(whole), "key again at the end");
                    for (std::size_t j = 0; j < i; j += 2) {
                        item.children = pairs;
                        std::swap(item.children[i], item.children[j]);
                        std::swap(item.children[i + 1], item.children[j + 1]);
                        expect_refused(sample, write(whole), "keys out of order");
                    }
                    for (const char* key :
                         {"00", "17", "1818", "1903e8", "20", "6131", "4101", "f4"}) {
                        item.children = pairs;
                        item.children[i].raw = hex(key);
                        if (optional && sample.type == MessageType::Hello && top &&
                            i + 2 == pairs.size() && (key[0] == '1')) {
                            continue; // HELLO may carry keys that we do not know
                        }
                        expect_refused(sample, write(whole), "other key");
                    }
                }
                for (const char* pair :
                     {"0000", "0700", "1700", "181800", "2000", "616100", "0900f6"}) {
                    if (sample.type == MessageType::Hello && top && pair[0] <= '1' &&
                        pair[1] != '0') {
                        continue;
                    }
                    item.children = pairs;
                    Item key;
                    Item value;
                    const Bytes octets = hex(pair);
                    key.raw.assign(octets.begin(), octets.end() - 1);
                    value.raw = {octets.back()};
                    item.children.push_back(key);
                    item.children.push_back(value);
                    expect_refused(sample, write(whole), "unknown key");
                }
                item.children = pairs;
            });
        });
    }
    EXPECT_GE(rows_, 700);
}

TEST_F(Malformed, CutOffOrGoingOn) {
    for (const Sample& sample : test::samples()) {
        for_each_tree(sample, [&](const Item& root, const auto& write) {
            const Bytes plain = test::written(root);
            Item changed;
            for (std::size_t size = 0; size < plain.size(); ++size) {
                changed.raw.assign(plain.begin(),
                                   plain.begin() + static_cast<std::ptrdiff_t>(size));
                if (size > 0) {
                    expect_refused(sample, write(changed), "cut off");
                }
            }
            for (const char* tail : {"00", "20", "40", "60", "80", "a0", "f6", "ff"}) {
                changed.raw = plain;
                append(changed.raw, hex(tail));
                expect_refused(sample, write(changed), "octets behind the end");
            }
        });
        expect_refused(sample, {}, "nothing at all");
    }
    EXPECT_GE(rows_, 1800);
}

struct ValueRow {
    const char* sample;
    std::uint64_t key; ///< of the top map; 100 + key: of the body
    std::string value; ///< hex of the item in its place
};

std::string text_item(std::string_view text) {
    CborWriter out;
    out.text(text);
    return to_hex(out.take());
}

TEST_F(Malformed, ValuesOutOfRange) {
    const std::string ua = "45ff00033259";
    const auto naf = [&](const std::string& fqdn, const std::string& ua_item) {
        return "82" + text_item(fqdn) + ua_item;
    };
    const std::string good_naf = naf(test::kFqdn, ua);
    std::vector<ValueRow> rows = {
        {"hello-device", 1, "02"},
        {"hello-device", 1, "18ff"},
        {"hello-device", 2, "80"},
        {"hello-device", 2, "8100"},
        {"hello-device", 2, "820101"},
        {"hello-device", 2, "820201"},
        {"hello-device", 2, "81190100"},
        {"hello-device", 2, "89010203040506070809"},
        {"hello-device", 3, "8160"},
        {"hello-device", 3, "81" + text_item(std::string(33, 'a'))},
        {"hello-device", 3, "81" + text_item("a b")},
        {"hello-device", 3, "81" + text_item("\xc3\xbc")},
        {"hello-device", 4, "40"},
        {"hello-device", 4, "581f" + to_hex(Bytes(31))},
        {"hello-device", 4, "5821" + to_hex(Bytes(33))},
        {"hello-device", 5, "00"},
        {"hello-device", 5, "1903ff"},
        {"hello-device", 5, "1a00010000"},
        {"hello-mt", 1, "00"}, // a device with an mt_id
        {"hello-mt", 6, "60"},
        {"hello-mt", 6, text_item(std::string(65, 'a'))},
        {"hello-mt", 6, text_item("a b")},
        {"hello-mt", 6, text_item("a\n")},
        {"resume-1", 1, "80"},
        {"resume-1", 1, "8140"},
        {"resume-1", 1, "814f" + to_hex(Bytes(15))},
        {"resume-1", 1, "8151" + to_hex(Bytes(17))},
        {"resume-answer-known", 101, "00"}, // unknown does not say an index
        {"resume-answer-known", 101, "02"},
        {"resume-answer-known", 101, "04"},
        {"resume-answer-known", 102, "08"},
        {"resume-answer-known", 102, "18ff"},
        {"resume-answer-wait", 101, "01"},
        {"resume-answer-wait", 103, "1a00015181"},
        {"resume-answer-unknown", 101, "01"},
        {"resume-answer-known", 2, "40"},
        {"resume-answer-known", 2, "581f" + to_hex(Bytes(31))},
        {"l1", 1, "60"},
        {"l1", 1, text_item(std::string(129, 'a'))},
        {"l1", 1, text_item("a b")},
        {"l1", 1, text_item("URN:x")},
        {"l1", 1, text_item("a\x7f")},
        {"l1", 1, text_item("\xc3\xbc")},
        {"l1", 1, text_item(std::string_view("a\0b", 3))},
        {"l2-full", 1, "80"},
        {"l2-optimised", 2, "60"},
        {"l2-optimised", 2, text_item(std::string(256, 'a'))},
        {"l2-optimised", 2, text_item("a b")},
        {"l3-full", 3, "03"},
        {"l3-full", 3, "1818"},
        {"l3-full", 2, text_item("A")},
        {"l3-optimised", 4, "60"},
        {"l3-optimised", 4, text_item(std::string(256, 'a'))},
        {"l4", 1, "40"},
        {"l4", 1, "4f" + to_hex(Bytes(15))},
        {"l4", 2, "60"},
        {"l4", 4, "60"},
        {"l4", 4, text_item(std::string(65, 'a'))},
        {"l4", 5, text_item("gba")},
        {"l4", 5, text_item("GBA-U")},
        {"l4", 5, text_item("")},
        {"l4", 6, "1b0000003afff44180"},
        {"l4", 6, "1bffffffffffffffff"},
        {"l4", 7, "1b0000000100000000"},
        {"confirm", 101, "50" + to_hex(Bytes(15))},
        {"confirm", 102, "60"},
        {"confirm", 104, "60"},
        {"confirm", 105, "1bffffffffffffffff"},
        {"confirm", 1, "40"},
        {"confirm", 2, "581f" + to_hex(Bytes(31))},
        {"confirm-ack", 101, "02"},
        {"confirm-ack", 102, "1bffffffffffffffff"},
        {"error-bare", 1, "0d"},
        {"error-bare", 1, "18ff"},
        {"error-pending", 2, "00"},
        {"error-pending", 2, "1a00015181"},
        {"error-pending", 3, "60"},
        {"error-btid-changed", 1, "02"},
        {"error-btid-changed", 4, "60"},
        {"error-btid-changed", 4, text_item("a b")},
    };
    for (const char* sample : {"l3-full", "l4", "confirm"}) {
        const std::uint64_t key = std::string_view(sample) == "l3-full" ? 1
                                  : sample[0] == 'l'                    ? 3
                                                                        : 103;
        for (const std::string& bad : {std::string("80"),
                                       "81" + text_item(test::kFqdn),
                                       "83" + good_naf.substr(2) + "00",
                                       naf("", ua),
                                       naf("localhost", ua),
                                       naf("192.0.2.1", ua),
                                       naf(test::kFqdn + ".", ua),
                                       naf("NAFKC.example.org", ua),
                                       naf("a..b", ua),
                                       naf("-a.org", ua),
                                       naf("a_b.org", ua),
                                       naf("a.org:443", ua),
                                       naf("../a.org", ua),
                                       naf("a b.org", ua),
                                       naf(std::string("a.org\0", 6), ua),
                                       naf("\xd0\xb0.org", ua),
                                       naf(std::string(64, 'a') + ".org", ua),
                                       naf(test::kFqdn, "40"),
                                       naf(test::kFqdn, "44ff000332"),
                                       naf(test::kFqdn, "46ff0003325900"),
                                       naf(test::kFqdn, "450001020304")}) {
            rows.push_back({sample, key, bad});
        }
    }
    for (const ValueRow& row : rows) {
        const auto all = test::samples();
        const auto sample = std::ranges::find(all, row.sample, &Sample::name);
        ASSERT_NE(sample, all.end()) << row.sample;
        bool body = false;
        bool found = false;
        for_each_tree(*sample, [&](const Item& root, const auto& write) {
            Item changed = root;
            for (std::size_t i = 0; body == (row.key >= 100) && i < root.children.size(); i += 2) {
                if (root.children[i].value == row.key % 100) {
                    changed.children[i + 1] = Item{};
                    changed.children[i + 1].raw = hex(row.value);
                    found = true;
                    expect_refused(*sample, write(changed), "value " + row.value);
                }
            }
            body = true;
        });
        EXPECT_TRUE(found) << row.sample << " " << row.key;
    }
    EXPECT_GE(rows_, 120);
}

/// Every single octet changed to 51 other values: whatever is still accepted says the same when
/// written again, so no two spellings of one message exist.
TEST(MalformedExhaustive, WhatIsAcceptedHasOneSpelling) {
    std::size_t accepted = 0;
    std::size_t refused = 0;
    for (const Sample& sample : test::samples()) {
        for (std::size_t at = 0; at < sample.octets.size(); ++at) {
            for (unsigned change = 1; change < 256; change += 5) {
                Bytes octets = sample.octets;
                octets[at] ^= static_cast<std::uint8_t>(change);
                const auto again = test::recode(sample.type, octets);
                if (!again) {
                    ++refused;
                } else if (sample.type != MessageType::Hello && sample.type != MessageType::Error) {
                    ++accepted; // HELLO may have unknown keys, the text of ERROR is made printable
                    ASSERT_EQ(to_hex(*again), to_hex(octets)) << sample.name;
                }
            }
        }
    }
    EXPECT_GT(accepted, 1000U);
    EXPECT_GT(refused, 1000U);
}

} // namespace
} // namespace mtkey::local
