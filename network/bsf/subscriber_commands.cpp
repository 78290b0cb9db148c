// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/subscriber_commands.hpp"

#include "aka/aka.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "network/bsf/bootstrapping_store.hpp"
#include "network/bsf/config.hpp"
#include "network/bsf/subscriber_store.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <unistd.h>

namespace mtkey::bsf {
namespace {

constexpr std::size_t kLongestKeys = 4096;
constexpr std::int64_t kListedAtOnce = 500;
constexpr const char* kHeading =
    "IMSI             algorithm mode    AMF   next SQN      lifetime\n";

Result<void> print(const std::string& text) {
    return write_all(STDOUT_FILENO, as_octets(text));
}

Result<std::unique_ptr<Database>> open_database(const SubscriberOptions& options, Missing missing) {
    MTKEY_CHECK(init_secure_heap());
    if (!options.database.empty()) {
        return Database::open(options.database, missing);
    }
    const auto config = MTKEY_TRY(read_config(options.config));
    if (config.database.empty()) {
        return fail(Errc::ConfigInvalid,
                    options.config + " names no database; write database = \"FILE\"");
    }
    return Database::open(config.database, missing);
}

Result<SecretBytes> read_keys(const SubscriberOptions& options) {
    if (options.keys_fd >= 0) {
        return read_secret_fd(options.keys_fd, kLongestKeys);
    }
    return read_secret_file(options.keys_file, kLongestKeys);
}

/// `key = "value"`; what could end the text is refused, the rest is the subscriber file's matter.
Result<void> append_text(std::string& out, std::string_view key, std::string_view value) {
    if (std::ranges::any_of(value,
                            [](char c) { return c < ' ' || c > '~' || c == '"' || c == '\\'; })) {
        return fail(Errc::InvalidArgument, "--" + std::string(key) + " has a character that no " +
                                               std::string(key) + " has");
    }
    out.append(key).append(" = \"").append(value).append("\"\n");
    return {};
}

/// One rule for both: the options and the keys become the text of a subscriber file.
Result<aka::Subscriber> make_subscriber(const SubscriberOptions& options) {
    std::string text = "[[subscriber]]\n";
    MTKEY_CHECK(append_text(text, "imsi", options.imsi));
    text += "mnc_length = " + std::to_string(options.mnc_length.value_or(0)) + "\n";
    for (const auto& [key, value] :
         {std::pair{"algorithm", &options.algorithm}, std::pair{"mode", &options.mode},
          std::pair{"amf", &options.amf}, std::pair{"sqn", &options.sqn}}) {
        if (*value) {
            MTKEY_CHECK(append_text(text, key, **value));
        }
    }
    if (options.lifetime_seconds) {
        text += "lifetime_seconds = " + std::to_string(*options.lifetime_seconds) + "\n";
    }
    const auto keys = MTKEY_TRY(read_keys(options));
    SecretBytes whole(text.size() + keys.size());
    std::ranges::copy(as_octets(text), whole.reveal_writable().begin());
    std::ranges::copy(keys.reveal(), whole.reveal_writable().subspan(text.size()).begin());
    auto list = MTKEY_TRY(aka::parse_subscribers(as_text(whole.reveal()), "options and keys"));
    if (list.size() != 1) {
        return fail(Errc::InvalidArgument, "the keys are those of several subscribers; use import");
    }
    return std::move(list.front());
}

std::string_view algorithm_of(const StoredSubscriber& subscriber) {
    return subscriber.keys.kind == aka::AlgorithmKind::Milenage ? "milenage" : "xor";
}

/// Digits and fixed words alone: nothing to escape.
std::string to_json(const StoredSubscriber& subscriber) {
    return R"({"imsi":")" + subscriber.imsi + R"(","impi":")" + subscriber.impi +
           R"(","algorithm":")" + std::string(algorithm_of(subscriber)) + R"(","amf":")" +
           to_hex(subscriber.amf) + R"(","mode":")" + std::string(to_text(subscriber.mode)) +
           R"(","next_sqn":")" + to_hex(aka::sqn_from_number(subscriber.sqn.next)) +
           R"(","lifetime_seconds":)" +
           (subscriber.lifetime ? std::to_string(subscriber.lifetime->count()) : "null") + "}";
}

