// SPDX-License-Identifier: Apache-2.0
#include "keycenter/documents.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>

namespace mtkey::keycenter {
namespace {

using namespace std::string_literals;

const std::string kBtid = "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org";
const std::string kDevice = "urn:uuid:6f1b0a52-9c3d-4e58-8f7e-2b1f4a0c9d10";
const NafIdText kNaf{"nafkc.mnc001.mcc001.pub.3gppnetwork.org", "ff00033259"};
// Ks_local_MT of worked_example.json
constexpr std::string_view kKeyHex =
    "520ff2b50c0d16c7e5bad24dd9b3de6017578db5d96466b1fe003111e30d5b95";
constexpr std::string_view kKeyBase64 = "Ug/ytQwNFsflutJN2bPeYBdXjbXZZGax/gAxEeMNW5U=";

KeyAnswer answer() {
    const auto key = from_hex(kKeyHex).value();
    return {kBtid,
            kDevice,
            kNaf,
            "draft-1",
            Secret<32>::from(key, "key").value(),
            parse_utc("2030-01-01T12:00:00Z").value(),
            "mt-00112233445566778899aabbccddeeff"};
}

TEST(KeyDocuments, TheRequestIsThis) {
    EXPECT_EQ(encode(KeyRequest{"a@b", "urn:x", std::nullopt}),
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
              "<KeyRequest "
              "xmlns=\"urn:x-mtkey:key-request:1\"><btid>a@b</btid><deviceId>urn:x</deviceId></"
              "KeyRequest>\n");
    EXPECT_EQ(encode(KeyRequest{"a&<>\"'@b", "urn:x", kNaf}),
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
              "<KeyRequest "
              "xmlns=\"urn:x-mtkey:key-request:1\"><btid>a&amp;&lt;&gt;&quot;'@b</"
              "btid><deviceId>urn:x</deviceId>"
              "<nafId fqdn=\"nafkc.mnc001.mcc001.pub.3gppnetwork.org\" "
              "ua=\"ff00033259\"/></KeyRequest>\n");
}

TEST(KeyDocuments, TheAnswerIsThis) {
    EXPECT_EQ(
        encode(answer()),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<KeyResponse xmlns=\"urn:x-mtkey:key-request:1\"><btid>" +
            kBtid + "</btid><deviceId>" + kDevice +
            "</deviceId><nafId fqdn=\"nafkc.mnc001.mcc001.pub.3gppnetwork.org\" ua=\"ff00033259\"/>"
            "<profile>draft-1</profile><key>" +
            std::string(kKeyBase64) +
            "</key><lifetime>2030-01-01T12:00:00Z</lifetime>"
            "<mtId>mt-00112233445566778899aabbccddeeff</mtId></KeyResponse>\n");
}

TEST(KeyDocuments, BothComeBack) {
    for (const auto& naf_id : {std::optional<NafIdText>(), std::optional(kNaf)}) {
        const auto back = parse_request(encode(KeyRequest{"a&<>\"'@b", kDevice, naf_id}));
        ASSERT_TRUE(back) << back.error().context;
        EXPECT_EQ(back->b_tid, "a&<>\"'@b");
        EXPECT_EQ(back->device_id, kDevice);
        EXPECT_EQ(back->naf_id, naf_id);
    }
    const auto back = parse_answer(encode(answer()));
    ASSERT_TRUE(back) << back.error().context;
    EXPECT_EQ(back->b_tid, kBtid);
    EXPECT_EQ(back->device_id, kDevice);
    EXPECT_EQ(back->naf_id, kNaf);
    EXPECT_EQ(back->profile, "draft-1");
    EXPECT_EQ(to_hex(back->ks_local_mt.reveal()), kKeyHex);
    EXPECT_EQ(format_utc(back->expires), "2030-01-01T12:00:00Z");
    EXPECT_EQ(back->mt_id, "mt-00112233445566778899aabbccddeeff");
}

struct Row {
    const char* what;
    std::string document;
    bool good;
};

std::string request(const std::string& content, const std::string& root = "KeyRequest",
                    const std::string& ns = "urn:x-mtkey:key-request:1") {
    return "<" + root + " xmlns=\"" + ns + "\">" + content + "</" + root + ">";
}
const std::string kB = "<btid>a@b</btid>";
const std::string kD = "<deviceId>urn:x</deviceId>";
const std::string kN = "<nafId fqdn=\"a.b\" ua=\"ff00033259\"/>";

std::string repeated(const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) {
        out += text;
    }
    return out;
}

/// ASCII in two octets each.
std::string utf16(const std::string& text, bool mark, bool little) {
    std::string out = mark ? (little ? "\xFF\xFE"s : "\xFE\xFF"s) : ""s;
    for (const char c : text) {
        out += little ? std::string{c, '\0'} : std::string{'\0', c};
    }
    return out;
}

// Threat N4
TEST(KeyDocuments, WhichRequestsAreGood) {
    const std::string plain = request(kB + kD);
    const std::vector<Row> rows{
        {"plain", plain, true},
        {"with NAF_ID", request(kB + kD + kN), true},
        {"another order", request(kN + kD + kB), true},
        {"declaration", "<?xml version=\"1.0\"?>" + plain, true},
        {"UTF-8 declared", "<?xml version=\"1.0\" encoding=\"utf-8\"?>" + plain, true},
        {"byte order mark", "\xEF\xBB\xBF" + plain, true},
        {"white space between", request("\r\n\t " + kB + " \n" + kD + "\n"), true},
        {"white space behind", plain + "\n\n", true},
        {"comment between", request(kB + "<!-- x -->" + kD), true},
        {"instruction", request(kB + "<?x y?>" + kD), true},
        {"prefix",
         "<k:KeyRequest "
         "xmlns:k=\"urn:x-mtkey:key-request:1\"><k:btid>a@b</k:btid><k:deviceId>urn:x</"
         "k:deviceId></k:KeyRequest>",
         true},
        {"CDATA", request("<btid><![CDATA[a@b]]></btid>" + kD), true},
        {"character references", request("<btid>&#97;&amp;&#x40;b</btid>" + kD), true},
        {"unknown element", request(kB + "<new>1</new>" + kD), true},
        {"unknown element of others",
         request(kB + "<x:new xmlns:x=\"urn:y\"><x:deep>1</x:deep></x:new>" + kD), true},
        {"btid of others", request(kB + "<btid xmlns=\"urn:y\">c@d</btid>" + kD), true},
        {"btid inside an unknown element", request(kB + "<new>" + kB + "</new>" + kD), true},
        {"unknown attribute", request("<btid new=\"1\">a@b</btid>" + kD), true},
        {"unknown attribute of nafId",
         request(kB + kD + "<nafId ua=\"ff00033259\" fqdn=\"a.b\" new=\"1\"/>"), true},
        {"nafId with an end tag",
         request(kB + kD + "<nafId ua=\"ff00033259\" fqdn=\"a.b\"> </nafId>"), true},
        {"depth 8", request(kB + kD + repeated("<n>", 7) + repeated("</n>", 7)), true},
        {"longest B-TID", request("<btid>" + std::string(255, 'x') + "</btid>" + kD), true},
        {"longest Device_ID", request(kB + "<deviceId>" + std::string(128, 'x') + "</deviceId>"),
         true},
        {"largest document",
         request(kB + kD) + std::string(kDocumentLimit - request(kB + kD).size(), ' '), true},

        {"nothing", "", false},
        {"white space", "  ", false},
        {"text", "a@b", false},
        {"JSON", "{\"btid\":\"a@b\"}", false},
        {"not finished", plain.substr(0, plain.size() - 1), false},
        {"two documents", plain + plain, false},
        {"text behind", plain + "x", false},
        {"no btid", request(kD), false},
        {"no deviceId", request(kB), false},
        {"btid twice", request(kB + kB + kD), false},
        {"deviceId twice", request(kB + kD + kD), false},
        {"nafId twice", request(kB + kD + kN + kN), false},
        {"another root", request(kB + kD, "KeyResponse"), false},
        {"root of others", request(kB + kD, "KeyRequest", "urn:x-mtkey:key-request:2"), false},
        {"longer namespace", request(kB + kD, "KeyRequest", "urn:x-mtkey:key-request:11"), false},
        {"no namespace", "<KeyRequest>" + kB + kD + "</KeyRequest>", false},
        {"namespace with our separator",
         request(kB + kD, "KeyRequest", "urn:x-mtkey:key-request:1&#x1F;x"), false},
        {"children of no namespace",
         "<k:KeyRequest xmlns:k=\"urn:x-mtkey:key-request:1\">" + kB + kD + "</k:KeyRequest>",
         false},
        {"unbound prefix", "<k:KeyRequest>" + kB + kD + "</k:KeyRequest>", false},
        {"capitals in the name", request("<BTID>a@b</BTID>" + kD), false},
        {"element inside btid", request("<btid>a<x/>@b</btid>" + kD), false},
        {"element inside nafId",
         request(kB + kD + "<nafId fqdn=\"a.b\" ua=\"ff00033259\"><x/></nafId>"), false},
        {"text inside nafId", request(kB + kD + "<nafId fqdn=\"a.b\" ua=\"ff00033259\">x</nafId>"),
         false},
        {"text between", request(kB + "x" + kD), false},
        {"nafId without ua", request(kB + kD + "<nafId fqdn=\"a.b\"/>"), false},
        {"nafId without fqdn", request(kB + kD + "<nafId ua=\"ff00033259\"/>"), false},
        {"nafId with an empty fqdn", request(kB + kD + "<nafId fqdn=\"\" ua=\"ff00033259\"/>"),
         false},
        {"fqdn with capitals", request(kB + kD + "<nafId fqdn=\"A.b\" ua=\"ff00033259\"/>"), false},
        {"fqdn with a port", request(kB + kD + "<nafId fqdn=\"a.b:1\" ua=\"ff00033259\"/>"), false},
        {"fqdn of 251",
         request(kB + kD + "<nafId fqdn=\"" + std::string(251, 'a') + "\" ua=\"ff00033259\"/>"),
         false},
        {"ua with capitals", request(kB + kD + "<nafId fqdn=\"a.b\" ua=\"FF00033259\"/>"), false},
        {"ua too short", request(kB + kD + "<nafId fqdn=\"a.b\" ua=\"ff0003325\"/>"), false},
        {"attribute twice",
         request(kB + kD + "<nafId fqdn=\"a.b\" ua=\"ff00033259\" ua=\"ff00033259\"/>"), false},
        {"attributes of others",
         request(kB + kD + "<nafId xmlns:x=\"urn:y\" x:fqdn=\"a.b\" x:ua=\"ff00033259\"/>"), false},
        {"empty btid", request("<btid/>" + kD), false},
        {"btid with a space", request("<btid>a @b</btid>" + kD), false},
        {"btid with white space around", request("<btid> a@b </btid>" + kD), false},
        {"btid of 256", request("<btid>" + std::string(256, 'x') + "</btid>" + kD), false},
        {"btid of 4000", request("<btid>" + std::string(4000, 'x') + "</btid>" + kD), false},
        {"btid not ASCII", request("<btid>\xC3\xA4@b</btid>" + kD), false},
        {"btid with a referenced control", request("<btid>a&#1;@b</btid>" + kD), false},
        {"btid with a referenced NUL", request("<btid>a&#0;@b</btid>" + kD), false},
        {"btid with a line end", request("<btid>a@b&#10;</btid>" + kD), false},
        {"deviceId with capitals", request(kB + "<deviceId>urn:X</deviceId>"), false},
        {"deviceId of 129", request(kB + "<deviceId>" + std::string(129, 'x') + "</deviceId>"),
         false},
        {"deviceId look-alike", request(kB + "<deviceId>urn:\xD1\x85</deviceId>"), false},
        {"NUL in a text", request("<btid>a\0@b</btid>"s + kD), false},
        {"NUL behind", plain + "\0"s, false},
        {"not UTF-8", request("<btid>\xFF@b</btid>" + kD), false},
        {"overlong UTF-8", request("<btid>\xC1\xA1@b</btid>" + kD), false},
        {"UTF-16 with mark, little endian", utf16(plain, true, true), false},
        {"UTF-16 with mark, big endian", utf16(plain, true, false), false},
        {"UTF-16 without mark", utf16(plain, false, true), false},
        {"UTF-16 declared", "<?xml version=\"1.0\" encoding=\"UTF-16\"?>" + plain, false},
        {"Latin-1 declared", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + plain, false},
        {"UTF-7 declared", "<?xml version=\"1.0\" encoding=\"UTF-7\"?>" + plain, false},
        {"document type", "<!DOCTYPE KeyRequest>" + plain, false},
        {"external document type", "<!DOCTYPE KeyRequest SYSTEM \"file:///etc/passwd\">" + plain,
         false},
        {"external entity",
         "<!DOCTYPE k [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" +
             request("<btid>&x;</btid>" + kD),
         false},
        {"billion laughs",
         "<!DOCTYPE k [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c "
         "\"&b;&b;&b;&b;\">]>" +
             request("<btid>&c;</btid>" + kD),
         false},
        {"parameter entity", "<!DOCTYPE k [<!ENTITY % x SYSTEM \"http://127.0.0.1/\">%x;]>" + plain,
         false},
        {"undefined entity", request("<btid>&nbsp;@b</btid>" + kD), false},
        {"depth 9", request(kB + kD + repeated("<n>", 8) + repeated("</n>", 8)), false},
        {"depth 1000", request(kB + kD + repeated("<n>", 1000)), false},
        {"too large", plain + std::string(kDocumentLimit, ' '), false},
        {"wrong nesting", request("<btid>a@b</deviceId>" + kD), false},
        {"attribute without quotes", "<KeyRequest xmlns=urn:x>" + kB + kD + "</KeyRequest>", false},
    };
    for (const auto& row : rows) {
        const auto parsed = parse_request(row.document);
        EXPECT_EQ(parsed.has_value(), row.good)
            << row.what << (parsed ? "" : ": " + parsed.error().context);
        if (!parsed) {
            EXPECT_TRUE(parsed.error().code == Errc::Malformed ||
                        parsed.error().code == Errc::LimitExceeded);
        }
    }
    EXPECT_EQ(parse_request(request("<btid>&#97;&amp;&#x40;b</btid>" + kD))->b_tid, "a&@b");
    EXPECT_EQ(parse_request(request(kB + "<btid xmlns=\"urn:y\">c@d</btid>" + kD))->b_tid, "a@b");
}

TEST(KeyDocuments, WhichAnswersAreGood) {
    const std::string good = encode(answer());
    ASSERT_TRUE(parse_answer(good));
    EXPECT_FALSE(parse_request(good));
    EXPECT_FALSE(parse_answer(request(kB + kD + kN)));
    const auto without = [&](const std::string& name) {
        std::string text = good;
        const auto start = text.find("<" + name);
        const auto end = name == "nafId" ? text.find("/>", start) + 2
                                         : text.find("</" + name + ">") + name.size() + 3;
        return text.erase(start, end - start);
    };
    const auto changed = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        return text.replace(text.find(from), from.size(), to);
    };
    for (const auto* name : {"btid", "deviceId", "nafId", "profile", "key", "lifetime", "mtId"}) {
        EXPECT_FALSE(parse_answer(without(name))) << name;
    }
    const std::string key(kKeyBase64);
    for (const auto& bad : {
             changed(key, ""),
             changed(key, key.substr(0, 43)),
             changed(key, "AAAA" + key),
             changed(key, key.substr(4)),
             changed(key, " " + key),
             changed(key, "Ug/ytQwNFsflutJN2bPeYBdXjbXZZGax/gAxEeMNW5V="), // bits behind the end
             changed("2030-01-01T12:00:00Z", "2030-01-01T12:00:00"),
             changed("2030-01-01T12:00:00Z", "2030-01-01T12:00:00+01:00"),
             changed("2030-01-01T12:00:00Z", "tomorrow"),
             changed("2030-01-01T12:00:00Z", "2030-02-30T12:00:00Z"),
             changed("draft-1", ""),
             changed("draft-1", "draft 1"),
             changed("draft-1", std::string(65, 'x')),
             changed("mt-0011", "mt 0011"),
             changed("mt-0011", std::string(65, 'x')),
             changed("</key>", "</key><key>" + key + "</key>"),
         }) {
        EXPECT_FALSE(parse_answer(bad)) << bad;
    }
}

// No error text repeats what came in.
TEST(KeyDocuments, ErrorsDoNotQuoteTheKey) {
    std::string text = encode(answer());
    text.replace(text.find("</key>"), 6, "A</key>");
    const auto parsed = parse_answer(text);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().context.find("Ug/y"), std::string::npos);
}

} // namespace
} // namespace mtkey::keycenter
