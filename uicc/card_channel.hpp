// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "uicc/apdu.hpp"

namespace mtkey::uicc {

/// A card that answers commands: a live PC/SC transaction, a modem's channel, or a script in a
/// test. 61xx, 6Cxx and the T=0 forms are below this interface; a status word is an answer, not an
/// Error.
class CardChannel {
public:
    virtual ~CardChannel() = default;
    /// Errors: NoCard (removed, reset behind us), CardFailed (mute, nonsense), ReaderBusy,
    /// NoReader, TimedOut.
    [[nodiscard]] virtual Result<ResponseApdu> transmit(const CommandApdu& command) = 0;
};

} // namespace mtkey::uicc
