// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/secret.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace mtkey::nafkc {

/// The Ks_local_MT that this Key Center has calculated (draft 5.5.2 step 15 "stores it locally"):
/// in RAM only, each until its end. Full: the one that ends first goes, which costs nothing but
/// another question on Zn. Safe from several threads.
class DeliveredKeys {
public:
    static constexpr std::size_t kLimit =
        1024; // two blocks of 32 octets in the secure heap are 64 KiB

    struct Name {
        std::string b_tid;
        std::string naf_id; ///< NafId::text()
        std::string device_id;
        auto operator<=>(const Name&) const = default;
    };
    struct Entry {
        Secret<32> ks_local_mt;
        UtcTime expires{};
        std::string mt_id;
        BootTime deadline{}; ///< the same end on the clock that nobody sets; by put()
    };

    explicit DeliveredKeys(const Clock& clock) : clock_(clock) {}

    void put(const Name& name, Entry entry);
    /// A copy; nothing when there is none or it has ended by one of the two clocks.
    [[nodiscard]] std::optional<Entry> find(const Name& name);
    void purge();
    [[nodiscard]] std::size_t size() const;

private:
    [[nodiscard]] bool ended(const Entry& entry) const;
    void purge_locked();

    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<Name, Entry> entries_;
};

} // namespace mtkey::nafkc
