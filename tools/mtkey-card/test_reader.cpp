// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/test_reader.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "tools/mtkey-card/atr_text.hpp"
#include "tools/mtkey-card/file_access.hpp"
#include "tools/mtkey-card/round_trips.hpp"
#include "uicc/atr.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {
using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::array<std::uint8_t, 2> kMasterFile{0x3F, 0x00};
constexpr std::array<std::uint8_t, 4> kIccid{0x3F, 0x00, 0x2F, 0xE2};
constexpr std::uint16_t kIccidLength = 10; // TS 102 221 clause 13.2

/// Passed with this remark; NotSupportedByCard = skipped; other Errors = failed.
using Outcome = Result<std::string>;

std::unexpected<Error> skip(std::string why) {
    return fail(Errc::NotSupportedByCard, std::move(why));
}
std::unexpected<Error> wrong(std::string what, std::uint16_t sw = 0) {
    return fail(Errc::CardFailed, std::move(what), sw);
}

uicc::CommandApdu command_of(std::uint8_t cla, std::uint8_t ins, std::uint8_t p1, std::uint8_t p2) {
    uicc::CommandApdu command;
    command.cla = cla;
    command.ins = ins;
    command.p1 = p1;
    command.p2 = p2;
    return command;
}

/// The finding alone: advice for users of a card is none for those who test it.
std::string reason_of(const Error& error) {
    const bool finding = error.code == Errc::CardFailed || error.code == Errc::NotSupportedByCard;
    if (!finding || error.context.empty()) {
        return describe(error);
    }
    std::array<char, 16> detail{};
    if (error.detail != 0) {
        std::snprintf(detail.data(), detail.size(), " (%04X)", error.detail);
    }
    return error.context + detail.data();
}

/// STATUS without an answer (TS 102 221 clause 11.1.2): the smallest command there is.
uicc::CommandApdu status_command() {
    return command_of(0x80, 0xF2, 0x00, 0x0C);
}

/// One run of all checks. Borrows the card.
class Run {
public:
    Run(Card& card, const ReaderTest& options)
        : card_(card), options_(options), channel_(card.channel()) {
        card_.observe([seen = seen_](ByteView command, const Result<SecretBytes>& answer, auto) {
            if (answer && answer->size() >= 2 && command.size() >= 2) {
                const auto octets = answer->reveal();
                seen->push_back(
                    {command[1], octets[octets.size() - 2], octets.back(), octets.size() - 2});
            }
        });
    }

    json report() {
        check("ATR", [this] { return atr(); });
        check("case 1: neither data nor answer", [this] { return case_1(); });
        check("case 2: answer alone", [this] { return case_2(); });
        check("case 3: data alone", [this] { return case_3(); });
        check("case 4: data and answer", [this] { return case_4(); });
        check("Le too large (6Cxx, 6282)", [this] { return wrong_le(); });
        check("answer to be fetched (61xx)", [this] { return fetched(); });
        check("255 octets of data", [this] { return long_command(); });
        check("long answer", [this] { return long_answer(); });
        check("unknown instruction and class", [this] { return unknown_instruction(); });
        check("no one beside us", [this] { return card_.check_exclusion(); });
        check("repeated reset", [this] { return resets(); });
        check("a reset forgets", [this] { return reset_forgets(); });
        measure();
        check("removal and return", [this] { return removal(); });
        return finished();
    }

private:
    struct Seen {
        std::uint8_t ins;
        std::uint8_t sw1;
        std::uint8_t sw2;
        std::size_t octets;
    };

    void check(const char* name, const std::function<Outcome()>& run) {
        options_.say(name);
        seen_->clear();
        const auto begin = steady_clock::now();
        const auto outcome = run();
        const std::chrono::duration<double, std::milli> time = steady_clock::now() - begin;
        const char* word = "passed";
        if (!outcome) {
            word = outcome.error().code == Errc::NotSupportedByCard ? "skipped" : "failed";
        }
        counts_[word] += 1;
        checks_.push_back({{"name", name},
                           {"outcome", word},
                           {"remark", outcome ? *outcome : reason_of(outcome.error())},
                           {"ms", time.count()}});
    }

