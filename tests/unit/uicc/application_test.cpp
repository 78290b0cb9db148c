// SPDX-License-Identifier: Apache-2.0
#include "uicc/application.hpp"

#include "fakes/scripted_card.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

using test::ScriptedCard;

const std::string kAid = "a0000000871002ffffffff8907090000";
const std::string kDirRecord =
    "61294f10a0000000871002ffffffff890709000050055553696d31730ea00c80011781025f608203454150";

std::string fcp_of_application(const std::string& pin_template) {
    Bytes content = *from_hex("8202782183027fff8410" + kAid + pin_template);
    return "62" + to_hex(Bytes{static_cast<std::uint8_t>(content.size())}) + to_hex(content);
}
const std::string kPinOn = "c609900180830101830181";
const std::string kPinOff = "c609900140830101830181";

std::string fcp_of_file(unsigned size) {
    Bytes out = *from_hex("6208820241218002");
    append_u16(out, size);
    return to_hex(out);
}
std::string fcp_of_records(unsigned length, unsigned count) {
    Bytes out = *from_hex("620782054221");
    append_u16(out, length);
    out.push_back(static_cast<std::uint8_t>(count));
    return to_hex(out);
}

/// Plays the parts of opening a card one after the other; a test changes one of them.
class OpenUsimTest : public testing::Test {
protected:
    void iccid(const std::string& content = "981062230000000010f0") {
        card_.expect("00a40804022fe200", fcp_of_file(10) + "9000")
            .expect("00b000000a", content + "9000");
    }
    void directory() {
        card_.expect("00a40804022f0000", fcp_of_records(0x2B, 2) + "9000")
            .expect("00b201042b", kDirRecord + "9000")
            .expect("00b202042b", to_hex(Bytes(0x2B, 0xFF)) + "9000");
    }
    void select(const std::string& pin_template = kPinOff) {
        card_.expect("00a4040410" + kAid + "00", fcp_of_application(pin_template) + "9000");
    }
    void file(const std::string& identifier, const std::string& content) {
        const auto size = content.size() / 2;
        card_
            .expect("00a4000402" + identifier + "00",
                    fcp_of_file(static_cast<unsigned>(size)) + "9000")
            .expect("00b00000" + to_hex(Bytes{static_cast<std::uint8_t>(size)}), content + "9000");
    }
    void no_file(const std::string& identifier) {
        card_.expect("00a4000402" + identifier + "00", "6a82");
    }
    void imsi() { file("6f07", "080910101032547698"); }
    void status() { card_.expect("80f2010c", "9000"); }
    void to_identity() {
        iccid();
        directory();
        select();
        imsi();
    }

    Result<Application> open() { return open_usim(card_, options_); }
    void expect_error(Errc code, std::uint32_t detail = 0) {
        const auto application = open();
        EXPECT_TRUE(card_.finished()) << card_.trouble();
        ASSERT_FALSE(application);
        EXPECT_EQ(application.error().code, code) << describe(application.error());
        EXPECT_EQ(application.error().detail, detail);
    }

    ScriptedCard card_;
    OpenOptions options_;
};

const std::string kUstAll = "00000000000000000808";

TEST_F(OpenUsimTest, CardWithEverything) {
    iccid();
    directory();
    select(kPinOn);
    card_.expect("00200001", "63c3").expect("0020000108 31323334ffffffff", "9000");
    imsi();
    file("6fad", "00000003");
    file("6f38", kUstAll);
    card_.expect("00a40004026fdd00", fcp_of_records(0x32, 3) + "9000")
        .expect("00b2010432", "80056e61662e61" + to_hex(Bytes(0x2B, 0xFF)) + "9000")
        .expect("00b2020432", to_hex(Bytes(0x32, 0xFF)) + "9000")
        .expect("00b2030432", "80056e61662e62" + to_hex(Bytes(0x2B, 0xFF)) + "9000");
    card_.expect("00a40004026fd600", fcp_of_file(160) + "9000");
    status();
    std::string asked_for;
    options_.pin = [&](std::string_view iccid_text) -> std::optional<SecretBytes> {
        asked_for = iccid_text;
        return SecretBytes(as_octets("1234"));
    };
    const auto application = open();
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    ASSERT_TRUE(card_.finished()) << card_.trouble();
    EXPECT_EQ(application->iccid, "8901263200000000010");
    EXPECT_EQ(asked_for, application->iccid);
    EXPECT_EQ(application->entry.kind, DirEntry::Kind::Usim);
    EXPECT_EQ(to_hex(application->entry.aid), kAid);
    EXPECT_EQ(application->entry.label, "USim1");
    EXPECT_EQ(application->imsi, "001010123456789");
    EXPECT_EQ(application->mnc_length, 3U);
    EXPECT_EQ(application->mnc_source, MncSource::EfAd);
    EXPECT_TRUE(application->gba);
    EXPECT_TRUE(application->local_key);
    EXPECT_EQ(application->naf_key_centers, (std::vector<std::string>{"naf.a", "naf.b"}));
    EXPECT_EQ(application->gbabp_size, 160U);
    EXPECT_EQ(application->pin_attempts_left, 3);
}

