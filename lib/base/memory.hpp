// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mtkey {

/// A program that calls it is ended by a std::bad_alloc that nobody catches, from its static
/// objects on, with a message and status 1, at once: destructors on the way out could need the
/// memory that is not there. What is to outlive the program is on the disk before anybody is told
/// of it.
void end_without_memory();

} // namespace mtkey
