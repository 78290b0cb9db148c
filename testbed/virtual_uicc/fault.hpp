// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace mtkey::testbed {

/// Something that goes wrong at one command.
struct Fault {
    enum class Kind {
        Remove,    ///< the card is out, from before this command until it is put in again
        Reset,     ///< the card forgets what is selected, its channels and PINs, then answers
        Mute,      ///< no answer; after `duration`, if there is one, an answer of no octets
        Status,    ///< `sw` and nothing else; the card does not see the command
        Short,     ///< one octet of the answer
        Long,      ///< the answer with 300 octets before its status word
        Endless61, ///< 6110 to this and every command until power-up, GET RESPONSE gives 16 octets
        Endless6c, ///< 6C10 to this and every command until power-up
        Empty,     ///< the answer without its data
        Delay,     ///< the answer comes after `duration`
    };
    std::uint64_t at = 1;        ///< which command, the first one is 1
    bool since_power_up = false; ///< else since the program started with this profile
    unsigned times = 1;          ///< so many commands from there
    Kind kind = Kind::Status;
    std::uint16_t sw = 0x6F00;
    std::chrono::milliseconds duration{0};
};

} // namespace mtkey::testbed
