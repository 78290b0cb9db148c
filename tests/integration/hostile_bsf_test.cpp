// SPDX-License-Identifier: Apache-2.0
// The real Ub client on real sockets, with the simulated UICC behind it, against BSFs that do what
// no BSF should (threats N2 to N6, U7): nothing crashes, no key is accepted, the card is asked no
// more than it must be, the run ends in time, and the next one with a good BSF succeeds.
#include "integration/hostile_bsf.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

namespace mtkey::integration {
namespace {

using namespace std::chrono_literals;
using Setting = HostileRig::Setting;

constexpr auto kPatience = 5s; ///< of a test with a busy machine, beyond the run's own limit

// ---- what can be done to an answer

/// At exchange `at` of the run and every later one.
Act from(int at, Act act) {
    return [=](Turn& turn) { return turn.exchange >= at ? act(turn) : say(turn); };
}
Act edit(std::function<void(HttpResponse&)> change) {
    return [=](Turn& turn) {
        change(turn.response);
        return say(turn);
    };
}
Act octets(std::string text) {
    return [=](Turn& turn) {
        turn.wire.send(text);
        turn.wire.wait();
        return false;
    };
}
Act octets_and_end(std::string text) {
    return [=](Turn& turn) {
        turn.wire.send(text);
        return false;
    };
}
enum class After { Wait, End, GoOn };
/// The answer with its length said by `fields` instead, and `body` made of its body.
Act framed(std::string fields, std::function<std::string(std::string)> body,
           After after = After::Wait) {
    return [=](Turn& turn) {
        const auto text = turn.text();
        const auto length = text.find("Content-Length: ");
        const auto behind = text.find("\r\n", length) + 2;
        const auto empty = text.find("\r\n\r\n") + 4;
        turn.wire.send(text.substr(0, length) + fields + text.substr(behind, empty - behind) +
                       body(text.substr(empty)));
        if (after == After::Wait) {
            turn.wire.wait();
        }
        return after == After::GoOn;
    };
}
std::string chunk(const std::string& body) {
    if (body.empty()) {
        return "0\r\n\r\n";
    }
    std::array<char, 20> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", body.size());
    return size.data() + body + "\r\n0\r\n\r\n";
}
Act endless(std::string front, std::string piece) {
    return [=](Turn& turn) {
        bool more = turn.wire.send(front);
        for (int i = 0; more && i < 1'000'000; ++i) {
            more = turn.wire.send(piece);
        }
        return false;
    };
}
Act trickled(std::chrono::milliseconds pause) {
    return [=](Turn& turn) {
        for (const char octet : turn.text()) {
            std::this_thread::sleep_for(pause);
            if (!turn.wire.send({&octet, 1})) {
                return false;
            }
        }
        return true;
    };
}
Act silent() {
    return octets("");
}

void set(HttpResponse& response, std::string_view name, const std::string& value) {
    HttpHeaders headers;
    for (const auto& [known, old] : response.headers.fields()) {
        if (!equal_ignoring_case(known, name)) {
            headers.add(known, old);
        }
    }
    if (!value.empty()) {
        headers.add(std::string(name), value);
    }
    response.headers = std::move(headers);
}
std::string get(const HttpResponse& response, std::string_view name) {
    return header(response.headers, name);
}
/// In one field, the first `what` by `with`; that it stands there is part of the test.
Act replace(std::string name, std::string what, std::string with) {
    return edit([=](HttpResponse& response) {
        auto value = get(response, name);
        const auto at = value.find(what);
        ASSERT_NE(at, std::string::npos) << what << " in " << value;
        set(response, name, value.replace(at, what.size(), with));
    });
}
Act in_body(std::string what, std::string with) {
    return edit([=](HttpResponse& response) {
        const auto at = response.body.find(what);
        ASSERT_NE(at, std::string::npos) << what << " in " << response.body;
        response.body.replace(at, what.size(), with);
    });
}
Act status(unsigned number, std::string field = {}, std::string value = {}) {
    return edit([=](HttpResponse& response) {
        response = {number, {}, "x"};
        if (!field.empty()) {
            response.headers.add(field, value);
        }
    });
}
/// RAND, AUTN and what is behind them, changed by `change`.
Act nonce(std::function<void(Bytes&)> change) {
    return edit([=](HttpResponse& response) {
        auto value = get(response, "WWW-Authenticate");
        const auto begin = value.find("nonce=\"") + 7;
        const auto end = value.find('"', begin);
        auto raw = from_base64(value.substr(begin, end - begin)).value();
        change(raw);
        set(response, "WWW-Authenticate", value.replace(begin, end - begin, to_base64(raw)));
    });
}

struct Row {
    const char* name;
    Errc code;
    unsigned authenticates;
    Setting setting;
    std::function<void(HostileRig&)> prepare{};
};

Setting acting(Act act) {
    Setting out;
    out.act = std::move(act);
    return out;
}
Setting slow(Act act) {
    auto out = acting(std::move(act));
    out.client.run_timeout = 400ms;
    return out;
}
Setting welcoming(HostileRig::Welcome welcome) {
    Setting out;
    out.welcome = std::move(welcome);
    out.client.run_timeout = 400ms;
    return out;
}
Row first(const char* name, Errc code, Act act) {
    return {name, code, 0, acting(from(0, std::move(act)))};
}
Row second(const char* name, Errc code, Act act) {
    return {name, code, 1, acting(from(1, std::move(act)))};
}

constexpr auto kGone = Errc::BsfUnreachable;
constexpr auto kBad = Errc::BsfBadAnswer;
constexpr auto kUntrusted = Errc::BsfUntrusted;
constexpr auto kRejected = Errc::BsfRejected;
const std::string kOk = "HTTP/1.1 200 OK\r\n";

/// The network's numbers are known to the card, and then it runs ahead of them.
void out_of_sync(HostileRig& rig) {
    rig.expect_recovery();
    rig.desynchronise();
}

std::vector<Row> connections() {
    return {
        {"never answers", kGone, 0, slow(from(0, silent()))},
        {"never answers the UICC's answer", kGone, 1, slow(from(1, silent()))},
        {"one octet a time", kGone, 0, slow(from(0, trickled(30ms)))},
        {"one octet a time, later", kGone, 1, slow(from(1, trickled(30ms)))},
        {"accepts and says nothing", kGone, 0, welcoming([](Wire& wire) {
             wire.wait();
             return false;
         })},
        {"ends at once", kGone, 0, welcoming([](Wire&) { return false; })},
        {"resets at once", kGone, 0, welcoming([](Wire& wire) {
             wire.reset();
             return false;
         })},
        first("ends behind the request", kGone, octets_and_end("")),
        second("ends behind the UICC's answer", kGone, octets_and_end("")),
        first("garbage", kBad, octets(std::string(300, '\xA5') + "\r\n\r\n")),
        second("garbage, later", kBad, octets(std::string(300, '\xA5') + "\r\n\r\n")),
        first("zeros", kBad, octets(std::string(300, '\0') + "\r\n\r\n")),
        first("another protocol", kBad, octets("SSH-2.0-OpenSSH_9.2\r\n\r\n")),
        first("TLS alert", kBad, octets(std::string("\x15\x03\x03\x00\x02\x02\x28\r\n\r\n", 11))),
        first("HTTP/2", kBad, octets("HTTP/2 200\r\n\r\n")),
        {"speaks before it is asked", kBad, 0, welcoming([](Wire& wire) {
             wire.send(kOk + "Content-Length: 0\r\n\r\n");
             wire.wait();
             return false;
         })},
    };
}

std::vector<Row> statuses() {
    std::vector<Row> rows{
        first("200 at once", kBad, status(200)),
        first("redirect to another host", kBad, status(302, "Location", "http://evil.example/")),
        first("redirect to the same host", kBad,
              status(302, "Location", "http://" + HostileRig::fqdn() + "/x")),
        first("redirect to TLS", kBad,
              status(301, "Location", "https://" + HostileRig::fqdn() + "/")),
        first("307", kBad, status(307, "Location", "/")),
        first("204", kBad, octets("HTTP/1.1 204 No Content\r\n\r\n")),
        first("400", kBad, status(400)),
        first("403", kRejected, status(403)),
        first("404", kBad, status(404)),
        first("407", kBad, status(407)),
        first("429", kGone, status(429)),
        first("500", kGone, status(500)),
        first("502", kGone, status(502)),
        first("503", kGone, status(503)),
        first("503 for an hour", kGone, status(503, "Retry-After", "3600")),
        first("503 until nonsense", kGone, status(503, "Retry-After", "-1")),
        first("600", kBad, octets("HTTP/1.1 600 x\r\n\r\n")),
        first("101", kBad, octets("HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n")),
        first("1xx without end", kBad, endless("", "HTTP/1.1 100 Continue\r\n\r\n")),
        second("301 later", kBad, status(301, "Location", "/")),
        second("403 later", kRejected, status(403)),
        second("404 later", kBad, status(404)),
        second("500 later", kGone, status(500)),
        second("503 later", kGone, status(503)),
        second("1xx without end, later", kBad, endless("", "HTTP/1.1 102 x\r\n\r\n")),
        second("401 for ever", kRejected, edit([](HttpResponse& response) {
                   response = {401, {}, ""};
                   response.headers.add(
                       "WWW-Authenticate",
                       "Digest realm=\"" + HostileRig::fqdn() + "\", nonce=\"" +
                           to_base64(Bytes(32, 9)) +
                           "\", stale=true, algorithm=AKAv1-MD5, qop=\"auth-int\"");
               })),
    };
    return rows;
}

std::vector<Row> challenges() {
    const char* field = "WWW-Authenticate";
    return {
        first("wrong realm", kBad, replace(field, "mnc001", "mnc002")),
        first("no realm", kBad, replace(field, "realm=", "relm=")),
        first("MD5", kBad, replace(field, "AKAv1-MD5", "MD5")),
        first("AKAv2-MD5", kBad, replace(field, "AKAv1-MD5", "AKAv2-MD5")),
        first("no algorithm", kBad, replace(field, ", algorithm=AKAv1-MD5", "")),
        first("qop=auth", kBad, replace(field, "auth-int", "auth")),
        first("no qop", kBad, replace(field, ", qop=\"auth-int\"", "")),
        first("Basic", kBad, replace(field, "Digest", "Basic")),
        first("no challenge", kBad,
              edit([](auto& response) { set(response, "WWW-Authenticate", ""); })),
        first("two challenges", kBad, edit([](HttpResponse& response) {
                  response.headers.add("WWW-Authenticate", get(response, "WWW-Authenticate"));
              })),
        first("Basic beside it", kBad, edit([](HttpResponse& response) {
                  response.headers.add("WWW-Authenticate", "Basic realm=\"x\"");
              })),
        first("empty nonce", kBad, nonce([](Bytes& raw) { raw.clear(); })),
        first("short nonce", kBad, nonce([](Bytes& raw) { raw.resize(31); })),
        {"AUTN of nobody", Errc::MacFailure, 1,
         acting(from(0, nonce([](Bytes& raw) { raw.back() ^= 1; })))},
        {"another RAND", Errc::MacFailure, 1,
         acting(from(0, nonce([](Bytes& raw) { raw.front() ^= 1; })))},
        {"resynchronisation answered by a 200", kBad, 1, acting(from(1, status(200))), out_of_sync},
        {"resynchronisation answered by 403", kRejected, 1, acting(from(1, status(403))),
         out_of_sync},
        {"resynchronisation answered by MD5", kBad, 1,
         acting(from(1, replace(field, "AKAv1-MD5", "MD5"))), out_of_sync},
        {"resynchronisation, then silence", kGone, 1, slow(from(1, silent())), out_of_sync},
    };
}

std::vector<Row> results() {
    const char* field = "Authentication-Info";
    return {
        second("no rspauth", kUntrusted,
               edit([](auto& response) { set(response, "Authentication-Info", ""); })),
        second("wrong rspauth", kUntrusted, edit([](HttpResponse& response) {
                   auto value = get(response, "Authentication-Info");
                   auto& digit = value.at(value.find("rspauth=\"") + 9);
                   digit = digit == '0' ? '1' : '0';
                   set(response, "Authentication-Info", value);
               })),
        second("two Authentication-Info", kUntrusted, edit([](HttpResponse& response) {
                   response.headers.add("Authentication-Info",
                                        get(response, "Authentication-Info"));
               })),
        second("another nc", kUntrusted, replace(field, "nc=00000001", "nc=00000002")),
        second("another cnonce", kUntrusted, replace(field, "cnonce=\"", "cnonce=\"0")),
        second("another qop", kUntrusted, replace(field, "auth-int", "auth")),
        second("something more", kUntrusted, replace(field, "qop=", "x=1, qop=")),
        second("another B-TID", kUntrusted, in_body("<btid>", "<btid>A")),
        second("another lifetime", kUntrusted, in_body("<lifetime>20", "<lifetime>21")),
        second("a document type", kUntrusted, in_body("<Boot", "<!DOCTYPE x><Boot")),
        second("a document of 8 KiB and more", kBad,
               edit([](auto& response) { response.body.append(8193, ' '); })),
        second("no document", kUntrusted, edit([](auto& response) { response.body.clear(); })),
        second("another type", kBad,
               edit([](auto& response) { set(response, "Content-Type", "text/html"); })),
        second("no type", kBad, edit([](auto& response) { set(response, "Content-Type", ""); })),
        {"a lifetime that is over",
         kBad,
         1,
         {},
         [](HostileRig& rig) { rig.bsf_clock.jump_utc(-48h); }},
    };
}

std::vector<Row> framings() {
    const auto same = [](std::string body) { return body; };
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    std::vector<Row> rows;
    for (const int at : {0, 1}) {
        const auto add = [&](const char* name, Errc code, Act act) {
            rows.push_back(
                {name, code, static_cast<unsigned>(at), acting(from(at, std::move(act)))});
        };
        add("length and chunked", kBad, framed("Content-Length: 5\r\n" + chunked, chunk));
        add("chunked and length", kBad, framed(chunked + "Content-Length: 5\r\n", chunk));
        add("two lengths", kBad, framed("Content-Length: 5\r\nContent-Length: 6\r\n", same));
        add("length of -1", kBad, framed("Content-Length: -1\r\n", same));
        add("length of 2^64", kBad, framed("Content-Length: 18446744073709551616\r\n", same));
        add("length of 1 GiB", kBad, framed("Content-Length: 1073741824\r\n", same));
        add("gzip", kBad,
            framed("Content-Encoding: gzip\r\nContent-Length: 2\r\n",
                   [](const auto&) { return "\x1f\x8b"; }));
        add("br", kBad, framed("Content-Encoding: br\r\nContent-Length: 0\r\n", [](const auto&) {
                return "";
            }));
        add("transfer coding gzip", kBad, framed("Transfer-Encoding: gzip, chunked\r\n", chunk));
        add("chunked twice", kBad, framed(chunked + chunked, chunk));
        add("chunk of 2^64", kBad,
            framed(chunked, [](const auto&) { return "10000000000000000\r\n"; }));
        add("chunk of 2^64 - 1", kBad,
            framed(chunked, [](const auto&) { return "ffffffffffffffff\r\nx"; }));
        add("chunk of -1", kBad, framed(chunked, [](const auto&) { return "-1\r\nx\r\n"; }));
        add("chunk of no number", kBad, framed(chunked, [](const auto&) { return "zz\r\nx\r\n"; }));
        add("chunk longer than said", kBad,
            framed(chunked, [](const auto&) { return "1\r\nabc\r\n0\r\n\r\n"; }));
        add("chunk extension without end", kBad, [=](Turn& turn) {
            const auto front = "HTTP/1.1 " + std::to_string(turn.response.status) + " x\r\n" +
                               chunked + "\r\n1;x=";
            return endless(front, std::string(4096, 'x'))(turn);
        });
        add("trailer without end", kBad, [=](Turn& turn) {
            const auto front = "HTTP/1.1 " + std::to_string(turn.response.status) + " x\r\n" +
                               chunked + "\r\n0\r\n";
            return endless(front, "X: " + std::string(100, 'x') + "\r\n")(turn);
        });
        add("a field of 1 MiB", kBad, octets_and_end(kOk + "X: " + std::string(1 << 20, 'x')));
        add("fields without end", kBad, endless(kOk, "X: " + std::string(100, 'x') + "\r\n"));
        add("a status line of 1 MiB", kBad,
            octets_and_end("HTTP/1.1 200 " + std::string(1 << 20, 'x')));
        add("a body without end", kBad, endless(kOk + "\r\n", std::string(4096, 'x')));
        add("no colon", kBad, octets(kOk + "nonsense\r\n\r\n"));
        add("a space before the colon", kBad, octets(kOk + "X : y\r\n\r\n"));
        add("NUL in a field", kBad, octets(kOk + std::string("X: a\0b\r\n\r\n", 10)));
        add("line ends without CR", kBad, octets("HTTP/1.1 200 OK\nX: y\n\n\r\n\r\n"));
        add("cut body", kGone, framed("Content-Length: 4000\r\n", same, After::End));
        add("cut chunks", kGone,
            framed(chunked, [](const auto&) { return "5\r\nab"; }, After::End));
        add("cut fields", kGone, octets_and_end(kOk + "X: y\r\n"));
    }
    // Framing that HTTP allows, around less than what was signed.
    rows.push_back(second("length of less", kUntrusted, framed("Content-Length: 20\r\n", same)));
    rows.push_back(
        second("cut where nobody has said how long", kUntrusted,
               framed("", [](const auto& body) { return body.substr(0, 100); }, After::End)));
    return rows;
}

std::vector<Row> all_rows() {
    std::vector<Row> out;
    for (auto part : {connections(), statuses(), challenges(), results(), framings()}) {
        std::ranges::move(part, std::back_inserter(out));
    }
    return out;
}

void expect_refused(const HostileRig::Outcome& outcome, Errc code, unsigned authenticates,
                    std::chrono::milliseconds limit) {
    ASSERT_FALSE(outcome.context) << "a key was accepted";
    EXPECT_EQ(outcome.context.error().code, code) << describe(outcome.context.error());
    EXPECT_EQ(outcome.authenticates, authenticates);
    EXPECT_EQ(outcome.updates, 0U) << "EF_GBABP was touched";
    EXPECT_LE(outcome.took, limit + kPatience);
}

class Misbehaviour : public testing::TestWithParam<std::size_t> {};
const std::vector<Row>& table() {
    static const auto rows = all_rows();
    return rows;
}
INSTANTIATE_TEST_SUITE_P(Table, Misbehaviour, testing::Range(std::size_t{0}, table().size()));

TEST_P(Misbehaviour, IsHarmless) {
    const auto& row = table()[GetParam()];
    SCOPED_TRACE(row.name);
    HostileRig rig;
    if (row.prepare) {
        row.prepare(rig);
    }
    const auto limit = row.setting.client.run_timeout;
    expect_refused(rig.run(row.setting), row.code, row.authenticates,
                   limit == 0ms ? std::chrono::milliseconds(10s) : limit);
    rig.expect_recovery();
}

TEST(MisbehaviourTable, IsLongEnough) {
    EXPECT_GE(table().size(), 120U);
}

TEST(Misbehaviours, NobodyThere) {
    HostileRig rig;
    expect_refused(rig.run_against_nobody(), kGone, 0, 10s);
    rig.expect_recovery();
}

// Challenges that were good once: the card's AUTS goes out for the first, and the second ends it.
TEST(Misbehaviours, ResynchroniseForEver) {
    HostileRig rig;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(rig.run({}).context);
    }
    const auto used = rig.used_challenges;
    ASSERT_EQ(used.size(), 3U);
    const auto replay = [&](int from_number, int step) {
        return acting([=](Turn& turn) {
            const auto number = from_number + (turn.exchange == 0 ? 0 : step);
            turn.response = used.at(static_cast<std::size_t>(number));
            return say(turn);
        });
    };
    expect_refused(rig.run(replay(0, 1)), Errc::SyncFailure, 2, 10s);
    rig.expect_recovery();
    expect_refused(rig.run(replay(2, 0)), kBad, 1, 10s); // the same one again
    rig.expect_recovery();
}

// ---- a connection that breaks at each octet

/// MTKEY_FAULT_STEP = 3: every third octet, as in the fault matrix (sanitizers).
std::size_t step() {
    const char* text = std::getenv("MTKEY_FAULT_STEP");
    return text == nullptr ? 1 : std::max<std::size_t>(1, std::strtoul(text, nullptr, 10));
}

class EveryOctet : public testing::TestWithParam<std::tuple<int, bool>> {};
INSTANTIATE_TEST_SUITE_P(Breaks, EveryOctet,
                         testing::Combine(testing::Values(0, 1), testing::Bool()),
                         [](const auto& instance) {
                             return std::string(std::get<0>(instance.param) == 0 ? "First"
                                                                                 : "Second") +
                                    (std::get<1>(instance.param) ? "Reset" : "End");
                         });

TEST_P(EveryOctet, IsHarmless) {
    const auto [exchange, reset] = GetParam();
    HostileRig rig;
    std::size_t length = 1;
    for (std::size_t at = 0; at < length; at += step()) {
        SCOPED_TRACE(at);
        const auto outcome = rig.run(acting(from(exchange, [&, at](Turn& turn) {
            const auto text = turn.text();
            length = text.size();
            turn.wire.send(std::string_view(text).substr(0, at));
            if (std::get<1>(GetParam())) {
                turn.wire.reset();
            }
            return false;
        })));
        expect_refused(outcome, kGone, static_cast<unsigned>(exchange), 10s);
        rig.expect_recovery();
        if (HasFailure()) {
            return;
        }
    }
    EXPECT_GT(length, 300U);
}

// ---- what is tried again, and how often

/// `asked` counts requests: a kept connection serves several.
Setting retrying(std::atomic<int>& asked, Act act) {
    auto setting = acting([&asked, act = std::move(act)](Turn& turn) {
        ++asked;
        return act(turn);
    });
    setting.client.retries = 3;
    setting.client.retry_pause = 1ms;
    return setting;
}

TEST(Retries, OfTheFirstRequestEnd) {
    for (const auto& act : {status(503), octets_and_end(""), octets_and_end("HTTP/1.1 4")}) {
        HostileRig rig;
        std::atomic<int> asked = 0;
        expect_refused(rig.run(retrying(asked, act)), kGone, 0, 10s);
        EXPECT_EQ(asked, 4);
        rig.expect_recovery();
    }
}

TEST(Retries, OfTheFirstRequestHelp) {
    HostileRig rig;
    std::atomic<int> asked = 0;
    const auto outcome = rig.run(retrying(asked, [](Turn& turn) {
        if (turn.exchange == 0) {
            return false; // the connection ends
        }
        if (turn.exchange < 3) {
            turn.response = {503, {}, ""};
        }
        return say(turn);
    }));
    ASSERT_TRUE(outcome.context) << describe(outcome.context.error());
    EXPECT_EQ(outcome.authenticates, 1U);
    EXPECT_EQ(asked, 5);
}

// Neither pauses nor Retry-After go beyond the run.
TEST(Retries, EndWithTheRun) {
    for (const auto& act : {octets_and_end(""), status(503), status(503, "Retry-After", "60")}) {
        HostileRig rig;
        std::atomic<int> asked = 0;
        auto setting = retrying(asked, act);
        setting.client.run_timeout = 2s;
        setting.client.retry_pause = 1h;
        expect_refused(rig.run(setting), kGone, 0, 2s);
        EXPECT_EQ(asked, 1);
    }
}

// The UICC's answer goes out once: a BSF that has seen it may have acted on it.
TEST(Retries, NotOfTheAnswer) {
    for (const auto& act : {status(503), octets_and_end("HTTP/1.1 2")}) {
        HostileRig rig;
        std::atomic<int> asked = 0;
        expect_refused(rig.run(retrying(asked, from(1, act))), kGone, 1, 10s);
        EXPECT_EQ(asked, 2);
        rig.expect_recovery();
    }
}

// But for a kept connection that was closed while it was on its way: once, with the next nc.
TEST(Retries, OfAnAnswerThatCameTooLate) {
    HostileRig rig;
    std::vector<std::string> counts;
    const auto outcome = rig.run(acting([&](Turn& turn) {
        const auto field = header(turn.request.headers, "Authorization");
        const auto at = field.find("nc=");
        counts.push_back(at == std::string::npos ? "" : field.substr(at + 3, 8));
        return turn.exchange == 1 ? false : say(turn);
    }));
    EXPECT_EQ(counts, (std::vector<std::string>{"", "00000001", "00000002"}));
    // Our BSF has seen the first one all the same, and takes a challenge once.
    EXPECT_FALSE(outcome.context);
    EXPECT_EQ(outcome.authenticates, 1U);
    rig.expect_recovery();
}

// ---- oddities of real BSFs, which are no reason to refuse

struct Oddity {
    const char* name;
    Act act;
};
std::vector<Oddity> oddities() {
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    const auto same = [](std::string body) { return body; };
    const auto info = [](std::function<std::string(const std::string&)> change) {
        return edit([=](HttpResponse& response) {
            if (const auto value = get(response, "Authentication-Info"); !value.empty()) {
                set(response, "Authentication-Info", change(value));
            }
        });
    };
    const auto without_quotes = [](std::string value) {
        std::erase(value, '"');
        return value;
    };
    return {
        {"chunked", framed(chunked, chunk, After::GoOn)},
        {"chunks with extensions and a trailer",
         framed(
             chunked,
             [](const std::string& body) {
                 auto rest = chunk(body.substr(std::min<std::size_t>(body.size(), 1)));
                 rest.insert(rest.size() - 2, "X: y\r\n");
                 return body.empty() ? chunk("") : "1;a=b\r\n" + body.substr(0, 1) + "\r\n" + rest;
             },
             After::GoOn)},
        {"until the end of the connection", framed("", same, After::End)},
        {"HTTP/1.0",
         [](Turn& turn) {
             turn.wire.send("HTTP/1.0" + turn.text().substr(8));
             return false;
         }},
        {"eight interim answers",
         [](Turn& turn) {
             for (int i = 0; i < 8; ++i) {
                 turn.wire.send("HTTP/1.1 102 Processing\r\n\r\n");
             }
             return say(turn);
         }},
        {"one octet after the other", trickled(0ms)},
        {"a challenge without quotes", edit([=](HttpResponse& response) {
             if (response.status == 401) {
                 set(response, "WWW-Authenticate",
                     without_quotes(get(response, "WWW-Authenticate")));
             }
         })},
        {"a challenge in capitals and another order", edit([](HttpResponse& response) {
             auto value = get(response, "WWW-Authenticate");
             if (response.status == 401) {
                 const auto algorithm = value.find(", algorithm=AKAv1-MD5");
                 value.erase(algorithm, 21);
                 value.replace(0, 12, "DIGEST Algorithm = \"AKAv1-MD5\" ,\tREALM");
                 set(response, "WWW-Authenticate", value);
             }
         })},
        {"Authentication-Info without quotes", info(without_quotes)},
        {"Authentication-Info in another order", info([](const std::string& value) {
             const auto comma = value.find(", ");
             return value.substr(comma + 2) + " ,  " + value.substr(0, comma);
         })},
        {"a nextnonce that is no challenge",
         info([](const std::string& value) { return value + ", nextnonce=\"abc\""; })},
    };
}

class Oddities : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Table, Oddities, testing::Range(std::size_t{0}, oddities().size()));

TEST_P(Oddities, IsBorne) {
    const auto oddity = oddities()[GetParam()];
    SCOPED_TRACE(oddity.name);
    HostileRig rig;
    const auto outcome = rig.run(acting(oddity.act));
    ASSERT_TRUE(outcome.context) << describe(outcome.context.error());
    EXPECT_EQ(outcome.authenticates, 1U);
    rig.expect_recovery();
}

} // namespace
} // namespace mtkey::integration
