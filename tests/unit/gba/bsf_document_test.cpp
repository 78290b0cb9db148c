// SPDX-License-Identifier: Apache-2.0
#include "gba/bsf_document.hpp"
#include "run_fixture.hpp"

#include <expat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>

namespace {

/// What expat holds at a time: its memory comes from here, with its size in front.
struct ExpatMemory {
    static inline std::size_t held = 0;
    static inline std::size_t peak = 0;

    static void* resize(void* old, std::size_t size) {
        constexpr std::size_t kFront = alignof(std::max_align_t);
        auto* const front = old == nullptr ? nullptr : static_cast<std::byte*>(old) - kFront;
        held -= front == nullptr ? 0 : *reinterpret_cast<std::size_t*>(front);
        if (size == 0) {
            std::free(front);
            return nullptr;
        }
        auto* const made = static_cast<std::byte*>(std::realloc(front, kFront + size));
        *reinterpret_cast<std::size_t*>(made) = size;
        held += size;
        peak = std::max(peak, held);
        return made + kFront;
    }
    static void* allocate(std::size_t size) {
        return resize(nullptr, std::max(size, std::size_t{1}));
    }
    static void* reallocate(void* old, std::size_t size) { return resize(old, size); }
    static void release(void* old) {
        if (old != nullptr) {
            resize(old, 0);
        }
    }
};

} // namespace

/// In place of expat's own.
extern "C" XML_Parser XMLCALL XML_ParserCreateNS(const XML_Char* encoding, XML_Char separator) {
    static constexpr XML_Memory_Handling_Suite kCounted{
        &ExpatMemory::allocate, &ExpatMemory::reallocate, &ExpatMemory::release};
    const XML_Char text[] = {separator, 0};
    return XML_ParserCreate_MM(encoding, &kCounted, text);
}