TEST_F(OpenUsimTest, PlainUsimWithoutPin) {
    iccid();
    directory();
    select();
    imsi();
    file("6fad", "000000"); // an old card
    file("6f38", "ffffff7f");
    status();
    const auto application = open();
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    ASSERT_TRUE(card_.finished()) << card_.trouble();
    EXPECT_FALSE(application->gba);
    EXPECT_FALSE(application->local_key);
    EXPECT_EQ(application->gbabp_size, 0U);
    EXPECT_EQ(application->mnc_length, 2U);
    EXPECT_EQ(application->mnc_source, MncSource::Fallback);
    EXPECT_EQ(application->pin_attempts_left, -1);
}

TEST_F(OpenUsimTest, ConfiguredMncLengthWhenTheCardDoesNotTell) {
    iccid();
    directory();
    select();
    imsi();
    no_file("6fad");
    no_file("6f38");
    status();
    options_.configured_mnc_length = 3;
    const auto application = open();
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    EXPECT_EQ(application->mnc_length, 3U);
    EXPECT_EQ(application->mnc_source, MncSource::Configuration);
    EXPECT_TRUE(card_.finished()) << card_.trouble();
}

TEST_F(OpenUsimTest, CountryBeforeConfiguration) {
    iccid();
    directory();
    select();
    file("6f07", "083901620021436587"); // 310260...
    no_file("6fad");
    no_file("6f38");
    status();
    options_.configured_mnc_length = 2;
    const auto application = open();
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    EXPECT_EQ(application->mnc_length, 3U);
    EXPECT_EQ(application->mnc_source, MncSource::Table);
    EXPECT_EQ(mnc_source_name(application->mnc_source), "table");
}

TEST_F(OpenUsimTest, FilesThatNeedNotBeThereKillNoCard) {
    for (const std::string refusal : {"6982", "6985", "6f00", "6581", "9862", "62ff9000"}) {
        to_identity();
        card_.expect("00a40004026fad00", refusal);
        file("6f38", kUstAll);
        card_.expect("00a40004026fdd00", fcp_of_records(0x32, 3) + "9000");
        const auto to_record = refusal == "62ff9000" ? "9000" : refusal; // an FCP of nonsense
        card_.expect("00b2010432", to_record);
        card_.expect("00a40004026fd600", fcp_of_file(160) + "9000");
        status();
        const auto application = open();
        ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
        EXPECT_TRUE(card_.finished()) << card_.trouble();
        EXPECT_EQ(application->mnc_source, MncSource::Fallback);
        EXPECT_TRUE(application->naf_key_centers.empty());
        // Not the same as absent: whoever opens the card may look again.
        ASSERT_EQ(application->left_out.size(), 2U);
        EXPECT_EQ(application->left_out[0].file, 0x6FAD);
        EXPECT_EQ(application->left_out[1].file, 0x6FDD);
        EXPECT_EQ(application->left_out[1].why.detail, std::stoul(to_record, nullptr, 16));
    }
    // A reader that fails is no refusal.
    to_identity();
    card_.expect_error("00a40004026fad00", Errc::CardFailed, 0x80100066);
    expect_error(Errc::CardFailed, 0x80100066);
}

TEST_F(OpenUsimTest, AbsentAndDeactivatedFilesAreNotLeftOut) {
    for (const auto* none : {"6a82", "6283"}) {
        to_identity();
        card_.expect("00a40004026fad00", none);
        file("6f38", kUstAll);
        card_.expect("00a40004026fdd00", none).expect("00a40004026fd600", none);
        status();
        const auto application = open();
        ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
        EXPECT_TRUE(card_.finished()) << card_.trouble();
        EXPECT_EQ(application->gbabp_size, 0U);
        EXPECT_TRUE(application->left_out.empty());
    }
}

