/* SPDX-License-Identifier: Apache-2.0 */
/* The external device of TS 33.259 for firmware: shares a key with an MT over a link that the
 * firmware opens, keeps it in a sealed store, and derives keys for applications from it. Blocking;
 * one mtkey_device_establish() at a time per store (error "InProgress"). No function throws, none
 * writes to stdout. */
#ifndef MTKEY_DEVICE_H
#define MTKEY_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Strings are NUL-terminated UTF-8, borrowed for the call. Fill `size` with sizeof of the struct;
 * zero is the default of whatever follows it. */
struct mtkey_device_config {
    size_t size;
    const char* device_id; /* lower-case printable ASCII, equal to a SAN URI of the certificate */
    /* Absolute path of the folder that holds the store; exists, not writable by others. */
    const char* state_dir;
    /* Absolute path of the key that seals it: 32 octets, mode 0400. Made when there is neither key
     * nor store. NULL = the credential "mtkey-device.store-key" in $CREDENTIALS_DIRECTORY, which
     * comes first anyway. */
    const char* store_key_file;
    /* Absolute path of a folder in a tmpfs: old copies of the store are noticed within one boot.
     * NULL = they are not. */
    const char* runtime_dir;
    const char* ca_file;          /* PEM: trust anchors for Key Centers */
    const char* certificate_file; /* PEM chain of this device */
    const char* private_key_file; /* PEM, mode 0600 */
    /* FQDN suffixes of acceptable Key Centers, "3gppnetwork.org"; NULL at the end. The MT's list
     * comes over an unauthenticated link: at least one is needed. What lies under one (the longest
     * that fits) is one operator: no other can replace its keys. */
    const char* const* allowed_suffixes;
    const char* preferred_naf; /* FQDN; NULL = the first acceptable one of the MT's list */
    const char* kdf_profile;   /* NULL = "draft-1" */
    uint32_t total_seconds;    /* 0 = 180 */
    uint8_t renew;             /* 1: establish a new key although the stored one may be good */
};

struct mtkey_device_callbacks {
    size_t size;
    void* context; /* first argument of each callback */
    /* Opens the link to the MT. Gives a connected stream, which the library closes, or -1. Called
     * again when the link was lost. `reliable`: write 1 if nothing on it is lost or changed, 0 for
     * a tty. */
    int (*open_link)(void* context, int* reliable);
    /* "host:port" of this Key Center, NULL = found by name. May be NULL. */
    const char* (*key_center_address)(void* context, const char* fqdn);
    /* Each step of the procedure by name, perhaps from another thread, on which signals are
     * blocked. May be NULL. */
    void (*progress)(void* context, const char* step, const char* detail);
    /* Readable when the call shall end (error "Cancelled"); 0 or -1 = none. */
    int cancel_fd;
};

struct mtkey_device_result {
    size_t size;
    char procedure[12];   /* "resume", "optimised", "full" */
    char mt_id[256];      /* the key is filed under this name */
    char fingerprint[17]; /* equal on both sides */
    char lifetime[24];    /* UTC, "2030-01-01T12:00:00Z" */
    /* After a failure */
    char error[32];       /* name of the error, "DeviceNotApproved" */
    char message[400];    /* for people */
    uint32_t retry_after; /* seconds that the MT asked for, 0 = none */
};

/* Locks the memory that holds keys. 0 = done. The functions below do it, too, and fail where it
 * cannot be done; called at the start of the program it shows that early.
 * That memory is OpenSSL's secure heap, of which a process has one: 256 KiB, made here. Where the
 * program has made it before (CRYPTO_secure_malloc_init), keys go there; that it is locked and has
 * 64 KiB to spare is the program's affair. Keys that find no place in it are an error, never in
 * plain memory. CRYPTO_secure_malloc_done() is for the end, after the last call. */
int mtkey_device_init(void);

/* Tries the stored key (draft 5.5.1), else establishes one (5.5.2, 5.5.3). 0 = both sides hold the
 * same key; else the exit status of `mtkey-device`, and `result` says why. */
int mtkey_device_establish(const struct mtkey_device_config* config,
                           const struct mtkey_device_callbacks* callbacks,
                           struct mtkey_device_result* result);

/* The application key of this label and consumer, from the active key shared with `mt_id`. The MT
 * derives the same. 0 = `key` is filled; wipe it after use. */
int mtkey_device_application_key(const struct mtkey_device_config* config, const char* mt_id,
                                 const char* label, const char* consumer, uint8_t key[32]);

#ifdef __cplusplus
}
#endif
#endif
