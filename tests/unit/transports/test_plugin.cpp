// SPDX-License-Identifier: Apache-2.0
// One good plugin and many bad ones, chosen by a macro VARIANT_*.
#include "transports/transport_plugin.h"

#include <cstring>
#include <stdexcept>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct mt_transport_instance {
    const mt_transport_host* host;
    int event;
    bool throws;
};

namespace {

mt_transport_instance* create(const mt_transport_host* host, mt_transport_role,
                              const mt_transport_option* options, size_t count) {
#ifdef VARIANT_THROWS
    if (count == 0) {
        throw std::runtime_error("from create");
    }
#endif
#ifdef VARIANT_REFUSES
    host->state(host->context, MT_TRANSPORT_FAILED, "the reason\nis here");
    return nullptr;
#endif
    static_cast<void>(options);
    auto* instance =
        new mt_transport_instance{host, eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), count > 0};
    host->state(host->context, MT_TRANSPORT_STARTING, nullptr);
    return instance;
}

int poll_fd(mt_transport_instance* instance) {
    return instance->event;
}

/// Gives blocking, inheritable descriptors, and one bad peer name after the other.
void dispatch(mt_transport_instance* instance) {
#ifdef VARIANT_THROWS
    if (instance->throws) {
        throw 42; // not even an std::exception
    }
#endif
    for (const char* peer : {"good", "", "bad\npeer"}) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
            return;
        }
        mt_transport_link link{};
        link.size = sizeof link;
        link.peer = peer;
        link.reliable = 1;
        link.bonded = 1;
        link.role = MT_TRANSPORT_CONNECT;
        link.largest_frame = 2048;
        const int refused = instance->host->connected(instance->host->context, pair[0], &link);
        if (refused != 0) {
            // A refused descriptor is closed: the other end sees the end.
            char octet = 0;
            instance->host->log(instance->host->context, 7,
                                read(pair[1], &octet, 1) == 0 ? "closed" : "open");
        }
        close(pair[1]);
    }
    mt_transport_link small{};
    small.size = 8;
    instance->host->connected(instance->host->context, -1, &small);
}

void released(mt_transport_instance*, const char*) {}

void destroy(mt_transport_instance* instance) {
    instance->host->state(instance->host->context, MT_TRANSPORT_STOPPED, "bye");
    close(instance->event);
    delete instance;
}

} // namespace

#ifdef VARIANT_ABI
#define ABI (MT_TRANSPORT_ABI + 1)
#else
#define ABI MT_TRANSPORT_ABI
#endif
#ifdef VARIANT_SIZE
#define SIZE (sizeof(mt_transport_plugin) - 1)
#else
#define SIZE sizeof(mt_transport_plugin)
#endif
#if defined VARIANT_GOOD
#define NAME "good"
#elif defined VARIANT_FUNCTION
#define NAME "function"
#elif defined VARIANT_REFUSES
#define NAME "refuses"
#elif defined VARIANT_THROWS
#define NAME "throws"
#elif defined VARIANT_ABI
#define NAME "abi"
#elif defined VARIANT_SIZE
#define NAME "size"
#else
#define NAME "something-else"
#endif
#ifdef VARIANT_SYMBOL
#define SYMBOL mt_transport_plugin_v0
#else
#define SYMBOL mt_transport_plugin_v1
#endif
#ifdef VARIANT_FUNCTION
#define DISPATCH nullptr
#else
#define DISPATCH dispatch
#endif

extern "C" __attribute__((visibility("default"))) const mt_transport_plugin SYMBOL = {
    ABI, SIZE, NAME, "for tests", "", create, poll_fd, DISPATCH, released, destroy,
};

// Keeps the function used in the variant that does not name it.
extern "C" __attribute__((visibility("hidden"))) void (*const keep_dispatch)(
    mt_transport_instance*) = dispatch;
