// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::network {

/// A JSON value of Zn, owned. Not the library's own tree: its destructor allocates, and where there
/// is no memory that ends the program.
struct JsonValue {
    enum class Kind { Null, Boolean, Whole, OtherNumber, Text, Array, Object };
    Kind kind = Kind::Null;
    std::uint64_t number = 0; ///< of Whole, which has no sign; 1: true
    std::string text{};
    std::vector<std::string> names{}; ///< of Object: one for each element
    std::vector<JsonValue> elements{};

    [[nodiscard]] bool is(Kind wanted) const { return kind == wanted; }
    /// A member of an object; null when it is absent.
    [[nodiscard]] const JsonValue* find(std::string_view name) const;
};

/// Nothing for what is not JSON, and for what parsers read differently or no document on Zn needs:
/// a member that stands twice, nesting deeper than `deepest`.
[[nodiscard]] std::optional<JsonValue> parse_json(std::string_view text, int deepest);

/// With its quotes. What is not printable ASCII becomes '?': no text of ours needs it.
[[nodiscard]] std::string json_text(std::string_view text);

} // namespace mtkey::network
