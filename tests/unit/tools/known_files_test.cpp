// SPDX-License-Identifier: Apache-2.0
// Contents are those of pySim's test data and of TS 31.102, unless it says otherwise.
#include "base/encoding.hpp"
#include "tools/mtkey-card/known_files.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {

nlohmann::json of(Coding coding, std::initializer_list<const char*> records) {
    std::vector<Bytes> content;
    for (const auto* record : records) {
        content.push_back(from_hex(record).value());
    }
    return decode(coding, content);
}

TEST(KnownFiles, are_found_by_name_and_identifier) {
    EXPECT_EQ(find_known_file("EF_IMSI", Home::Usim)->identifier, 0x6F07);
    EXPECT_EQ(find_known_file("imsi", Home::Isim)->identifier, 0x6F07);
    EXPECT_EQ(find_known_file("EF.GBABP", Home::Usim)->identifier, 0x6FD6);
    EXPECT_EQ(find_known_file("ef_gbabp", Home::Isim)->identifier, 0x6FD5);
    EXPECT_EQ(find_known_file("2FE2", Home::Usim), nullptr);
    // The same number means another file in another application.
    EXPECT_EQ(find_known_file(0x6F07, Home::Usim)->name, "EF_IMSI");
    EXPECT_EQ(find_known_file(0x6F07, Home::Isim)->name, "EF_IST");
    EXPECT_EQ(find_known_file(0x2FE2, Home::Usim), nullptr);
}

TEST(KnownFiles, say_what_stands_in_them) {
    EXPECT_EQ(of(Coding::Imsi, {"080910101032547698"}), "001010123456789");
    EXPECT_EQ(of(Coding::Ad, {"00000002"})["mnc_length"], 2);
    EXPECT_TRUE(of(Coding::Ad, {"000000"})["mnc_length"].is_null());
    const auto services = of(Coding::Ust, {"0100000000000000080800"});
    ASSERT_EQ(services.size(), 3U);
    EXPECT_EQ(services[0]["number"], 1);
    EXPECT_EQ(services[1]["name"], "GBA");
    EXPECT_EQ(services[2]["number"], 76);
    const auto dir =
        of(Coding::Dir, {"61294f10a0000000871002ffffffff890709000050055553696d31730ea00c80"
                         "011781025f608203454150",
                         "ffffffff"});
    EXPECT_EQ(dir[0]["kind"], "usim");
    EXPECT_EQ(dir[0]["label"], "USim1");
    EXPECT_TRUE(dir[1].is_null());
    EXPECT_EQ(of(Coding::Plmns, {"62f220ffffff130014"}), nlohmann::json({"262-02", "310-410"}));
    EXPECT_EQ(of(Coding::Languages, {"656e6465ffff"}), nlohmann::json({"en", "de"}));
    EXPECT_EQ(of(Coding::Name, {"014d616769ffff"}), "Magi");
    EXPECT_EQ(of(Coding::ImsName, {"8003612e62ffff"}), "a.b");
}

TEST(KnownFiles, gba_files) {
    const auto gbabp = of(Coding::Gbabp, {"1000112233445566778899aabbccddeeff"
                                          "03404142"
                                          "0430313233ffff"});
    EXPECT_EQ(gbabp["rand"], "00112233445566778899aabbccddeeff");
    EXPECT_EQ(gbabp["b_tid"], "@AB");
    EXPECT_EQ(gbabp["lifetime"], "0123");
    EXPECT_TRUE(of(Coding::Gbabp, {"ffffffff"}).is_null());
    EXPECT_TRUE(of(Coding::Gbabp, {""}).is_null());
    EXPECT_EQ(of(Coding::Gbabp, {"04010203"}), nullptr); // cut short
    const auto gbanl = of(Coding::Gbanl, {"8007612eff00033259"
                                          "8101"
                                          "62ff",
                                          "ffff"});
    EXPECT_EQ(gbanl[0]["naf"], "a.");
    EXPECT_EQ(gbanl[0]["ua"], "ff00033259");
    EXPECT_EQ(gbanl[0]["b_tid"], "b");
    EXPECT_TRUE(gbanl[1].is_null());
}

TEST(KnownFiles, nothing_sensible_is_null_and_keys_are_never_decoded) {
    for (const auto coding : {Coding::Iccid, Coding::Imsi, Coding::ImsName, Coding::Gbabp}) {
        EXPECT_TRUE(of(coding, {"ff"}).is_null());
        EXPECT_TRUE(of(coding, {""}).is_null());
    }
    EXPECT_TRUE(of(Coding::Keys, {"0701020304"}).is_null());
    EXPECT_TRUE(of(Coding::Raw, {"01"}).is_null());
}

} // namespace
} // namespace mtkey::tools
