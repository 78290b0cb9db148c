// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/encoding.hpp"
#include "base/secret.hpp"
#include "vectors/source_root.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

/// Reading tests/vectors/*.json in tests. The values are public, so plain memory will do.
namespace mtkey::vectors {

/// A value of a vector file: compares with text by itself, which nlohmann's type does not with
/// every compiler.
class Json {
public:
    explicit Json(const nlohmann::json& value) : value_(value) {
        if (value.is_array()) {
            for (const auto& element : value) {
                elements_.emplace_back(element);
            }
        }
    }
    Json operator[](const std::string& name) const { return Json(value_.at(name)); }
    operator std::string() const { return value_.get<std::string>(); }
    [[nodiscard]] std::size_t size() const { return elements_.size(); }
    [[nodiscard]] auto begin() const { return elements_.begin(); }
    [[nodiscard]] auto end() const { return elements_.end(); }
    friend bool operator==(const std::string& text, const Json& value) {
        return text == static_cast<std::string>(value);
    }
    friend bool operator==(const nlohmann::json& value, const Json& expected) {
        return value == expected.value_;
    }
    friend std::ostream& operator<<(std::ostream& out, const Json& value) {
        return out << value.value_;
    }

private:
    nlohmann::json value_;
    std::vector<Json> elements_;
};

inline Json load(const std::string& name) {
    std::ifstream file(source_root() + "/tests/vectors/" + name);
    if (!file) {
        throw std::runtime_error("no vector file " + name);
    }
    return Json(nlohmann::json::parse(file));
}

inline Bytes hex(const std::string& text) {
    auto octets = from_hex(text);
    if (!octets) {
        throw std::runtime_error("not hex: " + text);
    }
    return *octets;
}

template <std::size_t N>
std::array<std::uint8_t, N> array(const std::string& text) {
    const Bytes octets = hex(text);
    if (octets.size() != N) {
        throw std::runtime_error("wrong length: " + text);
    }
    std::array<std::uint8_t, N> out{};
    std::ranges::copy(octets, out.begin());
    return out;
}

template <std::size_t N>
Secret<N> secret(const std::string& text) {
    return Secret<N>(array<N>(text));
}

template <std::size_t N>
std::string text_of(const Secret<N>& value) {
    return to_hex(value.reveal());
}
inline std::string text_of(const SecretBytes& value) {
    return to_hex(value.reveal());
}

} // namespace mtkey::vectors
