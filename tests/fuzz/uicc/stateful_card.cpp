// SPDX-License-Identifier: Apache-2.0
// A card that answers whatever it likes (answers are length-prefixed; length 0 = the reader fails;
// FF = two more octets of length, for answers of 256 + 2 octets and what lies beyond), on T=0 or
// T=1, on the basic or a logical channel, to everything that is done with a card: opened as USIM or
// ISIM, bootstrapped, updated, asked for a key. What we send it is checked.
#include "uicc/application.hpp"
#include "uicc/authenticate.hpp"
#include "uicc/gba_files.hpp"
#include "uicc/logical_channel.hpp"
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

class FuzzedCard final : public RawCard {
public:
    FuzzedCard(ByteView script, bool on_t1) : script_(script), on_t1_(on_t1) {}

    Result<SecretBytes> exchange(ByteView command) override {
        require(command.size() >= 4 && command.size() <= 5 + 255 + 1);
        require(++commands_ < 20000);
        watch(command);
        if (script_.empty()) {
            return fail(Errc::NoCard);
        }
        const auto length = take_length();
        const auto answer = script_.first(length);
        script_ = script_.subspan(length);
        if (length == 0) {
            return fail(Errc::CardFailed);
        }
        if (length >= 2) {
            learn(answer[length - 2], answer[length - 1]);
        }
        return SecretBytes(answer);
    }

    unsigned pins_shown = 0;
    unsigned authentications = 0;

private:
    std::size_t take_length() {
        std::size_t length = script_[0];
        script_ = script_.subspan(1);
        if (length == 0xFF && script_.size() >= 2) {
            length = std::size_t{script_[0]} << 8 | script_[1];
            script_ = script_.subspan(2);
        }
        return std::min(length, script_.size());
    }
    void watch(ByteView command) {
        const auto ins = command[1];
        if (ins == 0xC0) {
            return; // GET RESPONSE: the answer to the command before
        }
        // UNBLOCK, CHANGE PIN, TERMINAL PROFILE, FETCH, TERMINAL RESPONSE, ENVELOPE
        require(ins != 0x2C && ins != 0x24 && ins != 0x10 && ins != 0x12 && ins != 0x14 &&
                ins != 0xC2);
        asked_for_counter_ = ins == 0x20 && command.size() == (on_t1_ ? 4U : 5U);
        if (ins == 0x20 && !asked_for_counter_) {
            ++pins_shown;
            require(counter_ >= 2); // read before, and above the floor
        } else if (ins == 0x88) {
            ++authentications;
        }
    }
    void learn(std::uint8_t sw1, std::uint8_t sw2) {
        if (asked_for_counter_ && sw1 == 0x63 && (sw2 & 0xF0) == 0xC0) {
            counter_ = sw2 & 0x0F;
        }
    }

    ByteView script_;
    bool on_t1_;
    unsigned commands_ = 0;
    unsigned counter_ = 0;
    bool asked_for_counter_ = false;
};

} // namespace

namespace {

enum Flag : unsigned {
    OnT1 = 1,
    NotOpened = 2,
    ReadIccid = 4,
    AnyApplication = 8, ///< choice "auto", and probing
    OnChannel = 16,
    Isim = 32,
    GbaFiles = 64,
};

DirEntry::Kind open(CardChannel& card, FuzzedCard& raw, unsigned flags, const unsigned& waits,
                    std::size_t& gbabp_size) {
    OpenOptions options;
    options.pin = [](std::string_view) { return SecretBytes(as_octets("1234")); };
    options.probe_without_dir = (flags & AnyApplication) != 0;
    options.choice.kind = (flags & Isim) != 0             ? ApplicationChoice::Kind::Isim
                          : (flags & AnyApplication) != 0 ? ApplicationChoice::Kind::Auto
                                                          : ApplicationChoice::Kind::Usim;
    const auto application = open_application(card, options);
    require(raw.pins_shown <= 1 + waits); // shown again only to a card that said it was busy
    if (!application) {
        return DirEntry::Kind::Usim;
    }
    require(application->iccid.size() >= 10 && application->naf_key_centers.size() <= 32);
    const auto kind = application->entry.kind;
    require(kind != DirEntry::Kind::Other);
    if (kind == DirEntry::Kind::Usim) {
        require((flags & Isim) == 0 && application->imsi.size() >= 6);
        require(application->mnc_length == 2 || application->mnc_length == 3);
    } else {
        require((flags & (Isim | AnyApplication)) != 0 && !application->impi.empty());
    }
    gbabp_size = application->gbabp_size;
    return kind;
}

void use(CardChannel& card, FuzzedCard& raw, unsigned flags, const unsigned& waits) {
    std::size_t gbabp_size = 160;
    auto kind = DirEntry::Kind::Usim;
    if ((flags & NotOpened) == 0) {
        kind = open(card, raw, flags, waits, gbabp_size);
    }
    if ((flags & ReadIccid) != 0) {
        (void)read_iccid(card);
    }
    if ((flags & GbaFiles) != 0) {
        (void)read_gbabp(card, kind);
        (void)read_gbanl(card, kind);
        (void)read_gbabp_rand(card, kind);
    }
    const Challenge challenge{};
    // Each command is sent once, or once more when the card asked for another Le, or while it says
    // that it is busy.
    const auto authenticated_before = raw.authentications;
    const auto bootstrapped = gba_bootstrap(card, challenge);
    require(raw.authentications - authenticated_before <= 2 + 2 * waits);
    if (bootstrapped) {
        (void)update_gbabp(card, kind, gbabp_size, "b-tid@bsf", "2030-01-01T12:00:00Z");
        const Bytes naf_id(49, 'n');
        (void)gba_derive_naf(card, naf_id, "impi");
    } else {
        (void)authenticate_3g(card, challenge);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) {
        return 0;
    }
    const unsigned flags = data[0];
    const bool on_t1 = (flags & OnT1) != 0;
    FuzzedCard raw(ByteView(data, size).subspan(1), on_t1);
    unsigned waits = 0;
    MappedChannel card(raw, on_t1 ? Protocol::T1 : Protocol::T0,
                       [&](std::chrono::milliseconds) { ++waits; });
    if ((flags & OnChannel) == 0) {
        use(card, raw, flags, waits);
    } else if (auto channel = LogicalChannel::open(card)) {
        use(*channel, raw, flags, waits);
    }
    return 0;
}
