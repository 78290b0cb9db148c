# SPDX-License-Identifier: Apache-2.0
"""Throw-away certificates, made with the openssl command. Keys are EC P-256 and live as long as the rig's folder."""
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .processes import RigError


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    private_key: Path


class Authority:
    """One CA. `folder` is made; certificates are written beside its own."""

    def __init__(self, folder: Path, name: str):
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ca = self._make("ca", f"/CN={name}", [
            "basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign",
            "subjectKeyIdentifier=hash"], signed=False)

    @property
    def certificate(self) -> Path:
        return self._ca.certificate

    def server(self, name: str, fqdn: str) -> Certificate:
        return self._leaf(name, fqdn[:64], f"DNS:{fqdn}", "serverAuth")

    def client(self, name: str, fqdn: str) -> Certificate:
        return self._leaf(name, fqdn[:64], f"DNS:{fqdn}", "clientAuth")

    def device(self, name: str, device_id: str) -> Certificate:
        return self._leaf(name, "external device", f"URI:{device_id}", "clientAuth")

    def _leaf(self, name: str, common_name: str, alternative: str, usage: str) -> Certificate:
        return self._make(name, f"/CN={common_name}", [
            "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
            f"extendedKeyUsage={usage}", f"subjectAltName={alternative}",
            "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"], signed=True)

    def _make(self, name: str, subject: str, extensions: list[str], signed: bool) -> Certificate:
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        settings = self._folder / f"{name}.cnf"
        # Not the system's openssl.cnf: its defaults would add extensions of their own.
        settings.write_text("\n".join(["[req]", "distinguished_name=dn", "x509_extensions=ext", "[dn]", "[ext]",
                                       *extensions, ""]))
        command = ["openssl", "req", "-x509", "-config", str(settings), "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:P-256", "-noenc", "-sha256", "-days", "7", "-subj", subject,
                   "-keyout", str(made.private_key), "-out", str(made.certificate)]
        if signed:
            command += ["-CA", str(self._ca.certificate), "-CAkey", str(self._ca.private_key)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                              check=False)
        if done.returncode != 0:
            raise RigError(f"openssl could not make the certificate {name}:\n{done.stderr}")
        os.chmod(made.private_key, 0o600)
        settings.unlink()
        return made
