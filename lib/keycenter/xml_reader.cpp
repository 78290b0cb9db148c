// SPDX-License-Identifier: Apache-2.0
#include "keycenter/xml_reader.hpp"

#include "base/http_message.hpp"
#include "base/secret.hpp"
#include "keycenter/documents.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <expat.h>
#include <memory>

namespace mtkey::keycenter {
namespace {

constexpr int kDepthLimit = 8;
constexpr std::size_t kTextLimit = 512;
constexpr std::string_view kNafId = "nafId";
/// Between namespace and name as expat gives them; no character of XML, so no namespace can imitate
/// another.
constexpr XML_Char kSeparator = '\x1F';

std::unexpected<Error> bad(std::string why) {
    return fail(Errc::Malformed, "key request document: " + std::move(why));
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// ---- expat's memory: it copies texts about, and one of them is a key

/// Before each block stands its size.
constexpr std::size_t kSizeField = alignof(std::max_align_t);

void* wiping_malloc(std::size_t size) {
    auto* const block = static_cast<std::uint8_t*>(std::malloc(kSizeField + size));
    if (block == nullptr) {
        return nullptr;
    }
    std::memcpy(block, &size, sizeof size);
    return block + kSizeField;
}

std::size_t size_of(const std::uint8_t* block) {
    std::size_t size = 0;
    std::memcpy(&size, block, sizeof size);
    return size;
}

void wiping_free(void* memory) {
    if (memory == nullptr) {
        return;
    }
    auto* const block = static_cast<std::uint8_t*>(memory) - kSizeField;
    wipe(std::span(block, kSizeField + size_of(block)));
    std::free(block);
}

void* wiping_realloc(void* memory, std::size_t size) {
    void* const grown = wiping_malloc(size);
    if (grown != nullptr && memory != nullptr) {
        std::memcpy(grown, memory,
                    std::min(size, size_of(static_cast<std::uint8_t*>(memory) - kSizeField)));
        wiping_free(memory);
    }
    return grown;
}

struct FreeParser {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};
using Parser = std::unique_ptr<std::remove_pointer_t<XML_Parser>, FreeParser>;

// ---- one parse

/// Borrowed by expat's handlers, which must not throw: `text` is as large as it will ever be from
/// the start.
class Reader {
public:
    Reader(XML_Parser parser, std::string_view root, std::span<const std::string_view> elements)
        : parser_(parser), root_(root), elements_(elements) {
        text_.reserve(kTextLimit);
    }
    ~Reader() { wipe(text_); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    [[nodiscard]] const char* refusal() const { return refusal_; }
    [[nodiscard]] XmlFields take() { return std::move(fields_); }

    void refuse(const char* why) {
        if (refusal_ == nullptr) {
            refusal_ = why;
        }
        XML_StopParser(parser_, XML_FALSE);
    }

    void start(std::string_view name, const XML_Char** attributes) {
        ++depth_;
        if (depth_ > kDepthLimit) {
            return refuse("nested too deep");
        }
        const bool ours = name.starts_with(kNamespace) && name.size() > kNamespace.size() &&
                          name[kNamespace.size()] == kSeparator;
        const auto local = ours ? name.substr(kNamespace.size() + 1) : std::string_view();
        if (depth_ == 1) {
            return local == root_ ? void() : refuse("another root element");
        }
        if (!current_.empty()) {
            return refuse("an element inside a text");
        }
        if (depth_ != 2 || !ours) {
            return;
        }
        if (local == kNafId) {
            current_ = kNafId;
            return start_naf_id(attributes);
        }
        const auto known = std::ranges::find(elements_, local);
        if (known == elements_.end()) {
            return;
        }
        if (fields_.texts.contains(local)) {
            return refuse("an element twice");
        }
        current_ = *known;
        wipe(text_);
        text_.reserve(kTextLimit);
    }

    void end() {
        if (depth_ == 2 && !current_.empty()) {
            if (current_ != kNafId) {
                fields_.texts.emplace(std::string(current_), text_);
            }
            current_ = {};
        }
        --depth_;
    }

    void characters(std::string_view part) {
        if (current_.empty() || current_ == kNafId) {
            // Texts of unknown elements are theirs; between the known ones nothing can mean
            // anything.
            if ((depth_ == 1 || current_ == kNafId) && !is_blank(part)) {
                refuse("text outside the elements");
            }
            return;
        }
        if (part.size() > kTextLimit - text_.size()) {
            return refuse("a text too long");
        }
        text_.append(part);
    }

private:
    void start_naf_id(const XML_Char** attributes) {
        if (fields_.naf_id) {
            return refuse("an element twice");
        }
        XmlFields::NafId naf_id;
        bool fqdn = false;
        bool ua = false;
        // expat refuses an attribute that stands twice.
        for (; attributes[0] != nullptr; attributes += 2) {
            const std::string_view name = attributes[0];
            if (name == "fqdn") {
                naf_id.fqdn = attributes[1];
                fqdn = true;
            } else if (name == "ua") {
                naf_id.ua = attributes[1];
                ua = true;
            }
        }
        if (!fqdn || !ua) {
            return refuse("nafId without fqdn or ua");
        }
        fields_.naf_id = std::move(naf_id);
    }

    XML_Parser parser_;
    std::string_view root_;
    std::span<const std::string_view> elements_;
    XmlFields fields_;
    int depth_ = 0;
    std::string_view current_; ///< the known element that is open
    std::string text_;
    const char* refusal_ = nullptr;
};

Reader& reader(void* user) {
    return *static_cast<Reader*>(user);
}

/// No exception crosses expat's C frames; what can throw here is the lack of memory.
template <typename Action>
void guarded(void* user, Action action) {
    try {
        action(reader(user));
    } catch (const std::exception&) {
        reader(user).refuse("no memory");
    }
}

void XMLCALL on_start(void* user, const XML_Char* name, const XML_Char** attributes) {
    guarded(user, [&](Reader& to) { to.start(name, attributes); });
}
void XMLCALL on_end(void* user, const XML_Char*) {
    guarded(user, [](Reader& to) { to.end(); });
}
void XMLCALL on_text(void* user, const XML_Char* text, int length) {
    guarded(user, [&](Reader& to) { to.characters({text, static_cast<std::size_t>(length)}); });
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

} // namespace

XmlFields::~XmlFields() {
    for (auto& [name, value] : texts) {
        wipe(value);
    }
}

Result<std::string_view> XmlFields::text(std::string_view name) const {
    const auto found = texts.find(name);
    if (found == texts.end()) {
        return bad("no " + std::string(name));
    }
    return std::string_view(found->second);
}

Result<XmlFields> read_xml(std::string_view document, std::string_view root,
                           std::span<const std::string_view> elements) {
    if (document.size() > kDocumentLimit) {
        return fail(Errc::LimitExceeded, "key request document");
    }
    // expat recognises UTF-16 even where it is told UTF-8; there every '<' has a 00, which UTF-8
    // text never has.
    if (document.find('\0') != std::string_view::npos) {
        return bad("not UTF-8");
    }
    const XML_Memory_Handling_Suite memory{wiping_malloc, wiping_realloc, wiping_free};
    const Parser parser(XML_ParserCreate_MM("UTF-8", &memory, std::string(1, kSeparator).c_str()));
    if (parser == nullptr) {
        return fail(Errc::Internal, "no memory for an XML parser");
    }
    Reader state(parser.get(), root, elements);
    XML_SetUserData(parser.get(), &state);
    XML_SetElementHandler(parser.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
    XML_SetXmlDeclHandler(parser.get(), on_declaration);
    const auto status =
        XML_Parse(parser.get(), document.data(), static_cast<int>(document.size()), 1);
    if (status != XML_STATUS_OK || state.refusal() != nullptr) {
        return bad(state.refusal() != nullptr ? state.refusal() : "not well-formed XML in UTF-8");
    }
    return state.take();
}

} // namespace mtkey::keycenter
