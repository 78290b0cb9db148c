// SPDX-License-Identifier: Apache-2.0
// What no parser of a card's octets may take, made by hand: cut short, lengths that lie, wrong
// tags, something behind the end, characters that are none.
#include "base/encoding.hpp"
#include "uicc/apdu.hpp"
#include "uicc/atr.hpp"
#include "uicc/authenticate.hpp"
#include "uicc/ber_tlv.hpp"
#include "uicc/ef_parsers.hpp"
#include "uicc/gba_files.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

/// The Error's code, or nothing when the octets were taken.
using Verdict = std::optional<Errc>;

template <typename T>
Verdict verdict(const Result<T>& result) {
    return result ? Verdict() : result.error().code;
}

/// Gives one answer to AUTHENTICATE.
class OneAnswer final : public CardChannel {
public:
    explicit OneAnswer(ByteView data) : data_(data) {}
    Result<ResponseApdu> transmit(const CommandApdu&) override {
        ResponseApdu response;
        response.data = SecretBytes(data_);
        response.sw = 0x9000;
        return response;
    }

private:
    ByteView data_;
};

Verdict take_tlv(ByteView octets) {
    TlvReader reader(octets);
    while (true) {
        const auto object = reader.next();
        if (!object || !*object) {
            return verdict(object);
        }
    }
}
Verdict take_fcp(ByteView octets) {
    return verdict(parse_fcp(octets));
}
Verdict take_dir(ByteView octets) {
    return verdict(parse_dir_record(octets));
}
Verdict take_iccid(ByteView octets) {
    return verdict(parse_iccid(octets));
}
Verdict take_imsi(ByteView octets) {
    return verdict(parse_imsi(octets));
}
Verdict take_nafkca(ByteView octets) {
    return verdict(parse_nafkca_record(octets));
}
Verdict take_gbabp(ByteView octets) {
    return verdict(parse_gbabp(octets));
}
Verdict take_gbanl(ByteView octets) {
    return verdict(parse_gbanl_record(octets));
}
Verdict take_ims_name(ByteView octets) {
    return verdict(parse_ims_name(octets));
}
Verdict take_atr(ByteView octets) {
    return verdict(parse_atr(octets));
}
Verdict take_command(ByteView octets) {
    return verdict(parse_command(octets));
}
Verdict take_aka(ByteView octets) {
    OneAnswer card(octets);
    return verdict(authenticate_3g(card, {}));
}
Verdict take_gba(ByteView octets) {
    OneAnswer card(octets);
    return verdict(gba_bootstrap(card, {}));
}
Verdict take_naf(ByteView octets) {
    OneAnswer card(octets);
    return verdict(gba_derive_naf(card, Bytes(10, 'n'), "impi"));
}

struct Samples {
    const char* name;
    Verdict (*parse)(ByteView);
    std::vector<std::string> hex;
};

