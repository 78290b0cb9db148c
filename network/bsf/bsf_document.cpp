// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/bsf_document.hpp"

namespace mtkey::bsf {
namespace {

constexpr std::string_view kDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
constexpr std::string_view kNamespace = "uri:3gpp-gba";

std::string element(std::string_view name, std::string_view content) {
    return "<" + std::string(name) + ">" + std::string(content) + "</" + std::string(name) + ">";
}

/// The same to a namespace-aware reader, with what TS 24.109 annex C.1 has it ignore.
std::string with_extras(std::string_view b_tid, std::string_view lifetime) {
    return std::string(kDeclaration) + "<!-- a comment --><g:BootstrappingInfo xmlns:g=\"" +
           std::string(kNamespace) + "\" xmlns:o=\"uri:other\" o:note=\"x\">\n  " +
           element("g:btid", b_tid) + "\n  " + element("g:lifetime", lifetime) +
           "\n  <g:Extension><o:unknown><btid>not this</btid></o:unknown></g:Extension>\n"
           "</g:BootstrappingInfo>\n";
}

} // namespace

std::string bsf_document(std::string_view b_tid, UtcTime expires, const Faults& faults) {
    const auto lifetime = format_utc(expires);
    if (faults.has(Fault::ExtraElements)) {
        return with_extras(b_tid, lifetime);
    }
    const bool doctype = faults.has(Fault::Doctype);
    auto out = std::string(kDeclaration) +
               (doctype ? "<!DOCTYPE b [<!ENTITY t \"" + std::string(b_tid) + "\">]>" : "") +
               "<BootstrappingInfo xmlns=\"" +
               (faults.has(Fault::WrongNamespace) ? "uri:other" : std::string(kNamespace)) + "\">" +
               (faults.has(Fault::NoBtid) ? "" : element("btid", doctype ? "&t;" : b_tid)) +
               (faults.has(Fault::NoLifetime) ? "" : element("lifetime", lifetime)) +
               "</BootstrappingInfo>";
    if (faults.has(Fault::BadXml)) {
        out.resize(out.size() - 4);
    }
    return out;
}

} // namespace mtkey::bsf
