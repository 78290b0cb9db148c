// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/errc.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace mtkey {

/// What went wrong, for programs (`code`), for experts (`detail`) and for people (`context`).
struct [[nodiscard]] Error {
    Errc code{};
    std::uint32_t detail = 0; ///< SW1SW2, SCARD code, errno, HTTP status, or seconds of
                              ///< RetryAfter; 0 = none
    std::string context;      ///< names the object at fault; never holds key octets
};

template <typename T>
using Result = std::expected<T, Error>;

/// `return fail(Errc::NoCard, "reader X");`
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string context = {},
                                                 std::uint32_t detail = 0) {
    return std::unexpected<Error>(Error{code, detail, std::move(context)});
}

/// The sentence for people: what failed, the object, the detail and the remedy of the error table.
std::string describe(const Error& error);

} // namespace mtkey

#define MTKEY_CONCAT_(a, b) a##b
#define MTKEY_CONCAT(a, b) MTKEY_CONCAT_(a, b)

/// Value of a Result, or return its Error from the calling function. May be nested.
#define MTKEY_TRY(expr) MTKEY_TRY_NAMED(MTKEY_CONCAT(mtkey_try_, __COUNTER__), expr)
#define MTKEY_TRY_NAMED(name, expr)                                                                \
    __extension__({                                                                                \
        auto name = (expr);                                                                        \
        if (!name) [[unlikely]] {                                                                  \
            return std::unexpected(std::move(name).error());                                       \
        }                                                                                          \
        std::move(*name);                                                                          \
    })

/// The same for Result<void>: nothing to take, only the error to pass on.
#define MTKEY_CHECK(expr)                                                                          \
    do {                                                                                           \
        if (auto mtkey_check_result = (expr); !mtkey_check_result) [[unlikely]] {                  \
            return std::unexpected(std::move(mtkey_check_result).error());                         \
        }                                                                                          \
    } while (false)
