// SPDX-License-Identifier: Apache-2.0
#include "keys/bootstrap_memory.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "keys/procedures.hpp"

#include <algorithm>
#include <charconv>

namespace mtkey::keys {
namespace {

constexpr std::string_view kHeader = "mtkeyd bootstrap memory 1";
constexpr std::string_view kAdministrator = "-";
constexpr std::size_t kMostBtid = 255;

std::unexpected<Error> bad(std::string_view what) {
    return fail(Errc::Malformed, "bootstrap memory: " + std::string(what));
}

std::string milliseconds_of(BootTime time) {
    return std::to_string(time.time_since_epoch().count());
}

bool is_hex(std::string_view text, std::size_t digits) {
    return text.size() == digits && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

bool is_boot_id(std::string_view text) {
    return text.size() <= 36 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
           });
}

bool is_b_tid(std::string_view text) {
    return !text.empty() && text.size() <= kMostBtid &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

std::string checksum(std::string_view text) {
    return to_hex(sha256({as_octets(text)}));
}

/// One line: its words, taken from the left.
class Words {
public:
    explicit Words(std::string_view line) : rest_(line) {}
    std::string_view next() {
        const auto end = std::min(rest_.find(' '), rest_.size());
        const auto word = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        return word;
    }
    Result<BootTime> boot_time() {
        const auto word = next();
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        // A century either way: sums of such numbers stay numbers.
        constexpr std::int64_t kMost = 100LL * 366 * 24 * 3600 * 1000;
        if (error != std::errc() || end != word.data() + word.size() || value > kMost ||
            value < -kMost) {
            return bad("no time");
        }
        return BootTime(std::chrono::milliseconds(value));
    }
    Result<UtcTime> utc() { return parse_utc(next()); }

private:
    std::string_view rest_;
};

Result<void> parse_run(Words& words, BootstrapPast& out) {
    const auto at = MTKEY_TRY(words.boot_time());
    const auto device = words.next();
    if ((device != kAdministrator && !is_hex(device, 16)) || out.runs.size() >= kMostRuns) {
        return bad("run");
    }
    out.runs.push_back({at, device == kAdministrator ? std::string() : std::string(device)});
    return {};
}

Result<void> parse_context(Words& words, BootstrapPast& out) {
    RememberedContext context;
    context.uicc = words.next();
    const auto rand = words.next();
    context.record.b_tid = words.next();
    if (out.context || !is_hex(context.uicc, 64) || !is_hex(rand, 32) ||
        !is_b_tid(context.record.b_tid)) {
        return bad("context");
    }
    std::ranges::copy(MTKEY_TRY(from_hex(rand)), context.record.rand.begin());
    context.record.created = MTKEY_TRY(words.utc());
    context.record.expires = MTKEY_TRY(words.utc());
    context.record.local_end = MTKEY_TRY(words.utc());
    context.record.deadline = MTKEY_TRY(words.boot_time());
    context.use_deadline = MTKEY_TRY(words.boot_time());
    out.context = std::move(context);
    return {};
}

Result<void> parse_anchor(Words& words, BootstrapPast& out) {
    CardAnchor anchor;
    anchor.uicc = words.next();
    const auto rand = words.next();
    anchor.b_tid = words.next();
    anchor.boot = words.next();
    if (out.anchor || !is_hex(anchor.uicc, 64) || !is_hex(rand, 32) || !is_b_tid(anchor.b_tid) ||
        !is_boot_id(anchor.boot)) {
        return bad("anchor");
    }
    std::ranges::copy(MTKEY_TRY(from_hex(rand)), anchor.rand.begin());
    out.anchor = std::move(anchor);
    return {};
}

Result<void> parse_line(std::string_view line, BootstrapPast& out) {
    Words words(line);
    const auto kind = words.next();
    if (kind == "boot") {
        out.boot_id = words.next();
        return is_boot_id(out.boot_id) ? Result<void>() : bad("boot");
    }
    if (kind == "saved") {
        out.saved = MTKEY_TRY(words.utc());
        out.saved_boot = MTKEY_TRY(words.boot_time());
        out.high_water = MTKEY_TRY(words.utc());
        return {};
    }
    if (kind == "run") {
        return parse_run(words, out);
    }
    if (kind == "context") {
        return parse_context(words, out);
    }
    if (kind == "anchor") {
        return parse_anchor(words, out);
    }
    const auto hash = words.next();
    if (kind != "without-gba" || !is_hex(hash, 64) || out.without_gba.size() >= kMostWithoutGba) {
        return bad("line of no kind");
    }
    out.without_gba.emplace_back(hash);
    return {};
}

} // namespace

std::string encode_bootstrap_past(const BootstrapPast& past) {
    std::string out(kHeader);
    out += "\nboot " + past.boot_id + "\nsaved " + format_utc(past.saved) + " " +
           milliseconds_of(past.saved_boot) + " " + format_utc(past.high_water) + "\n";
    const auto too_many = past.runs.size() - std::min(past.runs.size(), kMostRuns);
    for (auto run = past.runs.begin() + static_cast<std::ptrdiff_t>(too_many);
         run != past.runs.end(); ++run) {
        out += "run " + milliseconds_of(run->at) + " " +
               (run->device.empty() ? std::string(kAdministrator) : run->device) + "\n";
    }
    if (past.context && is_b_tid(past.context->record.b_tid)) {
        const auto& record = past.context->record;
        out += "context " + past.context->uicc + " " + to_hex(record.rand) + " " + record.b_tid +
               " " + format_utc(record.created) + " " + format_utc(record.expires) + " " +
               format_utc(record.local_end) + " " + milliseconds_of(record.deadline) + " " +
               milliseconds_of(past.context->use_deadline) + "\n";
    }
    if (past.anchor && is_b_tid(past.anchor->b_tid)) {
        out += "anchor " + past.anchor->uicc + " " + to_hex(past.anchor->rand) + " " +
               past.anchor->b_tid + " " + past.anchor->boot + "\n";
    }
    const auto hashes =
        past.without_gba.size() - std::min(past.without_gba.size(), kMostWithoutGba);
    for (auto hash = past.without_gba.begin() + static_cast<std::ptrdiff_t>(hashes);
         hash != past.without_gba.end(); ++hash) {
        out += "without-gba " + *hash + "\n";
    }
    return out + "end " + checksum(out) + "\n";
}

Result<BootstrapPast> parse_bootstrap_past(std::string_view text) {
    const auto end = text.rfind("end ");
    if (text.size() > kBootstrapPastLimit || end == std::string_view::npos ||
        text.substr(end) != "end " + checksum(text.substr(0, end)) + "\n") {
        return bad("not whole");
    }
    auto rest = text.substr(0, end);
    if (!rest.starts_with(kHeader)) {
        return bad("not of this version");
    }
    rest.remove_prefix(std::min(kHeader.size() + 1, rest.size()));
    BootstrapPast out;
    while (!rest.empty()) {
        const auto line_end = rest.find('\n');
        if (line_end == std::string_view::npos) {
            return bad("line without an end");
        }
        MTKEY_CHECK(parse_line(rest.substr(0, line_end), out));
        rest.remove_prefix(line_end + 1);
    }
    // One form for one content: lines that stand twice, out of order or with more in them are not
    // ours.
    if (encode_bootstrap_past(out) != text) {
        return bad("not as it is written");
    }
    return out;
}

void move_to_boot(BootstrapPast& past, std::string_view boot_id, const Clock& clock) {
    if (!boot_id.empty() && boot_id == past.boot_id) {
        return;
    }
    const auto utc = clock.utc_now();
    const auto boot = clock.boot_now();
    const bool time_known = utc >= past.high_water;
    const auto off = time_known ? utc - past.saved : std::chrono::seconds(0);
    const auto shift = boot - std::max<std::chrono::milliseconds>(off, {}) - past.saved_boot;
    for (auto& run : past.runs) {
        run.at += shift;
    }
    if (!time_known) {
        past.context.reset();
    } else if (past.context) {
        auto& record = past.context->record;
        record.deadline = boot + (record.local_end - utc);
        past.context->use_deadline = boot + (record.created + kLongestUse - utc);
    }
    past.boot_id = boot_id;
    past.saved = utc;
    past.saved_boot = boot;
}

} // namespace mtkey::keys
