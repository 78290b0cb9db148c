// SPDX-License-Identifier: Apache-2.0
#include "base/steps.hpp"

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

#include <array>
#include <atomic>
#include <string>

namespace mtkey {
namespace {

using enum Step;
constexpr std::array kSteps{
    StepInfo{StoredKeyTried, "stored-key-tried", 0, 0, "device",
             "tries its stored Ks_local_MT with the MT"},
    StepInfo{StoredKeyAccepted, "stored-key-accepted", 0, 0, "device",
             "the MT holds the same Ks_local_MT"},
    StepInfo{StoredKeyRefused, "stored-key-refused", 0, 0, "device",
             "the MT does not hold this Ks_local_MT"},
    StepInfo{NoValidKey, "no-valid-key", 1, 1, "device", "has no valid Ks_local_MT"},
    StepInfo{KeyInfoRequested, "key-info-requested", 2, 2, "device",
             "asks the MT for a B-TID and the NAF_IDs of key centers"},
    StepInfo{BtidChecked, "b-tid-checked", 3, 3, "mt", "looks for a valid B-TID and Ks"},
    StepInfo{KeyInfoWithoutBtid, "key-info-without-b-tid", 4, 0, "mt",
             "has no valid B-TID: answers with its NAF_IDs only"},
    StepInfo{NafListReceived, "naf-list-received", 5, 0, "device",
             "gets a list of NAF_IDs and no B-TID"},
    StepInfo{KeyInfoWithBtid, "key-info-with-b-tid", 0, 4, "mt",
             "has a valid B-TID: answers with it and its NAF_IDs"},
    StepInfo{NafSelected, "naf-selected", 0, 5, "device", "selects a NAF_ID"},
    StepInfo{EstablishmentRequested, "establishment-requested", 6, 6, "device",
             "asks for the key: NAF_ID, Device_ID and what B-TID it knows"},
    StepInfo{GbaRunStarted, "gba-run-started", 7, 0, "mt", "starts a complete GBA run"},
    StepInfo{UiccKeysReceived, "uicc-keys-received", 8, 0, "mt",
             "the UICC has given its keys: Ks_ext_NAF, or CK and IK"},
    StepInfo{MtKeyDerived, "mt-key-derived", 9, 7, "mt", "calculates Ks_local_MT and stores it"},
    StepInfo{EstablishmentAnswered, "establishment-answered", 10, 8, "mt",
             "answers with B-TID and NAF_ID"},
    StepInfo{TunnelEstablished, "tunnel-established", 11, 9, "device",
             "HTTPS to the NAF Key Center, certificates both ways"},
    StepInfo{ServiceRequested, "service-requested", 12, 10, "device",
             "sends the service request: B-TID and Device_ID"},
    StepInfo{CredentialsRequested, "credentials-requested", 13, 11, "key-center",
             "asks the BSF for the key of this B-TID"},
    StepInfo{CredentialsReturned, "credentials-returned", 14, 12, "bsf", "returns Ks_(ext)_NAF"},
    StepInfo{KeyCenterKeyDerived, "key-center-key-derived", 15, 13, "key-center",
             "calculates Ks_local_MT"},
    StepInfo{KeyDelivered, "key-delivered", 16, 14, "key-center",
             "delivers B-TID, Ks_local_MT and its lifetime"},
    StepInfo{DeviceKeyStored, "device-key-stored", 17, 15, "device",
             "stores Ks_local_MT and its lifetime"},
    StepInfo{Completed, "completed", 18, 16, "device",
             "tells the MT that the establishment is completed"},
};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kSteps.size(); ++i) {
        if (static_cast<std::size_t>(kSteps[i].step) != i) {
            return false;
        }
    }
    return kSteps.size() == static_cast<std::size_t>(Completed) + 1;
}
static_assert(in_order(), "one row per Step, in the order of the enumeration");

std::atomic<int> step_fd = -1;

/// All values are ours or already checked as printable; quotes and backslashes are escaped all the
/// same.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : printable(text, 400)) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out + "\"";
}

} // namespace

const StepInfo& info(Step step) {
    return kSteps[static_cast<std::size_t>(step)];
}

void set_step_fd(int fd) {
    step_fd = fd;
}

void emit_step(Step step,
               std::initializer_list<std::pair<std::string_view, std::string_view>> details) {
    const int fd = step_fd.load(std::memory_order_relaxed);
    if (fd < 0) {
        return;
    }
    const auto& row = info(step);
    std::string line =
        "{\"step\":" + quoted(row.name) + ",\"full\":" + std::to_string(row.full) +
        ",\"optimised\":" + std::to_string(row.optimised) + ",\"party\":" + quoted(row.party) +
        ",\"text\":" + quoted(row.text) +
        ",\"boot_ms\":" + std::to_string(SystemClock().boot_now().time_since_epoch().count());
    for (const auto& [name, value] : details) {
        line += "," + quoted(name) + ":" + quoted(value);
    }
    line += "}\n";
    // One write: lines of several programs on one pipe do not mix (PIPE_BUF).
    static_cast<void>(write_all(fd, as_octets(line)));
}

} // namespace mtkey
