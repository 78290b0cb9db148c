# SPDX-License-Identifier: Apache-2.0
"""What a rig is made of: the good case by default, each fault one field."""
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from .steps import StepEvent

HOME = "mnc001.mcc001"
UA = "ff00033259"


@dataclass(frozen=True)
class Subscriber:
    """Test network 001/01. K and OPc are drawn anew for each rig."""
    imsi: str = "001010123456789"
    mnc_length: int = 2
    k: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    opc: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def _network(self) -> str:
        mnc = self.imsi[3:3 + self.mnc_length].zfill(3)
        return f"mnc{mnc}.mcc{self.imsi[:3]}"

    @property
    def impi(self) -> str:
        return f"{self.imsi}@ims.{self._network}.3gppnetwork.org"

    @property
    def bsf_fqdn(self) -> str:
        return f"bsf.{self._network}.pub.3gppnetwork.org"

    @property
    def naf_fqdn(self) -> str:
        return f"nafkc.{self._network}.pub.3gppnetwork.org"


@dataclass
class Options:
    build: Path  # the build folder that holds the programs
    # gba-u | gba-me | gba-2g: of the subscriber at the BSF and, unless card_has_gba says so, of the card. gba-2g: the card
    # is a SIM, Ub is behind TLS, and all parties allow it
    mode: str = "gba-u"
    devices: int = 1
    subscriber: Subscriber = field(default_factory=Subscriber)
    lifetime_seconds: int = 86400
    on_step: Optional[Callable[[StepEvent], None]] = None

    # Faults and variations
    card_has_gba: Optional[bool] = None  # service 68 of the card's table
    protocol: str = "t0"  # of the card
    pin: Optional[str] = None  # the card's PIN is on, and the daemon has it in a file
    pin_known: bool = True  # or not
    other: Optional[Subscriber] = None  # whose card lies ready as Rig.other_card; of the same network
    modem: Optional[dict[str, object]] = None  # the card is in a virtual modem that speaks like this, not in a reader
    modem_access: str = "auto"  # how the daemon goes by the modem: "auto", "session" or "csim"
    pcscd_group: Optional[int] = None  # the socket of pcscd is for this group alone, as systemd/pcscd-mtkeyd.conf makes it
    k_at_bsf: Optional[str] = None  # the BSF holds another K than the card
    # Whose certificate comes from a CA that nobody knows: "device", "key-center", "bsf" (both as servers), or
    # "zn-client" (the Key Center's towards the BSF)
    strange_ca: Optional[str] = None
    device_id_in_certificate: Optional[str] = None  # another one than the device says
    allow_2g: bool = True  # by the daemon, where the card is a SIM
    rules: bool = True  # a [[device]] allow rule for each device
    zn_at_another_bsf: bool = False  # the Key Center asks a BSF that the MT has never spoken with
    record_bus: bool = False  # what passes on the message bus is kept, from before the daemon is on it (Rig.bus_capture)
    record_ub: bool = False  # what passes between MT and BSF is kept (Rig.ub)
    runs: Optional[int] = 1000  # bootstrappings a minute, hour and day that devices may cause; None = the daemon's defaults
    log_level: str = "debug"
    bsf_settings: dict[str, object] = field(default_factory=dict)  # more keys of bsf.toml
    # The rules of GBA_U that are switched off (modify_mac, flip_res), on either end
    rules_off_at_card: tuple[str, ...] = ()
    rules_off_at_bsf: tuple[str, ...] = ()
    daemon_bsf: dict[str, object] = field(default_factory=dict)  # more keys of mtkeyd.toml's [bsf]
    store: bool = True  # the daemon has a key encryption key: what it stores outlives it
    set_clock: bool = False  # Rig.set_clock() moves the daemon's wall clock

    # A real card, an operator's BSF (tools/demo)
    reader: Optional[str] = None  # a reader of the system's pcscd in place of the virtual card
    pin_file: Optional[Path] = None
    bsf_url: Optional[str] = None  # in place of our BSF; then there is no Key Center either

    @property
    def is_2g(self) -> bool:
        return self.mode == "gba-2g"


def new_device_id() -> str:
    return f"urn:uuid:{uuid.uuid4()}"
