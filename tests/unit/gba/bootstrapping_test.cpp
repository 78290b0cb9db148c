// SPDX-License-Identifier: Apache-2.0
#include "run_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::gba {
namespace {

kdf::NafId naf_of_example() {
    const auto& identities = example()["identities"];
    return {.fqdn = text(identities["naf_fqdn"]),
            .ua = vectors::array<5>(text(identities["ua_security_protocol_id"]))};
}

HttpRequest with_authorization(const std::string& value) {
    HttpRequest request;
    request.headers.add("Authorization", value);
    return request;
}

HttpRequest first_request() {
    HttpRequest request = with_authorization(
        R"(Digest username="001010123456789@ims.mnc001.mcc001.3gppnetwork.org", )"
        R"(realm="bsf.mnc001.mcc001.pub.3gppnetwork.org", nonce="", uri="/", response="")");
    request.headers.add("User-Agent", "Bootstrapping Client Agent; 3gpp-gba-tmpi");
    request.headers.add("Date", "Thu, 08 Jan 2004 10:13:17 GMT");
    request.headers.add("Accept", "*/*");
    return request;
}

HttpResponse pinned_ok(const Numbers& numbers) {
    const auto& constants = example()["digest_constants"];
    return ok("qop=auth-int, rspauth=\"" + numbers.rspauth() + "\", cnonce=\"" +
                  text(constants["cnonce"]) + "\", nc=" + text(constants["nc"]),
              text(example()["bsf_200_body"]));
}

void script_pinned(RunFixture& run, const Numbers& numbers) {
    run.clock.set_utc("2004-01-08T10:13:17Z");
    run.settings.lifetime_cap = std::chrono::hours(24 * 36500);
    run.http.expect(first_request(), unauthorized(numbers.nonce()));
    run.http.expect(with_authorization(numbers.authorization()), pinned_ok(numbers));
}

void expect_pinned(const RunFixture& run, const Context& context, Mode mode) {
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    EXPECT_EQ(context.mode(), mode);
    EXPECT_EQ(context.b_tid(), example()["btid"]);
    EXPECT_EQ(context.impi(), example()["identities"]["impi"]);
    EXPECT_EQ(to_hex(context.rand()), example()["milenage"]["rand"]);
    EXPECT_EQ(format_utc(context.expires()), text(example()["lifetime"]));
    EXPECT_EQ(run.announced.size(), mode == Mode::GbaU ? 1U : 0U);
}

TEST(Bootstrapping, GbaUOfTheWorkedExample) {
    RunFixture run;
    script_pinned(run, kGbaU);
    run.card.expect(text(kGbaU.json["apdu_authenticate_gba_bootstrap"]), dd_answer());
    run.expect_gbabp();
    auto context = run.start();
    ASSERT_TRUE(context) << describe(context.error());
    expect_pinned(run, *context, Mode::GbaU);
    EXPECT_EQ(context->counts().http_exchanges, 2U);
    EXPECT_EQ(context->counts().bootstrapping_authenticates, 1U);

    // Ks_ext_NAF by the card, once.
    const auto naf = naf_of_example();
    EXPECT_FALSE(context->has_cached(naf));
    EXPECT_EQ(context->ks_naf(nullptr, naf).error().code, Errc::NotReady);
    run.card.expect(text(kGbaU.json["apdu_authenticate_gba_naf"]),
                    text(kGbaU.json["card_answer_naf"]) + "9000");
    for (int i = 0; i < 2; ++i) {
        const auto key = context->ks_naf(&run.card, naf);
        ASSERT_TRUE(key);
        EXPECT_EQ(to_hex((*key)->reveal()), kGbaU.json["ks_ext_naf"]);
    }
    EXPECT_TRUE(context->has_cached(naf));
    EXPECT_TRUE(context->ks_naf(nullptr, naf));
    EXPECT_TRUE(run.card.finished()) << run.card.trouble();
}

TEST(Bootstrapping, GbaMeOfTheWorkedExample) {
    for (const char* answer : {"card_answer_no_kc", "card_answer_with_kc"}) {
        RunFixture run(ModePolicy::PreferUicc, false);
        script_pinned(run, kGbaMe);
        run.settings.gbabp_size = 120; // the file is GBA_U's
        run.card.expect(text(kGbaMe.json["apdu_authenticate_3g"]),
                        text(kGbaMe.json[answer]) + "9000");
        auto context = run.start();
        ASSERT_TRUE(context) << describe(context.error());
        expect_pinned(run, *context, Mode::GbaMe);
        const auto key = context->ks_naf(nullptr, naf_of_example());
        ASSERT_TRUE(key);
        EXPECT_EQ(to_hex((*key)->reveal()), kGbaMe.json["ks_naf"]);
        EXPECT_TRUE(run.card.finished()) << run.card.trouble();
    }
}

// AUTS goes back with an empty password and nc=00000001; the next challenge has another RAND.
void resynchronise(const Numbers& numbers, const std::string& command,
                   const std::string& response) {
    const bool gba_u = &numbers == &kGbaU;
    RunFixture run(ModePolicy::PreferUicc, gba_u);
    const auto& constants = example()["digest_constants"];
    const auto next = *vectors::load("gba_kat.json")["sets"].begin();
    run.http.expect(HttpRequest{}, unauthorized(numbers.nonce()));
    run.card.expect(command, sync_answer());
    run.http.expect(with_authorization(
                        "Digest username=\"" + text(example()["identities"]["impi"]) +
                        "\", realm=\"" + kBsfFqdn + "\", nonce=\"" + numbers.nonce() +
                        "\", uri=\"/\", qop=auth-int, nc=00000001, cnonce=\"" +
                        text(constants["cnonce"]) + "\", response=\"" + response + "\", opaque=\"" +
                        text(constants["opaque"]) + "\", algorithm=AKAv1-MD5, auts=\"" +
                        text(example()["resync"]["auts_b64"]) + "\""),
                    unauthorized(text(next["nonce"])));
    const std::string challenge = "10" + text(next["rand"]) + "10" + text(next["autn"]) + "00";
    const std::string res = text(next["res"]);
    if (gba_u) {
        run.card.expect("0088008423dd" + challenge, "db08" + res + "9000");
    } else {
        run.card.expect("0088008122" + challenge,
                        "db08" + res + "10" + text(next["ck"]) + "10" + text(next["ik"]) + "9000");
    }
    run.http.expect(accepting(vectors::hex(res), document("2030-01-01T12:00:00Z")));
    const auto context = run.start();
    ASSERT_TRUE(context) << describe(context.error());
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    EXPECT_EQ(to_hex(context->rand()), next["rand"]);
    EXPECT_EQ(context->counts().http_exchanges, 3U);
    EXPECT_EQ(context->counts().bootstrapping_authenticates, 2U);
    EXPECT_TRUE(run.random.finished()); // a cnonce of its own for each answer
}

TEST(Bootstrapping, ResynchronisationGbaMe) {
    resynchronise(kGbaMe, g3_command(), text(example()["resync"]["response"]));
}

TEST(Bootstrapping, ResynchronisationGbaU) {
    resynchronise(kGbaU, dd_command(), "2b1dbbb480e23587a2e09c5cd77a59da");
}

TEST(Bootstrapping, SecondAutsEndsTheRun) {
    RunFixture run;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), sync_answer());
    run.http.expect(HttpRequest{}, unauthorized(kGbaMe.nonce()));
    run.card.expect(dd_command(kGbaMe), sync_answer());
    const auto result = run.start();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::SyncFailure);
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    EXPECT_EQ(run.card.played(), 2U);
}

