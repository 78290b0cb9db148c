// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <new>
#include <openssl/err.h>

namespace mtkey {

/// For what OpenSSL does without fail while it has memory: init_secure_heap() has seen that its
/// algorithms are there.
inline void must(bool done) {
    if (!done) {
        ERR_clear_error(); // TLS on this thread would take the queue for its own
        throw std::bad_alloc();
    }
}

} // namespace mtkey