    Result<uicc::ResponseApdu> read_iccid(std::uint16_t le) {
        auto read = command_of(0x00, 0xB0, 0, 0);
        read.le = le;
        return channel_.transmit(read);
    }
    Result<Bytes> iccid() {
        const auto selected = MTKEY_TRY(select_path(channel_, kIccid));
        if (!selected.found()) {
            return wrong("the card has no EF_ICCID", selected.sw);
        }
        const auto response = MTKEY_TRY(read_iccid(kIccidLength));
        if (!response.ok() || response.data.size() != kIccidLength) {
            return wrong("EF_ICCID does not give 10 octets", response.sw);
        }
        const auto octets = response.data.reveal();
        return Bytes(octets.begin(), octets.end());
    }
    /// EF_ICCID once more; the first one is kept.
    Result<void> same_card() {
        auto now = MTKEY_TRY(iccid());
        if (!iccid_.empty() && now != iccid_) {
            return wrong("EF_ICCID is another one than before");
        }
        iccid_ = std::move(now);
        return {};
    }

    Outcome atr() {
        if (card_.is_modem()) {
            return skip("a modem does not tell it");
        }
        const auto atr = MTKEY_TRY(uicc::parse_atr(card_.atr()));
        if (atr.check == uicc::Atr::Check::Wrong || atr.check == uicc::Atr::Check::Missing) {
            return wrong("its check octet is wrong or missing: " + to_hex(card_.atr()));
        }
        if (!atr.offers(card_.protocol() == uicc::Protocol::T0 ? 0 : 1)) {
            return wrong("the reader uses a protocol that the ATR does not offer");
        }
        return to_hex(card_.atr());
    }
    Outcome case_1() {
        const auto response = MTKEY_TRY(channel_.transmit(status_command()));
        if (!response.ok() || !response.data.empty()) {
            return wrong("STATUS without answer", response.sw);
        }
        return "STATUS";
    }
    Outcome case_2() {
        MTKEY_CHECK(same_card());
        return "READ BINARY of EF_ICCID, " + masked_iccid();
    }
    Outcome case_3() {
        auto select = command_of(0x00, 0xA4, 0x00, 0x0C);
        select.data = SecretBytes(kMasterFile);
        const auto response = MTKEY_TRY(channel_.transmit(select));
        if (!response.ok() || !response.data.empty()) {
            return wrong("SELECT of the MF without answer", response.sw);
        }
        return "SELECT of the MF";
    }
    Outcome case_4() {
        const auto selected = MTKEY_TRY(select_path(channel_, kMasterFile));
        if (!selected.found() || selected.fcp_octets.empty() || selected.fcp_octets[0] != 0x62) {
            return wrong("SELECT of the MF gives no FCP", selected.sw);
        }
        return "FCP of " + std::to_string(selected.fcp_octets.size()) + " octets";
    }
    Outcome wrong_le() {
        MTKEY_CHECK(same_card());
        seen_->clear();
        const auto response = MTKEY_TRY(read_iccid(256));
        if (!std::ranges::equal(response.data.reveal(), iccid_)) {
            return wrong("READ BINARY with Le = 00 gives other octets than with Le = 0A",
                         response.sw);
        }
        const bool corrected =
            std::ranges::any_of(*seen_, [](const Seen& one) { return one.sw1 == 0x6C; });
        return corrected ? "6C0A, sent again" : "all of it at once";
    }
    Outcome fetched() {
        seen_->clear();
        const auto selected = MTKEY_TRY(select_path(channel_, kIccid));
        if (!selected.found() || selected.fcp_octets.empty()) {
            return wrong("SELECT of EF_ICCID gives no FCP", selected.sw);
        }
        for (const auto& one : *seen_) {
            if (one.sw1 == 0x61) {
                const std::size_t told = one.sw2 == 0 ? 256 : one.sw2;
                if (seen_->back().ins != 0xC0 || selected.fcp_octets.size() < told) {
                    return wrong("GET RESPONSE gives less than 61xx has said");
                }
                return "61xx, " + std::to_string(told) + " octets by GET RESPONSE";
            }
        }
        return "the reader fetches it by itself";
    }
    Outcome long_command() {
        auto select = command_of(0x00, 0xA4, 0x08, 0x0C);
        select.data = SecretBytes(255);
        const auto response = MTKEY_TRY(channel_.transmit(select));
        if (response.ok()) {
            return wrong("a path of 255 octets was found", response.sw);
        }
        MTKEY_CHECK(same_card());
        return "refused with " + hex_of(response.sw) + ", the card lives on";
    }
    Outcome long_answer();
    Outcome unknown_instruction() {
        const auto first = MTKEY_TRY(channel_.transmit(command_of(0x00, 0x02, 0, 0)));
        const auto second = MTKEY_TRY(channel_.transmit(command_of(0xE0, 0xA4, 0, 0)));
        if (first.ok() || second.ok()) {
            return wrong("an unknown command was done", first.ok() ? first.sw : second.sw);
        }
        MTKEY_CHECK(same_card());
        return hex_of(first.sw) + " and " + hex_of(second.sw);
    }
    Outcome resets();
    Outcome reset_forgets() {
        if (card_.is_modem()) {
            return skip("a modem does not reset its card for us");
        }
        MTKEY_CHECK(same_card()); // EF_ICCID is selected
        MTKEY_CHECK(card_.reset(Card::Power::Warm));
        const auto response = MTKEY_TRY(read_iccid(kIccidLength));
        if (response.ok()) {
            return wrong("after a reset EF_ICCID is still selected: the reader did not reset");
        }
        return "nothing is selected: " + hex_of(response.sw);
    }
    void measure();
    Outcome removal();
    json finished();

