// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus_store.hpp"

#include "base/encoding.hpp"
#include "daemon/bus_reply.hpp"
#include "daemon/key_keeper.hpp"
#include "kdf/kdf.hpp"

namespace mtkey::daemon {
namespace {

const char* to_text(store::KeyState state) {
    switch (state) {
    case store::KeyState::Confirmed:
        return "confirmed";
    case store::KeyState::Suspended:
        return "suspended";
    case store::KeyState::Revoked:
    case store::KeyState::Pending: // of an external device's store: nothing that an MT uses
        return "revoked";
    }
    return "revoked";
}

/// Everything but the key.
std::map<std::string, sdbus::Variant> report_of(const store::KeyRecord& record, const Mt& mt) {
    const auto text = [](const std::string& value) { return sdbus::Variant(printable(value)); };
    const auto time = [](UtcTime value) { return sdbus::Variant(seconds(value)); };
    return {{"device_id", text(record.device_id)},
            {"state", sdbus::Variant(std::string(to_text(record.state)))},
            {"usable", sdbus::Variant(record.usable(mt.clock()))},
            {"transport", text(record.transport)},
            {"peer", text(record.peer)},
            {"naf", text(record.naf_fqdn)},
            {"ua", sdbus::Variant(to_hex(record.naf_ua))},
            {"b_tid", sdbus::Variant(masked_b_tid(record.b_tid))},
            {"mode", text(record.mode)},
            {"kdf_profile", text(record.profile)},
            {"uicc", text(record.uicc)},
            {"fingerprint", sdbus::Variant(to_hex(kdf::fingerprint(record.ks_local_mt.reveal())))},
            {"created", time(record.created)},
            {"confirmed", time(record.confirmed)},
            {"last_used", time(record.last_used)},
            {"expires", time(record.expires)}};
}

} // namespace

StoreObject::StoreObject(BusContext& context)
    : AdaptorInterfaces(context.connection, kStorePath), context_(context) {
    registerAdaptor();
}

void StoreObject::Verify(sdbus::Result<>&& result, Options options) {
    authorised(
        context_, getObject(), std::move(result), Action::ManageDevices,
        [this](auto reply) { finish(reply)(context_.keeper.verify()); }, interactive(options));
}

void StoreObject::ForgetAll(sdbus::Result<std::uint32_t>&& result, Options options) {
    authorised(
        context_, getObject(), std::move(result), Action::ManageDevices,
        [this](auto reply) {
            const auto before = static_cast<std::uint32_t>(context_.mt.store().all().size());
            if (const auto done = context_.mt.forget_all(); !done) {
                reply->refuse(done.error());
            } else {
                reply->give(before);
            }
        },
        interactive(options));
}

void StoreObject::Rekey(sdbus::Result<>&& result, Options options) {
    authorised(
        context_, getObject(), std::move(result), Action::ManageDevices,
        [this](auto reply) { finish(reply)(context_.keeper.rekey()); }, interactive(options));
}

void StoreObject::ExportReport(sdbus::Result<std::vector<Options>>&& result, Options options) {
    authorised(
        context_, getObject(), std::move(result), Action::ManageDevices,
        [this](auto reply) {
            std::vector<Options> out;
            for (const auto* record : context_.mt.store().all()) {
                out.push_back(report_of(*record, context_.mt));
            }
            reply->give(out);
        },
        interactive(options));
}

bool StoreObject::Persistent() {
    return context_.keeper.persistent();
}
std::string StoreObject::KeyOrigin() {
    return context_.keeper.info().key_origin;
}
bool StoreObject::NextKey() {
    return context_.keeper.info().next_key;
}
std::string StoreObject::File() {
    return printable(context_.keeper.info().file);
}
std::uint32_t StoreObject::Keys() {
    return static_cast<std::uint32_t>(context_.keeper.info().keys);
}
std::uint64_t StoreObject::Generation() {
    return context_.keeper.info().generation;
}
bool StoreObject::TimeUnknown() {
    return context_.keeper.info().time_unknown;
}

sdbus::Struct<std::string, std::string, std::string> StoreObject::Quarantined() {
    const auto state = context_.keeper.info();
    if (!state.distrusted) {
        return {"", "", ""};
    }
    return {std::string(info(state.distrusted->code).name), describe(*state.distrusted),
            state.kept_as};
}

} // namespace mtkey::daemon
