// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/faults.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <array>

namespace mtkey::bsf {
namespace {

struct Row {
    Fault fault;
    std::string_view name;
    std::string_view effect;
};

using enum Fault;
constexpr std::array kTable{
    Row{WrongMac, "wrong-mac", "a bit of MAC in AUTN is flipped"},
    Row{OldSqn, "old-sqn", "the first challenge of a run carries SQN 0"},
    Row{ResyncForever, "resync-forever", "every challenge carries SQN 0, whatever AUTS says"},
    Row{WrongRealm, "wrong-realm", "the challenge names another BSF"},
    Row{WrongAlgorithm, "wrong-algorithm", "the challenge says algorithm=MD5"},
    Row{NoQop, "no-qop", "the challenge has no qop"},
    Row{QopAuth, "qop-auth", "the challenge offers qop=\"auth\" alone"},
    Row{QopList, "qop-list", "the challenge offers qop=\"auth,auth-int\" (allowed)"},
    Row{UnquotedParameters, "unquoted-parameters",
        "realm, qop and opaque without quotes (allowed)"},
    Row{ReorderedParameters, "reordered-parameters",
        "the challenge's parameters backwards (allowed)"},
    Row{UpperCaseParameters, "upper-case-parameters",
        "the challenge's names in capitals (allowed)"},
    Row{ShortNonce, "short-nonce", "a nonce of 31 octets"},
    Row{BasicToo, "basic-too", "a Basic challenge before the Digest one"},
    Row{NoChallenge, "no-challenge", "401 without WWW-Authenticate"},
    Row{ChallengeForever, "401-forever", "a right answer gets another challenge, always"},
    Row{NoRspauth, "no-rspauth", "200 without Authentication-Info"},
    Row{WrongRspauth, "wrong-rspauth", "a digit of rspauth is another"},
    Row{WrongCnonce, "wrong-cnonce", "Authentication-Info repeats another cnonce"},
    Row{BadXml, "bad-xml", "the document ends early; rspauth fits"},
    Row{WrongNamespace, "wrong-namespace", "the document's namespace is another; rspauth fits"},
    Row{NoBtid, "no-btid", "the document has no btid; rspauth fits"},
    Row{NoLifetime, "no-lifetime", "the document has no lifetime; rspauth fits"},
    Row{ExpiredLifetime, "expired-lifetime", "the lifetime ended an hour ago; rspauth fits"},
    Row{ExtraElements, "extra-elements", "unknown elements, attributes, a prefix (allowed)"},
    Row{Doctype, "doctype", "the document defines an entity and uses it; rspauth fits"},
    Row{WrongType, "wrong-type", "Content-Type: text/html"},
    Row{Status403, "403", "every answer is 403"},
    Row{Status404, "404", "every answer is 404"},
    Row{Status500, "500", "every answer is 500"},
    Row{Status503, "503-retry-after", "every answer is 503 with Retry-After: 120"},
    Row{Redirect, "redirect", "every answer is 302 to another path here"},
    Row{RedirectElsewhere, "redirect-elsewhere", "every answer is 302 to another host"},
    Row{Gzip, "gzip", "Content-Encoding: gzip, asked for or not"},
    Row{Chunked, "chunked", "bodies in chunks (allowed)"},
    Row{LowerCaseHeaders, "lower-case-headers", "names of header fields in lower case (allowed)"},
    Row{OneOctetSegments, "one-octet-segments",
        "every octet by itself, as fast as it goes (allowed)"},
    Row{SlowBody, "slow-body", "an octet of the body a second"},
    Row{CutBody, "cut-body", "the connection ends within the body"},
    Row{LongHeaders, "long-headers", "a header field of 1 MiB"},
    Row{LongBody, "long-body", "a body of 1 MiB"},
    Row{Garbage, "garbage", "octets that are no HTTP"},
    Row{NoAnswer, "no-answer", "no answer, the connection stays open"},
    Row{CloseAtOnce, "close", "the connection ends without an answer"},
};
static_assert(kTable.size() == static_cast<std::size_t>(Last) + 1);

} // namespace

std::string Faults::names() const {
    std::string out;
    for (const auto& row : kTable) {
        if (has(row.fault)) {
            out.append(out.empty() ? "" : ",").append(row.name);
        }
    }
    return out;
}

Result<Faults> parse_faults(std::string_view list) {
    Faults out;
    while (true) {
        const auto comma = list.find(',');
        const auto name = list.substr(0, comma);
        const auto row = std::ranges::find(kTable, name, &Row::name);
        if (row == kTable.end()) {
            return fail(Errc::InvalidArgument,
                        "--fault: \"" + printable(name, 64) + "\" is unknown; see --fault list");
        }
        out.add(row->fault);
        if (comma == std::string_view::npos) {
            return out;
        }
        list.remove_prefix(comma + 1);
    }
}

std::string fault_table() {
    std::string out;
    for (const auto& row : kTable) {
        out.append(row.name).append(24 - row.name.size(), ' ').append(row.effect).append("\n");
    }
    return out;
}

} // namespace mtkey::bsf
