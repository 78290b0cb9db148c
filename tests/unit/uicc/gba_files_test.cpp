// SPDX-License-Identifier: Apache-2.0
#include "uicc/gba_files.hpp"

#include "fakes/scripted_card.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

using test::ScriptedCard;

std::string fcp_of_file(unsigned size) {
    Bytes out = *from_hex("6208820241218002");
    append_u16(out, size);
    return to_hex(out);
}

TEST(UpdateGbabpTest, WorkedExample) {
    const auto example = vectors::load("worked_example.json");
    const std::string b_tid = example["btid"];
    const std::string lifetime = example["lifetime"];
    ScriptedCard card;
    card.expect("00a4000c026fd6", "9000")
        .expect(static_cast<std::string>(example["gba_u"]["apdu_update_binary_btid_lifetime"]),
                "9000");
    EXPECT_TRUE(update_gbabp(card, 160, b_tid, lifetime));
    EXPECT_TRUE(card.finished()) << card.trouble();
    // The content that the file must have then: 17 octets of the card's, then ours; it fits
    // exactly.
    const auto size =
        static_cast<std::string>(example["gba_u"]["ef_gbabp_after_update"]).size() / 2;
    ScriptedCard exact;
    exact.expect("00a4000c026fd6", "9000")
        .expect(static_cast<std::string>(example["gba_u"]["apdu_update_binary_btid_lifetime"]),
                "9110");
    EXPECT_TRUE(update_gbabp(exact, size, b_tid, lifetime));
    EXPECT_TRUE(exact.finished()) << exact.trouble();
    ScriptedCard untouched;
    const auto too_small = update_gbabp(untouched, size - 1, b_tid, lifetime);
    ASSERT_FALSE(too_small);
    EXPECT_EQ(too_small.error().code, Errc::InvalidArgument);
    EXPECT_TRUE(untouched.finished()) << untouched.trouble();
}

TEST(UpdateGbabpTest, WhatDoesNotFitIsNotWritten) {
    ScriptedCard card;
    for (const auto& [b_tid, lifetime] :
         {std::pair(std::string(), std::string("2030")), std::pair(std::string("b"), std::string()),
          std::pair(std::string(234, 'b'), std::string(20, 't')),
          std::pair(std::string(300, 'b'), std::string("t"))}) {
        const auto written = update_gbabp(card, 4096, b_tid, lifetime);
        ASSERT_FALSE(written);
        EXPECT_EQ(written.error().code, Errc::InvalidArgument);
    }
    EXPECT_TRUE(card.finished()) << card.trouble();
}

TEST(UpdateGbabpTest, IsimHasItsOwnFile) {
    ScriptedCard card;
    card.expect("00a4000c026fd5", "9000").expect("00d60011080362746903323033", "9000");
    EXPECT_TRUE(update_gbabp(card, DirEntry::Kind::Isim, 64, "bti", "203"));
    EXPECT_TRUE(card.finished()) << card.trouble();
}

TEST(UpdateGbabpTest, FitsSaysWhatUpdateDoes) {
    EXPECT_TRUE(fits_gbabp(17 + 4 + 4, "bti", "203"));
    EXPECT_FALSE(fits_gbabp(17 + 4 + 3, "bti", "203"));
    EXPECT_FALSE(fits_gbabp(0, "bti", "203"));
    EXPECT_FALSE(fits_gbabp(64, "", "203"));
    EXPECT_FALSE(fits_gbabp(64, "bti", ""));
    EXPECT_TRUE(fits_gbabp(4096, std::string(233, 'b'), std::string(20, 't')));
    EXPECT_FALSE(fits_gbabp(4096, std::string(234, 'b'), std::string(20, 't')));
}

TEST(ParseGbabpTest, WorkedExample) {
    const auto example = vectors::load("worked_example.json");
    const auto file = vectors::hex(example["gba_u"]["ef_gbabp_after_update"]);
    const auto gbabp = parse_gbabp(file);
    ASSERT_TRUE(gbabp && *gbabp);
    EXPECT_EQ((*gbabp)->rand, vectors::array<16>(example["milenage"]["rand"]));
    EXPECT_EQ((*gbabp)->b_tid, static_cast<std::string>(example["btid"]));
    EXPECT_EQ((*gbabp)->lifetime, static_cast<std::string>(example["lifetime"]));
}

TEST(ParseGbabpTest, WhatIsNotWrittenYet) {
    for (const auto& file : {Bytes(), Bytes(160, 0xFF), Bytes(160, 0x00)}) {
        const auto gbabp = parse_gbabp(file);
        ASSERT_TRUE(gbabp);
        EXPECT_FALSE(*gbabp);
    }
    // RAND is the card's; B-TID and lifetime come later, or never.
    Bytes file{0x10};
    file.resize(17, 0xAB);
    for (const auto* rest : {"", "ff", "00", "ffffffff", "0000", "0161", "0161ff", "016100"}) {
        auto whole = file;
        append(whole, *from_hex(rest));
        const auto gbabp = parse_gbabp(whole);
        ASSERT_TRUE(gbabp && *gbabp) << rest;
        EXPECT_EQ((*gbabp)->rand[15], 0xAB) << rest;
        EXPECT_EQ((*gbabp)->b_tid, std::string(rest).starts_with("0161") ? "a" : "") << rest;
        EXPECT_TRUE((*gbabp)->lifetime.empty()) << rest;
    }
}

