// SPDX-License-Identifier: Apache-2.0
// A SIM that answers whatever it likes (answers are length-prefixed; length 0 = the reader fails),
// opened, asked for SRES and Kc, and opened again. What we send it is checked.
#include "uicc/sim.hpp"
#include "uicc/transmit.hpp"

#include <algorithm>
#include <cstdlib>

using namespace mtkey;
using namespace mtkey::uicc;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

class FuzzedSim final : public RawCard {
public:
    explicit FuzzedSim(ByteView script) : script_(script) {}

    Result<SecretBytes> exchange(ByteView command) override {
        require(command.size() >= 5 && command.size() <= 5 + 16 && command[0] == 0xA0);
        require(++commands_ < 20000);
        const auto ins = command[1];
        require(ins == 0x20 || ins == 0x88 || ins == 0xA4 || ins == 0xB0 || ins == 0xC0);
        if (ins == 0x20) {
            ++pins_shown;
            require(command.size() == 5 + 8 && command[3] == 0x01 && counted);
        }
        if (script_.empty()) {
            return fail(Errc::NoCard);
        }
        const auto length = std::min<std::size_t>(script_[0], script_.size() - 1);
        const auto answer = script_.subspan(1, length);
        script_ = script_.subspan(1 + length);
        if (length == 0) {
            return fail(Errc::CardFailed);
        }
        return SecretBytes(answer);
    }

    unsigned pins_shown = 0;
    bool counted = false; ///< the attempts were read, and are above the floor

private:
    ByteView script_;
    unsigned commands_ = 0;
};

void check_parsers(ByteView octets) {
    if (const auto directory = parse_sim_directory(octets)) {
        require(octets.size() >= 19 && directory->chv1_attempts_left.value_or(0) <= 15);
    }
    if (const auto size = parse_sim_file(octets)) {
        require(octets.size() >= 14 && *size >= 1 && *size <= 0xFFFF);
    }
    require(parse_gsm_answer(octets).has_value() == (octets.size() == 12));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView octets(data, size);
    check_parsers(octets);
    FuzzedSim raw(octets);
    unsigned waits = 0;
    MappedChannel card(raw, Protocol::T0, [&](std::chrono::milliseconds) { ++waits; });
    OpenOptions options;
    options.pin = [](std::string_view) { return SecretBytes(as_octets("1234")); };
    options.pin_counted = [&](std::string_view, unsigned left) { raw.counted = left >= 2; };
    const auto sim = open_sim(card, options);
    require(raw.pins_shown <= 1 + waits); // shown again only to a card that said it was busy
    if (!sim) {
        return 0;
    }
    require(sim->is_sim() && sim->iccid.size() >= 10 && sim->imsi.size() >= 6);
    require(sim->mnc_length == 2 || sim->mnc_length == 3);
    (void)run_gsm_algorithm(card, {});
    raw.counted = false;
    (void)reopen_sim(card, *sim, options);
    return 0;
}
