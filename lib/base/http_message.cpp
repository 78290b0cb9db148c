// SPDX-License-Identifier: Apache-2.0
#include "base/http_message.hpp"

namespace mtkey {
namespace {
char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
} // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

std::vector<std::string_view> HttpHeaders::all(std::string_view name) const {
    std::vector<std::string_view> found;
    for (const auto& [key, value] : fields_) {
        if (equal_ignoring_case(key, name)) {
            found.push_back(value);
        }
    }
    return found;
}

Result<std::optional<std::string_view>> HttpHeaders::single(std::string_view name) const {
    const auto found = all(name);
    if (found.size() > 1) {
        return fail(Errc::Malformed, "header " + std::string(name) + " stands twice");
    }
    if (found.empty()) {
        return std::optional<std::string_view>();
    }
    return std::optional(found.front());
}

} // namespace mtkey