    std::string masked_iccid() const {
        const auto digits = uicc::parse_iccid(iccid_);
        return digits ? masked_identity(*digits) : "no digits";
    }
    static std::string hex_of(std::uint16_t sw) {
        std::array<char, 8> text{};
        std::snprintf(text.data(), text.size(), "%04X", sw);
        return text.data();
    }

    Card& card_;
    const ReaderTest& options_;
    uicc::CardChannel& channel_;
    std::shared_ptr<std::vector<Seen>> seen_ = std::make_shared<std::vector<Seen>>();
    Bytes iccid_;
    json checks_ = json::array();
    std::map<std::string, unsigned> counts_;
    json round_trips_ = json::object();
};

/// The largest of the files that any card lets anybody read, twice.
Outcome Run::long_answer() {
    std::size_t largest = 0;
    Bytes path;
    for (const std::uint8_t low : std::array<std::uint8_t, 4>{0x00, 0x05, 0x06, 0xE2}) {
        const Bytes candidate{0x3F, 0x00, 0x2F, low};
        const auto selected = MTKEY_TRY(select_path(channel_, candidate));
        const auto size = std::max(selected.fcp.file_size.value_or(0),
                                   selected.fcp.record_length * selected.fcp.record_count);
        if (selected.found() && size > largest &&
            read_selected(channel_, selected.fcp, "the longest file")) {
            largest = size;
            path = candidate;
        }
    }
    if (largest == 0) {
        return skip("no file with something in it under the MF");
    }
    std::vector<Bytes> first;
    std::chrono::duration<double> time{};
    for (int i = 0; i < 2; ++i) {
        const auto selected = MTKEY_TRY(select_path(channel_, path));
        const auto begin = steady_clock::now();
        auto content = MTKEY_TRY(read_selected(channel_, selected.fcp, "the longest file"));
        time += steady_clock::now() - begin;
        if (i > 0 && content != first) {
            return wrong("two readings of " + to_hex(path) + " differ");
        }
        first = std::move(content);
    }
    std::size_t read = 0;
    for (const auto& one : first) {
        read += one.size();
    }
    if (read != largest) {
        return wrong(to_hex(path) + " has " + std::to_string(largest) + " octets and gave " +
                     std::to_string(read));
    }
    return to_hex(path) + ", " + std::to_string(read) + " octets, " +
           std::to_string(static_cast<long>(2.0 * static_cast<double>(read) / time.count())) +
           " octets/s";
}

