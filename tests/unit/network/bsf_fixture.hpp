// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/digest.hpp"
#include "fakes/fixed_random.hpp"
#include "fakes/manual_clock.hpp"
#include "network/bsf/authentication_centre.hpp"
#include "network/bsf/bootstrapping_store.hpp"
#include "network/bsf/ub_handler.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>

namespace mtkey::bsf {

/// Value of a header that must stand once; a text no test expects otherwise.
inline std::string header_of(const HttpResponse& response, std::string_view name) {
    const auto value = response.headers.single(name);
    return value && *value ? std::string(**value) : "(absent or repeated)";
}

/// A BSF with the subscriber of worked_example.json, all of its randomness and time in the test's
/// hand.
class BsfTest : public ::testing::Test {
protected:
    static constexpr auto kRand2 = "c00d603103dcee52c4478119494202e8"; // TS 35.208 set 2
    static constexpr auto kOpaque2 = "00112233445566778899aabbccddeeff";

    const vectors::Json example = vectors::load("worked_example.json");
    const vectors::Json constants = example["digest_constants"];
    const std::string impi = example["identities"]["impi"];
    const std::string fqdn = example["identities"]["bsf_fqdn"];
    const std::string naf_fqdn = example["identities"]["naf_fqdn"];

    // One day before the lifetime of the example ends.
    fakes::ManualClock clock{"2029-12-31T12:00:00Z"};
    fakes::FixedRandom random;
    const std::unique_ptr<Database> home = Database::in_memory();
    std::unique_ptr<AuthenticationCentre> centre;
    BootstrappingStore store{*home, clock, "memory"};
    std::unique_ptr<UbHandler> ub;

    static std::string subscriber(const vectors::Json& milenage, std::string_view imsi,
                                  std::string_view mode, std::string_view extra = {}) {
        return "[[subscriber]]\nimsi = \"" + std::string(imsi) + "\"\nmnc_length = 2\nk = \"" +
               std::string(milenage["k"]) + "\"\nopc = \"" + std::string(milenage["opc"]) +
               "\"\namf = \"" + std::string(milenage["amf"]) + "\"\nsqn = \"" +
               std::string(milenage["sqn"]) + "\"\nmode = \"" + std::string(mode) + "\"\n" +
               std::string(extra) + "\n";
    }
    void change(const char* sql) const {
        const auto lock = home->lock();
        Statement statement(*home, sql);
        ASSERT_TRUE(Query(statement).run());
    }
    /// `others`: more [[subscriber]] tables.
    void start(std::string_view mode, const UbSettings& changes = {}, std::string_view extra = {},
               std::string_view others = {}) {
        auto file = subscriber(example["milenage"], std::string(example["identities"]["imsi"]),
                               mode, extra);
        auto subscribers = aka::parse_subscribers(file + std::string(others), "subscribers.toml");
        ASSERT_TRUE(subscribers) << describe(subscribers.error());
        change("DELETE FROM subscriber");
        ASSERT_TRUE(import_subscribers(*home, *subscribers));
        centre =
            std::make_unique<AuthenticationCentre>(*home, aka::SqnScheme::FixedInd, clock, random);
        UbSettings settings = changes;
        settings.fqdn = fqdn;
        ub = std::make_unique<UbHandler>(settings, *centre, store, clock, random);
    }
    /// RAND and opaque of the next challenge.
    void next(std::string_view rand, std::string_view opaque) {
        random.push_hex(rand);
        random.push_hex(opaque);
    }
    void next_of_example() {
        next(std::string(example["milenage"]["rand"]), std::string(constants["opaque"]));
    }
    void next_second() { next(kRand2, kOpaque2); }

    HttpResponse send(std::string_view authorization, std::string_view body = {}) {
        HttpRequest request;
        request.headers.add("User-Agent", "Bootstrapping Client Agent; Release-6; 3gpp-gba-tmpi");
        request.headers.add("Authorization", std::string(authorization));
        request.body = body;
        return ub->handle(request);
    }
    HttpResponse ask(const std::string& username) {
        return send("Digest username=\"" + username + "\", realm=\"" + fqdn +
                    "\", nonce=\"\", uri=\"/\", response=\"\"");
    }
    HttpResponse ask() { return ask(impi); }

    /// What a UE would answer to `challenge`. `password` is RES as its card gives it, empty with
    /// auts.
    std::string answer(const HttpResponse& challenge, ByteView password, std::string_view auts = {},
                       std::string_view username = {}) const {
        const auto parsed =
            aka::DigestParameters::parse_challenge(header_of(challenge, "WWW-Authenticate"));
        if (!parsed) {
            return "no challenge";
        }
        aka::DigestInputs inputs;
        inputs.username = username.empty() ? impi : std::string(username);
        inputs.realm = parsed->get("realm").value_or("");
        inputs.nonce = parsed->get("nonce").value_or("");
        inputs.cnonce = constants["cnonce"];
        return "Digest username=\"" + inputs.username + "\", realm=\"" + inputs.realm +
               "\", nonce=\"" + inputs.nonce +
               "\", uri=\"/\", qop=auth-int, nc=00000001, cnonce=\"" + inputs.cnonce +
               "\", response=\"" + aka::digest_response(inputs, password, {}) + "\", opaque=\"" +
               std::string(parsed->get("opaque").value_or("")) + "\", algorithm=AKAv1-MD5" +
               (auts.empty() ? "" : ", auts=\"" + std::string(auts) + "\"");
    }
    /// RES of the subscriber's card for the RAND of `challenge`.
    Bytes res_for(const HttpResponse& challenge, bool flipped) const {
        const auto parsed =
            aka::DigestParameters::parse_challenge(header_of(challenge, "WWW-Authenticate"));
        const auto nonce = aka::parse_nonce(parsed.value().get("nonce").value_or(""));
        const auto algorithm = aka::milenage(vectors::secret<16>(example["milenage"]["k"]),
                                             vectors::secret<16>(example["milenage"]["opc"]));
        const auto outputs = algorithm->f2345(nonce.value().rand);
        Bytes res(outputs.res.reveal().begin(), outputs.res.reveal().end());
        if (flipped) {
            res.back() ^= 1;
        }
        return res;
    }
    /// A whole run with a fresh RAND made from `index`; its B-TID.
    std::string bootstrap(std::uint8_t index, bool flipped, std::string_view username = {}) {
        random.push(Bytes(16, index));
        random.push(Bytes(16, static_cast<std::uint8_t>(~index)));
        const auto challenge = ask(username.empty() ? impi : std::string(username));
        const auto done = send(answer(challenge, res_for(challenge, flipped), {}, username));
        EXPECT_EQ(done.status, 200u);
        return to_base64(Bytes(16, index)) + "@" + fqdn;
    }
};

} // namespace mtkey::bsf