TEST_F(OpenUsimTest, RefusedGbabpIsNoAbsentOne) {
    for (const std::string refusal : {"6982", "6985", "6f00", "6581", "6a88", "62ff9000"}) {
        to_identity();
        no_file("6fad");
        file("6f38", kUstAll);
        no_file("6fdd");
        card_.expect("00a40004026fd600", refusal);
        const auto sw = std::stoul(refusal.substr(refusal.size() - 4), nullptr, 16);
        expect_error(Errc::CardFailed, static_cast<std::uint32_t>(sw));
    }
}

TEST_F(OpenUsimTest, GbabpWithoutDescriptionIsMeasured) {
    to_identity();
    no_file("6fad");
    file("6f38", kUstAll);
    no_file("6fdd");
    card_.expect("00a40004026fd600", "9000")
        .expect("00a40004026fd600", "9000")
        .expect("00b0000000", to_hex(Bytes(160, 0xFF)) + "9000");
    status();
    const auto application = open();
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    EXPECT_TRUE(card_.finished()) << card_.trouble();
    EXPECT_EQ(application->gbabp_size, 160U);
}

TEST_F(OpenUsimTest, EmptyServiceTableIsNoCardWithoutGba) {
    to_identity();
    no_file("6fad");
    card_.expect("00a40004026f3800", fcp_of_file(10) + "9000").expect("00b000000a", "9000");
    expect_error(Errc::CardFailed, 0x9000);
}

TEST_F(OpenUsimTest, KeyCenterThatMakesNoSense) {
    to_identity();
    file("6fad", "00000002");
    file("6f38", kUstAll);
    card_.expect("00a40004026fdd00", fcp_of_records(8, 2) + "9000")
        .expect("00b2010408", "8006206e61662e619000")
        .expect("00b2020408", "80056e61662e62ff9000");
    no_file("6fd6");
    status();
    const auto application = open();
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    EXPECT_EQ(application->naf_key_centers, (std::vector<std::string>{"naf.b"}));
    ASSERT_EQ(application->left_out.size(), 1U);
    EXPECT_EQ(application->left_out[0].file, 0x6FDD);
}

TEST_F(OpenUsimTest, GbaWithoutItsFiles) {
    iccid();
    directory();
    select();
    imsi();
    file("6fad", "00000002");
    file("6f38", kUstAll);
    no_file("6fdd");
    no_file("6fd6");
    card_.expect("80f2010c", "6e00"); // what STATUS answers changes nothing
    const auto application = open();
    ASSERT_TRUE(application) << describe(application.error()) << card_.trouble();
    EXPECT_TRUE(application->gba);
    EXPECT_EQ(application->gbabp_size, 0U);
    EXPECT_TRUE(application->naf_key_centers.empty());
    EXPECT_TRUE(card_.finished()) << card_.trouble();
}

TEST_F(OpenUsimTest, SelectWithoutFcpAsksAboutTheUsualPin) {
    iccid();
    directory();
    card_.expect("00a4040410" + kAid + "00", "9000").expect("00200001", "6984");
    imsi();
    file("6fad", "00000002");
    no_file("6f38");
    status();
    EXPECT_TRUE(open());
    EXPECT_TRUE(card_.finished()) << card_.trouble();
}

TEST_F(OpenUsimTest, FilesWithoutSizesAreReadAtOnce) {
    card_.expect("00a40804022fe200", "9000").expect("00b0000000", "981062230000000010f09000");
    card_.expect("00a40804022f0000", "9000").expect("00b2010400", "6a83");
    expect_error(Errc::NotSupportedByCard);
}

TEST_F(OpenUsimTest, CardWithoutUsim) {
    iccid();
    card_.expect("00a40804022f0000", "6a82");
    expect_error(Errc::NotSupportedByCard);
}

TEST_F(OpenUsimTest, RecordsThatMakeNoSenseHideNoUsim) {
    iccid();
    card_.expect("00a40804022f0000", fcp_of_records(0x2B, 2) + "9000")
        .expect("00b201042b", "61ff" + to_hex(Bytes(0x29, 0)) + "9000")
        .expect("00b202042b", kDirRecord + "9000");
    select();
    imsi();
    no_file("6fad");
    no_file("6f38");
    status();
    EXPECT_TRUE(open());
    EXPECT_TRUE(card_.finished()) << card_.trouble();
}

TEST_F(OpenUsimTest, PinErrors) {
    iccid();
    directory();
    select(kPinOn);
    card_.expect("00200001", "63c3");
    expect_error(Errc::PinRequired, 3);
}