std::string to_line(const StoredSubscriber& subscriber) {
    std::array<char, 128> line{};
    (void)std::snprintf(
        line.data(), line.size(), "%-15s  %-8s  %-6s  %s  %s  %s\n", subscriber.imsi.c_str(),
        std::string(algorithm_of(subscriber)).c_str(),
        std::string(to_text(subscriber.mode)).c_str(), to_hex(subscriber.amf).c_str(),
        to_hex(aka::sqn_from_number(subscriber.sqn.next)).c_str(),
        subscriber.lifetime ? std::to_string(subscriber.lifetime->count()).c_str() : "-");
    return line.data();
}

Result<std::vector<StoredSubscriber>> list_part(Database& database, std::string_view after) {
    const auto lock = database.lock();
    return SubscriberStore(database).list(after, kListedAtOnce);
}

} // namespace

Result<void> subscriber_add(const SubscriberOptions& options) {
    const auto database = MTKEY_TRY(open_database(options, Missing::Create));
    std::vector<aka::Subscriber> list;
    list.push_back(MTKEY_TRY(make_subscriber(options)));
    const auto imported = MTKEY_TRY(import_subscribers(*database, list));
    if (imported.added == 0) {
        return fail(Errc::InvalidArgument,
                    "subscriber " + options.imsi + " is there already; remove it first");
    }
    return print(options.json ? R"({"added":")" + options.imsi + "\"}\n"
                              : "added " + options.imsi + "\n");
}

Result<void> subscriber_list(const SubscriberOptions& options) {
    const auto database = MTKEY_TRY(open_database(options, Missing::Refuse));
    std::string out = options.json ? "[" : "";
    std::string last;
    while (true) {
        // Nothing is held while somebody reads what was printed: a pager takes its time.
        const auto part = MTKEY_TRY(list_part(*database, last));
        if (part.empty()) {
            break;
        }
        for (const auto& subscriber : part) {
            if (options.json) {
                out.append(last.empty() ? "" : ",").append(to_json(subscriber));
            } else {
                out.append(last.empty() ? kHeading : "").append(to_line(subscriber));
            }
            last = subscriber.imsi;
        }
        MTKEY_CHECK(print(out));
        out.clear();
    }
    return print(out + (options.json ? "]\n" : ""));
}

Result<void> subscriber_remove(const SubscriberOptions& options) {
    const auto database = MTKEY_TRY(open_database(options, Missing::Refuse));
    bool removed = false;
    {
        const auto lock = database->lock();
        SubscriberStore store(*database);
        auto transaction = MTKEY_TRY(Transaction::begin(*database));
        removed = MTKEY_TRY(store.remove(options.imsi));
        MTKEY_CHECK(transaction.commit());
    }
    if (!removed) {
        return fail(Errc::NotFound, "subscriber " + options.imsi);
    }
    if (!MTKEY_TRY(database->checkpoint())) {
        std::fprintf(stderr,
                     "mtkey-bsf: another program reads the database: what was removed stands "
                     "in its log until a serving BSF empties it, within the hour\n");
    }
    return print(options.json ? R"({"removed":")" + options.imsi + "\"}\n"
                              : "removed " + options.imsi + "\n");
}

Result<void> subscriber_import(const SubscriberOptions& options) {
    const auto database = MTKEY_TRY(open_database(options, Missing::Create));
    const auto list = MTKEY_TRY(aka::read_subscribers(options.file));
    const auto imported = MTKEY_TRY(import_subscribers(*database, list));
    const auto added = std::to_string(imported.added);
    const auto kept = std::to_string(imported.kept);
    return print(options.json ? R"({"added":)" + added + R"(,"kept":)" + kept + "}\n"
                              : "added " + added + ", kept " + kept + " as they were\n");
}

} // namespace mtkey::bsf
