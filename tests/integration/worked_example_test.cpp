// SPDX-License-Identifier: Apache-2.0
// The real parts against each other in one process, with RAND, SQN, cnonce, opaque, lifetime, clock
// and Device_ID pinned: every value on every interface is that of
// tests/vectors/worked_example.json.
#include "aka/digest.hpp"
#include "base/hash.hpp"
#include "gba/bootstrapping.hpp"
#include "gba/identities.hpp"
#include "mobile_terminal.hpp"

#include <gtest/gtest.h>

namespace mtkey::integration {
namespace {

using Line = RecordingChannel::Line;

const std::string kSqnBefore = "ff9bb4d0b606"; // one below the vector's
const std::string kRand2 =
    "c00d603103dcee52c4478119494202e8"; // TS 35.208 set 2, for a second challenge
const std::string kOpaque2 = "00112233445566778899aabbccddeeff";

vectors::Json column(gba::Mode mode) {
    return example()[mode == gba::Mode::GbaU ? "gba_u" : "gba_me"];
}

void pin_run(Network& network, MobileTerminal& mt) {
    network.next_challenge(text(example()["milenage"]["rand"]),
                           text(example()["digest_constants"]["opaque"]));
    mt.cnonces.push_hex(text(example()["digest_constants"]["cnonce"]));
}

void expect_identities(const MobileTerminal& mt) {
    const auto identities = example()["identities"];
    EXPECT_EQ(mt.application.imsi, identities["imsi"]);
    EXPECT_EQ(nlohmann::json(mt.application.mnc_length), identities["mnc_length"]);
    EXPECT_EQ(mt.settings.impi, identities["impi"]);
    EXPECT_EQ(gba::bsf_fqdn_from_imsi(mt.application.imsi, mt.application.mnc_length).value(),
              identities["bsf_fqdn"]);
    if (mt.application.gba) {
        EXPECT_EQ(mt.application.naf_key_centers,
                  std::vector<std::string>{text(identities["naf_fqdn"])});
    }
}

/// The exchange that ends with the 200: challenge in `lines[first]`, answer in the one behind it.
void expect_ub(const std::vector<DirectExchange::Line>& lines, std::size_t first, gba::Mode mode) {
    const auto ub = column(mode)["ub"];
    const auto constants = example()["digest_constants"];
    ASSERT_GE(lines.size(), first + 2);
    const auto& challenge = lines[first].response;
    EXPECT_EQ(challenge.status, 401U);
    const auto offered =
        aka::DigestParameters::parse_challenge(header(challenge.headers, "WWW-Authenticate"))
            .value();
    EXPECT_EQ(offered.get("nonce").value(), text(ub["nonce"]));
    EXPECT_EQ(offered.get("opaque").value(), text(constants["opaque"]));
    EXPECT_EQ(offered.get("algorithm").value(), "AKAv1-MD5");
    EXPECT_EQ(to_hex(from_base64(offered.get("nonce").value()).value()), ub["nonce_raw"]);

    const auto& answer = lines[first + 1];
    EXPECT_EQ(header(answer.request.headers, "Authorization"), ub["authorization_header"]);
    EXPECT_EQ(answer.request.target, constants["uri"]);
    EXPECT_EQ(answer.response.status, 200U);
    EXPECT_EQ(answer.response.body, example()["bsf_200_body"]);
    EXPECT_EQ(to_hex(sha256({as_octets(answer.response.body)})), example()["bsf_200_body_sha256"]);
    EXPECT_EQ(to_hex(md5({as_octets(answer.response.body)})), ub["entity_md5_200"]);
    const auto proof =
        aka::DigestParameters::parse_info(header(answer.response.headers, "Authentication-Info"))
            .value();
    EXPECT_EQ(proof.get("rspauth").value(), text(ub["rspauth"]));
    EXPECT_EQ(proof.get("cnonce").value(), text(constants["cnonce"]));
    EXPECT_EQ(proof.get("nc").value(), text(constants["nc"]));
    EXPECT_EQ(proof.get("qop").value(), text(constants["qop"]));
}

void expect_context(const gba::Context& context, gba::Mode mode) {
    EXPECT_EQ(context.mode(), mode);
    EXPECT_EQ(context.b_tid(), example()["btid"]);
    EXPECT_EQ(context.impi(), example()["identities"]["impi"]);
    EXPECT_EQ(to_hex(context.rand()), example()["milenage"]["rand"]);
    EXPECT_EQ(format_utc(context.expires()), text(example()["lifetime"]));
}

/// A transparent file of the application, as any ME reads it.
std::string read_file(uicc::CardChannel& card, const std::string& fid, const std::string& read) {
    const auto send = [&](const std::string& hex) {
        return card.transmit(uicc::parse_command(vectors::hex(hex)).value()).value();
    };
    EXPECT_TRUE(send("00a4000c02" + fid).ok());
    const auto content = send(read);
    EXPECT_TRUE(content.ok());
    return to_hex(content.data.reveal());
}

TEST(WorkedExample, GbaU) {
    Network network("gba-u", true, kSqnBefore);
    MobileTerminal mt(network);
    expect_identities(mt);
    pin_run(network, mt);
    auto context = mt.bootstrap();
    ASSERT_TRUE(context) << describe(context.error());
    expect_context(*context, gba::Mode::GbaU);
    expect_ub(mt.bsf.lines(), 0, gba::Mode::GbaU);
    EXPECT_EQ(mt.bsf.lines().size(), 2U);

    const auto naf_id = mt.naf_list().entries().front().naf_id;
    EXPECT_EQ(to_hex(naf_id.octets()), example()["identities"]["naf_id_hex"]);
    const auto key = context->ks_naf(&network.card, naf_id);
    ASSERT_TRUE(key) << describe(key.error());
    EXPECT_EQ(to_hex((*key)->reveal()), column(gba::Mode::GbaU)["ks_ext_naf"]);

    // The minimum of design.md section 6, in the numbers of the example.
    const auto u = column(gba::Mode::GbaU);
    EXPECT_EQ(
        network.card.take(),
        (std::vector<Line>{
            {text(u["apdu_authenticate_gba_bootstrap"]), text(u["card_answer_bootstrap"]) + "9000"},
            {"00a4000c026fd6", "9000"},
            {text(u["apdu_update_binary_btid_lifetime"]), "9000"},
            {text(u["apdu_authenticate_gba_naf"]), text(u["card_answer_naf"]) + "9000"},
        }));
    const auto gbabp = text(u["ef_gbabp_after_update"]);
    EXPECT_EQ(read_file(network.card, "6fd6", "00b0000000").substr(0, gbabp.size()), gbabp);
    const auto gbanl = text(u["ef_gbanl_record_prefix"]);
    EXPECT_EQ(read_file(network.card, "6fda", "00b2010400").substr(0, gbanl.size()), gbanl);
    EXPECT_EQ(to_hex(network.reader.card().sqn_ms()), example()["milenage"]["sqn"]);
    EXPECT_TRUE(network.random.finished());
    EXPECT_TRUE(mt.cnonces.finished());
}

TEST(WorkedExample, GbaMe) {
    Network network("gba-me", false, kSqnBefore);
    MobileTerminal mt(network);
    expect_identities(mt);
    pin_run(network, mt);
    auto context = mt.bootstrap();
    ASSERT_TRUE(context) << describe(context.error());
    expect_context(*context, gba::Mode::GbaMe);
    expect_ub(mt.bsf.lines(), 0, gba::Mode::GbaMe);

    const auto me = column(gba::Mode::GbaMe);
    const auto key = context->ks_naf(nullptr, mt.naf_list().entries().front().naf_id);
    ASSERT_TRUE(key) << describe(key.error());
    EXPECT_EQ(to_hex((*key)->reveal()), me["ks_naf"]);
    EXPECT_EQ(network.card.take(), (std::vector<Line>{{text(me["apdu_authenticate_3g"]),
                                                       text(me["card_answer_no_kc"]) + "9000"}}));
}

/// The card is ahead of the HSS; after AUTS the next challenge, with another RAND, is accepted.
void resynchronise(gba::Mode mode, const std::string& response) {
    const bool gba_u = mode == gba::Mode::GbaU;
    Network network(gba_u ? "gba-u" : "gba-me", gba_u, text(example()["resync"]["sqn_ms"]));
    MobileTerminal mt(network);
    pin_run(network, mt);
    mt.cnonces.push_hex(text(example()["digest_constants"]["cnonce"]));
    network.next_challenge(kRand2, kOpaque2);
    auto context = mt.bootstrap();
    ASSERT_TRUE(context) << describe(context.error());
    EXPECT_EQ(context->mode(), mode);
    EXPECT_EQ(to_hex(context->rand()), kRand2);
    EXPECT_EQ(context->counts().http_exchanges, 3U);
    EXPECT_EQ(context->counts().bootstrapping_authenticates, 2U);

    const auto lines = network.card.take();
    ASSERT_GE(lines.size(), 2U);
    EXPECT_EQ(lines[0].command,
              column(mode)[gba_u ? "apdu_authenticate_gba_bootstrap" : "apdu_authenticate_3g"]);
    EXPECT_EQ(lines[0].answer, text(example()["resync"]["card_answer"]) + "9000");
    ASSERT_EQ(mt.bsf.lines().size(), 3U);
    const auto sent = aka::DigestParameters::parse_challenge(
                          header(mt.bsf.lines()[1].request.headers, "Authorization"))
                          .value();
    EXPECT_EQ(sent.get("auts").value(), text(example()["resync"]["auts_b64"]));
    EXPECT_EQ(to_hex(from_base64(sent.get("auts").value()).value()), example()["resync"]["auts"]);
    EXPECT_EQ(sent.get("response").value(), response);
    EXPECT_EQ(sent.get("nc").value(), "00000001");
    EXPECT_EQ(mt.bsf.lines()[1].response.status, 401U);
    EXPECT_EQ(mt.bsf.lines()[2].response.status, 200U);
    // SQN_HE is SQN_MS now: the new vector is one step (32) ahead.
    EXPECT_EQ(to_hex(network.reader.card().sqn_ms()), "ff9bb4d0b710");
}

TEST(WorkedExample, ResynchronisationGbaMe) {
    resynchronise(gba::Mode::GbaMe, text(example()["resync"]["response"]));
}

TEST(WorkedExample, ResynchronisationGbaU) {
    resynchronise(gba::Mode::GbaU, "2b1dbbb480e23587a2e09c5cd77a59da");
}

} // namespace
} // namespace mtkey::integration
