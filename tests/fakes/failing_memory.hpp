// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mtkey::fakes {

/// Whose allocations are counted, and fail.
enum class Allocator {
    New,     ///< operator new, and with it what the C++ library allocates
    OpenSsl, ///< its own; and the secure heap, which is a part of it without init_secure_heap()
};

/// The allocations of this program, which it replaces by being linked: number `first`, counted from
/// 0, fails and with it, if asked for, all behind. Single-threaded; not failing until asked to.
void fail_allocation(Allocator of, long first, bool for_ever);
/// Memory is back. True: an allocation has failed meanwhile.
bool end_failing();
/// How many there were since fail_allocation(), of those that it counts.
[[nodiscard]] long allocations();

} // namespace mtkey::fakes
