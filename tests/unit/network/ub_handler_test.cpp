// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/ub_handler.hpp"

#include "kdf/naf_keys.hpp"
#include "unit/network/bsf_fixture.hpp"

#include <gmock/gmock.h>

namespace mtkey::bsf {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using namespace std::string_literals;
using testing::HasSubstr;

struct ModeRow {
    const char* mode;
    const char* column;   ///< in worked_example.json
    const char* password; ///< RES as the card gives it
};
const std::array kModes{ModeRow{"gba-me", "gba_me", "a54211d5e3ba50bf"},
                        ModeRow{"gba-u", "gba_u", "a54211d5e3ba50be"}};

class WorkedExample : public BsfTest, public testing::WithParamInterface<ModeRow> {
protected:
    const vectors::Json column = example[GetParam().column]["ub"];
    std::string challenge_of_example() const {
        return "Digest realm=\"" + fqdn + "\", nonce=\"" + std::string(column["nonce"]) +
               "\", algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"" +
               std::string(constants["opaque"]) + "\"";
    }
};

TEST_P(WorkedExample, EveryValueOnTheInterface) {
    start(GetParam().mode);
    next_of_example();
    const auto challenge = ask();
    EXPECT_EQ(challenge.status, 401u);
    EXPECT_EQ(header_of(challenge, "WWW-Authenticate"), challenge_of_example());
    EXPECT_EQ(header_of(challenge, "Server"), "Bootstrapping Server; Release-6; 3gpp-gba-tmpi");
    EXPECT_TRUE(random.finished());

    const auto done = send(std::string(column["authorization_header"]));
    EXPECT_EQ(done.status, 200u);
    EXPECT_EQ(done.body, example["bsf_200_body"]);
    EXPECT_EQ(header_of(done, "Authentication-Info"),
              "qop=auth-int, rspauth=\"" + std::string(column["rspauth"]) + "\", cnonce=\"" +
                  std::string(constants["cnonce"]) + "\", nc=00000001");
    EXPECT_EQ(header_of(done, "Content-Type"), "application/vnd.3gpp.bsf+xml");
    EXPECT_EQ(header_of(done, "Expires"), "Tue, 01 Jan 2030 12:00:00 GMT");
    EXPECT_EQ(header_of(done, "Server"), "Bootstrapping Server; Release-6; 3gpp-gba-tmpi");

    const auto context = store.find(std::string(example["btid"]));
    ASSERT_TRUE(context);
    EXPECT_EQ(vectors::text_of(context->ks), example["ks"]);
    EXPECT_EQ(context->impi, impi);
    EXPECT_EQ(to_hex(context->rand), example["milenage"]["rand"]);
    EXPECT_EQ(to_text(context->mode), GetParam().mode);
    EXPECT_EQ(format_utc(context->expires), example["lifetime"]);
    EXPECT_EQ(format_utc(context->created), "2029-12-31T12:00:00Z");
}

TEST_P(WorkedExample, TheSameAnswerTwiceIsARepeatedNonce) {
    start(GetParam().mode);
    next_of_example();
    ASSERT_EQ(ask().status, 401u);
    ASSERT_EQ(send(std::string(column["authorization_header"])).status, 200u);
    next_second();
    const auto replayed = send(std::string(column["authorization_header"]));
    EXPECT_EQ(replayed.status, 401u);
    EXPECT_THAT(header_of(replayed, "WWW-Authenticate"), HasSubstr(kOpaque2));
    EXPECT_EQ(store.count().value(), 1u);
}

TEST_P(WorkedExample, AnAnswerAfterFiveMinutesIsTooLate) {
    start(GetParam().mode);
    next_of_example();
    ASSERT_EQ(ask().status, 401u);
    clock.advance(minutes(5));
    next_second();
    EXPECT_EQ(send(std::string(column["authorization_header"])).status, 401u);
    EXPECT_EQ(store.count().value(), 0u);
}

TEST_P(WorkedExample, AnAnswerJustInTimeIsGood) {
    start(GetParam().mode);
    next_of_example();
    ASSERT_EQ(ask().status, 401u);
    clock.advance(minutes(5) - std::chrono::milliseconds(1));
    EXPECT_EQ(send(std::string(column["authorization_header"])).status, 200u);
}

TEST_P(WorkedExample, EveryFlippedBitOfTheResponseIsRefused) {
    const std::string good = column["authorization_header"];
    const std::string response = column["response"];
    const auto at = good.find(response);
    for (std::size_t digit = 0; digit < response.size(); ++digit) {
        for (const int bit : {1, 2, 4, 8}) {
            start(GetParam().mode);
            next_of_example();
            ASSERT_EQ(ask().status, 401u);
            auto bad = good;
            const int value = from_hex("0" + response.substr(digit, 1)).value().front() ^ bit;
            bad[at + digit] = "0123456789abcdef"[value];
            next_second();
            ASSERT_EQ(send(bad).status, 401u) << bad;
            ASSERT_EQ(store.count().value(), 0u);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Modes, WorkedExample, testing::ValuesIn(kModes),
                         [](const auto& row) { return std::string(row.param.column); });

class UbHandlerTest : public BsfTest {
protected:
    /// As another process does.
    void remove_subscriber() const {
        const auto lock = home->lock();
        SubscriberStore subscribers(*home);
        ASSERT_TRUE(subscribers.remove(std::string(example["identities"]["imsi"])).value());
    }
    /// The subscriber is removed, and added again with `mode`, while the BSF serves.
    void add_anew(std::string_view mode) const {
        remove_subscriber();
        const auto list = aka::parse_subscribers(
            subscriber(example["milenage"], std::string(example["identities"]["imsi"]), mode), "x");
        ASSERT_TRUE(import_subscribers(*home, list.value()));
    }
    /// AUTS of the example, with the response to the challenge of the mode.
    std::string auts_answer(const HttpResponse& challenge) const {
        return answer(challenge, {}, std::string(example["resync"]["auts_b64"]));
    }
};

TEST_F(UbHandlerTest, ResynchronisationUnderGbaMe) {
    start("gba-me");
    next_of_example();
    const auto first = ask();
    const auto auts = auts_answer(first);
    EXPECT_THAT(auts, HasSubstr(std::string(example["resync"]["response"]))) << "the test's own UE";
    next_second();
    const auto second = send(auts);
    EXPECT_EQ(second.status, 401u);
    // Source: tests/interop/gba_ref.py, RAND of set 2, SQN_MS + 32 = ff9bb4d0b710.
    EXPECT_THAT(header_of(second, "WWW-Authenticate"),
                HasSubstr("nonce=\"wA1gMQPc7lLER4EZSUIC6HaHcvpaFLm5LVD/d/Oepag=\""));
    EXPECT_EQ(send(answer(second, vectors::hex("0d36b3d6c4be6e90"))).status, 200u);
}

TEST_F(UbHandlerTest, ResynchronisationUnderGbaU) {
    start("gba-u");
    next_of_example();
    const auto first = ask();
    const auto auts = auts_answer(first);
    // Source: the issue's page of facts, made by an independent implementation.
    EXPECT_THAT(auts, HasSubstr("2b1dbbb480e23587a2e09c5cd77a59da")) << "the test's own UE";
    next_second();
    const auto second = send(auts);
    EXPECT_EQ(second.status, 401u);
    // Source: as above, with MAC*.
    EXPECT_THAT(header_of(second, "WWW-Authenticate"),
                HasSubstr("nonce=\"wA1gMQPc7lLER4EZSUIC6HaHcvpaFLm5CNq7NH3k4No=\""));
    EXPECT_EQ(send(answer(second, vectors::hex("0d36b3d6c4be6e91"))).status, 200u);
}

TEST_F(UbHandlerTest, WithoutResynchronisationSqnStepsBy32) {
    start("gba-me");
    next_of_example();
    ASSERT_EQ(ask().status, 401u);
    next_second();
    // Source: tests/interop/gba_ref.py, RAND of set 2, SQN ff9bb4d0b627.
    EXPECT_THAT(header_of(ask(), "WWW-Authenticate"),
                HasSubstr("nonce=\"wA1gMQPc7lLER4EZSUIC6HaHcvpbI7m5NBQ1FPCoGsg=\""));
}

TEST_F(UbHandlerTest, TwoResynchronisationsAndNoMore) {
    start("gba-u");
    const auto card = aka::milenage(vectors::secret<16>(example["milenage"]["k"]),
                                    vectors::secret<16>(example["milenage"]["opc"]));
    next_of_example();
    auto challenge = ask();
    for (int round = 0; round < 3; ++round) {
        const auto parameters =
            aka::DigestParameters::parse_challenge(header_of(challenge, "WWW-Authenticate"))
                .value();
        const auto nonce = aka::parse_nonce(*parameters.get("nonce")).value();
        const auto auts = aka::make_auts(*card, nonce.rand, aka::sqn_from_number(0x1000));
        random.push(Bytes(16, static_cast<std::uint8_t>(round)));
        random.push(Bytes(16, 0xEE));
        challenge = send(answer(challenge, {}, to_base64(auts)));
        EXPECT_EQ(challenge.status, round < 2 ? 401u : 403u);
    }
    EXPECT_EQ(random.left(), 32u) << "no vector for the third";
}

TEST_F(UbHandlerTest, AutsOfAnotherCardDoesNotTouchSqn) {
    start("gba-me");
    next_of_example();
    const auto first = ask();
    auto auts = vectors::hex(example["resync"]["auts"]);
    auts.back() ^= 1;
    next_second();
    const auto second = send(answer(first, {}, to_base64(auts)));
    EXPECT_EQ(second.status, 401u);
    EXPECT_THAT(header_of(second, "WWW-Authenticate"), HasSubstr("HaHcvpbI7m5NBQ1FPCoGsg="));
    random.push(Bytes(32, 1));
    EXPECT_EQ(send(answer(second, {}, to_base64(auts))).status, 403u);
}

TEST_F(UbHandlerTest, AutsNeedsTheResponseWithEmptyPassword) {
    start("gba-me");
    next_of_example();
    const auto first = ask();
    next_second();
    // RES in the place of the empty password: SQN must not be set.
    const auto second =
        send(answer(first, res_for(first, false), std::string(example["resync"]["auts_b64"])));
    EXPECT_EQ(second.status, 401u);
    EXPECT_THAT(header_of(second, "WWW-Authenticate"), HasSubstr("HaHcvpbI7m5NBQ1FPCoGsg="));
}

TEST_F(UbHandlerTest, EmptyPasswordWithoutAutsIsNoAnswer) {
    start("gba-me");
    next_of_example();
    const auto first = ask();
    next_second();
    EXPECT_EQ(send(answer(first, {})).status, 401u);
    EXPECT_EQ(store.count().value(), 0u);
}

TEST_F(UbHandlerTest, WrongOnceGetsAnotherChallengeWrongTwiceIsRefused) {
    start("gba-u");
    next_of_example();
    const auto first = ask();
    next_second();
    const auto second = send(answer(first, vectors::hex("0000000000000000")));
    ASSERT_EQ(second.status, 401u);
    const auto third = send(answer(second, vectors::hex("0000000000000000")));
    EXPECT_EQ(third.status, 403u);
    EXPECT_EQ(store.count().value(), 0u);
    EXPECT_TRUE(random.finished());
}

TEST_F(UbHandlerTest, RightAfterWrongIsGood) {
    start("gba-u");
    next_of_example();
    const auto first = ask();
    next_second();
    const auto second = send(answer(first, vectors::hex("0000000000000000")));
    EXPECT_EQ(send(answer(second, vectors::hex("0d36b3d6c4be6e91"))).status, 200u);
}

TEST_F(UbHandlerTest, UnflippedResIsWrongUnderGbaU) {
    start("gba-u");
    next_of_example();
    const auto first = ask();
    next_second();
    EXPECT_EQ(send(answer(first, res_for(first, false))).status, 401u);
}

TEST_F(UbHandlerTest, RulesOfGbaUAreSwitchable) {
    UbSettings settings;
    settings.gba_u = {.modify_mac = false, .flip_res = false};
    start("gba-u", settings);
    next_of_example();
    const auto challenge = ask();
    EXPECT_THAT(header_of(challenge, "WWW-Authenticate"),
                HasSubstr(std::string(example["gba_me"]["ub"]["nonce"])));
    EXPECT_EQ(send(answer(challenge, res_for(challenge, false))).status, 200u);
}

UbSettings behind_tls() {
    UbSettings settings;
    settings.tls = true;
    return settings;
}

// TS 33.220 annex I, with the numbers of worked_example.json.
TEST_F(UbHandlerTest, ASimIsChallengedInItsOwnWay) {
    const auto numbers = example["gba_2g"];
    const auto res = vectors::hex(numbers["res"]);
    start("gba-2g", behind_tls());
    next_of_example();
    random.push_hex(std::string(numbers["ks_input"]));
    const auto challenge = ask();
    EXPECT_EQ(header_of(challenge, "WWW-Authenticate"),
              "Digest realm=\"" + fqdn + "\", nonce=\"" + std::string(numbers["nonce"]) +
                  "\", algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"" +
                  std::string(constants["opaque"]) + "\"");
    EXPECT_TRUE(random.finished());
    EXPECT_EQ(send(answer(challenge, res)).status, 200u);
    const auto context = store.find(std::string(example["btid"]));
    ASSERT_TRUE(context);
    EXPECT_EQ(vectors::text_of(context->ks), numbers["ks"]);
    EXPECT_EQ(to_text(context->mode), "gba-2g");
}

TEST_F(UbHandlerTest, AnswerOfAUsimIsNotThatOfASim) {
    start("gba-2g", behind_tls());
    next_of_example();
    random.push_hex(std::string(example["gba_2g"]["ks_input"]));
    const auto challenge = ask();
    next_second();
    random.push(Bytes(16, 1));
    EXPECT_EQ(send(answer(challenge, res_for(challenge, false))).status, 401u);
    EXPECT_EQ(store.count().value(), 0u);
}

TEST_F(UbHandlerTest, NoChallengeForASimWithoutTls) {
    start("gba-2g");
    next_of_example();
    EXPECT_EQ(ask().status, 403u);
    EXPECT_EQ(ub->open_challenges(), 0u);
}

TEST_F(UbHandlerTest, AnotherOpaqueIsRefused) {
    start("gba-me");
    next_of_example();
    auto bad = answer(ask(), vectors::hex("a54211d5e3ba50bf"));
    bad.replace(bad.find("5ccc069c"), 8, "5ccc069d");
    next_second();
    EXPECT_EQ(send(bad).status, 401u);
    EXPECT_EQ(store.count().value(), 0u);
}

TEST_F(UbHandlerTest, BodyOfTheRequestIsPartOfTheDigest) {
    start("gba-me");
    next_of_example();
    const auto good = answer(ask(), vectors::hex("a54211d5e3ba50bf"));
    next_second();
    EXPECT_EQ(send(good, "x").status, 401u);
}

TEST_F(UbHandlerTest, StrangersAndTheRefusedGetTheSameAnswer) {
    start("gba-u");
    const auto stranger = ask("001019999999999@ims.mnc001.mcc001.3gppnetwork.org");
    EXPECT_EQ(stranger.status, 403u);
    next_of_example();
    const auto first = ask();
    next_second();
    const auto second = send(answer(first, Bytes(8, 0)));
    const auto refused = send(answer(second, Bytes(8, 0)));
    EXPECT_EQ(refused.status, 403u);
    EXPECT_EQ(refused.body, stranger.body);
    EXPECT_EQ(refused.headers.fields(), stranger.headers.fields());
}

TEST_F(UbHandlerTest, ChallengeOfOneSubscriberIsNotForAnother) {
    start("gba-me", {}, {}, subscriber(example["milenage"], "001010000000002", "gba-me"));
    const std::string other = "001010000000002@ims.mnc001.mcc001.3gppnetwork.org";
    next_of_example();
    const auto first = ask();
    next_second();
    const auto stolen = send(answer(first, res_for(first, false), {}, other));
    EXPECT_EQ(stolen.status, 401u) << "a fresh challenge of its own";
    EXPECT_EQ(send(answer(first, res_for(first, false))).status, 200u)
        << "the owner's is still open";
}

TEST_F(UbHandlerTest, RandThatRepeatsDoesNotTakeTheBtidOfAnother) {
    start("gba-me", {}, {}, subscriber(example["milenage"], "001010000000002", "gba-me"));
    const std::string other = "001010000000002@ims.mnc001.mcc001.3gppnetwork.org";
    const auto b_tid = bootstrap(1, false);
    random.push(Bytes(16, 1));
    random.push(Bytes(16, 2));
    const auto challenge = ask(other);
    EXPECT_EQ(send(answer(challenge, res_for(challenge, false), {}, other)).status, 503u);
    EXPECT_EQ(store.find(b_tid)->impi, impi);
}

TEST_F(UbHandlerTest, TwoChallengesOfOneSubscriberAreBothOpen) {
    start("gba-me");
    next_of_example();
    const auto first = ask();
    next_second();
    const auto second = ask();
    EXPECT_EQ(send(answer(second, res_for(second, false))).status, 200u);
    EXPECT_EQ(send(answer(first, res_for(first, false))).status, 200u);
    EXPECT_EQ(store.count().value(), 2u);
}

TEST_F(UbHandlerTest, LifetimeOfTheSubscriptionWins) {
    start("gba-me", {}, "lifetime_seconds = 3600");
    next_of_example();
    const auto challenge = ask();
    const auto done = send(answer(challenge, res_for(challenge, false)));
    EXPECT_THAT(done.body, HasSubstr("<lifetime>2029-12-31T13:00:00Z</lifetime>"));
    EXPECT_EQ(header_of(done, "Expires"), "Mon, 31 Dec 2029 13:00:00 GMT");
}

TEST_F(UbHandlerTest, EarlierBtidsLiveUntilTheirOwnEnd) {
    start("gba-u", {}, "lifetime_seconds = 3600");
    const auto first = bootstrap(1, true);
    clock.advance(minutes(30));
    const auto second = bootstrap(2, true);
    EXPECT_TRUE(store.find(first));
    EXPECT_TRUE(store.find(second));
    clock.advance(minutes(30));
    EXPECT_FALSE(store.find(first));
    EXPECT_TRUE(store.find(second));
    clock.advance(minutes(30));
    EXPECT_FALSE(store.find(second));
}

TEST_F(UbHandlerTest, NoRandomnessNoChallenge) {
    start("gba-u");
    EXPECT_EQ(ask().status, 500u);
    random.push_hex("c00d603103dcee52c4478119494202e8"); // RAND, but nothing for opaque
    EXPECT_EQ(ask().status, 500u);
}

TEST_F(UbHandlerTest, OtherPathsAndMethods) {
    start("gba-u");
    HttpRequest request;
    request.target = "/bsf";
    EXPECT_EQ(ub->handle(request).status, 404u);
    request.target = "/";
    request.method = "POST";
    const auto refused = ub->handle(request);
    EXPECT_EQ(refused.status, 405u);
    EXPECT_EQ(header_of(refused, "Allow"), "GET");
    request.method = "GET";
    EXPECT_EQ(ub->handle(request).status, 400u) << "no Authorization";
}

TEST_F(UbHandlerTest, FloodOfFirstRequestsIsBounded) {
    start("gba-u");
    for (int i = 0; i < 2000; ++i) {
        random.push(Bytes(16, static_cast<std::uint8_t>(i)));
        random.push(Bytes(16, 7));
        ASSERT_EQ(ask().status, 401u);
    }
    EXPECT_EQ(ub->open_challenges(), PendingChallenges::kLimitPerSubscriber);
    clock.advance(minutes(6));
    ub->purge();
    EXPECT_EQ(ub->open_challenges(), 0u);
}

TEST_F(UbHandlerTest, FloodsOfFirstRequestsDoNotEndTheRunOfAnother) {
    std::string others;
    std::vector<std::string> impis{impi};
    for (int i = 0; i < 200; ++i) {
        const auto imsi = "0010100000" + std::to_string(10000 + i);
        others += subscriber(example["milenage"], imsi, "gba-me");
        impis.push_back(imsi + "@ims.mnc001.mcc001.3gppnetwork.org");
    }
    start("gba-me", {}, {}, others);
    const auto first_request = [&](const std::string& name, std::string_view address) {
        HttpRequest request;
        request.headers.add("Authorization", "Digest username=\"" + name + "\", realm=\"" + fqdn +
                                                 "\", nonce=\"\", uri=\"/\", response=\"\"");
        return ub->handle(request, address);
    };
    next_of_example();
    const auto honest = first_request(impi, "192.0.2.1:1000");
    for (int i = 0; i < 3000; ++i) {
        const auto stranger =
            "00101" + std::to_string(8000000000 + i) + "@ims.mnc001.mcc001.3gppnetwork.org";
        ASSERT_EQ(first_request(stranger, "192.0.2.2:1").status, 403u);
    }
    EXPECT_EQ(ub->open_challenges(), 1u) << "strangers take no place";
    for (std::size_t i = 0; i < 5 * impis.size(); ++i) { // his own IMPI among them
        random.push(Bytes(14, 7));
        random.push(Bytes{static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)});
        random.push(Bytes(16, 8));
        const auto port = std::to_string(1000 + i);
        ASSERT_EQ(first_request(impis[i % impis.size()], "192.0.2.2:" + port).status, 401u);
    }
    EXPECT_EQ(ub->open_challenges(), PendingChallenges::kLimit);
    EXPECT_EQ(send(answer(honest, res_for(honest, false))).status, 200u);
}

// TS 33.220 clauses 4.5.2 and B.4: the TMPI in the Digest, the IMPI in the keys.
TEST_P(WorkedExample, ATmpiStandsForItsImpi) {
    start(GetParam().mode);
    next_of_example();
    ASSERT_EQ(ask().status, 401u);
    ASSERT_EQ(send(std::string(column["authorization_header"])).status, 200u);
    const auto context = store.find(std::string(example["btid"]));
    ASSERT_TRUE(context);
    const auto tmpi = kdf::tmpi(context->ks, context->rand, impi, fqdn).value();
    const bool flipped = std::string_view(GetParam().mode) == "gba-u";

    const auto second = store.find(bootstrap(1, flipped, tmpi));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->impi, impi);
    EXPECT_NE(second->tmpi, tmpi) << "each run gives a new one";

    next_second();
    const auto challenge = ask(tmpi);
    next("00000000000000000000000000000001", "00000000000000000000000000000002");
    EXPECT_EQ(send(answer(challenge, res_for(challenge, flipped))).status, 401u)
        << "the challenge was another username's";
    EXPECT_EQ(store.count().value(), 2u);
}

TEST_P(WorkedExample, AnUnknownTmpiIsAskedForTheImpi) {
    start(GetParam().mode);
    next_of_example();
    ASSERT_EQ(ask().status, 401u);
    ASSERT_EQ(send(std::string(column["authorization_header"])).status, 200u);
    const auto tmpi = store.find(std::string(example["btid"]))->tmpi;
    clock.advance(hours(24));
    for (const auto& unknown : {tmpi, "AAAA@tmpi.bsf.3gppnetwork.org"s}) {
        const auto response = ask(unknown);
        EXPECT_EQ(response.status, 401u);
        EXPECT_EQ(header_of(response, "WWW-Authenticate"),
                  "Digest realm=\"" + fqdn +
                      "\", nonce=\"\", algorithm=AKAv1-MD5, qop=\"auth-int\"");
    }
    EXPECT_EQ(ub->open_challenges(), 0u);
    EXPECT_TRUE(random.finished()) << "no vector was spent";
    bootstrap(1, std::string_view(GetParam().mode) == "gba-u"); // with the IMPI, as the UE goes on
}

TEST_F(UbHandlerTest, ChallengeEndsWithItsSubscriber) {
    start("gba-me");
    next_of_example();
    const auto challenge = ask();
    remove_subscriber();
    EXPECT_EQ(send(answer(challenge, res_for(challenge, false))).status, 403u);
    EXPECT_EQ(store.count().value(), 0u);
}

TEST_F(UbHandlerTest, ChallengeIsNotThatOfASubscriberAddedAnew) {
    start("gba-me");
    next_of_example();
    const auto challenge = ask();
    add_anew("gba-u");
    next_second();
    const auto fresh = send(answer(challenge, res_for(challenge, false)));
    EXPECT_EQ(fresh.status, 401u);
    EXPECT_THAT(header_of(fresh, "WWW-Authenticate"), HasSubstr(kOpaque2));
    EXPECT_EQ(store.count().value(), 0u);
    EXPECT_EQ(send(answer(fresh, res_for(fresh, true))).status, 200u);
}

class UbOptions : public UbHandlerTest {
protected:
    std::string nextnonce_of(const HttpResponse& done) const {
        const auto info =
            aka::DigestParameters::parse_info(header_of(done, "Authentication-Info")).value();
        return std::string(info.get("nextnonce").value_or(""));
    }
    /// What a UE sends at once with a nonce that it got in advance.
    std::string answer_in_advance(const std::string& nonce, bool flipped,
                                  const std::string& username, const std::string& opaque) const {
        HttpResponse as_challenge;
        as_challenge.headers.add("WWW-Authenticate",
                                 "Digest realm=\"" + fqdn + "\", nonce=\"" + nonce + "\"");
        auto text = answer(as_challenge, res_for(as_challenge, flipped), {}, username);
        const std::string none = "opaque=\"\", ";
        const auto at = text.find(none);
        text.replace(at, none.size(), opaque.empty() ? "" : "opaque=\"" + opaque + "\", ");
        return text;
    }
};

TEST_F(UbOptions, NextNonceStartsTheNextRunAtOnce) {
    for (const bool flipped : {false, true}) {
        for (const bool by_tmpi : {false, true}) {
            for (const bool with_opaque : {false, true}) {
                start(flipped ? "gba-u" : "gba-me", {.fqdn = {}, .gba_u = {}, .next_nonce = true});
                next_of_example();
                const auto challenge = ask();
                random.push(Bytes(16, 0x33)); // RAND in advance, and nothing else
                const auto done = send(answer(challenge, res_for(challenge, flipped)));
                ASSERT_EQ(done.status, 200u);
                ASSERT_TRUE(random.finished());
                const auto nonce = nextnonce_of(done);
                ASSERT_FALSE(nonce.empty());
                const auto username =
                    by_tmpi ? store.find(std::string(example["btid"]))->tmpi : impi;
                random.push(Bytes(16, 0x44));
                const auto second = send(answer_in_advance(
                    nonce, flipped, username, with_opaque ? std::string(constants["opaque"]) : ""));
                ASSERT_EQ(second.status, 200u);
                EXPECT_THAT(second.body, HasSubstr(to_base64(Bytes(16, 0x33)) + "@" + fqdn));
                EXPECT_NE(nextnonce_of(second), nonce);
                next_second();
                EXPECT_EQ(send(answer_in_advance(nonce, flipped, username, "")).status, 401u)
                    << "once";
            }
        }
    }
}

TEST_F(UbOptions, NextNonceEndsWithItsSubscriber) {
    start("gba-me", {.fqdn = {}, .gba_u = {}, .next_nonce = true});
    next_of_example();
    const auto challenge = ask();
    random.push(Bytes(16, 0x33));
    const auto nonce = nextnonce_of(send(answer(challenge, res_for(challenge, false))));
    remove_subscriber();
    EXPECT_EQ(send(answer_in_advance(nonce, false, impi, "")).status, 403u);
    EXPECT_EQ(store.count().value(), 0u);
}

TEST_F(UbOptions, NextNonceUnderATmpiEndsWithItsSubscriber) {
    start("gba-me", {.fqdn = {}, .gba_u = {}, .next_nonce = true});
    next_of_example();
    const auto challenge = ask();
    random.push(Bytes(16, 0x33));
    const auto nonce = nextnonce_of(send(answer(challenge, res_for(challenge, false))));
    const auto tmpi = store.find(std::string(example["btid"]))->tmpi;
    remove_subscriber();
    const auto unknown = send(answer_in_advance(nonce, false, tmpi, ""));
    EXPECT_EQ(unknown.status, 401u);
    EXPECT_THAT(header_of(unknown, "WWW-Authenticate"), HasSubstr("nonce=\"\""));
    EXPECT_EQ(store.count().value(), 0u);
}

TEST_F(UbOptions, NextNonceIsGoodAsLongAsKs) {
    start("gba-me", {.fqdn = {}, .lifetime = hours(2), .gba_u = {}, .next_nonce = true});
    next_of_example();
    const auto challenge = ask();
    random.push(Bytes(16, 0x33));
    const auto nonce = nextnonce_of(send(answer(challenge, res_for(challenge, false))));
    clock.advance(hours(2) - seconds(1));
    ub->purge();
    EXPECT_EQ(ub->open_challenges(), 1u);
    random.push(Bytes(16, 0x44));
    EXPECT_EQ(send(answer_in_advance(nonce, false, impi, "")).status, 200u);
    clock.advance(hours(2));
    ub->purge();
    EXPECT_EQ(ub->open_challenges(), 0u);
}

TEST_F(UbOptions, OneNonceInAdvanceForASubscriber) {
    start("gba-me", {.fqdn = {}, .gba_u = {}, .next_nonce = true});
    for (int i = 0; i < 3; ++i) {
        next_of_example();
        const auto challenge = ask();
        random.push(Bytes(16, static_cast<std::uint8_t>(0x50 + i)));
        ASSERT_EQ(send(answer(challenge, res_for(challenge, false))).status, 200u);
        EXPECT_EQ(ub->open_challenges(), 1u);
    }
}

TEST_F(UbOptions, AWrongAnswerInAdvanceGetsAFreshChallenge) {
    start("gba-me", {.fqdn = {}, .gba_u = {}, .next_nonce = true});
    next_of_example();
    const auto challenge = ask();
    random.push(Bytes(16, 0x33));
    const auto nonce = nextnonce_of(send(answer(challenge, res_for(challenge, false))));
    next_second();
    EXPECT_EQ(send(answer_in_advance(nonce, true, impi, "")).status, 401u);
    EXPECT_EQ(store.count().value(), 1u);
}

TEST_F(UbOptions, WithoutTheOptionThereIsNone) {
    start("gba-me");
    next_of_example();
    const auto challenge = ask();
    EXPECT_EQ(nextnonce_of(send(answer(challenge, res_for(challenge, false)))), "");
}

TEST_F(UbOptions, ServerDataInTheNonce) {
    start("gba-u", {.fqdn = {}, .gba_u = {}, .nonce_data = 20});
    next_of_example();
    random.push(Bytes(20, 0x77));
    const auto challenge = ask();
    const auto parsed =
        aka::DigestParameters::parse_challenge(header_of(challenge, "WWW-Authenticate")).value();
    EXPECT_EQ(aka::parse_nonce(parsed.get("nonce").value())->server_data, Bytes(20, 0x77));
    EXPECT_EQ(send(answer(challenge, res_for(challenge, true))).status, 200u);
}

TEST_F(UbOptions, OpaqueBtid) {
    start("gba-u", {.fqdn = {}, .gba_u = {}, .b_tid = BtidForm::Opaque});
    next_of_example();
    const auto challenge = ask();
    random.push(Bytes(16, 0x66));
    const auto done = send(answer(challenge, res_for(challenge, true)));
    const auto b_tid = to_base64(Bytes(16, 0x66)) + "@" + fqdn;
    EXPECT_THAT(done.body, HasSubstr("<btid>" + b_tid + "</btid>"));
    const auto context = store.find(b_tid);
    ASSERT_TRUE(context);
    EXPECT_EQ(to_hex(context->rand), example["milenage"]["rand"])
        << "RAND of the keys all the same";
}

} // namespace
} // namespace mtkey::bsf
