// SPDX-License-Identifier: Apache-2.0
#include "base/memory.hpp"

#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>
#include <unistd.h>

namespace mtkey {
namespace {

[[noreturn]] void on_terminate() {
    if (std::current_exception()) {
        try {
            throw;
        } catch (const std::bad_alloc&) {
            constexpr std::string_view text = "out of memory, ending\n";
            [[maybe_unused]] const auto written =
                ::write(STDERR_FILENO, text.data(), text.size()); // log() allocates
            ::_exit(1);
        } catch (...) { // a mistake of ours: as without us
        }
    }
    std::abort();
}

/// Before the first constructor of a static object, which may need memory, too.
__attribute__((constructor(101))) void begin() {
    std::set_terminate(on_terminate);
}

} // namespace

void end_without_memory() {} // calling it brings this file, and what it does, into the program

} // namespace mtkey
