# SPDX-License-Identifier: Apache-2.0
"""The configuration files of all programs, as text."""
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Optional, Sequence
from urllib.parse import urlsplit

from .certificates import Certificate
from .options import UA, Options, Subscriber
from .processes import RigError


def value(item: Any) -> str:
    """A TOML value. JSON's strings and numbers are TOML's; paths and lists of both come in too."""
    if isinstance(item, (list, tuple)):
        return "[" + ", ".join(value(entry) for entry in item) + "]"
    if isinstance(item, Path):
        item = str(item)
    return json.dumps(item)


def table(header: str, **items: Any) -> str:
    """`header` with its brackets, or empty for the top of the file. None leaves a key out."""
    lines = [header] if header else []
    lines += [f"{key} = {value(item)}" for key, item in items.items() if item is not None]
    return "\n".join(lines) + "\n\n"


def keys_of(certificate: Certificate) -> dict[str, Path]:
    return {"certificate": certificate.certificate, "private_key": certificate.private_key}


def subscribers(subscriber: Subscriber, mode: str, k: Optional[str] = None) -> str:
    return table("[[subscriber]]", imsi=subscriber.imsi, mnc_length=subscriber.mnc_length, k=k or subscriber.k,
                 opc=subscriber.opc, mode=mode)


def card(subscriber: Subscriber, gba: bool, pin: Optional[str], protocol: Optional[str] = None,
         iccid: str = "8988211000000123456", kind: str = "uicc") -> str:
    return table("", kind=kind, iccid=iccid, imsi=subscriber.imsi, mnc_length=subscriber.mnc_length, gba=gba, pin=pin,
                 protocol=protocol)


def rules_of_gba_u(off: Sequence[str]) -> str:
    return table("[gba_u]", **{name: False for name in off}) if off else ""


def bsf(options: Options, subscribers_file: Path, zn: Certificate, client_ca: Path,
        ports: tuple[int, int] = (0, 0)) -> str:
    fqdn, naf = options.subscriber.bsf_fqdn, options.subscriber.naf_fqdn
    tls = table("[ub.tls]", **keys_of(zn)) if options.is_2g else ""
    return (table("", fqdn=fqdn, subscribers=subscribers_file, lifetime_seconds=options.lifetime_seconds,
                  **options.bsf_settings) +
            rules_of_gba_u(options.rules_off_at_bsf) + table("[ub]", listen=f"127.0.0.1:{ports[0]}") + tls +
            table("[zn]", listen=f"127.0.0.1:{ports[1]}", client_ca=client_ca, revocation="none", **keys_of(zn)) +
            table("[[zn.naf]]", client=naf, fqdns=[naf]))


def key_center(options: Options, server: Certificate, device_ca: Path, zn_port: int, ca: Path,
               client: Certificate) -> str:
    return (table("", listen="127.0.0.1:0", device_ca=device_ca, revocation="none", kdf_profile="draft-1",
                  allow_2g=options.is_2g, **keys_of(server)) +
            table("[[naf]]", fqdn=options.subscriber.naf_fqdn, ua=UA) +
            table("[bsf]", fqdn=options.subscriber.bsf_fqdn, address=f"127.0.0.1:{zn_port}", ca=ca, **keys_of(client)))


def device(options: Options, device_id: str, state_dir: Path, store_key: Path, tty: str, plugins: Path, ca: Path,
           own: Certificate, port: int) -> str:
    naf = options.subscriber.naf_fqdn
    return (table("", device_id=device_id, state_dir=state_dir, store_key_file=store_key, kdf_profile="draft-1") +
            table("[transport]", plugin="serial", device=tty, plugin_dir=plugins) +
            table("[key_center]", ca=ca, allowed_suffixes=["3gppnetwork.org"], **keys_of(own)) +
            "[key_center.address]\n" + f"{value(naf)} = {value(f'127.0.0.1:{port}')}\n")


def bsf_of_url(url: str) -> dict[str, Any]:
    """[bsf] for an operator's BSF. A name in the URL is the BSF's own name; behind an address it follows the IMSI."""
    try:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
    except ValueError as error:
        raise RigError(f"{url!r} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RigError(f"{url!r} is no http or https URL")
    is_address = parts.hostname.replace(".", "").isdigit() or ":" in parts.hostname
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return {"fqdn": None if is_address else parts.hostname, "address": f"{host}:{port}", "tls": tls}


def literal_pattern(name: str) -> str:
    """The pattern of fnmatch(3) that `name` alone matches. Names of readers are full of brackets."""
    return re.sub(r"[\\*?\[]", r"\\\g<0>", name)


def uicc(options: Options, pin_file: Optional[Path], modem: Optional[Path]) -> str:
    if modem is not None:
        return table("[uicc]", pin_file=pin_file) + table("[uicc.modem]", device=modem, access=options.modem_access)
    return table("[uicc]", reader=literal_pattern(options.reader) if options.reader else "*", allow_virtual=True,
                 access="exclusive", pin_file=pin_file)


def nothing_remembered() -> str:
    """The daemon's memory of bootstrappings (lib/keys/bootstrap_memory.cpp) that says: there was none."""
    text = "mtkeyd bootstrap memory 1\nboot \nsaved 1970-01-01T00:00:00Z 0 1970-01-01T00:00:00Z\n"
    return f"{text}end {hashlib.sha256(text.encode()).hexdigest()}\n"


def daemon(options: Options, bus: str, bsf_settings: dict[str, Any], ttys: list[str], device_ids: list[str],
           plugins: Path, pin_file: Optional[Path], modem: Optional[Path], state_dir: Path,
           runtime_dir: Path, store_key_file: Optional[Path]) -> str:
    text = (table("", state_dir=state_dir, runtime_dir=runtime_dir, store_key_file=store_key_file or "") +
            table("[bus]", address=bus) + uicc(options, pin_file, modem) +
            table("[gba]", mode="prefer-uicc", allow_downgrade=False, allow_2g=options.is_2g and options.allow_2g,
                  runs_per_minute=options.runs, runs_per_hour=options.runs, runs_per_day=options.runs) +
            table("[bsf]", **{"require_rspauth": True, **bsf_settings, **options.daemon_bsf}) +
            table("[[naf]]", fqdn=options.subscriber.naf_fqdn, ua=UA))
    if options.rules:
        for device_id in device_ids:
            text += table("[[device]]", device_id=device_id, allow=True)
    for number, tty in enumerate(ttys):
        text += table(f"[transport.serial{number}]", plugin="serial", device=tty)
    return text + table("[plugins]", dir=plugins) + table("[log]", level=options.log_level)
