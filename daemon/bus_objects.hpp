// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/authorisation.hpp"
#include "daemon/bus_limits.hpp"
#include "daemon/bus_pin.hpp"
#include "daemon/mt.hpp"
#include "daemon/transport_host.hpp"

#include <Device1_adaptor.hpp>
#include <Manager1_adaptor.hpp>
#include <NafKeyCenter1_adaptor.hpp>
#include <Session1_adaptor.hpp>
#include <Transport1_adaptor.hpp>
#include <Uicc1_adaptor.hpp>
#include <functional>
#include <sdbus-c++/sdbus-c++.h>
#include <string>
#include <tuple>

namespace mtkey::daemon {

class KeyKeeper;

inline constexpr const char* kRootPath = "/org/mtkeyd1";
inline constexpr const char* kUiccPath = "/org/mtkeyd1/uicc/0";
/// Hash: a Device_ID may hold any printable character, a path may not.
std::string device_path(const std::string& device_id);

/// What all objects act on; outlives them.
struct BusContext {
    sdbus::IConnection& connection;
    Mt& mt;
    TransportHost& transports;
    KeyKeeper& keeper;
    Authorisation& authorisation;
    PinReader& pins;
    Seats& open_calls;                         ///< by sender
    std::function<std::string()> session_path; ///< of the present session
};

/// The adaptors are thin: they read views and forward calls. No exception but sdbus::Error may
/// leave them (sdbus-c++ 1.2 would end the process), and every call is answered.
class ManagerObject final
    : public sdbus::AdaptorInterfaces<sdbus::ObjectManager_adaptor, sdbus::Properties_adaptor,
                                      org::mtkeyd1::Manager1_adaptor> {
public:
    explicit ManagerObject(BusContext& context);
    ~ManagerObject() { unregisterAdaptor(); }
    using ObjectHolder::getObject;
    std::string State() override;
    std::string StoreState() override;

private:
    using Options = std::map<std::string, sdbus::Variant>;
    void Bootstrap(sdbus::Result<sdbus::ObjectPath>&& result, Options options) override;
    void CancelBootstrap(sdbus::Result<>&& result) override;
    void ForgetDevice(sdbus::Result<>&& result, std::string device_id, Options options) override;
    std::string Version() override;
    std::vector<std::string> Features() override;
    std::string GbaPolicy() override;
    std::map<std::string, std::uint64_t> Statistics() override;
    BusContext& context_;
};

class UiccObject final
    : public sdbus::AdaptorInterfaces<sdbus::ManagedObject_adaptor, sdbus::Properties_adaptor,
                                      org::mtkeyd1::Uicc1_adaptor> {
public:
    /// What all its properties are now, to tell whether anything has changed.
    using All = std::tuple<std::string, std::string, std::string, std::int32_t, bool, std::string,
                           sdbus::Struct<std::string, std::string>>;
    explicit UiccObject(BusContext& context);
    ~UiccObject() { unregisterAdaptor(); }
    using ObjectHolder::getObject;
    [[nodiscard]] All all() {
        return {Reader(), Identity(), State(), PinAttemptsLeft(), GbaU(), MncSource(), LastError()};
    }

private:
    void SendPin(sdbus::Result<>&& result, sdbus::UnixFd pin,
                 std::map<std::string, sdbus::Variant> options) override;
    std::string Reader() override;
    std::string Identity() override;
    std::string State() override;
    std::int32_t PinAttemptsLeft() override;
    bool GbaU() override;
    std::string MncSource() override;
    sdbus::Struct<std::string, std::string> LastError() override;
    BusContext& context_;
};

class SessionObject final
    : public sdbus::AdaptorInterfaces<sdbus::ManagedObject_adaptor, sdbus::Properties_adaptor,
                                      org::mtkeyd1::Session1_adaptor> {
public:
    /// Shows the context that is there now; the bus replaces the object when another comes.
    SessionObject(BusContext& context, const std::string& path);
    ~SessionObject() { unregisterAdaptor(); }
    using ObjectHolder::getObject;

private:
    void Discard(sdbus::Result<>&& result) override;
    std::string Mode() override { return mode_; }
    std::string BTid() override { return b_tid_; }
    sdbus::ObjectPath Uicc() override { return kUiccPath; }
    std::uint64_t Created() override { return created_; }
    std::uint64_t Expires() override { return expires_; }
    std::uint32_t HttpExchanges() override { return http_exchanges_; }
    std::uint32_t Authenticates() override { return authenticates_; }
    BusContext& context_;
    std::string mode_;
    std::string whole_b_tid_; ///< never shown
    std::string b_tid_;
    std::uint64_t created_ = 0;
    std::uint64_t expires_ = 0;
    std::uint32_t http_exchanges_ = 0;
    std::uint32_t authenticates_ = 0;
};

class NafObject final
    : public sdbus::AdaptorInterfaces<sdbus::ManagedObject_adaptor, sdbus::Properties_adaptor,
                                      org::mtkeyd1::NafKeyCenter1_adaptor> {
public:
    NafObject(BusContext& context, keys::NafEntry entry, std::uint32_t priority);
    ~NafObject() { unregisterAdaptor(); }
    using ObjectHolder::getObject;

private:
    std::string Fqdn() override { return entry_.naf_id.fqdn; }
    std::string Ua() override;
    std::string Origin() override;
    std::uint32_t Priority() override { return priority_; }
    keys::NafEntry entry_;
    std::uint32_t priority_;
};

class DeviceObject final
    : public sdbus::AdaptorInterfaces<sdbus::ManagedObject_adaptor, sdbus::Properties_adaptor,
                                      org::mtkeyd1::Device1_adaptor> {
public:
    DeviceObject(BusContext& context, std::string device_id);
    ~DeviceObject() { unregisterAdaptor(); }
    using ObjectHolder::getObject;

private:
    [[nodiscard]] DeviceView view() const;
    void Revoke(sdbus::Result<>&& result) override;
    std::string DeviceId() override { return device_id_; }
    bool Approved() override { return view().approved; }
    std::string KeyState() override { return view().key_state; }
    bool Confirmed() override;
    std::string Naf() override { return view().naf; }
    std::uint64_t Expires() override;
    std::uint64_t LastSeen() override;
    std::string Transport() override { return view().transport; }
    BusContext& context_;
    std::string device_id_;
};

class TransportObject final
    : public sdbus::AdaptorInterfaces<sdbus::ManagedObject_adaptor, sdbus::Properties_adaptor,
                                      org::mtkeyd1::Transport1_adaptor> {
public:
    TransportObject(BusContext& context, std::string name);
    ~TransportObject() { unregisterAdaptor(); }
    using ObjectHolder::getObject;

private:
    [[nodiscard]] TransportView view() const;
    void Start(sdbus::Result<>&& result) override;
    void Stop(sdbus::Result<>&& result) override;
    std::string Type() override { return view().plugin; }
    std::string State() override { return view().state; }
    sdbus::Struct<std::string, std::string> LastError() override;
    std::uint32_t Connections() override { return view().connections; }
    BusContext& context_;
    std::string name_;
};

} // namespace mtkey::daemon
