// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/file.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey {

/// One table of a TOML file, read strictly: each error (ConfigInvalid) names file, line, key and
/// remedy, and a key that nobody asked for is an error too. Hides toml++, which no header may show.
class ConfigTable {
public:
    /// At most 1 MiB.
    static Result<ConfigTable> load(const std::string& path, Trust trust);
    static Result<ConfigTable> parse(std::string_view text, const std::string& path);

    [[nodiscard]] bool has(std::string_view key) const;
    Result<std::string> text(std::string_view key);
    Result<std::string> text_or(std::string_view key, std::string_view fallback);
    /// One of `words`.
    Result<std::string> word_or(std::string_view key, std::string_view fallback,
                                const std::vector<std::string_view>& words);
    Result<bool> flag_or(std::string_view key, bool fallback);
    Result<std::int64_t> number_or(std::string_view key, std::int64_t fallback, std::int64_t least,
                                   std::int64_t most);
    Result<std::vector<std::string>> texts_or_none(std::string_view key);
    /// An absent table reads as an empty one.
    Result<ConfigTable> table(std::string_view key);
    /// [[key]]; none when absent.
    Result<std::vector<ConfigTable>> tables(std::string_view key);
    [[nodiscard]] std::vector<std::string> keys() const;
    /// Any scalar as text, for tables whose keys belong to somebody else (transport plugins).
    Result<std::string> scalar_as_text(std::string_view key);

    /// Call last: an unknown key is an error that names those that are known.
    [[nodiscard]] Result<void> finish() const;
    /// An Error for this key with its line; `problem` says what is wrong, `remedy` what to write.
    [[nodiscard]] std::unexpected<Error> error(std::string_view key, std::string_view problem,
                                               std::string_view remedy = {}) const;
    /// Directory of the file: what relative paths are relative to.
    [[nodiscard]] std::string resolve(const std::string& path) const;

private:
    struct Node;
    ConfigTable() = default;
    std::shared_ptr<Node> node_;
    std::vector<std::string> asked_;
};

} // namespace mtkey
