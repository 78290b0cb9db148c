// SPDX-License-Identifier: Apache-2.0
#include "uicc/application.hpp"

#include "fakes/scripted_card.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

using test::ScriptedCard;

const std::string kUsim = "a0000000871002ffffffff8907090000";
const std::string kUsim2 = "a0000000871002ff33ff018900000100";
const std::string kIsim = "a0000000871004ffffffff8907090000";
const std::string kOther = "a0000000090001";

DirEntry entry(const std::string& aid) {
    DirEntry out;
    out.aid = *from_hex(aid);
    out.kind = kind_of_aid(out.aid);
    return out;
}
ApplicationChoice choice(const std::string& text) {
    return parse_application_choice(text).value();
}
std::string chosen(const std::vector<DirEntry>& list, const std::string& text) {
    const auto found = choose_application(list, choice(text));
    return found ? to_hex(found->aid) : std::string(info(found.error().code).name);
}

TEST(ChooseApplicationTest, Rule) {
    const std::vector all{entry(kOther), entry(kIsim), entry(kUsim), entry(kUsim2)};
    EXPECT_EQ(chosen(all, "auto"), kUsim);
    EXPECT_EQ(chosen(all, "usim"), kUsim);
    EXPECT_EQ(chosen(all, "isim"), kIsim);
    EXPECT_EQ(chosen(all, kUsim2), kUsim2);
    EXPECT_EQ(chosen(all, "a0000000871002ff33"), kUsim2);
    EXPECT_EQ(chosen(all, "A0000000871004"), kIsim);
    EXPECT_EQ(chosen(all, kOther), "NotSupportedByCard");
    EXPECT_EQ(chosen(all, "a0000000871005"), "NotSupportedByCard");
    const std::vector isim_only{entry(kOther), entry(kIsim)};
    EXPECT_EQ(chosen(isim_only, "auto"), kIsim);
    EXPECT_EQ(chosen(isim_only, "usim"), "NotSupportedByCard");
    EXPECT_EQ(chosen({entry(kUsim)}, "isim"), "NotSupportedByCard");
    EXPECT_EQ(chosen({}, "auto"), "NotSupportedByCard");
    EXPECT_EQ(chosen({entry(kOther)}, "auto"), "NotSupportedByCard");
}

TEST(ChooseApplicationTest, Text) {
    for (const auto* text : {"", "USIM", "sim", "a0", "a0000000", "a00000008710020", "xyz",
                             "a0000000871002ffffffff890709000011"}) {
        const auto parsed = parse_application_choice(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Errc::InvalidArgument) << text;
    }
}

std::string record(const std::string& aid, unsigned length) {
    Bytes out{0x61, static_cast<std::uint8_t>(aid.size() / 2 + 2), 0x4F,
              static_cast<std::uint8_t>(aid.size() / 2)};
    append(out, *from_hex(aid));
    out.resize(length, 0xFF);
    return to_hex(out);
}

TEST(ListApplicationsTest, AllRecordsThatMakeSense) {
    ScriptedCard card;
    card.expect("00a40804022f0000", "6207820542210020069000")
        .expect("00b2010420", record(kOther, 32) + "9000")
        .expect("00b2020420", to_hex(Bytes(32, 0xFF)) + "9000") // padding
        .expect("00b2030420", record(kUsim, 32) + "9000")
        .expect("00b2040420", "617f" + to_hex(Bytes(30, 0xFF)) + "9000") // nonsense
        .expect("00b2050420", to_hex(Bytes(32, 0x00)) + "9000")
        .expect("00b2060420", record(kIsim, 32) + "9000");
    const auto list = list_applications(card);
    ASSERT_TRUE(list) << card.trouble();
    ASSERT_EQ(list->size(), 3U);
    EXPECT_EQ((*list)[0].kind, DirEntry::Kind::Other);
    EXPECT_EQ((*list)[1].kind, DirEntry::Kind::Usim);
    EXPECT_EQ((*list)[2].kind, DirEntry::Kind::Isim);
    EXPECT_EQ(to_hex((*list)[2].aid), kIsim);
    card.expect("00a40804022f0000", "6a82");
    const auto none = list_applications(card);
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->empty());
    card.expect("00a40804022f0000", "6f00");
    EXPECT_FALSE(list_applications(card));
    EXPECT_TRUE(card.finished()) << card.trouble();
}

std::string fcp_with_name(const std::string& aid) {
    Bytes out{0x62, static_cast<std::uint8_t>(aid.size() / 2 + 2), 0x84,
              static_cast<std::uint8_t>(aid.size() / 2)};
    append(out, *from_hex(aid));
    return to_hex(out);
}

TEST(ProbeApplicationTest, ByTheBeginningOfTheName) {
    ScriptedCard card;
    card.expect("00a4040407 a0000000871002 00", fcp_with_name(kUsim) + "9000");
    EXPECT_EQ(to_hex(probe_application(card, choice("auto"))->aid), kUsim);
    card.expect("00a4040407 a0000000871002 00", "6a82")
        .expect("00a4040407 a0000000871004 00", "9000"); // no FCP: what was asked for
    EXPECT_EQ(to_hex(probe_application(card, choice("auto"))->aid), "a0000000871004");
    // Another application than the one that was named is none.
    card.expect("00a4040407 a0000000871002 00", fcp_with_name(kIsim) + "9000");
    EXPECT_FALSE(probe_application(card, choice("usim")));
    card.expect_error("00a4040407 a0000000871004 00", Errc::NoCard);
    EXPECT_EQ(probe_application(card, choice("isim")).error().code, Errc::NoCard);
    EXPECT_TRUE(card.finished()) << card.trouble();
}

