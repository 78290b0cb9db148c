# SPDX-License-Identifier: Apache-2.0
"""The local interface once more, from docs/local-interface.md alone: cbor2, hashlib, zlib and nothing of the C++ code.

Run as a program it prints the values of the worked example as they stand in the document.
"""
import hashlib
import hmac
import zlib
from typing import Any, Optional

import cbor2

DEVICE_TO_MT, MT_TO_DEVICE = 0, 1
HELLO, RESUME, RESUME_ANSWER, L1, L2, L3, L4, CONFIRM, CONFIRM_ACK, ERROR, PING, PONG, BYE = range(1, 14)

DEVICE_ID = "urn:uuid:6f1b0a52-9c3d-4e58-8f7e-2b1f4a0c9d10"
B_TID = "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org"
FQDN = "nafkc.mnc001.mcc001.pub.3gppnetwork.org"
NAF_ID = [FQDN, bytes.fromhex("ff00033259")]
SECOND_NAF_ID = ["nafkc2.mnc001.mcc001.pub.3gppnetwork.org", bytes.fromhex("ff00033259")]
KS_LOCAL_MT = bytes.fromhex("520ff2b50c0d16c7e5bad24dd9b3de6017578db5d96466b1fe003111e30d5b95")
MT_ID = "mt-5f1c0a7e93b2d846"
EST_ID = bytes(range(0xA0, 0xB0))
KS_EXPIRES = 1893499200  # 2030-01-01T12:00:00Z
KEY_EXPIRES = 1893495600


