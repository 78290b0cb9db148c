// SPDX-License-Identifier: Apache-2.0
// The lines of a modem out of any octets: borrowed parts lie inside, a finished answer stays
// finished.
#include "uicc/at_lines.hpp"

#include <array>
#include <cstdlib>

using namespace mtkey;
using namespace mtkey::uicc;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

void check_payload(std::string_view payload) {
    if (const auto apdu = parse_at_apdu(payload)) {
        require(apdu->size() <= 258 && apdu->size() * 2 <= payload.size());
    }
    static_cast<void>(parse_at_session(payload));
}

bool inside(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

void check_answer(std::string_view text, const AtQuestion& question) {
    const auto answer = parse_at_answer(text, question);
    if (!answer || !*answer) {
        return;
    }
    require(!(*answer)->payload || inside(*(*answer)->payload, text));
    if ((*answer)->payload) {
        check_payload(*(*answer)->payload);
    }
    const auto error = cme_error((*answer)->cme, "modem");
    require(error.error().context.size() < 100);
    // An answer that has ended stays what it is, whatever comes behind it.
    const std::string more = std::string(text) + "\r\n+CSIM: 4,\"9000\"\r\nERROR\r\n";
    const auto again = parse_at_answer(more, question);
    require(again && *again && (*again)->result == (*answer)->result &&
            (*again)->payload == (*answer)->payload);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    constexpr std::array kQuestions{AtQuestion{"+CSIM:", false}, AtQuestion{"+CGLA:", false},
                                    AtQuestion{"+CCHO:", true}, AtQuestion{"", false}};
    for (const auto& question : kQuestions) {
        check_answer(text, question);
    }
    check_payload(text);
    // A line about the card stays one, whatever stands around it.
    const auto lines = card_lines(text);
    for (const auto line : lines) {
        require(inside(line, text) && !line.empty());
    }
    const auto more = "\r\nRING\r\n" + std::string(text) + "\r\nOK\r\n";
    require(card_lines(more).size() >= lines.size());
    return 0;
}