TEST_F(OpenUsimTest, PinFloor) {
    iccid();
    directory();
    select(kPinOn);
    card_.expect("00200001", "63c1");
    expect_error(Errc::PinFloor, 1);
}

TEST_F(OpenUsimTest, FilesThatNeedAPinNobodySpokeOf) {
    iccid();
    directory();
    select();
    card_.expect("00a40004026f0700", fcp_of_file(9) + "9000").expect("00b0000009", "6982");
    expect_error(Errc::PinRequired, 0x6982);
}

TEST_F(OpenUsimTest, EmptyIccid) {
    iccid("ffffffffffffffffffff");
    expect_error(Errc::CardFailed);
}

TEST_F(OpenUsimTest, NoImsi) {
    iccid();
    directory();
    select();
    no_file("6f07");
    expect_error(Errc::CardFailed, 0x6A82);
}

TEST_F(OpenUsimTest, UnusableImsi) {
    iccid();
    directory();
    select();
    file("6f07", "ffffffffffffffffff");
    expect_error(Errc::CardFailed);
}

TEST_F(OpenUsimTest, SelectRefused) {
    iccid();
    directory();
    card_.expect("00a4040410" + kAid + "00", "6a82");
    expect_error(Errc::CardFailed, 0x6A82);
}

TEST_F(OpenUsimTest, DeactivatedFile) {
    card_.expect("00a40804022fe200", fcp_of_file(10) + "6283");
    expect_error(Errc::CardFailed, 0x6283);
}

TEST_F(OpenUsimTest, FcpThatMakesNoSense) {
    card_.expect("00a40804022fe200", "62ff820241219000");
    expect_error(Errc::CardFailed, 0x9000);
}

TEST_F(OpenUsimTest, RemovedAtAnyCommand) {
    // The same card as above; at each of its commands it is pulled out.
    const std::vector<std::pair<std::string, std::string>> script{
        {"00a40804022fe200", fcp_of_file(10) + "9000"},
        {"00b000000a", "981062230000000010f09000"},
        {"00a40804022f0000", fcp_of_records(0x2B, 1) + "9000"},
        {"00b201042b", kDirRecord + "9000"},
        {"00a4040410" + kAid + "00", fcp_of_application(kPinOn) + "9000"},
        {"00200001", "9000"},
        {"00a40004026f0700", fcp_of_file(9) + "9000"},
        {"00b0000009", "0809101010325476989000"},
        {"00a40004026fad00", fcp_of_file(4) + "9000"},
        {"00b0000004", "000000029000"},
        {"00a40004026f3800", fcp_of_file(10) + "9000"},
        {"00b000000a", kUstAll + "9000"},
        {"00a40004026fdd00", "6a82"},
        {"00a40004026fd600", fcp_of_file(160) + "9000"},
        {"80f2010c", "9000"},
    };
    for (std::size_t fault = 0; fault < script.size(); ++fault) {
        ScriptedCard card;
        for (std::size_t i = 0; i < fault; ++i) {
            card.expect(script[i].first, script[i].second);
        }
        card.expect_error(script[fault].first, Errc::NoCard, 0x80100069);
        const auto application = open_usim(card, options_);
        EXPECT_TRUE(card.finished()) << card.trouble();
        ASSERT_FALSE(application) << fault;
        EXPECT_EQ(application.error().code, Errc::NoCard) << fault;
    }
}

TEST_F(OpenUsimTest, ImpossibleMncLength) {
    options_.configured_mnc_length = 4;
    expect_error(Errc::InvalidArgument);
}

TEST(ReadTransparentTest, LongFileIsReadInParts) {
    ScriptedCard card;
    card.expect("00a40804022fe200", fcp_of_file(300) + "9000")
        .expect("00b00000ff", "981062230000000010f0" + to_hex(Bytes(245, 0xFF)) + "9000")
        .expect("00b000ff2d", to_hex(Bytes(45, 0xFF)) + "9000");
    EXPECT_TRUE(read_iccid(card));
    EXPECT_TRUE(card.finished()) << card.trouble();
}

TEST(ReadTransparentTest, CardThatGivesLessThanItSaid) {
    ScriptedCard card;
    card.expect("00a40804022fe200", fcp_of_file(0xFFFF) + "9000")
        .expect("00b00000ff", "981062230000000010f09000")
        .expect("00b0000aff", "9000");
    EXPECT_TRUE(read_iccid(card));
    EXPECT_TRUE(card.finished()) << card.trouble();
    ScriptedCard ends_early;
    ends_early.expect("00a40804022fe200", fcp_of_file(20) + "9000")
        .expect("00b0000014", "981062230000000010f06282");
    EXPECT_TRUE(read_iccid(ends_early));
    EXPECT_TRUE(ends_early.finished()) << ends_early.trouble();
}