def encode(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def lp(octets: bytes) -> bytes:
    return len(octets).to_bytes(2, "big") + octets


def transcript_hash(label: str, *messages: tuple[int, bytes]) -> bytes:
    text = label.encode() + b"\0"
    for direction, octets in messages:
        text += bytes([direction]) + lp(octets)
    return hashlib.sha256(text).digest()


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def expand(key: bytes, purpose: str, context: bytes = b"") -> bytes:
    """HKDF-Expand of RFC 5869 for 32 octets: one block."""
    return mac(key, b"mtkey/1 " + purpose.encode() + b"\0" + context, b"\x01")


def header_and_payload(direction: int, message_type: int, payload: bytes) -> bytes:
    return bytes([1, direction, message_type, 0]) + payload


def length_prefixed(direction: int, message_type: int, payload: bytes) -> bytes:
    return b"MK" + lp(header_and_payload(direction, message_type, payload))


def stuff(octets: bytes) -> bytes:
    """COBS: groups of up to 254 octets without 00, each behind its length plus one."""
    out = bytearray()
    groups = octets.split(b"\0")
    for number, group in enumerate(groups):
        while len(group) >= 254:
            out += b"\xff" + group[:254]
            group = group[254:]
            if not group and number + 1 == len(groups):
                return bytes(out)
        out += bytes([len(group) + 1]) + group
    return bytes(out)


def on_tty(direction: int, message_type: int, payload: bytes, number: int) -> bytes:
    block = number.to_bytes(2, "big") + header_and_payload(direction, message_type, payload)
    return b"\0" + stuff(block + zlib.crc32(block).to_bytes(4, "big")) + b"\0"


def hello(role: int, first: int, largest: int = 4096, mt_id: Optional[str] = None) -> bytes:
    content: dict[int, Any] = {1: role, 2: [1], 3: [], 4: bytes(range(first, first + 32)), 5: largest}
    if mt_id is not None:
        content[6] = mt_id
    return encode(content)


def key_info(b_tid: Optional[str]) -> bytes:
    content: dict[int, Any] = {1: [{1: NAF_ID, 2: f"https://{FQDN}:8443/key"}, {1: SECOND_NAF_ID}]}
    if b_tid is not None:
        content[2] = b_tid
    return encode(content)


def establishment_request(b_tid: Optional[str]) -> bytes:
    content: dict[int, Any] = {1: NAF_ID, 2: DEVICE_ID, 3: 0}
    if b_tid is not None:
        content[4] = b_tid
    return encode(content)


def worked_example() -> dict[str, bytes]:
    v: dict[str, bytes] = {"ks_local_mt": KS_LOCAL_MT}
    # first connection: draft 5.5.3
    v["hello_device"] = hello(0, 0x00)
    v["hello_mt"] = hello(1, 0x80, mt_id=MT_ID)
    hellos = (DEVICE_TO_MT, v["hello_device"]), (MT_TO_DEVICE, v["hello_mt"])
    v["th_conn"] = transcript_hash("mtkey/1 conn", *hellos)
    v["l1"] = encode({1: DEVICE_ID})
    v["l2"] = key_info(B_TID)
    v["l3"] = establishment_request(B_TID)
    v["l4"] = encode({1: EST_ID, 2: B_TID, 3: NAF_ID, 4: "draft-1", 5: "gba-u", 6: KS_EXPIRES, 7: 86400})
    v["th_est"] = transcript_hash("mtkey/1 est", *hellos, (DEVICE_TO_MT, v["l1"]), (MT_TO_DEVICE, v["l2"]),
                                  (DEVICE_TO_MT, v["l3"]), (MT_TO_DEVICE, v["l4"]))
    v["k_est"] = mac(v["th_est"], KS_LOCAL_MT)
    for name, purpose in (("k_confirm_device", "confirm device"), ("k_confirm_mt", "confirm mt"), ("k_id", "key id"),
                          ("k_channel", "channel"), ("k_application", "application")):
        v[name] = expand(v["k_est"], purpose)
    v["confirm_body"] = encode({1: EST_ID, 2: B_TID, 3: NAF_ID, 4: "draft-1", 5: KEY_EXPIRES})
    v["confirm_mac"] = mac(v["k_confirm_device"], b"C1", v["th_est"], v["th_conn"], lp(v["confirm_body"]))
    v["confirm"] = encode({1: v["confirm_body"], 2: v["confirm_mac"]})
    v["ack_body"] = encode({1: 0, 2: KEY_EXPIRES})
    v["ack_mac"] = mac(v["k_confirm_mt"], b"C2", v["th_est"], v["th_conn"], lp(v["confirm_mac"]), lp(v["ack_body"]))
    v["ack"] = encode({1: v["ack_body"], 2: v["ack_mac"]})
    v["application_key"] = expand(v["k_application"], "app", lp(b"chat") + lp(b"org.example.Chat"))
    # as they stand on a reliable link
    for name, direction, message_type in (("hello_device", 0, HELLO), ("hello_mt", 1, HELLO), ("l1", 0, L1),
                                          ("l2", 1, L2), ("l3", 0, L3), ("l4", 1, L4), ("confirm", 0, CONFIRM),
                                          ("ack", 1, CONFIRM_ACK)):
        v["frame_" + name] = length_prefixed(direction, message_type, v[name])
    v["frame_bye"] = length_prefixed(DEVICE_TO_MT, BYE, encode({}))
    # what differs in draft 5.5.2
    v["l2_full"] = key_info(None)
    v["l3_full"] = establishment_request(None)
    # on a tty
    v["tty_hello_device"] = on_tty(DEVICE_TO_MT, HELLO, hello(0, 0x00, 1024), 0)
    v["tty_hello_device_again"] = on_tty(DEVICE_TO_MT, HELLO, hello(0, 0x00, 1024), 1)
    v["tty_ping_mt"] = on_tty(MT_TO_DEVICE, PING, encode({}), 256)
    v["tty_l2"] = on_tty(MT_TO_DEVICE, L2, v["l2"], 1)
    # a later connection: draft 5.5.1
    v["hello_device_2"] = hello(0, 0x20)
    v["hello_mt_2"] = hello(1, 0xA0)
    v["th_conn_2"] = transcript_hash("mtkey/1 conn", (DEVICE_TO_MT, v["hello_device_2"]),
                                     (MT_TO_DEVICE, v["hello_mt_2"]))
    v["tag"] = mac(v["k_id"], b"mtkey/1 tag\0", v["th_conn_2"])[:16]
    v["resume"] = encode({1: [v["tag"]]})
    v["resume_answer_body"] = encode({1: 1, 2: 0})
    v["resume_answer_mac"] = mac(v["k_confirm_mt"], b"R1", v["th_est"], v["th_conn_2"], lp(v["resume_answer_body"]))
    v["resume_answer"] = encode({1: v["resume_answer_body"], 2: v["resume_answer_mac"]})
    v["error_pending"] = encode({1: 2, 2: 60, 3: "waiting for approval"})
    return v


def read_values(document: str) -> dict[str, bytes]:
    """The lines "name = hex" of the document's block of values; a long hex text goes on in lines with two spaces."""
    block = document.split("```values\n")[1].split("```")[0]
    values: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line.startswith("  "):
            values[name] += line.strip()
        elif "=" in line:
            name, text = (part.strip() for part in line.split("=", 1))
            values[name] = text
    return {key: bytes.fromhex(text) for key, text in values.items()}


def main() -> None:
    for name, octets in worked_example().items():
        text = octets.hex()
        line = f"{name} = {text}"
        if len(line) <= 100:
            print(line)
            continue
        print(f"{name} =")
        for at in range(0, len(text), 96):
            print("  " + text[at:at + 96])


if __name__ == "__main__":
    main()
