// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus_objects.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "daemon/bus_reply.hpp"
#include "daemon/key_keeper.hpp"

#include <algorithm>
#include <optional>

namespace mtkey::daemon {
std::string device_path(const std::string& device_id) {
    const auto digest = sha256({as_octets(device_id)});
    return std::string(kRootPath) + "/device/" + to_hex(ByteView(digest).first(8));
}

// ---- Manager1

ManagerObject::ManagerObject(BusContext& context)
    : AdaptorInterfaces(context.connection, kRootPath), context_(context) {
    registerAdaptor();
}

void ManagerObject::Bootstrap(sdbus::Result<sdbus::ObjectPath>&& result, Options options) {
    const bool force = option(options, "force", false);
    const auto naf = option(options, "naf", std::string());
    authorised(
        context_, getObject(), std::move(result), Action::Bootstrap,
        [this, force, naf](auto reply, const Standing& caller) {
            std::optional<kdf::NafId> naf_id;
            if (!naf.empty()) {
                for (const auto& entry : context_.mt.nafs().entries()) {
                    if (entry.naf_id.fqdn == naf) {
                        naf_id = entry.naf_id;
                    }
                }
                if (!naf_id) {
                    reply->refuse(Error{Errc::NafNotAllowed, 0, printable(naf)});
                    return;
                }
            }
            const RunRequest request{.force = force,
                                     .asked_by = caller.administrator ? std::string()
                                                                      : name_of_user(caller.uid)};
            context_.mt.card().bootstrap(request, [this, reply, naf_id](const Result<void>& done) {
                if (!done) {
                    reply->refuse(done.error());
                    return;
                }
                const auto facts = context_.mt.context();
                if (!facts || context_.session_path() == "/") {
                    reply->refuse(Error{Errc::NoCard, 0, "the UICC has left"});
                    return;
                }
                if (!naf_id) {
                    reply->give(context_.session_path());
                    return;
                }
                context_.mt.card().naf_key(*naf_id, facts->b_tid,
                                           [this, reply](const Result<NafKey>& key) {
                                               if (key) {
                                                   reply->give(context_.session_path());
                                               } else {
                                                   reply->refuse(key.error());
                                               }
                                           });
            });
        },
        interactive(options, {"force", "naf"}));
}

void ManagerObject::CancelBootstrap(sdbus::Result<>&& result) {
    authorised(context_, getObject(), std::move(result), Action::Bootstrap, [this](auto reply) {
        if (context_.mt.card().cancel()) {
            reply->give();
        } else {
            reply->refuse(Error{Errc::NotInProgress, 0, "bootstrapping"});
        }
    });
}

void ManagerObject::ForgetDevice(sdbus::Result<>&& result, std::string device_id, Options options) {
    authorised(
        context_, getObject(), std::move(result), Action::ManageDevices,
        [this, device_id](auto reply) { finish(reply)(context_.mt.forget(device_id)); },
        interactive(options));
}

std::string ManagerObject::Version() {
    return MTKEY_VERSION;
}

std::vector<std::string> ManagerObject::Features() {
    std::vector<std::string> out{"gba-u", "gba-me"};
    if (context_.mt.config().gba.allow_2g) {
        out.emplace_back("gba-2g");
    }
    for (const auto& view : context_.transports.views()) {
        if (std::ranges::find(out, view.plugin) == out.end()) {
            out.push_back(view.plugin);
        }
    }
    return out;
}

std::string ManagerObject::State() {
    using enum CardState::State;
    switch (context_.mt.card().state().state) {
    case NoReader:
        return "no-reader";
    case NoCard:
        return "no-card";
    case PinRequired:
    case PinBlocked:
        return "pin-required";
    case Ready:
        return "ready";
    case Mute:
    case Busy:
    case Failed:
        return "degraded";
    }
    return "degraded";
}

std::string ManagerObject::StoreState() {
    const auto state = context_.keeper.info();
    return !state.persistent ? "memory" : state.distrusted ? "quarantined" : "sealed";
}

std::string ManagerObject::GbaPolicy() {
    switch (context_.mt.config().gba.mode) {
    case gba::ModePolicy::PreferUicc:
        return "prefer-uicc";
    case gba::ModePolicy::RequireUicc:
        return "require-uicc";
    case gba::ModePolicy::MeOnly:
        return "me-only";
    }
    return "prefer-uicc";
}

std::map<std::string, std::uint64_t> ManagerObject::Statistics() {
    return context_.mt.statistics();
}

// ---- Uicc1

UiccObject::UiccObject(BusContext& context)
    : AdaptorInterfaces(context.connection, kUiccPath), context_(context) {
    registerAdaptor();
}

void UiccObject::SendPin(sdbus::Result<>&& result, sdbus::UnixFd pin,
                         std::map<std::string, sdbus::Variant> options) {
    // std::function wants copies; the descriptor has one owner.
    const auto descriptor = std::make_shared<UniqueFd>(pin.release());
    authorised(
        context_, getObject(), std::move(result), Action::SendPin,
        [&context = context_, descriptor](auto reply) {
            context.pins.read(std::move(*descriptor), [&context, reply](auto digits) {
                if (digits) {
                    context.mt.card().send_pin(*std::move(digits), finish(reply));
                } else {
                    reply->refuse(digits.error());
                }
            });
        },
        interactive(options));
}

std::string UiccObject::Reader() {
    return printable(context_.mt.card().state().reader);
}
std::string UiccObject::Identity() {
    return context_.mt.card().state().identity;
}
std::string UiccObject::State() {
    return std::string(to_text(context_.mt.card().state().state));
}
std::int32_t UiccObject::PinAttemptsLeft() {
    return context_.mt.card().state().pin_attempts_left;
}
bool UiccObject::GbaU() {
    return context_.mt.card().state().gba;
}
std::string UiccObject::MncSource() {
    return context_.mt.card().state().mnc_source;
}
sdbus::Struct<std::string, std::string> UiccObject::LastError() {
    const auto& error = context_.mt.card().state().last_error;
    return {error ? std::string(info(error->code).name) : "", error ? describe(*error) : ""};
}

// ---- Session1

SessionObject::SessionObject(BusContext& context, const std::string& path)
    : AdaptorInterfaces(context.connection, path), context_(context) {
    const auto& state = context.mt.card().state();
    mode_ = gba::to_text(state.mode);
    if (state.context) {
        whole_b_tid_ = state.context->b_tid;
        b_tid_ = masked_b_tid(state.context->b_tid);
        created_ = seconds(state.context->created);
        expires_ = seconds(state.context->expires);
    }
    http_exchanges_ = state.counts.http_exchanges;
    authenticates_ = state.counts.bootstrapping_authenticates;
    registerAdaptor();
}

void SessionObject::Discard(sdbus::Result<>&& result) {
    // Without `this`: the bus drops this object when the session ends, also while polkit asks a
    // person whether it may. Another session that is there by then is not the one that was meant.
    authorised(context_, getObject(), std::move(result), Action::Bootstrap,
               [&context = context_, b_tid = whole_b_tid_](auto reply) {
                   context.mt.card().discard(b_tid, finish(reply));
               });
}

// ---- NafKeyCenter1

NafObject::NafObject(BusContext& context, keys::NafEntry entry, std::uint32_t priority)
    : AdaptorInterfaces(context.connection,
                        std::string(kRootPath) + "/naf/" + std::to_string(priority)),
      entry_(std::move(entry)),
      priority_(priority) {
    registerAdaptor();
}

std::string NafObject::Ua() {
    return to_hex(entry_.naf_id.ua);
}
std::string NafObject::Origin() {
    return entry_.origin == keys::NafOrigin::Uicc ? "uicc" : "config";
}

// ---- Device1

DeviceObject::DeviceObject(BusContext& context, std::string device_id)
    : AdaptorInterfaces(context.connection, device_path(device_id)),
      context_(context),
      device_id_(std::move(device_id)) {
    registerAdaptor();
}

DeviceView DeviceObject::view() const {
    return context_.mt.device(device_id_).value_or(DeviceView{});
}

void DeviceObject::Revoke(sdbus::Result<>&& result) {
    authorised(context_, getObject(), std::move(result), Action::ManageDevices,
               [&context = context_, device_id = device_id_](auto reply) {
                   if (context.mt.store().find(device_id) == nullptr) {
                       reply->refuse(Error{Errc::NoKey, 0, device_id});
                   } else {
                       finish(reply)(context.mt.forget(device_id));
                   }
               });
}

bool DeviceObject::Confirmed() {
    return context_.mt.store().find(device_id_) != nullptr;
}
std::uint64_t DeviceObject::Expires() {
    return seconds(view().expires);
}
std::uint64_t DeviceObject::LastSeen() {
    return seconds(view().last_seen);
}

// ---- Transport1

TransportObject::TransportObject(BusContext& context, std::string name)
    : AdaptorInterfaces(context.connection, std::string(kRootPath) + "/transport/" + name),
      context_(context),
      name_(std::move(name)) {
    registerAdaptor();
}

TransportView TransportObject::view() const {
    for (auto& one : context_.transports.views()) {
        if (one.name == name_) {
            return one;
        }
    }
    return {};
}

void TransportObject::Start(sdbus::Result<>&& result) {
    authorised(context_, getObject(), std::move(result), Action::Configure,
               [this](auto reply) { finish(reply)(context_.transports.start(name_)); });
}

void TransportObject::Stop(sdbus::Result<>&& result) {
    authorised(context_, getObject(), std::move(result), Action::Configure,
               [this](auto reply) { finish(reply)(context_.transports.stop(name_)); });
}

sdbus::Struct<std::string, std::string> TransportObject::LastError() {
    const auto error = view().last_error;
    return {error.empty() ? "" : "IoFailed", error};
}

} // namespace mtkey::daemon
