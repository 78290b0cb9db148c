// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/encoding.hpp"
#include "uicc/card_channel.hpp"
#include "uicc/transmit.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mtkey::test {

/// What was expected next and what is answered to it. Owns the lines that are left.
/// Hex with spaces wherever they help; answers are data followed by SW1 SW2.
class CardScript {
public:
    void add(std::string_view command, std::string_view response) {
        lines_.push_back({squeezed(command), squeezed(response), std::nullopt});
    }
    void add(std::string_view command, Error error) {
        lines_.push_back({squeezed(command), {}, std::move(error)});
    }
    /// Everything was played and nothing else was asked.
    [[nodiscard]] bool finished() const { return lines_.empty() && trouble_.empty(); }
    /// The first departure from the script, or the first line that was never asked for.
    [[nodiscard]] std::string trouble() const {
        if (trouble_.empty() && !lines_.empty()) {
            return "never asked: " + lines_.front().command;
        }
        return trouble_;
    }
    Result<SecretBytes> play(ByteView command) {
        const auto hex = to_hex(command);
        if (lines_.empty() || lines_.front().command != hex) {
            if (trouble_.empty()) {
                trouble_ =
                    "asked: " + hex +
                    (lines_.empty() ? " behind the end" : ", expected: " + lines_.front().command);
            }
            return fail(Errc::Internal, "off script: " + trouble_);
        }
        auto line = std::move(lines_.front());
        lines_.pop_front();
        ++played_;
        if (line.error) {
            return std::unexpected(*std::move(line.error));
        }
        return secret_from_hex(line.response);
    }
    [[nodiscard]] unsigned played() const { return played_; }

private:
    struct Line {
        std::string command;
        std::string response;
        std::optional<Error> error;
    };
    static std::string squeezed(std::string_view hex) {
        std::string out;
        for (const char c : hex) {
            if (c != ' ') {
                out.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
            }
        }
        return out;
    }
    std::deque<Line> lines_;
    std::string trouble_;
    unsigned played_ = 0;
};

/// A card above the T=0 mapping: commands are compared in their T=1 form (with Le).
/// `ScriptedCard card; card.expect("00A4000C022FE2", "9000");` ... `ASSERT_TRUE(card.finished()) <<
/// card.trouble();`
class ScriptedCard final : public uicc::CardChannel {
public:
    ScriptedCard& expect(std::string_view command, std::string_view response) {
        script_.add(command, response);
        return *this;
    }
    ScriptedCard& expect_error(std::string_view command, Errc code, std::uint32_t detail = 0) {
        script_.add(command, Error{code, detail, "scripted"});
        return *this;
    }
    [[nodiscard]] bool finished() const { return script_.finished(); }
    [[nodiscard]] std::string trouble() const { return script_.trouble(); }
    [[nodiscard]] unsigned played() const { return script_.played(); }

    Result<uicc::ResponseApdu> transmit(const uicc::CommandApdu& command) override {
        const auto answer = MTKEY_TRY(script_.play(command.encode().reveal()));
        const auto octets = answer.reveal();
        if (octets.size() < 2) {
            return fail(Errc::CardFailed, "scripted answer without status word");
        }
        uicc::ResponseApdu response;
        response.data = SecretBytes(octets.first(octets.size() - 2));
        response.sw = static_cast<std::uint16_t>(octets[octets.size() - 2] << 8 | octets.back());
        return response;
    }

private:
    CardScript script_;
};

/// A card below the T=0 mapping: the octets that a reader would see.
class ScriptedRawCard final : public uicc::RawCard {
public:
    ScriptedRawCard& expect(std::string_view command, std::string_view response) {
        script_.add(command, response);
        return *this;
    }
    ScriptedRawCard& expect_error(std::string_view command, Errc code, std::uint32_t detail = 0) {
        script_.add(command, Error{code, detail, "scripted"});
        return *this;
    }
    [[nodiscard]] bool finished() const { return script_.finished(); }
    [[nodiscard]] std::string trouble() const { return script_.trouble(); }
    [[nodiscard]] unsigned played() const { return script_.played(); }

    Result<SecretBytes> exchange(ByteView command) override { return script_.play(command); }

private:
    CardScript script_;
};

} // namespace mtkey::test
