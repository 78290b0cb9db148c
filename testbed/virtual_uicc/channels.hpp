// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/file_system.hpp"

#include <array>

namespace mtkey::testbed {

/// What a class octet says (TS 102 221 clause 10.1.1): 0X and 8X name channels 0 to 3, 4X and CX
/// channels 4 to 19.
struct CommandClass {
    bool proprietary = false;
    bool secure_messaging = false;
    unsigned channel = 0;
};
/// Nothing for the classes that no UICC command has.
std::optional<CommandClass> parse_class(std::uint8_t cla);

/// The logical channels (clause 8.7): owns what is selected on each that is open.
class Channels {
public:
    explicit Channels(unsigned count);

    void reset();
    /// Null when it is not open. Borrowed until the next MANAGE CHANNEL.
    [[nodiscard]] Selection* find(unsigned channel);
    /// Some channel has an application active whose number passes `test`.
    template <typename Test>
    [[nodiscard]] bool any_application(Test test) const {
        for (const auto& selection : open_) {
            if (selection && selection->application != 0 && test(selection->application)) {
                return true;
            }
        }
        return false;
    }
    /// MANAGE CHANNEL (clause 11.1.17), sent on `from`.
    Answer manage(const uicc::CommandApdu& command, unsigned from);

private:
    static constexpr unsigned kMost = 20;
    Answer open(unsigned wanted, unsigned from);

    unsigned count_;
    std::array<std::optional<Selection>, kMost> open_;
};

} // namespace mtkey::testbed
