// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/encoding.hpp"
#include "testbed/virtual_uicc/card.hpp"
#include "vectors/vector_file.hpp"

#include <string>
#include <utility>

namespace mtkey::testbed {

inline const vectors::Json& example() {
    static const auto loaded = vectors::load("worked_example.json");
    return loaded;
}
inline std::string text(const vectors::Json& value) {
    return value;
}

/// A profile of the worked example's subscriber with both applications.
inline CardProfile both_applications(Protocol protocol = Protocol::T1) {
    CardProfile profile;
    profile.iccid = "8988211000000000018";
    profile.imsi = text(example()["identities"]["imsi"]);
    profile.protocol = protocol;
    profile.applications.push_back({});
    profile.applications.push_back({.kind = ApplicationKind::Isim});
    return profile;
}

/// A card that is asked in hex and answers in hex.
class TestCard {
public:
    explicit TestCard(const CardProfile& profile, const std::string& sqn_ms = "000000000000",
                      std::unique_ptr<aka::Algorithm> algorithm = milenage())
        : card(Card::create(profile, std::move(algorithm), vectors::array<6>(sqn_ms)).value()) {}

    std::string ask(const std::string& command) {
        return to_hex(card.transmit(vectors::hex(command)).reveal());
    }
    /// Complete answer to a command whose answer is data, on either protocol.
    std::string data(const std::string& command) {
        std::string answer = ask(command);
        if (answer.starts_with("61") && answer.size() == 4) {
            answer = ask("00c00000" + answer.substr(2));
        }
        return answer;
    }
    static std::unique_ptr<aka::Algorithm> milenage() {
        return aka::milenage(vectors::secret<16>(example()["milenage"]["k"]),
                             vectors::secret<16>(example()["milenage"]["opc"]));
    }

    Card card;
};

inline const std::string kSelectUsim = "00a4040c07a0000000871002";
inline const std::string kSelectIsim = "00a4040c07a0000000871004";
inline const std::string kOk = "9000";

} // namespace mtkey::testbed
