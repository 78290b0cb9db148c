# SPDX-License-Identifier: Apache-2.0
"""What the tests of the virtual UICC share: a subscriber with its network, card profiles, the card's control socket."""
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, Optional

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "testbed")]

import gba_ref  # noqa: E402

K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
IMSI = "001010123456789"
ICCID = "8988211000000000018"
AMF = b"\x80\x00"
USIM = bytes.fromhex("a0000000871002")
ISIM = bytes.fromhex("a0000000871004")

CARD = f"""
imsi = "{IMSI}"
mnc_length = 2
{{top}}
[key]
k = "{K.hex()}"
opc = "{OPC.hex()}"
[[application]]
[[application]]
kind = "isim"
{{tables}}
"""

SIM = f"""
kind = "sim"
imsi = "{IMSI}"
mnc_length = 2
{{top}}
[key]
k = "{K.hex()}"
opc = "{OPC.hex()}"
{{tables}}
"""


class Network:
    """The home network of that subscriber: makes challenges and knows what must come back, by gba_ref alone."""

    def __init__(self, sqn: int = 0x1000) -> None:
        self.milenage = gba_ref.Milenage(K, OPC)
        self.sqn = sqn

    def challenge(self, gba_u: bool, sqn: Optional[int] = None) -> tuple[bytes, bytes]:
        """RAND and AUTN of the next vector, which with `sqn` is that one."""
        if sqn is None:
            self.sqn += 32
            sqn = self.sqn
        rand = os.urandom(16)
        autn = self.milenage.autn(rand, sqn.to_bytes(6, "big"), AMF)
        return rand, gba_ref.gba_u_autn(autn, self.milenage.f4(rand)) if gba_u else autn

    def res(self, rand: bytes, gba_u: bool) -> bytes:
        res = self.milenage.f2(rand)
        return res[:-1] + bytes([res[-1] ^ 1]) if gba_u else res

    def gsm(self, rand: bytes) -> bytes:
        """SRES || Kc."""
        m = self.milenage
        return gba_ref.c2_sres(m.f2(rand)) + gba_ref.c3_kc(m.f3(rand), m.f4(rand))

    def ks(self, rand: bytes) -> bytes:
        return self.milenage.f3(rand) + self.milenage.f4(rand)


class Folder:
    """A temporary folder with card profiles in it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="card-")
        self.path = Path(self._folder.name)
        os.chmod(self.path, 0o755)  # pcscd may run as another user

    def card(self, name: str = "card.toml", top: str = "", tables: str = "", kind: str = CARD) -> Path:
        path = self.path / name
        path.write_text(kind.format(top=top, tables=tables))
        os.chmod(path, 0o600)
        return path

    def close(self) -> None:
        self._folder.cleanup()


class Control:
    """The control socket of virtual-uicc."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rw")

    def say(self, line: str) -> dict[str, Any]:
        self._file.write(line + "\n")
        self._file.flush()
        return json.loads(self._file.readline())

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def tlv(octets: bytes, tag: int) -> Optional[bytes]:
    """The value of the first object with this tag of one octet."""
    at = 0
    while at + 1 < len(octets) and octets[at] != 0xFF:
        length, start = octets[at + 1], at + 2
        if length == 0x81:
            length, start = octets[at + 2], at + 3
        if octets[at] == tag:
            return octets[start:start + length]
        at = start + length
    return None


def digits(octets: bytes) -> str:
    return "".join(f"{octet & 15:x}{octet >> 4:x}" for octet in octets).rstrip("f")
