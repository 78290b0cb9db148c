// SPDX-License-Identifier: Apache-2.0
#include "uicc/pcsc_context.hpp"

#include "uicc/call_thread.hpp"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <winscard.h>

namespace mtkey::uicc {
namespace {
static_assert(std::is_same_v<SCARDCONTEXT, long> && std::is_same_v<SCARDHANDLE, long>);

// Pseudo reader whose state changes when readers come and go.
constexpr const char* kReaderListChange = "\\\\?PnP?\\Notification";
constexpr int kMostTries = 3;
constexpr std::chrono::milliseconds kReleaseLimit{2000};

ReaderState to_state(const SCARD_READERSTATE& state) {
    ReaderState out;
    out.name = state.szReader;
    out.raw = static_cast<std::uint32_t>(state.dwEventState & ~DWORD{SCARD_STATE_CHANGED});
    out.present = (state.dwEventState & SCARD_STATE_PRESENT) != 0;
    out.mute = (state.dwEventState & SCARD_STATE_MUTE) != 0;
    out.in_use = (state.dwEventState & (SCARD_STATE_INUSE | SCARD_STATE_EXCLUSIVE)) != 0;
    if (out.present) {
        const auto length = std::min<std::size_t>(state.cbAtr, sizeof(state.rgbAtr));
        out.atr.assign(state.rgbAtr, state.rgbAtr + length);
    }
    return out;
}

bool same_names(const std::vector<std::string>& names, const std::vector<ReaderState>& known) {
    return std::ranges::equal(names, known, {}, {}, &ReaderState::name);
}

/// One SCardGetStatusChange. Nothing = the list of readers has changed meanwhile.
Result<std::optional<std::vector<ReaderState>>> ask(const ScardContext& context,
                                                    const std::vector<std::string>& names,
                                                    const std::vector<ReaderState>* known,
                                                    std::chrono::milliseconds timeout) {
    std::vector<SCARD_READERSTATE> states(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        states[i].szReader = names[i].c_str();
        states[i].dwCurrentState = known != nullptr ? (*known)[i].raw : DWORD{SCARD_STATE_UNAWARE};
    }
    if (known != nullptr && states.size() < PCSCLITE_MAX_READERS_CONTEXTS) {
        states.push_back({});
        states.back().szReader = kReaderListChange;
    }
    if (states.empty()) {
        return std::vector<ReaderState>{};
    }
    const auto limit = std::clamp<std::chrono::milliseconds::rep>(timeout.count(), 0, INFINITE / 2);
    const auto code = SCardGetStatusChange(context.handle(), static_cast<DWORD>(limit),
                                           states.data(), static_cast<DWORD>(states.size()));
    if (code == SCARD_E_UNKNOWN_READER || code == SCARD_E_READER_UNAVAILABLE) {
        return std::nullopt;
    }
    if (code == SCARD_E_TIMEOUT && known != nullptr) {
        return *known;
    }
    if (code != SCARD_S_SUCCESS && code != SCARD_E_TIMEOUT) {
        return std::unexpected(pcsc_error(code, "waiting for readers"));
    }
    std::vector<ReaderState> out;
    for (std::size_t i = 0; i < names.size(); ++i) {
        out.push_back(to_state(states[i]));
    }
    const bool list_changed =
        states.size() > names.size() && (states.back().dwEventState & SCARD_STATE_CHANGED) != 0;
    const bool one_is_gone = std::ranges::any_of(
        out, [](const ReaderState& state) { return (state.raw & SCARD_STATE_UNKNOWN) != 0; });
    if (list_changed || one_is_gone) {
        return std::nullopt;
    }
    return out;
}
} // namespace

struct ScardContext::Owner {
    explicit Owner(SCARDCONTEXT context) : handle(context) {}
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    /// A pcscd that hangs does not answer to this either.
    ~Owner() {
        auto thread = CallThread::start();
        if (!thread) {
            SCardReleaseContext(handle);
            return;
        }
        (void)(*thread)->run([context = handle] { SCardReleaseContext(context); }, kReleaseLimit);
    }
    SCARDCONTEXT handle;
};

Result<ScardContext> ScardContext::establish() {
    SCARDCONTEXT handle = 0;
    const auto code = SCardEstablishContext(SCARD_SCOPE_SYSTEM, nullptr, nullptr, &handle);
    if (code != SCARD_S_SUCCESS) {
        return std::unexpected(pcsc_error(code, "pcscd"));
    }
    return ScardContext(std::make_shared<const Owner>(handle));
}

long ScardContext::handle() const {
    return owner_->handle;
}

void ScardContext::cancel() const {
    if (owner_) {
        SCardCancel(owner_->handle);
    }
}

bool ReaderState::same_card(const ReaderState& other) const {
    const auto counter = [](std::uint32_t flags) { return flags >> 16; };
    return name == other.name && present == other.present && mute == other.mute &&
           atr == other.atr && counter(raw) == counter(other.raw);
}

Result<std::vector<std::string>> list_readers(const ScardContext& context) {
    std::vector<char> names(PCSCLITE_MAX_READERS_CONTEXTS * (MAX_READERNAME + 1));
    auto size = static_cast<DWORD>(names.size());
    const auto code = SCardListReaders(context.handle(), nullptr, names.data(), &size);
    if (code == SCARD_E_NO_READERS_AVAILABLE) {
        return std::vector<std::string>{};
    }
    if (code != SCARD_S_SUCCESS) {
        return std::unexpected(pcsc_error(code, "list of readers"));
    }
    // Texts with a zero octet each, one more at the end.
    std::vector<std::string> out;
    auto rest = std::string_view(names.data(), std::min<std::size_t>(size, names.size()));
    while (!rest.empty() && rest.front() != '\0') {
        const auto end = std::min(rest.find('\0'), rest.size());
        out.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

Result<std::vector<ReaderState>> wait_for_change(const ScardContext& context,
                                                 const std::vector<ReaderState>& known,
                                                 std::chrono::milliseconds timeout) {
    auto names = MTKEY_TRY(list_readers(context));
    if (same_names(names, known)) {
        if (auto states = MTKEY_TRY(ask(context, names, &known, timeout))) {
            return *std::move(states);
        }
        names = MTKEY_TRY(list_readers(context));
    }
    // Other readers than known: their state as it is.
    for (int tries = 0; tries < kMostTries; ++tries) {
        if (auto states = MTKEY_TRY(ask(context, names, nullptr, std::chrono::milliseconds(0)))) {
            return *std::move(states);
        }
        names = MTKEY_TRY(list_readers(context));
    }
    return fail(Errc::NoReader, "readers come and go too fast",
                static_cast<std::uint32_t>(SCARD_E_READER_UNAVAILABLE));
}

} // namespace mtkey::uicc