std::vector<Samples> all_samples() {
    return {
        Samples{"Tlv", take_tlv, {"62",          "6203",     "62018011", "80",         "8081",
                                  "808101",      "80820001", "80830000", "8084",       "80ff",
                                  "9f",          "9f70",     "9f7001",   "9f70820001", "1f",
                                  "1f81",        "1f8181",   "1f818101", "bf",         "8080",
                                  "808000",      "61820100", "6181ff00", "6100610261", "8001aa81",
                                  "8001aa8102bb"}},
        Samples{"Fcp",
                take_fcp,
                {"",
                 "00",
                 "ff",
                 "62",
                 "6281",
                 "628200",
                 "62ff",
                 "6f0480020010",
                 "9000",
                 "6103800110",
                 "62028000",
                 "6206800500000001",
                 "620780050000000001",
                 "6202",
                 "620182",
                 "62028200",
                 "62028100",
                 "620781050000000001",
                 "6205c60383010162",
                 "6206c60490008301",
                 "6208c606900180830200",
                 "620bc609900180830201028300",
                 "6204c6029001",
                 "6203808001",
                 "62820100",
                 "620a8002001082054221000a",
                 "6203c60190",
                 "6203c60183",
                 "6205c603830101",
                 "6207c60583010183",
                 "6205c6039f7001",
                 "62028001",
                 "621f82"}},
        Samples{"Dir",
                take_dir,
                {"61",
                 "6100",
                 "6101",
                 "610400aabbcc",
                 "61024f00",
                 "61014f",
                 "61064f04a0000000",
                 "6129",
                 "61054f05a000",
                 "61134f11a0000000871002ffffffff8907090000aa",
                 "61820100",
                 "614f",
                 "610a4f07a00000008710025005",
                 "61035001aa",
                 "6103730100",
                 "6180",
                 "61074f81",
                 "61074f8180aabbccdd",
                 "610b4f07a000000087100250024142",
                 "61ff4f07a0000000871002"}},
        Samples{"Iccid",
                take_iccid,
                {"", "ff", "ffffffffffffffffffff", "f0", "98f0", "9810", "981062", "98106223f0",
                 "0f981062230000000010", "f89810622300000000"}},
        Samples{"Imsi",
                take_imsi,
                {"",
                 "00",
                 "01",
                 "ff",
                 "ffffffffffffffffff",
                 "09091010103254769812",
                 "0809101010325476",
                 "080a10101032547698",
                 "08091010103254769a",
                 "08f910101032547698",
                 "08011010325476980f",
                 "080110103254769810",
                 "0209f1",
                 "020910",
                 "0101",
                 "0109",
                 "08",
                 "0809",
                 "ff091010103254769810",
                 "0808101010325476f8",
                 "080b10101032547698",
                 "080c10101032547698",
                 "080d1010103254769f",
                 "080e10101032547698",
                 "080f10101032547698",
                 "0809f0101032547698",
                 "0809101010a2547698",
                 "0309101f",
                 "040110",
                 "0401101010"}},
        Samples{"Nafkca",
                take_nafkca,
                {"80",         "8080",       "8005612e62",     "81016180",     "810161",
                 "80036100ff", "8003612f62", "80050d0a2e6263", "80022e61",     "8004612e2e62",
                 "8002c3a4",   "8003617f62", "8003612062",     "8081",         "808101",
                 "80820001",   "8003613a62", "80035b3a3a",     "8004613d2e62", "800261"}},
        Samples{"Gbabp",
                take_gbabp,
                {"01",
                 "10",
                 "0f",
                 "11",
                 "0fabababababababababababababababab",
                 "10ababababababababababababababab",
                 "11ababababababababababababababababab",
                 "08abababababababab",
                 "20abababababababababababababababababababababababababababababababab",
                 "80",
                 "fe",
                 "10abababababababababababababababab01",
                 "10abababababababababababababababab02",
                 "10abababababababababababababababab0261",
                 "10abababababababababababababababab0100",
                 "10abababababababababababababababab0120",
                 "10abababababababababababababababab010a",
                 "10abababababababababababababababab017f",
                 "10abababababababababababababababab01c3",
                 "10ababababababababababababababababfe61",
                 "10abababababababababababababababab03616200",
                 "10abababababababababababababababab0161ee",
                 "10abababababababababababababababab016101",
                 "10abababababababababababababababab016105616263",
                 "10abababababababababababababababab0161fe61"}},
        Samples{"Gbanl",
                take_gbanl,
                {"80", "8001", "80056e61", "800a6e61662e610000000000", "80056e61662e618101",
                 "8005000000000081026162", "800a6e61662e6100000000008102620a",
                 "800a6e61662e6100000000008104626263", "800100810161", "800a6e61662e61000000000081",
                 "800a6e61662e61000000000082026263", "800a6e61662e6100000000008101c3",
                 "800a6e61662e610000000000810120"}},
        Samples{"ImsName",
                take_ims_name,
                {"", "ff", "00", "80", "8000", "8005692e74", "8102616200", "80036120ff",
                 "800361ff62", "8081", "8084000001", "8001c3", "800100", "80017f", "810161",
                 "80820001"}},
        Samples{
            "Atr",
            take_atr,
            {"",
             "3b",
             "3c00",
             "0000",
             "ff00",
             "3b01",
             "3b0201",
             "3b10",
             "3b1f96",
             "3b80",
             "3b8080",
             "3b808080",
             "3b9f96801f",
             "3b0000",
             "3b000000",
             "3b010203",
             "3b8001818181",
             "3bf0",
             "3bf0112233",
             "3b80f1",
             "3b80f18181",
             "3b80f0112233",
             "3f",
             "3f05aabbccdd",
             "3b4f",
             "3b20",
             "3b40",
             "3b9f96801f878031e073fe211b674a4c7530",
             "3b8f808080808080808080808080808080",
             "3b80808080808080808080808080808080808080808080808080808080808080",
             "3b80808080808080808080808080808080808080808080808080808080808080808080808080808080"}},
        Samples{"Command",
                take_command,
                {"", "00", "00a4", "00a400", "00a40000022f", "00a40004022fe20000", "00a400040000",
                 "00a4000c00022fe2", "00200001083132", "00a40004ff2fe2", "00d6000003aabb"}},
        Samples{"Auth3g",
                take_aka,
                {"db",
                 "db08",
                 "db08a5",
                 "db08a54211d5e3ba50",
                 "db08a54211d5e3ba50bf",
                 "db08a54211d5e3ba50bf10",
                 "db08a54211d5e3ba50bf10111111111111111111",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111",
                 "db08a54211d5e3ba50bf101111111111111111111111111111111110",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "11111",
                 "db0010111111111111111111111111111111111011111111111111111111111111111111",
                 "db03aabbcc10111111111111111111111111111111111011111111111111111111111111111111",
                 "db11aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1011111111111111111111111111111111101111111"
                 "1111111111111111111111111",
                 "dbffa54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "1111111",
                 "db08a54211d5e3ba50bf0f11111111111111111111111111111110111111111111111111111111111"
                 "11111",
                 "db08a54211d5e3ba50bf1111111111111111111111111111111111aa1011111111111111111111111"
                 "111111111",
                 "db08a54211d5e3ba50bf10111111111111111111111111111111110f1111111111111111111111111"
                 "11111",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111111111111111111111111111111"
                 "1111111aa",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "111111100",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "111111107aaaaaaaaaaaaaa",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "111111108aaaaaaaaaaaaaa",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "111111109aaaaaaaaaaaaaaaaaa",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "111111108aaaaaaaaaaaaaaaa00",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "1111111ff",
                 "da08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "1111111",
                 "00",
                 "dd08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "1111111",
                 "dc",
                 "dc0e",
                 "dc0e01010101010101010101010101",
                 "dc0e010101010101010101010101010100",
                 "dc0d01010101010101010101010101",
                 "dc0f010101010101010101010101010101",
                 "dc00",
                 "dcff0101010101010101010101010101",
                 "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                 "fffffffff"}},
        Samples{"AuthGba",
                take_gba,
                {"db",
                 "db00",
                 "db03aabbcc",
                 "db04aabbcc",
                 "db08",
                 "db08a54211d5e3ba50",
                 "db08a54211d5e3ba50bf00",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111",
                 "db08a54211d5e3ba50bf1011111111111111111111111111111111101111111111111111111111111"
                 "1111111",
                 "db11aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                 "dbffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                 "da08a54211d5e3ba50bf",
                 "dd08a54211d5e3ba50bf",
                 "dc",
                 "dc0e",
                 "dc0e010101010101010101010101",
                 "dc0e010101010101010101010101010100",
                 "dc0d01010101010101010101010101",
                 "dc0f010101010101010101010101010101",
                 "00",
                 "ffff",
                 "db10aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                 "0408a54211d5e3ba50bf"}},
        Samples{"AuthNaf",
                take_naf,
                {"db", "db00", "db20", "db207f", "db207f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "db207f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "db207f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f00",
                 "db207f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7fdb207f7f7f7f7"
                 "f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "db1f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "db217f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "db107f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "db407f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7"
                 "f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "dbff7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "da207f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "dc0e0101010101010101010101010101",
                 "de207f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f", "00",
                 "207f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
                 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}},
    };
}

TEST(MalformedTest, AreAllRefused) {
    unsigned count = 0;
    for (const auto& [name, parse, samples] : all_samples()) {
        // What a card answers is the card's failure; what a file holds is malformed.
        const auto expected =
            std::string_view(name).starts_with("Auth") ? Errc::CardFailed : Errc::Malformed;
        for (const auto& hex : samples) {
            ++count;
            EXPECT_EQ(parse(*from_hex(hex)), Verdict(expected)) << name << " took " << hex;
        }
    }
    EXPECT_GE(count, 200U);
    RecordProperty("cases", static_cast<int>(count));
}

} // namespace
} // namespace mtkey::uicc
