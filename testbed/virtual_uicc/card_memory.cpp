// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card_memory.hpp"

#include "base/config_table.hpp"
#include "base/file.hpp"

#include <charconv>
#include <unistd.h>

namespace mtkey::testbed {
namespace {

/// Numbers as texts: "-1" is an IND that nobody used.
template <typename Number>
bool parse(std::string_view text, Number& out) {
    const char* end = text.data() + text.size();
    const auto done = std::from_chars(text.data(), end, out);
    return done.ec == std::errc() && done.ptr == end;
}

std::string listed(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) {
        out += (out.empty() ? "\"" : ", \"") + text + "\"";
    }
    return "[" + out + "]";
}

} // namespace

Result<std::optional<CardMemory>> read_card_memory(const std::string& path) {
    if (::access(path.c_str(), F_OK) != 0) {
        return std::nullopt;
    }
    ConfigTable table = MTKEY_TRY(ConfigTable::load(path, Trust::Private));
    CardMemory out;
    for (const auto& text : MTKEY_TRY(table.texts_or_none("seq"))) {
        if (!parse(text, out.seq.emplace_back())) {
            return table.error("seq", "holds no number");
        }
    }
    for (const auto& text : MTKEY_TRY(table.texts_or_none("pins"))) {
        auto& [reference, left] = out.pin_attempts.emplace_back();
        const auto space = text.find(' ');
        if (space == std::string::npos ||
            !parse(std::string_view(text).substr(0, space), reference) ||
            !parse(std::string_view(text).substr(space + 1), left)) {
            return table.error("pins", "holds what is no pair of numbers");
        }
    }
    MTKEY_CHECK(table.finish());
    return out;
}

Result<void> write_card_memory(const std::string& path, const CardMemory& memory) {
    std::vector<std::string> seq;
    std::vector<std::string> pins;
    for (const auto entry : memory.seq) {
        seq.push_back(std::to_string(entry));
    }
    for (const auto& [reference, left] : memory.pin_attempts) {
        pins.push_back(std::to_string(reference) + " " + std::to_string(left));
    }
    const std::string text =
        "# The card's own: SEQ of each IND, attempts left of each PIN.\nseq = " + listed(seq) +
        "\npins = " + listed(pins) + "\n";
    return write_private_file(path, as_octets(text));
}

} // namespace mtkey::testbed
