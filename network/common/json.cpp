// SPDX-License-Identifier: Apache-2.0
#include "network/common/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mtkey::network {
namespace {

using nlohmann::json;

/// Puts the values where they belong while the library reads; false ends the reading.
class Builder {
public:
    using Kind = JsonValue::Kind;
    Builder(JsonValue& root, int deepest) : root_(root), deepest_(deepest) {}

    bool null() { return put({.kind = Kind::Null}); }
    bool boolean(bool value) { return put({.kind = Kind::Boolean, .number = value ? 1U : 0U}); }
    bool number_integer(std::int64_t /*negative*/) { return put({.kind = Kind::OtherNumber}); }
    bool number_unsigned(std::uint64_t value) {
        return put({.kind = Kind::Whole, .number = value});
    }
    bool number_float(double /*value*/, const std::string& /*digits*/) {
        return put({.kind = Kind::OtherNumber});
    }
    bool string(std::string& value) { return put({.kind = Kind::Text, .text = std::move(value)}); }
    bool binary(json::binary_t& /*octets*/) { return false; } // no JSON text has it
    bool start_object(std::size_t /*size*/) { return open(Kind::Object); }
    bool start_array(std::size_t /*size*/) { return open(Kind::Array); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool key(std::string& name) {
        auto& names = open_.back()->names;
        if (std::ranges::find(names, name) != names.end()) {
            return false;
        }
        names.push_back(std::move(name));
        return true;
    }
    bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                     const nlohmann::detail::exception& /*why*/) {
        return false;
    }

private:
    /// A pointer into a container holds: its vector grows only when all inner ones are closed.
    JsonValue& add(JsonValue value) {
        if (open_.empty()) {
            return root_ = std::move(value);
        }
        return open_.back()->elements.emplace_back(std::move(value));
    }
    bool put(JsonValue value) {
        add(std::move(value));
        return true;
    }
    bool open(Kind kind) {
        if (open_.size() >= static_cast<std::size_t>(deepest_)) {
            return false;
        }
        open_.push_back(&add({.kind = kind}));
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    JsonValue& root_;
    int deepest_;
    std::vector<JsonValue*> open_; ///< from the outermost in
};

} // namespace

const JsonValue* JsonValue::find(std::string_view name) const {
    const auto found = std::ranges::find(names, name);
    return found == names.end() ? nullptr
                                : &elements[static_cast<std::size_t>(found - names.begin())];
}

std::optional<JsonValue> parse_json(std::string_view text, int deepest) {
    std::optional<JsonValue> out(std::in_place);
    Builder builder(*out, deepest);
    if (!json::sax_parse(text, &builder)) {
        out.reset();
    }
    return out;
}

std::string json_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c >= ' ' && c <= '~' ? c : '?';
    }
    return out + "\"";
}

} // namespace mtkey::network
