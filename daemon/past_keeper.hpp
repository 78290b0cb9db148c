// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "keys/bootstrap_memory.hpp"

#include <functional>
#include <mutex>
#include <string>

namespace mtkey::daemon {

/// What the daemon remembers of its bootstrappings: owns the present state and writes it to the
/// memory, which it borrows. For any thread.
class PastKeeper {
public:
    enum class Origin {
        FirstStart, ///< there was nothing to remember
        Remembered,
        Lost, ///< what was there could not be believed
    };

    /// Loads. `boot_id`: of this boot, "" = not known.
    PastKeeper(keys::BootstrapMemory& memory, const Clock& clock, const std::string& boot_id);

    [[nodiscard]] Origin origin() const { return origin_; }
    [[nodiscard]] keys::BootstrapPast get() const;
    enum class Write { Now, WithTheNext };
    /// A memory that fails is said once in the log: what is not written ends with the program. The
    /// error is for those who must not go on then (BootstrapMemory::guards_keys()).
    Result<void> change(const std::function<void(keys::BootstrapPast&)>& how,
                        Write write = Write::Now);
    /// RAND and B-TID on the UICC are about to change, or have been changed by others. StoreFailed:
    /// what says otherwise stands on the disk still, and would end all keys after a restart.
    Result<void> forget_anchor();
    /// Of this B-TID, if it is the one that is remembered.
    void forget_context(const std::string& b_tid);
    /// The time of now, for the next start to compare its clock with.
    void note_time() {
        static_cast<void>(change([](auto&) {}));
    }

private:
    keys::BootstrapMemory& memory_;
    const Clock& clock_;
    Origin origin_ = Origin::FirstStart;
    mutable std::mutex mutex_; ///< guards all that follows
    keys::BootstrapPast past_;
    BootTime high_water_at_; ///< when it was past_.high_water, whatever UTC has said since
    bool unwritten_ = false; ///< the last write has failed
    bool told_ = false;
};

} // namespace mtkey::daemon
