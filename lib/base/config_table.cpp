// SPDX-License-Identifier: Apache-2.0
#include "base/config_table.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <sstream>
#include <toml++/toml.h>

namespace mtkey {

/// A table inside its document, which it keeps alive.
struct ConfigTable::Node {
    std::shared_ptr<toml::table> document;
    const toml::table* table = nullptr;
    std::string file;
    std::string prefix; ///< "uicc." for messages
};

namespace {

std::unexpected<Error> problem_at(const std::string& file, toml::source_region source,
                                  std::string_view text) {
    std::string place = file;
    if (source.begin.line > 0) {
        place += ":" + std::to_string(source.begin.line);
    }
    return fail(Errc::ConfigInvalid, place + ": " + std::string(text));
}

} // namespace

Result<ConfigTable> ConfigTable::load(const std::string& path, Trust trust) {
    std::string text = MTKEY_TRY(read_file(path, 1024 * 1024, trust));
    auto table = parse(text, path);
    wipe(text);
    return table;
}

Result<ConfigTable> ConfigTable::parse(std::string_view text, const std::string& path) {
    ConfigTable out;
    out.node_ = std::make_shared<Node>();
    out.node_->file = path;
    try {
        out.node_->document = std::make_shared<toml::table>(toml::parse(text, path));
    } catch (const toml::parse_error& problem) {
        return problem_at(path, problem.source(), printable(problem.description()));
    } catch (const std::exception& problem) {
        return fail(Errc::ConfigInvalid, path + ": " + printable(problem.what()));
    }
    out.node_->table = out.node_->document.get();
    return out;
}

std::unexpected<Error> ConfigTable::error(std::string_view key, std::string_view problem,
                                          std::string_view remedy) const {
    const toml::node* node = node_->table->get(key);
    std::string text = "'" + node_->prefix + std::string(key) + "' " + std::string(problem);
    if (!remedy.empty()) {
        text += "; " + std::string(remedy);
    }
    return problem_at(node_->file, node != nullptr ? node->source() : node_->table->source(), text);
}

bool ConfigTable::has(std::string_view key) const {
    return node_->table->contains(key);
}

Result<std::string> ConfigTable::text(std::string_view key) {
    asked_.emplace_back(key);
    const toml::node* node = node_->table->get(key);
    if (node == nullptr) {
        return error(key, "is missing", "write " + std::string(key) + " = \"...\"");
    }
    const auto* value = node->as_string();
    if (value == nullptr) {
        return error(key, "must be a text", "put it in quotes");
    }
    if (value->get().find('\0') != std::string::npos) {
        return error(key, "holds a NUL character");
    }
    return value->get();
}

Result<std::string> ConfigTable::text_or(std::string_view key, std::string_view fallback) {
    if (!has(key)) {
        asked_.emplace_back(key);
        return std::string(fallback);
    }
    return text(key);
}

Result<std::string> ConfigTable::word_or(std::string_view key, std::string_view fallback,
                                         const std::vector<std::string_view>& words) {
    std::string value = MTKEY_TRY(text_or(key, fallback));
    if (std::ranges::find(words, value) == words.end()) {
        std::string list;
        for (const auto word : words) {
            list += (list.empty() ? "\"" : ", \"") + std::string(word) + "\"";
        }
        return error(key, "is \"" + printable(value, 40) + "\"", "write one of " + list);
    }
    return value;
}

Result<bool> ConfigTable::flag_or(std::string_view key, bool fallback) {
    asked_.emplace_back(key);
    const toml::node* node = node_->table->get(key);
    if (node == nullptr) {
        return fallback;
    }
    const auto* value = node->as_boolean();
    if (value == nullptr) {
        return error(key, "must be true or false", "write it without quotes");
    }
    return value->get();
}

Result<std::int64_t> ConfigTable::number_or(std::string_view key, std::int64_t fallback,
                                            std::int64_t least, std::int64_t most) {
    asked_.emplace_back(key);
    const toml::node* node = node_->table->get(key);
    if (node == nullptr) {
        return fallback;
    }
    const auto* value = node->as_integer();
    if (value == nullptr || value->get() < least || value->get() > most) {
        return error(key, "is no number in range",
                     "write " + std::to_string(least) + " to " + std::to_string(most));
    }
    return value->get();
}

Result<std::vector<std::string>> ConfigTable::texts_or_none(std::string_view key) {
    asked_.emplace_back(key);
    std::vector<std::string> out;
    const toml::node* node = node_->table->get(key);
    if (node == nullptr) {
        return out;
    }
    const auto* list = node->as_array();
    if (list == nullptr) {
        return error(key, "must be a list of texts", "write [\"...\", \"...\"]");
    }
    for (const auto& element : *list) {
        const auto* value = element.as_string();
        if (value == nullptr) {
            return error(key, "must hold texts only", "put each in quotes");
        }
        out.push_back(value->get());
    }
    return out;
}

Result<ConfigTable> ConfigTable::table(std::string_view key) {
    static const toml::table empty;
    asked_.emplace_back(key);
    ConfigTable out;
    out.node_ = std::make_shared<Node>(*node_);
    out.node_->prefix += std::string(key) + ".";
    const toml::node* node = node_->table->get(key);
    if (node == nullptr) {
        out.node_->table = &empty;
        return out;
    }
    out.node_->table = node->as_table();
    if (out.node_->table == nullptr) {
        return error(key, "must be a table", "write [" + node_->prefix + std::string(key) + "]");
    }
    return out;
}

Result<std::vector<ConfigTable>> ConfigTable::tables(std::string_view key) {
    asked_.emplace_back(key);
    std::vector<ConfigTable> out;
    const toml::node* node = node_->table->get(key);
    if (node == nullptr) {
        return out;
    }
    const auto* list = node->as_array();
    if (list == nullptr || !list->is_homogeneous(toml::node_type::table)) {
        return error(key, "must be a list of tables",
                     "write [[" + node_->prefix + std::string(key) + "]]");
    }
    for (const auto& element : *list) {
        ConfigTable one;
        one.node_ = std::make_shared<Node>(*node_);
        one.node_->prefix += std::string(key) + ".";
        one.node_->table = element.as_table();
        out.push_back(std::move(one));
    }
    return out;
}

std::vector<std::string> ConfigTable::keys() const {
    std::vector<std::string> out;
    for (const auto& [key, value] : *node_->table) {
        out.emplace_back(key.str());
    }
    return out;
}

Result<std::string> ConfigTable::scalar_as_text(std::string_view key) {
    const toml::node* node = node_->table->get(key);
    if (node != nullptr) {
        if (const auto* number = node->as_integer()) {
            asked_.emplace_back(key);
            return std::to_string(number->get());
        }
        if (const auto* flag = node->as_boolean()) {
            asked_.emplace_back(key);
            return std::string(flag->get() ? "true" : "false");
        }
    }
    return text(key);
}

Result<void> ConfigTable::finish() const {
    for (const auto& key : keys()) {
        if (std::ranges::find(asked_, key) == asked_.end()) {
            std::string known;
            for (const auto& name : asked_) {
                known += (known.empty() ? "" : ", ") + name;
            }
            return error(key, "is not known", "known here: " + known);
        }
    }
    return {};
}

std::string ConfigTable::resolve(const std::string& path) const {
    if (path.empty() || path.front() == '/') {
        return path;
    }
    const auto slash = node_->file.rfind('/');
    return slash == std::string::npos ? path : node_->file.substr(0, slash + 1) + path;
}

} // namespace mtkey
