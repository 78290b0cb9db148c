// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <array>
#include <cstdint>

namespace mtkey::tools {

/// Files that hold keys, by their identifier wherever they are.
[[nodiscard]] bool is_key_file(std::uint16_t identifier);

/// Takes the secrets out of what goes to and comes from a card, in its order: PINs, RES, CK, IK,
/// Kc, Ks_ext_NAF, and the files that hold keys. Lengths stay. A secret becomes EE octets; of four
/// and more the last two are a salted tag, so that equal values of one run can be seen to be equal.
class Redactor {
public:
    [[nodiscard]] static Result<Redactor> make();

    struct Exchange {
        Bytes command;
        Bytes answer;          ///< with its status word
        bool redacted = false; ///< something was taken out
    };
    /// Raw (T=0 or T=1 form) or whole: GET RESPONSE inherits from the command before it.
    [[nodiscard]] Exchange operator()(ByteView command, ByteView answer);

private:
    explicit Redactor(Secret<32> salt) : salt_(std::move(salt)) {}
    void hide(std::span<std::uint8_t> secret) const;
    void hide_authentication(std::span<std::uint8_t> data) const;
    void follow_selection(ByteView command);

    enum class Answer : std::uint8_t { Plain, Authentication, Secret };
    Secret<32> salt_;
    Answer pending_ = Answer::Plain;
    bool key_file_selected_ = false;
};

} // namespace mtkey::tools
