// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/bus_objects.hpp"

#include <Store1_adaptor.hpp>

namespace mtkey::daemon {

inline constexpr const char* kStorePath = "/org/mtkeyd1/store";

/// Store1: the keeper of the keys on D-Bus.
class StoreObject final
    : public sdbus::AdaptorInterfaces<sdbus::ManagedObject_adaptor, sdbus::Properties_adaptor,
                                      org::mtkeyd1::Store1_adaptor> {
public:
    explicit StoreObject(BusContext& context);
    ~StoreObject() { unregisterAdaptor(); }
    using ObjectHolder::getObject;

private:
    using Options = std::map<std::string, sdbus::Variant>;
    void Verify(sdbus::Result<>&& result, Options options) override;
    void ForgetAll(sdbus::Result<std::uint32_t>&& result, Options options) override;
    void Rekey(sdbus::Result<>&& result, Options options) override;
    void ExportReport(sdbus::Result<std::vector<Options>>&& result, Options options) override;
    bool Persistent() override;
    std::string KeyOrigin() override;
    bool NextKey() override;
    std::string File() override;
    std::uint32_t Keys() override;
    std::uint64_t Generation() override;
    bool TimeUnknown() override;
    sdbus::Struct<std::string, std::string, std::string> Quarantined() override;
    BusContext& context_;
};

} // namespace mtkey::daemon