class OpenApplicationTest : public testing::Test {
protected:
    void iccid() {
        card_.expect("00a40804022fe200", "62088202412180020 00a9000")
            .expect("00b000000a", "981062230000000010f09000");
    }
    void directory(const std::vector<std::string>& aids) {
        card_.expect("00a40804022f0000", "6207820542210020" +
                                             to_hex(Bytes{static_cast<std::uint8_t>(aids.size())}) +
                                             "9000");
        for (std::size_t i = 0; i < aids.size(); ++i) {
            card_.expect("00b2" + to_hex(Bytes{static_cast<std::uint8_t>(i + 1)}) + "0420",
                         record(aids[i], 32) + "9000");
        }
    }
    void select(const std::string& aid) {
        card_.expect("00a4040410" + aid + "00",
                     "6217 8410" + aid + "c603900100 9000"); // PIN states: none
    }
    void file(const std::string& identifier, const std::string& content) {
        const auto size = to_hex(Bytes{static_cast<std::uint8_t>(content.size() / 2)});
        card_.expect("00a4000402" + identifier + "00", "6208820241218002 00" + size + "9000")
            .expect("00b00000" + size, content + "9000");
    }
    ScriptedCard card_;
    OpenOptions options_;
};

TEST_F(OpenApplicationTest, Isim) {
    iccid();
    directory({kIsim});
    select(kIsim);
    file("6f02", "800b7573657240692e74657374ffff");
    file("6f03", "8006692e74657374");
    file("6f07", "0a"); // services 2 and 4
    card_.expect("00a40004026fdd00", "6207820542210008019000")
        .expect("00b2010408", "80056e61662e61ff9000");
    card_.expect("00a40004026fd500", "62088202412180020080 9000");
    card_.expect("80f2010c", "9000");
    const auto application = open_application(card_, options_);
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    EXPECT_TRUE(card_.finished()) << card_.trouble();
    EXPECT_EQ(application->entry.kind, DirEntry::Kind::Isim);
    EXPECT_EQ(application->impi, "user@i.test");
    EXPECT_EQ(application->domain, "i.test");
    EXPECT_TRUE(application->imsi.empty());
    EXPECT_TRUE(application->gba);
    EXPECT_TRUE(application->local_key);
    EXPECT_EQ(application->naf_key_centers, std::vector<std::string>{"naf.a"});
    EXPECT_EQ(application->gbabp_size, 128U);
    EXPECT_FALSE(application->pin_reference);
}

TEST_F(OpenApplicationTest, IsimWithoutGbaAndDomain) {
    iccid();
    directory({kUsim, kIsim});
    select(kIsim);
    file("6f02", "800b7573657240692e74657374ffff");
    card_.expect("00a40004026f0300", "6a82");
    file("6f07", "f5"); // all but 2 and 4
    card_.expect("80f2010c", "9000");
    options_.choice = choice("isim");
    const auto application = open_application(card_, options_);
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    EXPECT_FALSE(application->gba);
    EXPECT_FALSE(application->local_key);
    EXPECT_TRUE(application->domain.empty());
    EXPECT_TRUE(card_.finished()) << card_.trouble();
}

TEST_F(OpenApplicationTest, IsimWithoutImpiIsNone) {
    iccid();
    directory({kIsim});
    select(kIsim);
    file("6f02", "ffffffff");
    const auto application = open_application(card_, options_);
    ASSERT_FALSE(application);
    EXPECT_EQ(application.error().code, Errc::CardFailed);
    EXPECT_TRUE(card_.finished()) << card_.trouble();
}

TEST_F(OpenApplicationTest, CardWithoutDirectoryIsProbedOnlyWhenAllowed) {
    iccid();
    card_.expect("00a40804022f0000", "6a82");
    const auto refused = open_application(card_, options_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::NotSupportedByCard);
    EXPECT_TRUE(card_.finished()) << card_.trouble();
    iccid();
    card_.expect("00a40804022f0000", "6a82");
    card_.expect("00a4040407 a0000000871002 00", fcp_with_name(kUsim) + "9000");
    select(kUsim);
    file("6f07", "080910101032547698");
    file("6fad", "000000");
    card_.expect("00a40004026f3800", "6a82").expect("80f2010c", "9000");
    options_.probe_without_dir = true;
    const auto application = open_application(card_, options_);
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    EXPECT_EQ(to_hex(application->entry.aid), kUsim);
    EXPECT_TRUE(card_.finished()) << card_.trouble();
}

TEST_F(OpenApplicationTest, PinReferenceComesFromTheFcp) {
    iccid();
    directory({kUsim});
    // Application PIN off, universal PIN on and in use.
    card_.expect("00a4040410" + kUsim + "00",
                 "6220 8410" + kUsim + "c60c 900140 830101 950108 830111 9000");
    card_.expect("00200011", "6983");
    const auto application = open_application(card_, options_);
    ASSERT_FALSE(application);
    EXPECT_EQ(application.error().code, Errc::PinBlocked);
    EXPECT_TRUE(card_.finished()) << card_.trouble();
}

} // namespace
} // namespace mtkey::uicc
