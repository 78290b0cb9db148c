/* SPDX-License-Identifier: Apache-2.0 */
/* The C ABI between a program of mtkeyd and a transport plugin. A plugin makes connected byte
 * streams and hands their file descriptors over; it never sees a key or a frame. One exported
 * symbol: `mt_transport_plugin_v1`. */
#ifndef MTKEY_TRANSPORT_PLUGIN_H
#define MTKEY_TRANSPORT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MT_TRANSPORT_ABI 1u

/* Role of the instance: an MT listens, a device connects. */
enum mt_transport_role { MT_TRANSPORT_LISTEN = 0, MT_TRANSPORT_CONNECT = 1 };

/* Facts about one connection. Strings are borrowed for the call. */
struct mt_transport_link {
    size_t size; /* sizeof(struct mt_transport_link) of the plugin */
    /* stable transport identity: "00:AA:01:00:00:00", USB serial, tty path; UTF-8 */
    const char* peer;
    /* 1: nothing is lost or changed (length-prefixed frames); 0: a tty (COBS + CRC) */
    uint8_t reliable;
    uint8_t bonded;         /* 1: the transport itself authenticated this peer before */
    uint8_t role;           /* enum mt_transport_role of this end */
    uint32_t largest_frame; /* 0 = default of the framing */
};

enum mt_transport_state {
    MT_TRANSPORT_STOPPED = 0,
    MT_TRANSPORT_STARTING = 1,
    MT_TRANSPORT_READY = 2,
    MT_TRANSPORT_FAILED = 3
};

/* What the program offers to the plugin. Callbacks come from the plugin's create, dispatch and
 * destroy only, on the thread that calls these. Later versions append members: look at `size`. */
struct mt_transport_host {
    size_t size;
    void* context; /* first argument of each callback */
    /* Takes `fd`, also when it returns non-zero (refused: then it is closed already). The fd is a
     * connected stream, non-blocking, close-on-exec. */
    int (*connected)(void* context, int fd, const struct mt_transport_link* link);
    /* State changed; `message` (may be NULL) names the object and the remedy. */
    void (*state)(void* context, enum mt_transport_state state, const char* message);
    /* level as in syslog(3) */
    void (*log)(void* context, int level, const char* message);
};

/* One configuration value: `[transport.NAME]` of the program's configuration, as text. */
struct mt_transport_option {
    const char* key;
    const char* value;
};

struct mt_transport_instance; /* opaque, the plugin's */

struct mt_transport_plugin {
    uint32_t abi;            /* MT_TRANSPORT_ABI */
    size_t size;             /* sizeof(struct mt_transport_plugin) */
    const char* name;        /* "serial": must equal the module's file name */
    const char* description; /* one sentence */
    const char* config_help; /* lines "key: meaning" */
    /* NULL = failure, after a call of host->state with FAILED and the reason. `host` and `options`
     * are borrowed: the host struct until destroy, options for the call. */
    struct mt_transport_instance* (*create)(const struct mt_transport_host* host,
                                            enum mt_transport_role role,
                                            const struct mt_transport_option* options,
                                            size_t count);
    /* One epoll descriptor for everything that the instance waits for (timers are timerfds in it).
     * Owned by the plugin. */
    int (*poll_fd)(struct mt_transport_instance* instance);
    /* To be called when poll_fd is readable. Never blocks. */
    void (*dispatch)(struct mt_transport_instance* instance);
    /* A connection that was handed over has been closed by the program (listen again, connect
     * again). */
    void (*released)(struct mt_transport_instance* instance, const char* peer);
    void (*destroy)(struct mt_transport_instance* instance);
};

#ifdef __cplusplus
}
#endif
#endif
