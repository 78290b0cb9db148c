// SPDX-License-Identifier: Apache-2.0
#include "device/output.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"

#include <nlohmann/json.hpp>

namespace mtkey::device {
namespace {

using Json = nlohmann::ordered_json;

/// Peers' words come printable already; what is not UTF-8 all the same is replaced, not thrown
/// about.
std::string text_of(const Json& document) {
    return document.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

Json naf_json(const kdf::NafId& naf_id) {
    return {{"fqdn", naf_id.fqdn}, {"ua", to_hex(naf_id.ua)}};
}

Json seconds_json(const RunReport& report) {
    Json out = Json::object();
    std::chrono::milliseconds total{};
    for (const auto& [name, spent] : report.phases) {
        out[name] = static_cast<double>(spent.count()) / 1000.0;
        total += spent;
    }
    out["total"] = static_cast<double>(total.count()) / 1000.0;
    return out;
}

std::string line(std::string_view name, std::string_view value) {
    std::string out(name);
    out.resize(13, ' ');
    return out + std::string(value) + "\n";
}

std::string key_lines(const StoredKey& key) {
    return line("MT", mt_id_of(key)) + line("B-TID", masked_b_tid(key.b_tid)) +
           line("NAF_ID", naf_id_of(key).text()) + line("mode", key.mode) +
           line("fingerprint", fingerprint_of(key)) + line("valid until", format_utc(key.expires));
}

Json store_json(const StoreStatus& store) {
    const auto& report = store.report;
    Json out;
    out["key"] = store.key_origin;
    out["persistent"] = store.key_origin != "none";
    out["distrusted"] = report.distrusted ? Json(info(report.distrusted->code).name) : Json();
    out["set_aside"] = report.kept_as.empty() ? Json() : Json(report.kept_as);
    out["time_unknown"] = report.time_unknown;
    return out;
}

std::string store_lines(const StoreStatus& store) {
    const auto& report = store.report;
    std::string out = line("store key", store.key_origin == "none" ? "none yet" : store.key_origin);
    if (report.distrusted) {
        out += line("store", "is not believed, and set aside when a key is established: " +
                                 describe(*report.distrusted));
    }
    if (!report.kept_as.empty()) {
        out += line("set aside", report.kept_as);
    }
    if (report.time_unknown) {
        out += line("clock", "was set back; older keys are not used");
    }
    return out;
}

std::string_view state_text(const StoredKey& key, const Clock& clock) {
    return key.time_unknown     ? "time unknown"
           : key.expired(clock) ? "expired"
           : key.pending()      ? "pending"
                                : "active";
}

} // namespace

std::string established_text(const Outcome& outcome, const StoredKey& key, const RunReport& report,
                             bool json) {
    const bool resumed = outcome.kind == Outcome::Kind::Resumed;
    if (!json) {
        return std::string(resumed ? "the MT holds the stored key"
                                   : "a key is established with the MT") +
               " (" + std::string(procedure_name(outcome.kind)) + ")\n" + key_lines(key);
    }
    Json out;
    out["result"] = resumed ? "resumed" : "established";
    out["procedure"] = procedure_name(outcome.kind);
    out["b_tid"] = key.b_tid;
    out["naf_id"] = naf_json(naf_id_of(key));
    out["mode"] = key.mode;
    out["fingerprint"] = fingerprint_of(key);
    out["lifetime"] = format_utc(key.expires);
    out["mt_id"] = mt_id_of(key);
    out["seconds"] = seconds_json(report);
    return text_of(out);
}

std::string failure_json(const Error& error, const RunReport& report,
                         const std::optional<local::EstablishmentAnswer>& answer) {
    Json out;
    out["result"] = "failed";
    out["error"] = info(error.code).name;
    out["message"] = describe(error, report);
    if (report.retry_after > 0) {
        out["retry_after"] = report.retry_after;
    }
    if (answer) {
        out["b_tid"] = printable(answer->b_tid);
        out["naf_id"] = naf_json(answer->naf_id);
        out["mode"] = printable(answer->mode);
        out["ks_lifetime"] = format_utc(answer->ks_expires);
    }
    out["seconds"] = seconds_json(report);
    return text_of(out);
}

std::string status_text(const std::string& device_id, const std::vector<const StoredKey*>& keys,
                        const StoreStatus& store, const Clock& clock, bool json) {
    if (json) {
        Json out;
        out["device_id"] = device_id;
        out["store"] = store_json(store);
        out["keys"] = Json::array();
        for (const auto* key : keys) {
            Json one;
            one["mt_id"] = mt_id_of(*key);
            one["state"] = key->pending() ? "pending" : "active";
            one["expired"] = key->expired(clock);
            one["time_unknown"] = key->time_unknown;
            one["b_tid"] = key->b_tid;
            one["naf_id"] = naf_json(naf_id_of(*key));
            one["mode"] = key->mode;
            one["fingerprint"] = fingerprint_of(*key);
            one["lifetime"] = format_utc(key->expires);
            out["keys"].push_back(std::move(one));
        }
        return text_of(out);
    }
    std::string out = line("device", device_id) + store_lines(store);
    out += keys.empty() ? "no key is stored\n" : "";
    for (const auto* key : keys) {
        out += "\n" + key_lines(*key) + line("state", state_text(*key, clock));
    }
    return out;
}

std::string forgotten_text(std::size_t count, bool json) {
    if (json) {
        return text_of(Json{{"result", "forgotten"}, {"keys", count}});
    }
    return std::to_string(count) + (count == 1 ? " key removed\n" : " keys removed\n");
}

std::string step_line(Step step, std::string_view detail) {
    const auto& row = info(step);
    std::string number;
    if (row.full != 0) {
        number = std::to_string(row.full);
    }
    if (row.optimised != 0 && row.optimised != row.full) {
        number += "/" + std::to_string(row.optimised);
    }
    number.insert(0, number.size() < 6 ? 6 - number.size() : 0, ' ');
    std::string out = number + "  " + std::string(row.text);
    if (!detail.empty()) {
        out += " (" + printable(detail) + ")";
    }
    return out + "\n";
}

} // namespace mtkey::device
