#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""device_in_process.py LIBRARY CONFIG: firmware that uses the C library (device/mtkey_device.h).

CONFIG is JSON. For each line on standard input ("establish", "renew", "application") one line of JSON comes back.
"""
import ctypes
import json
import os
import sys


class Config(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("device_id", ctypes.c_char_p), ("state_dir", ctypes.c_char_p),
                ("store_key_file", ctypes.c_char_p), ("runtime_dir", ctypes.c_char_p),
                ("ca_file", ctypes.c_char_p), ("certificate_file", ctypes.c_char_p),
                ("private_key_file", ctypes.c_char_p), ("allowed_suffixes", ctypes.POINTER(ctypes.c_char_p)),
                ("preferred_naf", ctypes.c_char_p), ("kdf_profile", ctypes.c_char_p),
                ("total_seconds", ctypes.c_uint32), ("renew", ctypes.c_uint8)]


OPEN_LINK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))
ADDRESS = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)


class Callbacks(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("context", ctypes.c_void_p), ("open_link", OPEN_LINK),
                ("key_center_address", ADDRESS), ("progress", ctypes.c_void_p), ("cancel_fd", ctypes.c_int)]


class Outcome(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("procedure", ctypes.c_char * 12), ("mt_id", ctypes.c_char * 256),
                ("fingerprint", ctypes.c_char * 17), ("lifetime", ctypes.c_char * 24), ("error", ctypes.c_char * 32),
                ("message", ctypes.c_char * 400), ("retry_after", ctypes.c_uint32)]


def main() -> None:
    library = ctypes.CDLL(sys.argv[1])
    told = json.loads(sys.argv[2])
    address = ctypes.create_string_buffer(told.pop("address").encode())
    tty = told.pop("tty")
    suffixes = (ctypes.c_char_p * 2)(b"3gppnetwork.org", None)

    def open_link(_: object, reliable: "ctypes._Pointer[ctypes.c_int]") -> int:
        reliable[0] = 0
        return os.open(tty, os.O_RDWR | os.O_NOCTTY)

    callbacks = Callbacks(ctypes.sizeof(Callbacks), None, OPEN_LINK(open_link),
                          ADDRESS(lambda *_: ctypes.addressof(address)), None, -1)
    mt_id = b""
    for line in sys.stdin:
        config = Config(size=ctypes.sizeof(Config), allowed_suffixes=suffixes, total_seconds=60,
                        renew=line.strip() == "renew", **{name: text.encode() for name, text in told.items()})
        if line.strip() == "application":
            key = ctypes.create_string_buffer(32)
            status = library.mtkey_device_application_key(ctypes.byref(config), mt_id, b"label", b"consumer", key)
            print(json.dumps({"status": status, "key": key.raw.hex()}), flush=True)
            ctypes.memset(key, 0, 32)
            continue
        outcome = Outcome(size=ctypes.sizeof(Outcome))
        status = library.mtkey_device_establish(ctypes.byref(config), ctypes.byref(callbacks), ctypes.byref(outcome))
        mt_id = outcome.mt_id
        print(json.dumps({"status": status, "procedure": outcome.procedure.decode(), "message": outcome.message.decode(),
                          "fingerprint": outcome.fingerprint.decode()}), flush=True)


main()
