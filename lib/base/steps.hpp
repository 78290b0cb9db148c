// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>

namespace mtkey {

/// The steps of the draft (5.5.1, 5.5.2, 5.5.3), each named once; a step has a number in one or
/// both procedures.
enum class Step {
    // 5.5.1, external device
    StoredKeyTried,
    StoredKeyAccepted,
    StoredKeyRefused,
    // 5.5.2 / 5.5.3
    NoValidKey,             // device   1 / 1
    KeyInfoRequested,       // device   2 / 2
    BtidChecked,            // MT       3 / 3
    KeyInfoWithoutBtid,     // MT       4 / -
    NafListReceived,        // device   5 / -
    KeyInfoWithBtid,        // MT       - / 4
    NafSelected,            // device   - / 5
    EstablishmentRequested, // device   6 / 6
    GbaRunStarted,          // MT       7 / -
    UiccKeysReceived,       // MT       8 / -
    MtKeyDerived,           // MT       9 / 7
    EstablishmentAnswered,  // MT      10 / 8
    TunnelEstablished,      // device  11 / 9
    ServiceRequested,       // device  12 / 10
    CredentialsRequested,   // KC      13 / 11
    CredentialsReturned,    // BSF     14 / 12
    KeyCenterKeyDerived,    // KC      15 / 13
    KeyDelivered,           // KC      16 / 14
    DeviceKeyStored,        // device  17 / 15
    Completed,              // device  18 / 16
};

/// One row of the table of steps. `full`, `optimised`: number in 5.5.2 and 5.5.3, 0 where it has
/// none.
struct StepInfo {
    Step step;
    std::string_view name;
    int full;
    int optimised;
    std::string_view party; ///< device, mt, key-center, bsf
    std::string_view text;
};
const StepInfo& info(Step step);

/// Steps are written from now on as JSON lines to `fd` (borrowed); -1, the default, means nowhere.
void set_step_fd(int fd);

/// `details`: values that are no secret (fingerprints, FQDNs, counts). Safe from every thread.
void emit_step(Step step,
               std::initializer_list<std::pair<std::string_view, std::string_view>> details = {});

} // namespace mtkey
