// SPDX-License-Identifier: Apache-2.0
#include "gba/bsf_document.hpp"

#include "base/http_message.hpp"

#include <algorithm>
#include <array>
#include <expat.h>
#include <memory>

namespace mtkey::gba {
namespace {

constexpr int kDepthLimit = 8;
constexpr std::size_t kBtidLimit = 255;
// expat writes "<namespace>\n<local name>". A local name holds no line end, so no namespace can
// imitate another.
constexpr XML_Char kSeparator = '\n';
constexpr std::string_view kRoot = "uri:3gpp-gba\nBootstrappingInfo";
constexpr std::string_view kBtid = "uri:3gpp-gba\nbtid";
constexpr std::string_view kLifetime = "uri:3gpp-gba\nlifetime";
constexpr std::string_view kExtension = "uri:3gpp-gba\nExtension";
constexpr std::string_view kCurrentTime = "uri:3gpp-gba\ncurrenttime";

std::unexpected<Error> bad(std::string why) {
    return fail(Errc::BsfBadAnswer, "document of the BSF: " + std::move(why));
}

/// The state of one parse; borrowed by the handlers of expat. The parser itself belongs to
/// parse_bsf_document().
struct Reader {
    XML_Parser parser = nullptr;
    int depth = 0;
    int extension_depth = 0; ///< 2 inside the root's Extension, else 0
    int text_depth = 0;      ///< depth of the element whose text is being taken, 0 = none
    std::optional<std::string>* text = nullptr;
    std::optional<std::string> b_tid;
    std::optional<std::string> lifetime;
    std::optional<std::string> current_time;
    const char* refusal = nullptr; ///< ours; null when expat itself found fault

    void refuse(const char* why) {
        if (refusal == nullptr) {
            refusal = why;
        }
        XML_StopParser(parser, XML_FALSE);
    }
    void take_text(std::optional<std::string>& target, bool right_place) {
        if (!right_place) {
            return refuse("an element at a wrong place");
        }
        if (target) {
            return refuse("an element twice");
        }
        target.emplace();
        text = &target;
        text_depth = depth;
    }
    void start(std::string_view name) {
        ++depth;
        if (depth > kDepthLimit) {
            return refuse("nested too deep");
        }
        if (text_depth != 0) {
            return refuse("an element inside a text");
        }
        if (depth == 1 && name != kRoot) {
            return refuse("not a BootstrappingInfo");
        }
        if (name == kBtid) {
            return take_text(b_tid, depth == 2);
        }
        if (name == kLifetime) {
            return take_text(lifetime, depth == 2);
        }
        if (depth == 2 && name == kExtension) {
            extension_depth = depth;
        } else if (name == kCurrentTime && extension_depth != 0) {
            take_text(current_time, depth == extension_depth + 1);
        }
    }
    void end() {
        if (depth == text_depth) {
            text_depth = 0;
            text = nullptr;
        }
        if (depth == extension_depth) {
            extension_depth = 0;
        }
        --depth;
    }
};

Reader& reader(void* user) {
    return *static_cast<Reader*>(user);
}

void XMLCALL on_start(void* user, const XML_Char* name, const XML_Char**) {
    reader(user).start(name);
}
void XMLCALL on_end(void* user, const XML_Char*) {
    reader(user).end();
}
void XMLCALL on_text(void* user, const XML_Char* text, int length) {
    if (auto* target = reader(user).text) {
        (*target)->append(text, static_cast<std::size_t>(length));
    }
}
// No document type at all: no entities, so nothing to expand and nothing to fetch.
void XMLCALL on_doctype(void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    reader(user).refuse("a document type declaration");
}
void XMLCALL on_declaration(void* user, const XML_Char*, const XML_Char* encoding, int) {
    if (encoding != nullptr && !equal_ignoring_case(encoding, "UTF-8")) {
        reader(user).refuse("not UTF-8");
    }
}

Result<std::string> checked_b_tid(std::string text) {
    const bool printable =
        std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (text.empty() || text.size() > kBtidLimit || !printable) {
        return bad("btid is not 1 to 255 printable characters");
    }
    const auto at = text.rfind('@');
    if (at == std::string::npos || at + 1 == text.size()) {
        return bad("btid without a domain");
    }
    return text;
}

/// xs:dateTime: white space around it has no meaning.
std::string_view collapsed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const auto first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Result<UtcTime> checked_time(std::string_view text, const char* element) {
    const auto time = parse_utc(text);
    if (!time) {
        return bad(std::string(element) + " is not a date and time in UTC");
    }
    return *time;
}

} // namespace

Result<BsfDocument> parse_bsf_document(ByteView body) {
    if (body.size() > kBsfDocumentLimit) {
        return bad("larger than 8 KiB");
    }
    // expat recognises UTF-16 even where it is told UTF-8. There every '<' has a 00, which UTF-8
    // text never has.
    if (std::ranges::find(body, 0) != body.end()) {
        return bad("not UTF-8");
    }
    const std::unique_ptr<std::remove_pointer_t<XML_Parser>, decltype(&XML_ParserFree)> parser(
        XML_ParserCreateNS("UTF-8", kSeparator), &XML_ParserFree);
    if (!parser) {
        return fail(Errc::Internal, "no memory for an XML parser");
    }
    Reader state;
    state.parser = parser.get();
    XML_SetUserData(parser.get(), &state);
    XML_SetElementHandler(parser.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
    XML_SetXmlDeclHandler(parser.get(), on_declaration);
    const auto status =
        XML_Parse(parser.get(), as_text(body).data(), static_cast<int>(body.size()), 1);
    if (status != XML_STATUS_OK || state.refusal != nullptr) {
        return bad(state.refusal != nullptr ? state.refusal : "not well-formed XML in UTF-8");
    }
    if (!state.b_tid || !state.lifetime) {
        return bad(state.b_tid ? "no lifetime" : "no btid");
    }
    BsfDocument document;
    document.b_tid = MTKEY_TRY(checked_b_tid(*std::move(state.b_tid)));
    document.lifetime_text = std::string(collapsed(*state.lifetime));
    document.lifetime = MTKEY_TRY(checked_time(document.lifetime_text, "lifetime"));
    if (state.current_time) {
        document.current_time =
            MTKEY_TRY(checked_time(collapsed(*state.current_time), "currenttime"));
    }
    return document;
}

} // namespace mtkey::gba