TEST(ReadTransparentTest, SizeThatIsTooLarge) {
    // 6B00 at the offset where the file has ended.
    ScriptedCard card;
    card.expect("00a40804022fe200", fcp_of_file(0x10A) + "9000")
        .expect("00b00000ff", "981062230000000010f09000")
        .expect("00b0000aff", "6b00");
    EXPECT_TRUE(read_iccid(card));
    EXPECT_TRUE(card.finished()) << card.trouble();
    ScriptedCard at_once;
    at_once.expect("00a40804022fe200", fcp_of_file(10) + "9000").expect("00b000000a", "6b00");
    EXPECT_FALSE(read_iccid(at_once));
}

TEST(ReadTransparentTest, TotalSizeOnly) {
    // Tag 81 says how much at most: read until the card gives less.
    ScriptedCard card;
    card.expect("00a40804022fe200", "6208820241218102001c9000")
        .expect("00b0000000", "981062230000000010f09000");
    EXPECT_TRUE(read_iccid(card));
    EXPECT_TRUE(card.finished()) << card.trouble();
    ScriptedCard longer;
    longer.expect("00a40804022fe200", "6208820241218102020c9000")
        .expect("00b0000000", "981062230000000010f0" + to_hex(Bytes(246, 0xFF)) + "9000")
        .expect("00b0010000", "6b00");
    EXPECT_TRUE(read_iccid(longer));
    EXPECT_TRUE(longer.finished()) << longer.trouble();
}

TEST(ReadRecordsTest, NoRecordLength) {
    ScriptedCard card;
    card.expect("00a40804022f0000", "6204820242219000")
        .expect("00b2010400", kDirRecord + "9000")
        .expect("00b2020400", to_hex(Bytes(0x2B, 0xFF)) + "9000")
        .expect("00b2030400", "6a83");
    const auto applications = list_applications(card);
    ASSERT_TRUE(applications) << card.trouble();
    EXPECT_EQ(applications->size(), 1U);
    EXPECT_TRUE(card.finished()) << card.trouble();
}

TEST(ReadRecordsTest, RecordOfNothingIsAFault) {
    ScriptedCard card;
    card.expect("00a40804022f0000", "6204820242219000").expect("00b2010400", "9000");
    const auto applications = list_applications(card);
    ASSERT_FALSE(applications);
    EXPECT_EQ(applications.error().code, Errc::CardFailed);
    EXPECT_TRUE(card.finished()) << card.trouble();
}

TEST(SelectApplicationTest, WithoutFcp) {
    ScriptedCard card;
    card.expect("00a4040c10" + kAid, "9000");
    EXPECT_TRUE(select_application(card, *from_hex(kAid)));
    EXPECT_TRUE(card.finished()) << card.trouble();
    for (const auto size : {0U, 4U, 17U}) {
        const auto selected = select_application(card, Bytes(size, 0xA0));
        ASSERT_FALSE(selected);
        EXPECT_EQ(selected.error().code, Errc::InvalidArgument);
    }
}

TEST(ReopenUsimTest, SelectsAndShowsThePinAgain) {
    Application application;
    application.iccid = "8901263200000000010";
    application.entry.aid = *from_hex(kAid);
    OpenOptions options;
    std::string asked_for;
    options.pin = [&](std::string_view iccid) -> std::optional<SecretBytes> {
        asked_for = iccid;
        return SecretBytes(as_octets("1234"));
    };
    ScriptedCard card;
    card.expect("00a4040410" + kAid + "00", fcp_of_application(kPinOn) + "9000")
        .expect("00200001", "63c3")
        .expect("0020000108 31323334ffffffff", "9000");
    EXPECT_TRUE(reopen_usim(card, application, options));
    EXPECT_TRUE(card.finished()) << card.trouble();
    EXPECT_EQ(asked_for, application.iccid);
    ScriptedCard without_pin;
    without_pin.expect("00a4040410" + kAid + "00", fcp_of_application(kPinOff) + "9000");
    EXPECT_TRUE(reopen_usim(without_pin, application, options));
    EXPECT_TRUE(without_pin.finished()) << without_pin.trouble();
}

} // namespace
} // namespace mtkey::uicc
