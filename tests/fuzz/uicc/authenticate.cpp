// SPDX-License-Identifier: Apache-2.0
// One answer of any octets (the last two are the status word) to each form of AUTHENTICATE.
#include "uicc/authenticate.hpp"

#include <cstdlib>

using namespace mtkey;
using namespace mtkey::uicc;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

class OneAnswer final : public CardChannel {
public:
    explicit OneAnswer(ByteView octets) : octets_(octets) {}
    Result<ResponseApdu> transmit(const CommandApdu& command) override {
        require(command.data.size() <= 255 && command.ins == 0x88);
        ResponseApdu response;
        response.data = SecretBytes(octets_.first(octets_.size() - 2));
        response.sw = static_cast<std::uint16_t>(octets_[octets_.size() - 2] << 8 | octets_.back());
        return response;
    }

private:
    ByteView octets_;
};

void check_res(const SecretBytes& res) {
    require(res.size() >= 4 && res.size() <= 16);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    OneAnswer card(ByteView(data, size));
    const Challenge challenge{};
    const bool ok = data[size - 2] == 0x91 || (data[size - 2] == 0x90 && data[size - 1] == 0);
    if (const auto outcome = authenticate_3g(card, challenge)) {
        require(ok);
        if (const auto* keys = std::get_if<AkaKeys>(&*outcome)) {
            check_res(keys->res);
        }
    }
    if (const auto outcome = gba_bootstrap(card, challenge)) {
        require(ok);
        if (const auto* done = std::get_if<Bootstrapped>(&*outcome)) {
            check_res(done->res);
            require(size == 2 + 2 + done->res.size());
        }
    }
    const Bytes naf_id(49, 'n');
    if (gba_derive_naf(card, naf_id, "impi")) {
        require(ok && size == 2 + 2 + 32);
    }
    return 0;
}
