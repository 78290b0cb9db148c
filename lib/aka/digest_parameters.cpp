// SPDX-License-Identifier: Apache-2.0
#include "aka/digest.hpp"
#include "base/http_message.hpp"

#include <algorithm>

namespace mtkey::aka {
namespace {

constexpr std::size_t kLongestHeader = 4096;
constexpr std::size_t kMostParameters = 32;

bool is_token_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

/// Peers leave values unquoted that are no tokens (uri=/, a base64 nonce): visible ASCII without
/// the separators.
bool is_bare_value_char(char c) {
    return c > ' ' && c <= '~' && c != '"' && c != ',' && c != '\\';
}

std::unexpected<Error> refuse(const char* what) {
    return fail(Errc::Malformed, std::string("Digest header: ") + what);
}

/// Walks over the text once; every step looks before it reads.
class Cursor {
public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    void skip_spaces() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
            rest_.remove_prefix(1);
        }
    }
    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }
    template <typename Predicate>
    std::string_view take_while(Predicate predicate) {
        const auto end = std::ranges::find_if_not(rest_, predicate);
        const auto taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
        rest_.remove_prefix(taken.size());
        return taken;
    }
    /// The opening quote is already taken.
    Result<std::string> quoted() {
        std::string out;
        while (!rest_.empty()) {
            char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"') {
                return out;
            }
            if (c == '\\') {
                if (rest_.empty()) {
                    break;
                }
                c = rest_.front();
                rest_.remove_prefix(1);
            }
            if (is_control(c)) {
                return refuse("control character in a quoted string");
            }
            out.push_back(c);
        }
        return refuse("quoted string without end");
    }

private:
    std::string_view rest_;
};

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c - 'A' + 'a');
        }
    }
    return out;
}

using Values = DigestParameters::Values;

/// name "=" ( token | quoted-string ), separated by commas; a list may have empty elements (RFC
/// 9110 section 5.6.1).
Result<Values> parse_list(Cursor cursor, bool fold_names) {
    Values values;
    for (;;) {
        cursor.skip_spaces();
        if (cursor.at_end()) {
            break;
        }
        if (cursor.take(',')) {
            continue;
        }
        const auto spelt = cursor.take_while(is_token_char);
        const std::string name = fold_names ? lower(spelt) : std::string(spelt);
        cursor.skip_spaces();
        // A second challenge ends up here: its scheme is followed by no '='.
        if (name.empty() || !cursor.take('=')) {
            return refuse("parameter without name or value, or a second challenge");
        }
        cursor.skip_spaces();
        std::string value;
        if (cursor.take('"')) {
            value = MTKEY_TRY(cursor.quoted());
        } else {
            value = std::string(cursor.take_while(is_bare_value_char));
            if (value.empty()) {
                return refuse("parameter without value");
            }
        }
        if (std::ranges::any_of(values, [&](const auto& known) { return known.first == name; })) {
            return refuse("repeated parameter");
        }
        if (values.size() == kMostParameters) {
            return refuse("more than 32 parameters");
        }
        values.emplace_back(name, std::move(value));
        cursor.skip_spaces();
        if (!cursor.at_end() && !cursor.take(',')) {
            return refuse("no comma between parameters");
        }
    }
    if (values.empty()) {
        return refuse("no parameters");
    }
    return values;
}

} // namespace

Result<DigestParameters> DigestParameters::parse_challenge(std::string_view header) {
    if (header.size() > kLongestHeader) {
        return refuse("above 4096 octets");
    }
    Cursor cursor(header);
    cursor.skip_spaces();
    if (!equal_ignoring_case(cursor.take_while(is_token_char), "Digest") || !cursor.take(' ')) {
        return refuse("scheme is not Digest");
    }
    DigestParameters out;
    out.values_ = MTKEY_TRY(parse_list(cursor, true));
    return out;
}

Result<DigestParameters> DigestParameters::parse_info(std::string_view header) {
    if (header.size() > kLongestHeader) {
        return refuse("above 4096 octets");
    }
    DigestParameters out;
    out.values_ = MTKEY_TRY(parse_list(Cursor(header), false));
    return out;
}

std::optional<std::string_view> DigestParameters::get(std::string_view name) const {
    const auto found =
        std::ranges::find_if(values_, [&](const auto& value) { return value.first == name; });
    if (found == values_.end()) {
        return std::nullopt;
    }
    return found->second;
}

Result<std::string> quote(std::string_view value) {
    std::string out = "\"";
    for (const char c : value) {
        if (is_control(c)) {
            return fail(Errc::InvalidArgument, "control character in a Digest value");
        }
        if (c == '"' || c == '\\') {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    out.push_back('"');
    return out;
}

} // namespace mtkey::aka
