// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// Private to lib/keycenter.
namespace mtkey::keycenter {

/// What a flat document says: the texts of its elements and the two attributes of nafId. Wipes its
/// texts.
class XmlFields {
public:
    XmlFields() = default;
    ~XmlFields();
    XmlFields(XmlFields&&) = default;
    XmlFields& operator=(XmlFields&&) = default;
    XmlFields(const XmlFields&) = delete;
    XmlFields& operator=(const XmlFields&) = delete;

    /// The element's text; Malformed when it was not there.
    [[nodiscard]] Result<std::string_view> text(std::string_view name) const;

    struct NafId {
        std::string fqdn;
        std::string ua;
    };
    std::map<std::string, std::string, std::less<>> texts;
    std::optional<NafId> naf_id;
};

/// Reads a document with the root element `root` in our namespace. Of its children those named in
/// `elements` are texts, nafId has attributes; each may stand once. Other elements and attributes
/// are skipped with all that is in them. expat works in memory that is wiped when it is given back.
Result<XmlFields> read_xml(std::string_view document, std::string_view root,
                           std::span<const std::string_view> elements);

} // namespace mtkey::keycenter
