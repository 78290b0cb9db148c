# SPDX-License-Identifier: Apache-2.0
"""Reads what passed on a serial line (docs/local-interface.md section 2.3) and computes the keys that follow from
Ks_local_MT (section 5) by other code than the programs'. Changes what passes, too.
"""
import hashlib
import hmac
import zlib
from dataclasses import dataclass
from typing import Callable, Iterable, Optional

HELLO, L1, L2, L3, L4, CONFIRM, CONFIRM_ACK, ERROR = 1, 4, 5, 6, 7, 8, 9, 10
PURPOSES = ("confirm device", "confirm mt", "key id", "channel", "application")


@dataclass(frozen=True)
class Message:
    direction: int  # 0: from the device
    type: int
    payload: bytes


def unstuff(block: bytes) -> bytes:
    """COBS of one block without its delimiters."""
    out = bytearray()
    position = 0
    while position < len(block):
        length = block[position]
        out += block[position + 1:position + length]
        position += length
        if length < 255 and position < len(block):
            out.append(0)
    return bytes(out)


def stuff(frame: bytes) -> bytes:
    """COBS with the delimiters on both sides."""
    out = bytearray()
    for run in frame.split(b"\0"):
        while len(run) >= 254:
            out += b"\xff" + run[:254]
            run = run[254:]
        out += bytes([len(run) + 1]) + run
    return b"\0" + bytes(out) + b"\0"


class FrameFilter:
    """TtyPair.alter: `change` gets type and octets of each frame and says what goes over; None = nothing does."""

    def __init__(self, change: Callable[[int, bytes], Optional[bytes]]):
        self._change = change
        self._waiting = {"device": b"", "mt": b""}

    def __call__(self, sender: str, octets: bytes) -> bytes:
        *blocks, self._waiting[sender] = (self._waiting[sender] + octets).split(b"\0")
        out = b""
        for block in blocks:
            text = unstuff(block)[:-4]
            changed = self._change(text[4], text) if len(text) > 5 else None
            if changed is not None:
                out += stuff(changed + zlib.crc32(changed).to_bytes(4, "big"))
        return out


def messages(passed: Iterable[tuple[str, bytes]]) -> list[Message]:
    """In order; both directions take turns, so a frame is never cut by one of the other side."""
    found = []
    waiting = {"device": b"", "mt": b""}
    for sender, octets in passed:
        *blocks, waiting[sender] = (waiting[sender] + octets).split(b"\0")
        for block in blocks:
            frame = unstuff(block)
            if len(frame) < 10:
                continue
            text, crc = frame[:-4], frame[-4:]
            assert zlib.crc32(text).to_bytes(4, "big") == crc, "noise on a cable that has none"
            found.append(Message(text[3], text[4], text[6:]))
    return found


def lp(octets: bytes) -> bytes:
    return len(octets).to_bytes(2, "big") + octets


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def transcript_hash(label: str, said: Iterable[Message]) -> bytes:
    text = b"".join(bytes([message.direction]) + lp(message.payload) for message in said)
    return hashlib.sha256(label.encode() + b"\0" + text).digest()


def establishment_keys(said: list[Message], ks_local_mt: bytes) -> dict[str, bytes]:
    """K_est and what follows, of the first establishment in `said` that was confirmed. Its CONFIRM must bear the MAC
    that these keys give, or they are not the run's.
    """
    end = next(number for number, message in enumerate(said) if message.type == CONFIRM)
    begin = max(number for number, message in enumerate(said[:end]) if message.type == HELLO and not message.direction)
    dialogue = said[begin:end]
    assert [message.type for message in dialogue[:2]] == [HELLO, HELLO] and dialogue[-1].type == L4
    th_conn = transcript_hash("mtkey/1 conn", dialogue[:2])
    # RESUME and its answer are no part of the establishment; L1 to L4 are the last four.
    th_est = transcript_hash("mtkey/1 est", dialogue[:2] + dialogue[-4:])
    k_est = mac(th_est, ks_local_mt)
    keys = {f"K {purpose}": mac(k_est, b"mtkey/1 " + purpose.encode() + b"\0", b"\x01") for purpose in PURPOSES}
    confirm = said[end].payload  # {1: body, 2: MAC}
    assert confirm[:3] == b"\xa2\x01\x58" and confirm[-35:-32] == b"\x02\x58\x20"
    body = confirm[4:4 + confirm[3]]
    assert mac(keys["K confirm device"], b"C1", th_est, th_conn, lp(body)) == confirm[-32:], "MAC of CONFIRM"
    return {"K_est": k_est, **keys}