// The card has refused this RAND and AUTN: once more would be another AUTS for whoever listens.
TEST(Bootstrapping, SameChallengeAfterAuts) {
    RunFixture run;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), sync_answer());
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    EXPECT_EQ(run.start().error().code, Errc::BsfBadAnswer);
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    EXPECT_EQ(run.card.played(), 1U);
}

// The challenge behind a resynchronisation is looked at as strictly as the first.
TEST(Bootstrapping, RefusedChallengeAfterResynchronisation) {
    RunFixture run;
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), sync_answer());
    auto second = status(401);
    second.headers.add("WWW-Authenticate", "Digest realm=\"" + kBsfFqdn + "\", nonce=\"" +
                                               kGbaU.nonce() +
                                               "\", algorithm=MD5, qop=\"auth-int\"");
    run.http.expect(HttpRequest{}, second);
    EXPECT_EQ(run.start().error().code, Errc::BsfBadAnswer);
    EXPECT_EQ(run.card.played(), 1U);
}

// The resynchronisation itself is no authentication: a 200 to it is nothing.
TEST(Bootstrapping, OkInPlaceOfAChallenge) {
    RunFixture first;
    first.http.expect(HttpRequest{}, ok("rspauth=\"\"", text(example()["bsf_200_body"])));
    EXPECT_EQ(first.start().error().code, Errc::BsfBadAnswer);
    EXPECT_EQ(first.card.played(), 0U);

    RunFixture second;
    second.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    second.card.expect(dd_command(), sync_answer());
    second.http.expect(HttpRequest{}, pinned_ok(kGbaU));
    EXPECT_EQ(second.start().error().code, Errc::BsfBadAnswer);
    EXPECT_EQ(second.card.played(), 1U);
}