namespace mtkey::gba {
namespace {

const std::string kDeclaration = R"(<?xml version="1.0" encoding="UTF-8"?>)";
const std::string kOpen = R"(<BootstrappingInfo xmlns="uri:3gpp-gba">)";
const std::string kClose = "</BootstrappingInfo>";
const std::string kBtid = "<btid>abc@bsf.example.org</btid>";
const std::string kLifetime = "<lifetime>2030-01-01T12:00:00Z</lifetime>";

std::string info(const std::string& content) {
    return kOpen + content + kClose;
}
std::string with_btid(const std::string& b_tid) {
    return info("<btid>" + b_tid + "</btid>" + kLifetime);
}
std::string with_lifetime(const std::string& lifetime) {
    return info(kBtid + "<lifetime>" + lifetime + "</lifetime>");
}
std::string with_current_time(const std::string& text) {
    return info(kBtid + kLifetime + "<Extension><currenttime>" + text +
                "</currenttime></Extension>");
}
std::string nested(int levels) {
    std::string out;
    for (int i = 0; i < levels; ++i) {
        out += "<x>";
    }
    for (int i = 0; i < levels; ++i) {
        out += "</x>";
    }
    return out;
}
std::string padded(std::size_t size) {
    const std::string good = info(kBtid + kLifetime);
    return good + std::string(size - good.size(), ' ');
}
std::string utf16(const std::string& text, bool big_endian, bool mark) {
    std::string out = !mark ? "" : big_endian ? "\xFE\xFF" : "\xFF\xFE";
    for (const char c : text) {
        out += big_endian ? std::string{'\0', c} : std::string{c, '\0'};
    }
    return out;
}

struct Row {
    const char* name;
    std::string body;
    bool accepted;
};

std::vector<Row> rows() {
    const std::string good = info(kBtid + kLifetime);
    const std::string laughs =
        R"(<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>)";
    return {
        // good ones
        {"plain", good, true},
        {"with declaration", kDeclaration + good, true},
        {"encoding in small letters", R"(<?xml version="1.0" encoding="utf-8"?>)" + good, true},
        {"no encoding", R"(<?xml version="1.0"?>)" + good, true},
        {"standalone", R"(<?xml version="1.0" encoding="UTF-8" standalone="yes"?>)" + good, true},
        {"octet order mark", "\xEF\xBB\xBF" + kDeclaration + good, true},
        {"worked example", text(example()["bsf_200_body"]), true},
        {"white space between", info("\n  " + kBtid + "\r\n\t" + kLifetime + "\n"), true},
        {"white space behind", good + "\n\n", true},
        {"white space around lifetime", with_lifetime("\n  2030-01-01T12:00:00Z\n "), true},
        {"other order", info(kLifetime + kBtid), true},
        {"prefix",
         R"(<gba:BootstrappingInfo xmlns:gba="uri:3gpp-gba"><gba:btid>a@b</gba:btid>)"
         "<gba:lifetime>2030-01-01T12:00:00Z</gba:lifetime></gba:BootstrappingInfo>",
         true},
        {"prefix and default mixed",
         R"(<g:BootstrappingInfo xmlns:g="uri:3gpp-gba" xmlns="uri:3gpp-gba">)" + kBtid +
             "<g:lifetime>2030-01-01T12:00:00Z</g:lifetime></g:BootstrappingInfo>",
         true},
        {"unknown attribute",
         R"(<BootstrappingInfo xmlns="uri:3gpp-gba" version="2">)" + kBtid + kLifetime + kClose,
         true},
        {"unknown element", info(kBtid + "<new>1</new>" + kLifetime), true},
        {"unknown element of another namespace",
         info(kBtid + R"(<x xmlns="urn:x"><btid>y@z</btid></x>)" + kLifetime), true},
        {"empty Extension", info(kBtid + kLifetime + "<Extension/>"), true},
        {"Extension with something", info(kBtid + kLifetime + "<Extension><a><b/></a></Extension>"),
         true},
        {"currenttime", with_current_time("2026-01-01T00:00:00Z"), true},
        {"currenttime outside Extension is unknown",
         info(kBtid + kLifetime + "<currenttime>never</currenttime>"), true},
        {"currenttime of another namespace",
         info(kBtid + kLifetime +
              R"(<Extension><currenttime xmlns="x">?</currenttime></Extension>)"),
         true},
        {"currenttime deeper in Extension",
         info(kBtid + kLifetime + "<Extension><a><x/></a></Extension>"), true},
        {"currenttime behind Extension is unknown",
         info(kBtid + kLifetime + "<Extension/><a><currenttime>now</currenttime></a>"), true},
        {"fraction of a second", with_lifetime("2030-01-01T12:00:00.123Z"), true},
        {"year 9999", with_lifetime("9999-12-31T23:59:59Z"), true},
        {"leap day", with_lifetime("2028-02-29T00:00:00Z"), true},
        {"comment", info("<!-- hello -->" + kBtid + kLifetime), true},
        {"comment inside btid", with_btid("ab<!-- c -->c@d"), true},
        {"character reference in btid", with_btid("a&#x62;c@d"), true},
        {"CDATA in btid", with_btid("<![CDATA[abc@d]]>"), true},
        {"processing instruction", "<?x y?>" + good, true},
        {"btid of 255 octets", with_btid(std::string(253, 'a') + "@d"), true},
        {"btid of 3 octets", with_btid("a@b"), true},
        {"btid that is no base64", with_btid("!#%@b"), true},
        {"btid with two @", with_btid("a@b@c"), true},
        {"depth 8", info(kBtid + kLifetime + nested(7)), true},
        {"8 KiB", padded(8192), true},
        {"UTF-8 in an unknown element", info(kBtid + "<n>\xC3\xA4</n>" + kLifetime), true},
        // entities and document types
        {"document type", "<!DOCTYPE BootstrappingInfo>" + good, false},
        {"external document type", R"(<!DOCTYPE b SYSTEM "http://127.0.0.1/x.dtd">)" + good, false},
        {"billion laughs", laughs + with_btid("&b;@b"), false},
        {"external entity",
         R"(<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]>)" + with_btid("&x;@b"), false},
        {"parameter entity", R"(<!DOCTYPE b [<!ENTITY % x SYSTEM "file:///x">%x;]>)" + good, false},
        {"undefined entity", with_btid("&x;@b"), false},
        // size and depth
        {"empty", "", false},
        {"white space only", " \n", false},
        {"8 KiB and 1", padded(8193), false},
        {"1 MiB", padded(1 << 20), false},
        {"depth 9", info(kBtid + kLifetime + nested(8)), false},
        {"depth 1000", info(kBtid + kLifetime + nested(1000)), false},
        // encodings
        {"UTF-16 with mark, big endian", utf16(good, true, true), false},
        {"UTF-16 with mark, little endian", utf16(good, false, true), false},
        {"UTF-16 without mark, big endian", utf16(good, true, false), false},
        {"UTF-16 without mark, little endian", utf16(good, false, false), false},
        {"UTF-16 declared", R"(<?xml version="1.0" encoding="UTF-16"?>)" + good, false},
        {"UTF-7 declared", R"(<?xml version="1.0" encoding="UTF-7"?>)" + good, false},
        {"ISO-8859-1 declared", R"(<?xml version="1.0" encoding="ISO-8859-1"?>)" + good, false},
        {"US-ASCII declared", R"(<?xml version="1.0" encoding="US-ASCII"?>)" + good, false},
        {"UTF-7 not declared", "+ADw-BootstrappingInfo/+AD4-", false},
        {"ISO-8859-1 octet", info(kBtid + "<n>\xE4</n>" + kLifetime), false},
        {"overlong UTF-8", info(kBtid + "<n>\xC0\xBC</n>" + kLifetime), false},
        {"surrogate in UTF-8", info(kBtid + "<n>\xED\xA0\x80</n>" + kLifetime), false},
        {"NUL inside", info(kBtid + std::string("<n>\0</n>", 8) + kLifetime), false},
        {"NUL behind", good + std::string(1, '\0'), false},
        {"control character", info(kBtid + "<n>\x01</n>" + kLifetime), false},
        // form
        {"cut off", good.substr(0, good.size() - 1), false},
        {"text in front", "x" + good, false},
        {"text behind", good + "x", false},
        {"two roots", good + good, false},
        {"tags crossed", kOpen + "<btid>a@b<lifetime></btid></lifetime>" + kClose, false},
        {"declaration behind", good + kDeclaration, false},
        {"unbound prefix", info(kBtid + kLifetime + "<x:y/>"), false},
        {"attribute twice", info(R"(<a b="1" b="2"/>)" + kBtid + kLifetime), false},
        {"JSON", R"({"btid":"a@b"})", false},
        {"HTML", "<html><body>404</body></html>", false},
        // names
        {"no namespace", "<BootstrappingInfo>" + kBtid + kLifetime + kClose, false},
        {"another namespace",
         R"(<BootstrappingInfo xmlns="uri:3gpp-gbb">)" + kBtid + kLifetime + kClose, false},
        {"namespace in capitals",
         R"(<BootstrappingInfo xmlns="URI:3gpp-gba">)" + kBtid + kLifetime + kClose, false},
        {"namespace with a tail",
         R"(<BootstrappingInfo xmlns="uri:3gpp-gba&#10;x">)" + kBtid + kLifetime + kClose, false},
        {"another root", R"(<Info xmlns="uri:3gpp-gba">)" + kBtid + kLifetime + "</Info>", false},
        {"root in small letters",
         R"(<bootstrappinginfo xmlns="uri:3gpp-gba">)" + kBtid + kLifetime + "</bootstrappinginfo>",
         false},
        {"btid of another namespace", info(R"(<btid xmlns="x">a@b</btid>)" + kLifetime), false},
        {"BTID in capitals", info("<BTID>a@b</BTID>" + kLifetime), false},
        {"a document inside another", "<a>" + good + "</a>", false},
        // how often and where
        {"no btid", info(kLifetime), false},
        {"no lifetime", info(kBtid), false},
        {"nothing", info(""), false},
        {"btid twice", info(kBtid + kBtid + kLifetime), false},
        {"btid twice, different", info(kBtid + kLifetime + "<btid>x@y</btid>"), false},
        {"lifetime twice", info(kBtid + kLifetime + kLifetime), false},
        {"second btid in Extension",
         info(kBtid + kLifetime + "<Extension>" + kBtid + "</Extension>"), false},
        {"btid only in Extension", info(kLifetime + "<Extension>" + kBtid + "</Extension>"), false},
        {"btid in an unknown element", info("<x>" + kBtid + "</x>" + kLifetime), false},
        {"lifetime in btid", info("<btid>a@b" + kLifetime + "</btid>"), false},
        {"element in btid", with_btid("a<b/>@c"), false},
        {"element in lifetime", with_lifetime("2030-01-01T12:00:00<x/>Z"), false},
        {"currenttime twice",
         info(kBtid + kLifetime +
              "<Extension><currenttime>2026-01-01T00:00:00Z</currenttime>"
              "<currenttime>2027-01-01T00:00:00Z</currenttime></Extension>"),
         false},
        {"currenttime nested",
         info(kBtid + kLifetime +
              "<Extension><a><currenttime>2026-01-01T00:00:00Z</currenttime></a></Extension>"),
         false},
        // btid
        {"btid empty", with_btid(""), false},
        {"btid self-closed", info("<btid/>" + kLifetime), false},
        {"btid of 256 octets", with_btid(std::string(254, 'a') + "@d"), false},
        {"btid without domain", with_btid("abc"), false},
        {"btid with an empty domain", with_btid("abc@"), false},
        {"btid with an empty last domain", with_btid("abc@d@"), false},
        {"btid with a space", with_btid("a b@c"), false},
        {"btid with white space around", with_btid("\n a@b\n"), false},
        {"btid with a tab reference", with_btid("a&#9;@b"), false},
        {"btid with a line end", with_btid("a@b&#10;X-Header: 1"), false},
        {"btid beyond ASCII", with_btid("\xC3\xA4@b"), false},
        {"btid with DEL", with_btid("a\x7F@b"), false},
        // times
        {"lifetime empty", with_lifetime(""), false},
        {"lifetime without Z", with_lifetime("2030-01-01T12:00:00"), false},
        {"lifetime with an offset", with_lifetime("2030-01-01T12:00:00+01:00"), false},
        {"lifetime with z", with_lifetime("2030-01-01T12:00:00z"), false},
        {"lifetime with a date only", with_lifetime("2030-01-01"), false},
        {"lifetime in seconds", with_lifetime("86400"), false},
        {"lifetime in 1900", with_lifetime("1900-01-01T00:00:00Z"), false},
        {"lifetime with a leap second", with_lifetime("2030-06-30T23:59:60Z"), false},
        {"lifetime on 30 February", with_lifetime("2030-02-30T00:00:00Z"), false},
        {"lifetime in month 13", with_lifetime("2030-13-01T00:00:00Z"), false},
        {"lifetime at 24 o'clock", with_lifetime("2030-01-01T24:00:00Z"), false},
        {"lifetime in year 10000", with_lifetime("10000-01-01T00:00:00Z"), false},
        {"lifetime of a negative year", with_lifetime("-2030-01-01T00:00:00Z"), false},
        {"lifetime with a space for T", with_lifetime("2030-01-01 12:00:00Z"), false},
        {"lifetime with an inner line end", with_lifetime("2030-01-01\nT12:00:00Z"), false},
        {"currenttime empty", with_current_time(""), false},
        {"currenttime that is none", with_current_time("now"), false},
        {"currenttime with an offset", with_current_time("2026-01-01T00:00:00+00:00"), false},
    };
}

ByteView octets(const std::string& body) {
    return as_octets(body);
}

TEST(BsfDocument, Table) {
    const auto table = rows();
    ASSERT_GE(table.size(), 120U);
    for (const auto& row : table) {
        const auto document = parse_bsf_document(octets(row.body));
        EXPECT_EQ(document.has_value(), row.accepted) << row.name;
        if (!document) {
            EXPECT_EQ(document.error().code, Errc::BsfBadAnswer) << row.name;
        }
    }
}

// Threats N4: what a document can make us hold, beside its own octets and three texts out of it.
TEST(BsfDocument, PeakOfMemory) {
    constexpr std::size_t kMost = std::size_t{256} * 1024;
    const auto filled = [](const std::string& front, auto piece, const std::string& back) {
        std::string out = front;
        for (int i = 0;; ++i) {
            const std::string next = piece(i);
            if (out.size() + next.size() + back.size() > kBsfDocumentLimit) {
                return out + back;
            }
            out += next;
        }
    };
    const auto numbered = [](const std::string& before, const std::string& behind) {
        return [=](int i) { return before + std::to_string(i) + behind; };
    };
    const std::string good = kBtid + kLifetime;
    const std::string longest(kBsfDocumentLimit - kOpen.size() - kClose.size() - good.size() - 20,
                              'a');
    auto table = rows();
    for (const auto& [name, body] : {
             std::pair{"elements", filled(kOpen + good, numbered("<e", "/>"), kClose)},
             std::pair{"open elements", filled(kOpen + good, numbered("<e", ">"), "")},
             std::pair{"namespaces in one element",
                       filled(kOpen + good + "<e", numbered(" xmlns:n", "='u'"), "/>" + kClose)},
             std::pair{"namespaces in many elements",
                       filled(kOpen + good, numbered("<e xmlns='", "'/>"), kClose)},
             std::pair{"prefixes", filled(kOpen + good, numbered("<p:e xmlns:p='", "'/>"), kClose)},
             std::pair{"attributes",
                       filled(kOpen + good + "<e", numbered(" a", "=''"), "/>" + kClose)},
             std::pair{"attributes of many elements",
                       filled(kOpen + good, numbered("<e a", "='b'/>"), kClose)},
             std::pair{"references", filled(kOpen + good, numbered("&#", ";"), kClose)},
             std::pair{"comments", filled(kOpen + good, numbered("<!--", "-->"), kClose)},
             std::pair{"instructions", filled(kOpen + good, numbered("<?p", " x?>"), kClose)},
             std::pair{"a long name", kOpen + good + "<" + longest.substr(20) + "/>" + kClose},
             std::pair{"a long value", kOpen + good + "<e a='" + longest + "'/>" + kClose},
             std::pair{"a long namespace", kOpen + good + "<e xmlns='" + longest + "'/>" + kClose},
             std::pair{"a long text", kOpen + good + "<e>" + longest + "</e>" + kClose},
             std::pair{"a long comment", kOpen + good + "<!--" + longest + "-->" + kClose},
             std::pair{"a long instruction", kOpen + good + "<?p " + longest + "?>" + kClose},
             std::pair{"a long btid", with_btid(longest)},
         }) {
        table.push_back({name, body, false});
    }
    std::size_t most = 0;
    for (const auto& row : table) {
        ASSERT_EQ(ExpatMemory::held, 0U) << "before " << row.name;
        ExpatMemory::peak = 0;
        (void)parse_bsf_document(octets(row.body));
        EXPECT_LE(ExpatMemory::peak, kMost) << row.name;
        most = std::max(most, ExpatMemory::peak);
    }
    EXPECT_GT(most, 10'000U) << "nothing was counted";
    RecordProperty("peak", std::to_string(most));
}

TEST(BsfDocument, ValuesOfTheWorkedExample) {
    const auto document = parse_bsf_document(octets(text(example()["bsf_200_body"]))).value();
    EXPECT_EQ(document.b_tid, example()["btid"]);
    EXPECT_EQ(document.lifetime_text, example()["lifetime"]);
    EXPECT_EQ(format_utc(document.lifetime), text(example()["lifetime"]));
    EXPECT_FALSE(document.current_time);
}

TEST(BsfDocument, TextIsPutTogether) {
    EXPECT_EQ(parse_bsf_document(octets(with_btid("ab<!-- c -->c@d"))).value().b_tid, "abc@d");
    EXPECT_EQ(parse_bsf_document(octets(with_btid("a&#x62;c&amp;@d"))).value().b_tid, "abc&@d");
    EXPECT_EQ(parse_bsf_document(octets(with_btid("<![CDATA[a<c]]>@d"))).value().b_tid, "a<c@d");
    const auto spaced = parse_bsf_document(octets(with_lifetime("\n 2030-01-01T12:00:00.5Z ")));
    EXPECT_EQ(spaced.value().lifetime_text, "2030-01-01T12:00:00.5Z");
}

TEST(BsfDocument, CurrentTime) {
    const auto body = with_current_time(" 2026-02-03T04:05:06.7Z ");
    EXPECT_EQ(format_utc(parse_bsf_document(octets(body)).value().current_time.value()),
              "2026-02-03T04:05:06Z");
}

// Every prefix of a good document is refused, without looking behind its end (ASan sees to that).
TEST(BsfDocument, EveryPrefixIsRefused) {
    const std::string good = kDeclaration + info(kBtid + kLifetime);
    for (std::size_t size = 0; size < good.size(); ++size) {
        const std::vector<std::uint8_t> exact(good.begin(),
                                              good.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(parse_bsf_document(exact)) << size;
    }
}

} // namespace
} // namespace mtkey::gba
