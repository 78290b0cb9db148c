# SPDX-License-Identifier: Apache-2.0
"""Just enough of PC/SC to ask a card for its IMSI: the BSF of a demo must know whose key it has been given."""
import ctypes
import ctypes.util
from typing import Optional

from .processes import RigError

SCARD_SCOPE_SYSTEM, SCARD_SHARE_EXCLUSIVE, SCARD_RESET_CARD = 2, 1, 1
SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1 = 1, 2


class IoRequest(ctypes.Structure):
    """SCARD_IO_REQUEST"""
    _fields_ = [("protocol", ctypes.c_ulong), ("length", ctypes.c_ulong)]


class Card:
    """Owns a context and the exclusive connection to the card in one reader."""

    def __init__(self, reader: str):
        self._pcsc = ctypes.CDLL(ctypes.util.find_library("pcsclite") or "libpcsclite.so.1")
        self._pcsc.pcsc_stringify_error.restype = ctypes.c_char_p
        self._context, self._card = ctypes.c_long(), ctypes.c_long()
        self._check(self._pcsc.SCardEstablishContext(SCARD_SCOPE_SYSTEM, None, None, ctypes.byref(self._context)),
                    "the smart card service")
        protocol = ctypes.c_ulong()
        self._check(self._pcsc.SCardConnect(self._context, reader.encode(), SCARD_SHARE_EXCLUSIVE,
                                            SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, ctypes.byref(self._card),
                                            ctypes.byref(protocol)),
                    f"reader {reader!r} (there are: {', '.join(self.readers()) or 'none'})")
        self._request = IoRequest(protocol.value, ctypes.sizeof(IoRequest))

    def __enter__(self) -> "Card":
        return self

    def __exit__(self, *_: object) -> None:
        self._pcsc.SCardDisconnect(self._card, SCARD_RESET_CARD)
        self._pcsc.SCardReleaseContext(self._context)

    def _check(self, result: int, what: str) -> None:
        if result != 0:
            raise RigError(f"{what}: {self._pcsc.pcsc_stringify_error(ctypes.c_ulong(result & 0xFFFFFFFF)).decode()}")

    def readers(self) -> list[str]:
        length = ctypes.c_ulong(4096)
        names = ctypes.create_string_buffer(length.value)
        if self._pcsc.SCardListReaders(self._context, None, names, ctypes.byref(length)) != 0:
            return []
        return [name.decode() for name in names.raw[:length.value].split(b"\0") if name]

    def transmit(self, command: bytes) -> tuple[bytes, int]:
        """Answer and status word; 61xx and 6Cxx are followed."""
        length = ctypes.c_ulong(258)
        answer = ctypes.create_string_buffer(length.value)
        self._check(self._pcsc.SCardTransmit(self._card, ctypes.byref(self._request), command, len(command), None,
                                             answer, ctypes.byref(length)), "the card")
        data, status = answer.raw[:length.value - 2], answer.raw[length.value - 2:length.value]
        if status[0] == 0x61:
            more, word = self.transmit(bytes([0x00, 0xC0, 0, 0, status[1]]))
            return data + more, word
        if status[0] == 0x6C:
            return self.transmit(command[:4] + status[1:])
        return data, int.from_bytes(status, "big")

    def select(self, file: bytes, by_name: bool = False) -> bool:
        head = bytes([0x00, 0xA4, 0x04 if by_name else 0x00, 0x04, len(file)])
        return self.transmit(head + file)[1] == 0x9000

    def read(self, file: int, length: int) -> Optional[bytes]:
        if not self.select(file.to_bytes(2, "big")):
            return None
        data, word = self.transmit(bytes([0x00, 0xB0, 0, 0, length]))
        return data if word == 0x9000 else None


def subscriber_of(reader: str) -> tuple[str, int]:
    """IMSI and length of the MNC, as the USIM in `reader` gives them without a PIN (TS 31.102 clauses 4.2.2, 4.2.18)."""
    with Card(reader) as card:
        if not card.select(bytes.fromhex("A0000000871002"), by_name=True):
            raise RigError(f"the card in {reader!r} has no USIM application")
        imsi = card.read(0x6F07, 9)
        if imsi is None:
            raise RigError("the card does not give its IMSI (a PIN that is on?): say it with --imsi")
        digits = "".join(f"{octet & 15:x}{octet >> 4:x}" for octet in imsi[1:1 + imsi[0]])[1:].rstrip("f")
        administrative = card.read(0x6FAD, 4)
        length = administrative[3] & 15 if administrative and len(administrative) > 3 else 0
        return digits, length if length in (2, 3) else 2
