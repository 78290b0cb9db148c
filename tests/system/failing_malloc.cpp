// SPDX-License-Identifier: Apache-2.0
// For LD_PRELOAD, in tests: in the program MTKEY_FAIL_IN (its name) allocation MTKEY_FAIL_AT fails,
// counted from 0 over all threads, and with MTKEY_FAIL_FOREVER all behind it. How many there were
// is written to the file MTKEY_FAIL_COUNT at the end.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

extern "C" {
// glibc's own, beneath the names that are replaced here.
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

std::atomic<long> count = -1; ///< negative: another program, or not begun
long fail_at = -1;
bool for_ever = false;

__attribute__((constructor)) void begin() {
    const char* program = std::getenv("MTKEY_FAIL_IN");
    const char* at = std::getenv("MTKEY_FAIL_AT");
    if (program == nullptr || std::strcmp(program, program_invocation_short_name) != 0) {
        return;
    }
    for_ever = std::getenv("MTKEY_FAIL_FOREVER") != nullptr;
    fail_at = at == nullptr ? -1 : std::strtol(at, nullptr, 10);
    count = 0;
}

__attribute__((destructor)) void end() {
    const char* path = std::getenv("MTKEY_FAIL_COUNT");
    const long counted = count.exchange(-1);
    if (path == nullptr || counted < 0) {
        return;
    }
    char text[32];
    const int length = std::snprintf(text, sizeof text, "%ld\n", counted);
    const int fd = ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    [[maybe_unused]] const auto written = ::write(fd, text, static_cast<std::size_t>(length));
    ::close(fd);
}

bool fails() {
    if (count.load(std::memory_order_relaxed) < 0) {
        return false;
    }
    const long number = count.fetch_add(1);
    if (fail_at < 0 || (for_ever ? number < fail_at : number != fail_at)) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

} // namespace

#define REPLACED extern "C" __attribute__((visibility("default")))

REPLACED void* malloc(std::size_t size) {
    return fails() ? nullptr : __libc_malloc(size);
}
REPLACED void* calloc(std::size_t number, std::size_t size) {
    return fails() ? nullptr : __libc_calloc(number, size);
}
REPLACED void* realloc(void* block, std::size_t size) {
    return size != 0 && fails() ? nullptr : __libc_realloc(block, size);
}
REPLACED void* aligned_alloc(std::size_t alignment, std::size_t size) {
    return fails() ? nullptr : __libc_memalign(alignment, size);
}
REPLACED int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
    void* block = fails() ? nullptr : __libc_memalign(alignment, size);
    if (block == nullptr) {
        return ENOMEM;
    }
    *out = block;
    return 0;
}