// Twelve foreign sets, RES with 00 octets among them, through a whole GBA_ME run.
TEST(Bootstrapping, ForeignVectors) {
    for (const auto& set : vectors::load("gba_kat.json")["sets"]) {
        RunFixture run(ModePolicy::PreferUicc, false);
        run.settings.impi = text(set["impi"]);
        run.http.expect(HttpRequest{}, unauthorized(text(set["nonce"])));
        const std::string res = text(set["res"]);
        run.card.expect("008800812210" + text(set["rand"]) + "10" + text(set["autn"]) + "00",
                        "db08" + res + "10" + text(set["ck"]) + "10" + text(set["ik"]) + "9000");
        run.http.expect(accepting(vectors::hex(res), document("2030-01-01T12:00:00Z")));
        auto context = run.start();
        ASSERT_TRUE(context) << describe(context.error());
        const auto naf =
            kdf::make_naf_id(text(set["naf_fqdn"]), vectors::hex(text(set["ua"]))).value();
        EXPECT_EQ(to_hex(context->ks_naf(nullptr, naf).value()->reveal()), set["ks_naf"]);
    }
}

TEST(Bootstrapping, EfGbabpThatCannotBeWritten) {
    struct Row {
        const char* select_sw;
        const char* update_sw;
    };
    // Refused by the card: what it holds now is nobody's bootstrapping (threats U8).
    for (const auto& row : {Row{"9000", "6982"}, Row{"9000", "6581"}, Row{"9000", "6a82"},
                            Row{"9000", "6b00"}, Row{"6985", ""}, Row{"6a86", ""}}) {
        RunFixture run;
        script_pinned(run, kGbaU);
        run.card.expect(dd_command(), dd_answer());
        run.expect_gbabp(row.select_sw, row.update_sw);
        const auto context = run.start();
        ASSERT_FALSE(context) << row.select_sw << row.update_sw;
        EXPECT_GT(context.error().detail, 0x6000U);
        EXPECT_TRUE(run.finished()) << run.card.trouble();
    }
    RunFixture no_file;
    script_pinned(no_file, kGbaU);
    no_file.card.expect(dd_command(), dd_answer());
    no_file.expect_gbabp("6a82");
    EXPECT_TRUE(no_file.start());
    EXPECT_TRUE(no_file.finished()) << no_file.card.trouble();
    // Too small a file, or none: not even selected.
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}}) {
        RunFixture run;
        script_pinned(run, kGbaU);
        run.card.expect(dd_command(), dd_answer());
        run.settings.gbabp_size = size;
        EXPECT_TRUE(run.start()) << size;
        EXPECT_TRUE(run.finished()) << run.card.trouble();
    }
}

TEST(Bootstrapping, IsimHasItsOwnFile) {
    RunFixture run;
    script_pinned(run, kGbaU);
    run.settings.application = uicc::DirEntry::Kind::Isim;
    run.settings.gbabp_size = 120;
    run.card.expect(dd_command(), dd_answer());
    run.card.expect("00a4000c026fd5", "9000");
    run.card.expect(text(kGbaU.json["apdu_update_binary_btid_lifetime"]), "9000");
    EXPECT_TRUE(run.start());
    EXPECT_TRUE(run.finished()) << run.card.trouble();
}

TEST(Bootstrapping, CardLostAtEachCommand) {
    for (const auto code :
         {Errc::NoCard, Errc::NoReader, Errc::ReaderBusy, Errc::TimedOut, Errc::CardFailed}) {
        constexpr std::uint32_t kScardCode = 0x80100069;
        RunFixture at_authenticate;
        at_authenticate.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
        at_authenticate.card.expect_error(dd_command(), code, kScardCode);
        EXPECT_EQ(at_authenticate.start().error().code, code);
        EXPECT_EQ(at_authenticate.announced, std::vector<std::size_t>{0}); // Ks may be another
        EXPECT_TRUE(at_authenticate.finished());                           // never sent again

        RunFixture at_select;
        script_pinned(at_select, kGbaU);
        at_select.settings.gbabp_size = 120;
        at_select.card.expect(dd_command(), dd_answer());
        at_select.card.expect_error(RunFixture::kSelectGbabp, code, kScardCode);
        EXPECT_EQ(at_select.start().error().code, code);
        EXPECT_TRUE(at_select.finished());

        RunFixture at_update;
        script_pinned(at_update, kGbaU);
        at_update.settings.gbabp_size = 120;
        at_update.card.expect(dd_command(), dd_answer());
        at_update.card.expect(RunFixture::kSelectGbabp, "9000");
        at_update.card.expect_error(text(kGbaU.json["apdu_update_binary_btid_lifetime"]), code,
                                    kScardCode);
        EXPECT_EQ(at_update.start().error().code, code);
        EXPECT_TRUE(at_update.finished());
    }
}

TEST(Bootstrapping, BadArguments) {
    RunFixture no_impi;
    no_impi.settings.impi.clear();
    EXPECT_EQ(no_impi.start().error().code, Errc::InvalidArgument);
    RunFixture no_cap;
    no_cap.settings.lifetime_cap = std::chrono::seconds(0);
    EXPECT_EQ(no_cap.start().error().code, Errc::InvalidArgument);
    RunFixture control;
    control.settings.impi = "a\nb@c";
    EXPECT_EQ(control.start().error().code, Errc::InvalidArgument);
    EXPECT_TRUE(control.http.requests().empty());
}

} // namespace
} // namespace mtkey::gba
