// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/subscriber_store.hpp"

#include "aka/aka.hpp"
#include "base/log.hpp"
#include "network/bsf/bootstrapping_store.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::bsf {
namespace {

constexpr std::string_view kMilenage = "milenage";
constexpr std::string_view kXor = "xor";
constexpr std::int64_t kSqnLimit = std::int64_t{1} << 48;
constexpr std::int64_t kLongestLifetime = 366LL * 24 * 3600;

constexpr const char* kColumns =
    "SELECT impi, imsi, mnc_length, algorithm, k, opc, amf, mode, lifetime, sqn_next, sqn_dif, "
    "entry FROM subscriber WHERE impi=?";
constexpr const char* kAll =
    "SELECT impi, imsi, mnc_length, algorithm, k, opc, amf, mode, lifetime, sqn_next, sqn_dif, "
    "entry FROM subscriber WHERE imsi>? ORDER BY imsi LIMIT ?";

bool is_imsi(std::string_view text) {
    return text.size() >= 6 && text.size() <= 15 &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

std::string impi_of(std::string_view imsi, unsigned mnc_length) {
    std::string mnc(imsi.substr(3, mnc_length));
    mnc.insert(0, 3 - mnc.size(), '0');
    return std::string(imsi) + "@ims.mnc" + mnc + ".mcc" + std::string(imsi.substr(0, 3)) +
           ".3gppnetwork.org";
}

SubscriberStore::SubscriberStore(Database& database)
    : add_(database,
           "INSERT INTO subscriber(impi, imsi, mnc_length, algorithm, k, opc, amf, mode, "
           "lifetime, sqn_next, sqn_dif, entry) VALUES(?,?,?,?,?,?,?,?,?,?,NULL,random()) "
           "ON CONFLICT DO NOTHING"),
      remove_(database, "DELETE FROM subscriber WHERE imsi=?"),
      remove_contexts_(database, "DELETE FROM context WHERE impi IN "
                                 "(SELECT impi FROM subscriber WHERE imsi=?)"),
      find_(database, kColumns),
      set_sqn_(database, "UPDATE subscriber SET sqn_next=?, sqn_dif=? WHERE impi=?"),
      list_(database, kAll),
      size_(database, "SELECT count(*) FROM subscriber") {}

Result<bool> SubscriberStore::add(const aka::Subscriber& subscriber) {
    const auto impi = impi_of(subscriber.imsi, subscriber.mnc_length);
    Query query(add_);
    query.bind(impi)
        .bind(subscriber.imsi)
        .bind(std::int64_t{subscriber.mnc_length})
        .bind(subscriber.keys.kind == aka::AlgorithmKind::Milenage ? kMilenage : kXor)
        .bind(ByteView(subscriber.keys.k.reveal()))
        .bind(ByteView(subscriber.keys.opc.reveal()))
        .bind(ByteView(subscriber.amf))
        .bind(to_text(subscriber.mode));
    if (subscriber.lifetime) {
        query.bind(std::int64_t{subscriber.lifetime->count()});
    } else {
        query.bind_null();
    }
    query.bind(static_cast<std::int64_t>(aka::sqn_to_number(subscriber.sqn)));
    MTKEY_CHECK(query.run());
    return query.changes() == 1;
}

Result<bool> SubscriberStore::remove(std::string_view imsi) {
    Query contexts(remove_contexts_);
    MTKEY_CHECK(contexts.bind(imsi).run());
    Query subscriber(remove_);
    MTKEY_CHECK(subscriber.bind(imsi).run());
    return subscriber.changes() == 1;
}

Result<StoredSubscriber> SubscriberStore::find(std::string_view impi) {
    Query query(find_);
    if (!MTKEY_TRY(query.bind(impi).step())) {
        return fail(Errc::NotFound, "subscriber");
    }
    return read(query);
}

Result<void> SubscriberStore::set_sqn(std::string_view impi, const aka::SqnState& sqn) {
    Query query(set_sqn_);
    query.bind(static_cast<std::int64_t>(sqn.next));
    if (sqn.dif) {
        query.bind(*sqn.dif);
    } else {
        query.bind_null();
    }
    return query.bind(impi).run();
}

Result<std::vector<StoredSubscriber>> SubscriberStore::list(std::string_view after,
                                                            std::int64_t most) {
    std::vector<StoredSubscriber> out;
    Query query(list_);
    query.bind(after).bind(most);
    while (MTKEY_TRY(query.step())) {
        out.push_back(MTKEY_TRY(read(query)));
    }
    return out;
}

Result<std::size_t> SubscriberStore::size() {
    Query query(size_);
    (void)MTKEY_TRY(query.step());
    return static_cast<std::size_t>(query.number(0));
}

Result<StoredSubscriber> SubscriberStore::read(const Query& row) const {
    StoredSubscriber out;
    out.impi = row.text(0);
    out.imsi = row.text(1);
    const auto mnc_length = row.number(2);
    const auto algorithm = row.text(3);
    const auto k = row.blob(4);
    const auto opc = row.blob(5);
    const auto amf = row.blob(6);
    const auto mode = parse_mode(row.text(7));
    const auto lifetime = row.is_null(8) ? 1 : row.number(8);
    const auto next = row.number(9);
    const auto dif = row.number(10);
    const bool good = is_imsi(out.imsi) && (mnc_length == 2 || mnc_length == 3) &&
                      out.impi == impi_of(out.imsi, static_cast<unsigned>(mnc_length)) &&
                      (algorithm == kMilenage || algorithm == kXor) && k.size() == 16 &&
                      opc.size() == 16 && amf.size() == out.amf.size() && mode && lifetime >= 1 &&
                      lifetime <= kLongestLifetime && next >= 0 && next < kSqnLimit &&
                      dif > -kSqnLimit && dif < kSqnLimit;
    if (!good) {
        return fail(Errc::IoFailed, "database: the row of subscriber " + masked_identity(out.imsi) +
                                        " is not valid; remove the subscriber and add it again");
    }
    out.keys.kind =
        algorithm == kMilenage ? aka::AlgorithmKind::Milenage : aka::AlgorithmKind::XorTest;
    out.keys.k = Secret<16>(k.first<16>());
    out.keys.opc = Secret<16>(opc.first<16>());
    std::ranges::copy(amf, out.amf.begin());
    out.mode = *mode;
    if (!row.is_null(8)) {
        out.lifetime = std::chrono::seconds(lifetime);
    }
    out.sqn.next = static_cast<std::uint64_t>(next);
    if (!row.is_null(10)) {
        out.sqn.dif = dif;
    }
    out.entry = row.number(11);
    return out;
}

Result<Imported> import_subscribers(Database& database,
                                    const std::vector<aka::Subscriber>& subscribers) {
    const auto lock = database.lock();
    SubscriberStore store(database);
    auto transaction = MTKEY_TRY(Transaction::begin(database));
    Imported out;
    for (const auto& subscriber : subscribers) {
        MTKEY_TRY(store.add(subscriber)) ? ++out.added : ++out.kept;
    }
    MTKEY_CHECK(transaction.commit());
    return out;
}

Result<std::size_t> count_subscribers(Database& database) {
    const auto lock = database.lock();
    return SubscriberStore(database).size();
}

} // namespace mtkey::bsf