TEST(ParseGbabpTest, Malformed) {
    Bytes rand{0x10};
    rand.resize(17, 0xAB);
    for (const auto* sample : {"10", "0f", "10aabb", "11", "0a00112233445566778899", "80"}) {
        EXPECT_FALSE(parse_gbabp(*from_hex(sample))) << sample;
    }
    for (const auto* rest : {"0261", "fe61", "0100", "0120", "01c3", "0161ee", "016105616263"}) {
        auto whole = rand;
        append(whole, *from_hex(rest));
        EXPECT_FALSE(parse_gbabp(whole)) << rest;
    }
}

TEST(ReadGbabpTest, Content) {
    const auto example = vectors::load("worked_example.json");
    const std::string file = example["gba_u"]["ef_gbabp_after_update"];
    const auto size = static_cast<unsigned>(file.size() / 2);
    ScriptedCard card;
    card.expect("00a40004026fd600", fcp_of_file(size) + "9000")
        .expect("00b00000" + to_hex(Bytes{static_cast<std::uint8_t>(size)}), file + "9000")
        .expect("00a40004026fd500", "6a82");
    const auto usim = read_gbabp(card, DirEntry::Kind::Usim);
    ASSERT_TRUE(usim && *usim) << card.trouble();
    EXPECT_EQ((*usim)->b_tid, static_cast<std::string>(example["btid"]));
    const auto isim = read_gbabp(card, DirEntry::Kind::Isim);
    ASSERT_TRUE(isim);
    EXPECT_FALSE(*isim);
    card.expect("00a4000c026fd6", "9000").expect("00b0000011", file.substr(0, 34) + "9000");
    const auto rand = read_gbabp_rand(card, DirEntry::Kind::Usim);
    ASSERT_TRUE(rand && *rand) << card.trouble();
    EXPECT_EQ(**rand, vectors::array<16>(example["milenage"]["rand"]));
    card.expect("00a4000c026fd6", "9000").expect("00b0000011", "6982");
    const auto refused = read_gbabp_rand(card, DirEntry::Kind::Usim);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::PinRequired);
    card.expect("00a4000c026fd6", "9000").expect("00b0000011", to_hex(Bytes(17, 0xFF)) + "9000");
    const auto fresh = read_gbabp_rand(card, DirEntry::Kind::Usim);
    ASSERT_TRUE(fresh);
    EXPECT_FALSE(*fresh);
    EXPECT_TRUE(card.finished()) << card.trouble();
}

// "naf.a" and the default Ua security protocol; B-TID "b@c".
const std::string kNaf = "800a6e61662e610000000000"
                         "8103624063";

TEST(GbanlTest, Records) {
    const auto entry = parse_gbanl_record(*from_hex(kNaf + "ffff"));
    ASSERT_TRUE(entry && *entry);
    EXPECT_EQ(to_hex((*entry)->naf_id), "6e61662e610000000000");
    EXPECT_EQ((*entry)->b_tid, "b@c");
    for (const auto* unused : {"", "ffffffff", "00000000", "8000ffff", "80008100"}) {
        const auto none = parse_gbanl_record(*from_hex(unused));
        ASSERT_TRUE(none) << unused;
        EXPECT_FALSE(*none) << unused;
    }
    for (const auto* malformed :
         {"80", "8005616263", "800a6e61662e610000000000", "80056e61662e618101",
          "8005000000000081026162", "800a6e61662e6100000000008102620a",
          "800a6e61662e6100000000008104626263"}) {
        EXPECT_FALSE(parse_gbanl_record(*from_hex(malformed))) << malformed;
    }
}

TEST(GbanlTest, ListLeavesOutWhatMakesNoSense) {
    ScriptedCard card;
    card.expect("00a40004026fd700", "6207820542210020039000")
        .expect("00b2010420", kNaf + to_hex(Bytes(15, 0xFF)) + "9000")
        .expect("00b2020420", "80ff" + to_hex(Bytes(30, 0xFF)) + "9000")
        .expect("00b2030420", to_hex(Bytes(32, 0xFF)) + "9000");
    const auto list = read_gbanl(card, DirEntry::Kind::Isim);
    ASSERT_TRUE(list) << card.trouble();
    ASSERT_EQ(list->size(), 1U);
    EXPECT_EQ(list->front().b_tid, "b@c");
    card.expect("00a40004026fda00", "6a82");
    const auto none = read_gbanl(card, DirEntry::Kind::Usim);
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->empty());
    EXPECT_TRUE(card.finished()) << card.trouble();
}

TEST(UpdateGbabpTest, Refusals) {
    const auto with = [](const std::string& select, const std::string& update) {
        ScriptedCard card;
        card.expect("00a4000c026fd6", select);
        if (!update.empty()) {
            card.expect("00d60011080362746903323033", update);
        }
        auto written = update_gbabp(card, 64, "bti", "203");
        EXPECT_TRUE(card.finished()) << card.trouble();
        return written ? Error{} : written.error();
    };
    EXPECT_EQ(with("6a82", "").code, Errc::NotFound);
    EXPECT_EQ(with("6982", "").code, Errc::PinRequired);
    const auto no_pin = with("9000", "6982");
    EXPECT_EQ(no_pin.code, Errc::PinRequired);
    EXPECT_EQ(no_pin.detail, 0x6982U);
    const auto worn_out = with("9000", "6581");
    EXPECT_EQ(worn_out.code, Errc::CardFailed);
    EXPECT_EQ(worn_out.detail, 0x6581U);
}

} // namespace
} // namespace mtkey::uicc