Outcome Run::resets() {
    if (card_.is_modem()) {
        return skip("a modem does not reset its card for us");
    }
    std::vector<double> warm;
    for (unsigned i = 0; i < options_.resets; ++i) {
        const auto begin = steady_clock::now();
        MTKEY_CHECK(card_.reset(i + 1 == options_.resets ? Card::Power::Cold : Card::Power::Warm));
        MTKEY_CHECK(same_card());
        warm.push_back(
            std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count());
    }
    round_trips_["reset to ICCID"] = summarise(std::move(warm));
    return std::to_string(options_.resets) + " times the same card, the last one without power";
}

void Run::measure() {
    check("round trips", [this]() -> Outcome {
        const auto timed = [this](const char* name,
                                  const uicc::CommandApdu& command) -> Result<void> {
            std::vector<double> times;
            for (unsigned i = 0; i < options_.round_trips; ++i) {
                const auto begin = steady_clock::now();
                const auto response = MTKEY_TRY(channel_.transmit(command));
                times.push_back(
                    std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count());
                if (!response.ok()) {
                    return wrong(std::string(name) + ", number " + std::to_string(i + 1),
                                 response.sw);
                }
            }
            round_trips_[name] = summarise(std::move(times));
            return {};
        };
        MTKEY_CHECK(timed("STATUS", status_command()));
        MTKEY_CHECK(same_card());
        auto read = command_of(0x00, 0xB0, 0, 0);
        read.le = kIccidLength;
        MTKEY_CHECK(timed("READ BINARY", read));
        return std::to_string(options_.round_trips) + " of each";
    });
}

Outcome Run::removal() {
    constexpr std::chrono::milliseconds kStep{100};
    if (!options_.removal) {
        return skip("not asked for (--removal)");
    }
    const auto is_away = [](const Error& error) {
        return error.code == Errc::NoCard || error.code == Errc::NoReader;
    };
    options_.say("pull the card out now");
    const auto end = steady_clock::now() + options_.removal_limit;
    std::string first;
    auto last = channel_.transmit(status_command());
    while ((last || !is_away(last.error())) && steady_clock::now() < end) {
        if (!last && first.empty()) {
            first = "at first as \"" + reason_of(last.error()) + "\", then ";
        }
        options_.wait(kStep);
        last = channel_.transmit(status_command());
    }
    if (last) {
        return wrong("nobody pulled the card, or the reader did not notice");
    }
    if (!is_away(last.error())) {
        return wrong("a removal is reported as: " + reason_of(last.error()));
    }
    options_.say("put it back now");
    card_.leave();
    Result<void> back = card_.reset(Card::Power::Warm);
    while (!back && steady_clock::now() < end) {
        options_.wait(kStep);
        back = card_.reset(Card::Power::Warm);
    }
    MTKEY_CHECK(back);
    MTKEY_CHECK(same_card());
    return "reported " + first + "as " + std::string(info(last.error().code).name) +
           "; the same card came back";
}

json Run::finished() {
    return {{"place", card_.place()},
            {"access", card_.access()},
            {"atr", atr_document(card_.atr())},
            {"iccid", masked_iccid()},
            {"checks", checks_},
            {"round_trips", round_trips_},
            {"passed", counts_["passed"]},
            {"failed", counts_["failed"]},
            {"skipped", counts_["skipped"]}};
}
} // namespace

Result<json> test_reader(Card& card, const ReaderTest& options) {
    return Run(card, options).report();
}

void show_reader_test(const json& report) {
    const auto text = [](const json& object, const char* key) {
        return object[key].get<std::string>();
    };
    std::printf("%s, %s, ICCID %s\n", text(report, "place").c_str(), text(report, "access").c_str(),
                text(report, "iccid").c_str());
    for (const auto& one : report["checks"]) {
        std::printf("  %-8s %-33s %s\n", text(one, "outcome").c_str(), text(one, "name").c_str(),
                    text(one, "remark").c_str());
    }
    std::printf("\n%s", table_of(report["round_trips"]).c_str());
    if (report["round_trips"].contains("READ BINARY")) {
        std::printf("\nREAD BINARY\n%s", plot_of(report["round_trips"]["READ BINARY"], 50).c_str());
    }
    std::printf("\n%u passed, %u failed, %u skipped\n", report["passed"].get<unsigned>(),
                report["failed"].get<unsigned>(), report["skipped"].get<unsigned>());
}

} // namespace mtkey::tools
