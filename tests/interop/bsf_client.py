#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A UE with its USIM, and a NAF, against mtkey-bsf over real HTTP and TLS: an independent check.

Everything is computed here by gba_ref.py; nothing of the C++ code is used but the program under test.
Usage: bsf_client.py /path/to/mtkey-bsf        (writes TAP)
"""
import base64
import email.utils
import http.client
import json
import os
import re
import secrets
import select
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timezone

import gba_ref

FQDN = "bsf.mnc001.mcc001.pub.3gppnetwork.org"
NAF = "nafkc.mnc001.mcc001.pub.3gppnetwork.org"
UA = "ff00033259"
CLIENT = "zn.nafkc.example.org"
K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
LIFETIME = 7200
DEADLINE = 30

count = 0
failed = 0


def check(good, name, detail=""):
    global count, failed
    count += 1
    if not good:
        failed += 1
        print(f"# {name}: {detail}")
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    return good


# ------------------------------------------------------------------------------------------------ the parties
class Card:
    """A USIM: Milenage, the SQN rule, and the rules of GBA_U (TS 33.220 clause 5.3.2)."""
    nonce_length = 32
    gba_type = "3G_GBA"

    def __init__(self, imsi, sqn=0):
        self.milenage = gba_ref.Milenage(K, OPC)
        self.impi = gba_ref.impi_from_imsi(imsi, 2)
        self.name = self.impi  # the Digest username: IMPI or TMPI
        self.sqn = sqn
        self.ks = self.rand = None

    def authenticate(self, rand, autn, gba_u):
        """('res', RES), ('auts', AUTS) or ('mac', None)."""
        m = self.milenage
        if gba_u:
            autn = gba_ref.gba_u_autn(autn, m.f4(rand))  # an involution
        sqn = gba_ref.xor(autn[:6], m.f5(rand))
        if m.f1(rand, sqn, autn[6:8]) != autn[8:]:
            return "mac", None
        if int.from_bytes(sqn, "big") <= self.sqn:
            return "auts", m.auts(rand, self.sqn.to_bytes(6, "big"))
        self.sqn = int.from_bytes(sqn, "big")
        self.rand, self.ks = rand, m.f3(rand) + m.f4(rand)
        res = m.f2(rand)
        return "res", (res[:-1] + bytes([res[-1] ^ 1]) if gba_u else res)

    def answer(self, nonce, gba_u):
        return self.authenticate(nonce[:16], nonce[16:32], gba_u)


class Sim(Card):
    """SRES and Kc by the conversion functions, RES and Ks of TS 33.220 annex I."""
    nonce_length = 48
    gba_type = "2G_GBA"

    def answer(self, nonce, gba_u):
        m, rand = self.milenage, nonce[:16]
        if nonce[16:32] != bytes(16):
            return "mac", None
        kc, sres = gba_ref.c3_kc(m.f3(rand), m.f4(rand)), gba_ref.c2_sres(m.f2(rand))
        res, self.ks = gba_ref.gba2g(kc, sres, rand, nonce[32:])
        self.rand, self.res = rand, res
        return "res", res


def digest_header(text):
    """Parameters of a Digest header, by a regular expression: another way than the C++ parser's."""
    found = re.findall(r'([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))', text)
    return {name.lower(): quoted or token for name, quoted, token in found}


class Ue:
    nonce_data = 0      # octets that this BSF puts behind RAND and AUTN
    opaque_b_tid = False

    def __init__(self, port, card, gba_u, context=None):
        self.port, self.card, self.gba_u, self.context = port, card, gba_u, context
        self.exchanges = 0
        self.connection = None

    def get(self, authorization, extra=None):
        if self.connection is None:
            if self.context:
                self.connection = TlsConnection(FQDN, self.port, self.context)
            else:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        headers = {"Host": FQDN, "User-Agent": "interop client; 3gpp-gba-tmpi", "Accept": "*/*"}
        if authorization is not None:
            headers["Authorization"] = authorization
        headers.update(extra or {})
        self.connection.request("GET", "/", headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        self.exchanges += 1
        if answer.will_close:
            self.connection.close()
            self.connection = None
        return answer, body

    def first(self, impi=None, realm=FQDN):
        return self.get(f'Digest username="{impi or self.card.name}", realm="{realm}", nonce="", uri="/", response=""')

    def authorization(self, challenge, password, auts=None, **changes):
        nonce, opaque, cnonce = challenge["nonce"], challenge["opaque"], secrets.token_hex(16)
        values = dict(username=self.card.name, realm=FQDN, nonce=nonce, uri="/", nc="00000001", cnonce=cnonce,
                      opaque=opaque)
        values.update(changes)
        response = gba_ref.digest(values["username"], values["realm"], password, "GET", values["uri"],
                                  values["nonce"], values["nc"], values["cnonce"], "auth-int")
        text = (f'Digest username="{values["username"]}", realm="{values["realm"]}", nonce="{values["nonce"]}", '
                f'uri="{values["uri"]}", qop=auth-int, nc={values["nc"]}, cnonce="{values["cnonce"]}", '
                f'response="{response}", opaque="{values["opaque"]}", algorithm=AKAv1-MD5')
        if auts:
            text += f', auts="{gba_ref.b64(auts)}"'
        return text, cnonce

    @staticmethod
    def challenge_of(answer):
        return digest_header(answer.getheader("WWW-Authenticate") or "")

    def card_answer(self, challenge):
        raw = base64.b64decode(challenge["nonce"], validate=True)
        return self.card.answer(raw, self.gba_u)

    def bootstrap(self, name):
        """A whole run, every step checked; (b_tid, lifetime) or None."""
        answer, _ = self.first()
        challenge = self.challenge_of(answer)
        form = dict(realm=FQDN, algorithm="AKAv1-MD5", qop="auth-int")
        check(answer.status == 401 and all(challenge.get(k) == v for k, v in form.items())
              and re.fullmatch("[0-9a-f]{32}", challenge.get("opaque", "")) is not None
              and len(base64.b64decode(challenge.get("nonce", ""))) == self.card.nonce_length + self.nonce_data,
              f"{name}: challenge", f"{answer.status} {challenge}")
        check("3gpp-gba-tmpi" in (answer.getheader("Server") or ""), f"{name}: Server carries the product token")
        kind, value = self.card_answer(challenge)
        if kind == "auts":
            answer, _ = self.get(self.authorization(challenge, b"", auts=value)[0])
            fresh = self.challenge_of(answer)
            check(answer.status == 401 and fresh.get("nonce") not in (None, challenge["nonce"]),
                  f"{name}: fresh challenge after AUTS", f"{answer.status}")
            challenge = fresh
            kind, value = self.card_answer(challenge)
        if not check(kind == "res", f"{name}: the card accepts AUTN", kind):
            return None
        return self.finish(name, challenge, value)

    def in_advance(self, name):
        """The next run begins with the answer to the nonce that the last one gave."""
        challenge = dict(nonce=self.nextnonce, opaque=self.opaque)
        kind, value = self.card_answer(challenge)
        if not check(kind == "res", f"{name}: the card accepts AUTN in advance", kind):
            return None
        return self.finish(name, challenge, value)

    def finish(self, name, challenge, value):
        text, cnonce = self.authorization(challenge, value)
        answer, body = self.get(text)
        if not check(answer.status == 200, f"{name}: 200", f"{answer.status} {body}"):
            return None
        info = digest_header(answer.getheader("Authentication-Info") or "")
        expected = gba_ref.digest(self.card.name, FQDN, value, "GET", "/", challenge["nonce"], "00000001", cnonce,
                                  "auth-int", body, rsp=True)
        check(info.get("rspauth") == expected and info.get("cnonce") == cnonce and info.get("nc") == "00000001"
              and info.get("qop") == "auth-int", f"{name}: rspauth proves the BSF and the body", str(info))
        check(answer.getheader("Content-Type") == "application/vnd.3gpp.bsf+xml", f"{name}: media type")
        root = ElementTree.fromstring(body)
        space = "{uri:3gpp-gba}"
        b_tid, lifetime = root.findtext(space + "btid"), root.findtext(space + "lifetime")
        if self.opaque_b_tid:
            good = (b_tid != gba_ref.btid(self.card.rand, FQDN) and b_tid.endswith("@" + FQDN)
                    and len(base64.b64decode(b_tid.split("@")[0], validate=True)) == 16)
        else:
            good = b_tid == gba_ref.btid(self.card.rand, FQDN)
        check(root.tag == space + "BootstrappingInfo" and good, f"{name}: B-TID", str(b_tid))
        self.nextnonce, self.opaque = info.get("nextnonce"), challenge["opaque"]
        end = datetime.strptime(lifetime, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
        check(abs(end - time.time() - LIFETIME) < 60, f"{name}: lifetime", str(lifetime))
        expires = email.utils.parsedate_to_datetime(answer.getheader("Expires")).timestamp()
        check(expires == end, f"{name}: Expires is the end of Ks", answer.getheader("Expires"))
        return b_tid, lifetime


class TlsConnection(http.client.HTTPSConnection):
    """To the loopback address, for a name: SNI and certificate check as if DNS had led there."""

    def __init__(self, name, port, context):
        super().__init__("127.0.0.1", port, timeout=DEADLINE, context=context)
        self.name, self.tls = name, context

    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.name)


class Naf:
    def __init__(self, port, ca, certificate=None, key=None):
        self.port = port
        self.context = ssl.create_default_context(cafile=ca)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            self.context.load_cert_chain(certificate, key)

    def ask(self, b_tid, naf=NAF, aware=None, path="/nbsp-gba/v1/bootstrapping-info-retrieval", raw=None):
        request = {"btId": b_tid, "nafId": {"nafFqdn": naf, "uaSecProtId": UA}}
        if aware is not None:
            request["gbaUAware"] = aware
        connection = TlsConnection(FQDN, self.port, self.context)
        try:
            connection.request("POST", path, body=raw if raw is not None else json.dumps(request),
                               headers={"Host": FQDN, "Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        return answer.status, answer.getheader("Content-Type"), json.loads(body) if body else None

    def refused_by_tls(self, b_tid):
        """The handshake fails, or (TLS 1.3: its end is seen later) the first read does; no HTTP answer comes."""
        try:
            status, _, _ = self.ask(b_tid)
        except (ssl.SSLError, ConnectionError, http.client.BadStatusLine) as problem:
            return True, type(problem).__name__
        return False, f"HTTP {status}"


# ------------------------------------------------------------------------------------------------ the surroundings
class Certificates:
    """Throw-away certificate authorities, by the openssl program."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("ca", "other-ca"):
            self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                          "-subj", f"/CN={name}", "-keyout", self.path(name, "key"), "-out", self.path(name, "pem"))
        self.issue("bsf", "ca", FQDN, "serverAuth")
        self.issue("naf", "ca", CLIENT, "clientAuth")
        self.issue("stranger", "ca", "stranger.example.org", "clientAuth")
        self.issue("no-usage", "ca", CLIENT, None)
        self.issue("server-only", "ca", CLIENT, "serverAuth")
        self.issue("foreign", "other-ca", CLIENT, "clientAuth")

    def path(self, name, kind):
        return os.path.join(self.folder, f"{name}.{kind}")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def issue(self, name, ca, dns, usage):
        extensions = self.path(name, "ext")
        with open(extensions, "w") as out:
            out.write(f"basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:{dns}\n"
                      "keyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
            if usage:
                out.write(f"extendedKeyUsage={usage}\n")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      f"/CN={name}", "-keyout", self.path(name, "key"), "-out", self.path(name, "csr"))
        self._openssl("x509", "-req", "-in", self.path(name, "csr"), "-CA", self.path(ca, "pem"), "-CAkey",
                      self.path(ca, "key"), "-CAcreateserial", "-days", "1", "-extfile", extensions, "-out",
                      self.path(name, "pem"))
        os.chmod(self.path(name, "key"), 0o600)


SUBSCRIBERS = [("001010000000001", "gba-me"), ("001010000000002", "gba-u"), ("001010000000003", "gba-me"),
               ("001010000000004", "gba-u"), ("001010000000005", "gba-2g")]


def write_subscribers(folder):
    path = os.path.join(folder, "subscribers.toml")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        for imsi, mode in SUBSCRIBERS:
            out.write(f'[[subscriber]]\nimsi = "{imsi}"\nmnc_length = 2\nk = "{K.hex()}"\nopc = "{OPC.hex()}"\n'
                      f'mode = "{mode}"\n\n')
    return path


def write_config(folder, name, ub_tls=False, home='subscribers = "subscribers.toml"', tail=""):
    """`home`: the lines that say where subscribers come from, and options."""
    config = os.path.join(folder, name)
    with open(config, "w") as out:
        out.write(f'fqdn = "{FQDN}"\n{home}\nlifetime_seconds = {LIFETIME}\n[ub]\nlisten = "127.0.0.1:0"\n')
        if ub_tls:
            out.write('[ub.tls]\ncertificate = "bsf.pem"\nprivate_key = "bsf.key"\n')
        out.write('[zn]\nlisten = "127.0.0.1:0"\ncertificate = "bsf.pem"\nprivate_key = "bsf.key"\n'
                  'client_ca = "ca.pem"\nrevocation = "none"\n'
                  f'[[zn.naf]]\nclient = "{CLIENT}"\nfqdns = ["{NAF}", "second.example.org"]\n'
                  f'[[zn.naf]]\nclient = "stranger.example.org"\nfqdns = ["third.example.org"]\n{tail}')
    return config


class Bsf:
    """The program under test."""

    def __init__(self, program, config, log, *extra):
        self.log_path = log
        steps_read, steps_write = os.pipe()
        with open(log, "w") as out:
            self.process = subprocess.Popen([program, "--config", config, "--steps-fd", str(steps_write), *extra],
                                            stdout=subprocess.PIPE, stderr=out, stdin=subprocess.DEVNULL,
                                            pass_fds=[steps_write])
        os.close(steps_write)
        self.steps = os.fdopen(steps_read)
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
        self.line = self.process.stdout.readline().decode() if ready else ""
        self.ready = json.loads(self.line) if self.line.endswith("\n") else {}

    def end(self):
        """Exit status, what else stood on stdout, steps, log."""
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=DEADLINE)
        with open(self.log_path) as log:
            return self.process.returncode, rest, [json.loads(line) for line in self.steps], log.read()


# ------------------------------------------------------------------------------------------------ the test
def bootstrap_and_fetch(bsf, naf, card, gba_u, name, context=None):
    ue = Ue(bsf.ready["ub_port"], card, gba_u, context)
    done = ue.bootstrap(name)
    if done is None:
        return None
    b_tid, lifetime = done
    naf_id = gba_ref.naf_id(NAF, bytes.fromhex(UA))
    external = gba_ref.ks_ext_naf(ue.card.ks, ue.card.rand, ue.card.impi, naf_id)
    internal = gba_ref.ks_int_naf(ue.card.ks, ue.card.rand, ue.card.impi, naf_id)
    status, media, answer = naf.ask(b_tid)
    check(status == 200 and media == "application/json" and answer.get("meKeyMaterial") == external.hex(),
          f"{name}: Zn gives the key that the UE computes", f"{status} {media}")
    check(status == 200 and answer.get("keyExpiryTime") == lifetime and answer.get("impi") == ue.card.impi
          and answer.get("gbaType") == card.gba_type and "bootstrappingInfoCreationTime" in answer
          and "uiccKeyMaterial" not in answer, f"{name}: the rest of the answer")
    status, _, answer = naf.ask(b_tid, aware=True)
    expected = internal.hex() if gba_u else None
    check(status == 200 and answer.get("uiccKeyMaterial") == expected,
          f"{name}: UICC key {'for' if gba_u else 'absent even for'} an aware NAF")
    return ue, b_tid, external


def check_refusals(bsf):
    port = bsf.ready["ub_port"]
    ue = Ue(port, Card(SUBSCRIBERS[3][0]), True)

    answer, _ = ue.first(impi="001019999999999@ims.mnc001.mcc001.3gppnetwork.org")
    check(answer.status == 403, "unknown subscriber: 403", answer.status)
    answer, _ = ue.first(impi=Sim(SUBSCRIBERS[4][0]).impi)
    check(answer.status == 403, "a SIM without TLS: 403", answer.status)
    answer, _ = ue.first(realm="bsf.example.org")
    check(answer.status == 400, "foreign realm: 400", answer.status)
    for authorization in (None, "Basic eDp5", "Digest", "Digest username=", "Digest " + "a=b, " * 40 + "c=d"):
        answer, _ = ue.get(authorization)
        check(answer.status == 400, f"Authorization {str(authorization)[:24]!r}: 400", answer.status)

    challenge = ue.challenge_of(ue.first()[0])
    answer, _ = ue.get(ue.authorization(challenge, bytes(8))[0])
    check(answer.status == 401, "wrong response: another challenge", answer.status)
    answer, _ = ue.get(ue.authorization(ue.challenge_of(answer), bytes(8))[0])
    check(answer.status == 403, "wrong again: 403", answer.status)

    challenge = ue.challenge_of(ue.first()[0])
    _, res = ue.card_answer(challenge)
    for changes in (dict(nc="00000002"), dict(uri="/x"), dict(realm="bsf.example.org")):
        answer, _ = ue.get(ue.authorization(challenge, res, **changes)[0])
        check(answer.status == 400, f"answer with {changes}: 400", answer.status)
    good = ue.authorization(challenge, res)[0]
    answer, _ = ue.get(good)
    check(answer.status == 200, "the same challenge, answered well: 200", answer.status)
    answer, _ = ue.get(good)
    check(answer.status == 401 and ue.challenge_of(answer)["nonce"] != challenge["nonce"],
          "the same answer again: a fresh challenge", answer.status)
    return ue


def check_zn(bsf, certificates, naf, b_tid):
    def client(name):
        return Naf(bsf.ready["zn_port"], certificates.path("ca", "pem"), certificates.path(name, "pem"),
                   certificates.path(name, "key"))

    status, media, problem = naf.ask("AAAAAAAAAAAAAAAAAAAAAA==@" + FQDN)
    check(status == 404 and media == "application/problem+json" and problem["status"] == 404,
          "Zn: unknown B-TID: 404 problem+json", f"{status} {media}")
    status, media, _ = naf.ask(b_tid, naf="third.example.org")
    check(status == 403 and media == "application/problem+json", "Zn: a NAF of somebody else: 403", status)
    status, _, answer = naf.ask(b_tid, naf="second.example.org")
    check(status == 200, "Zn: a second NAF of the same client: 200", status)
    status, _, _ = client("stranger").ask(b_tid)
    check(status == 403, "Zn: another client for this NAF: 403", status)
    status, media, _ = naf.ask(b_tid, raw="{")
    check(status == 400 and media == "application/problem+json", "Zn: malformed: 400", status)
    status, _, _ = naf.ask(b_tid, path="/nbsp-gba/v2/bootstrapping-info-retrieval")
    check(status == 404, "Zn: another path: 404", status)

    refused, how = Naf(bsf.ready["zn_port"], certificates.path("ca", "pem")).refused_by_tls(b_tid)
    check(refused, "Zn: no client certificate: no HTTP at all", how)
    refused, how = client("foreign").refused_by_tls(b_tid)
    check(refused, "Zn: certificate of another CA: no HTTP at all", how)
    for name in ("no-usage", "server-only"):
        refused, how = client(name).refused_by_tls(b_tid)
        check(refused or how == "HTTP 403", f"Zn: certificate {name}: refused", how)
    try:
        Naf(bsf.ready["zn_port"], certificates.path("other-ca", "pem")).ask(b_tid)
        check(False, "Zn: the BSF's own certificate is checked by this test")
    except ssl.SSLCertVerificationError:
        check(True, "Zn: the BSF's own certificate is checked by this test")


def secrets_of(run):
    """What a run's card and BSF knew: (name, octets)."""
    card = run.card
    res = card.milenage.f2(card.rand)
    naf_id = gba_ref.naf_id(NAF, bytes.fromhex(UA))
    return [("Ks", card.ks), ("CK", card.ks[:16]), ("IK", card.ks[16:]), ("RES", res),
            ("flipped RES", res[:-1] + bytes([res[-1] ^ 1])),
            ("Ks_(ext)_NAF", gba_ref.ks_ext_naf(card.ks, card.rand, card.impi, naf_id)),
            ("Ks_int_NAF", gba_ref.ks_int_naf(card.ks, card.rand, card.impi, naf_id))]


def check_silence(log, steps, secrets_seen):
    """No key, RES or identity in log or steps: raw hex and base64."""
    text = log + json.dumps(steps)
    found = [what for what, value in secrets_seen
             if value.hex() in text.lower() or base64.b64encode(value).decode() in text]
    check(not found, "no secret in log and steps", str(found))
    check(not any(imsi in text for imsi, _ in SUBSCRIBERS), "no IMSI in log and steps")


def main(program):
    check(gba_ref.check() == 0, "reference maths: Milenage test sets")
    with tempfile.TemporaryDirectory(prefix="mtkey-bsf-") as folder:
        certificates = Certificates(folder)
        write_subscribers(folder)
        config = write_config(folder, "bsf.toml")
        bsf = Bsf(program, config, os.path.join(folder, "bsf.log"))
        if not check(bsf.ready.get("ready") is True and bsf.ready.get("ub_port") and bsf.ready.get("zn_port"),
                     "ready line", open(bsf.log_path).read()):
            bsf.process.kill()
            return
        naf = Naf(bsf.ready["zn_port"], certificates.path("ca", "pem"), certificates.path("naf", "pem"),
                  certificates.path("naf", "key"))
        secrets_seen = [("K", K), ("OPc", OPC)]
        try:
            me = bootstrap_and_fetch(bsf, naf, Card(SUBSCRIBERS[0][0]), False, "GBA_ME")
            u = bootstrap_and_fetch(bsf, naf, Card(SUBSCRIBERS[1][0]), True, "GBA_U")
            # The card is far ahead: the BSF must believe its AUTS.
            resync = bootstrap_and_fetch(bsf, naf, Card(SUBSCRIBERS[2][0], 0x123456789A), False, "resynchronisation")
            for run in (me, u, resync):
                if run:
                    secrets_seen += secrets_of(run[0])
            if u:
                ue, first_b_tid, first_key = u
                second = ue.bootstrap("second run")
                secrets_seen += secrets_of(ue)
                status, _, answer = naf.ask(first_b_tid)
                check(status == 200 and answer["meKeyMaterial"] == first_key.hex(), "the earlier B-TID is still good")
                status, _, answer = naf.ask(second[0])
                check(status == 200 and answer["meKeyMaterial"] != first_key.hex(), "the new one has a new key")
                check(ue.exchanges == 4, "two HTTP exchanges a run", ue.exchanges)
                check_zn(bsf, certificates, naf, first_b_tid)
                card = ue.card
                card.name = gba_ref.tmpi(card.ks, card.rand, card.impi, FQDN)
                third = ue.bootstrap("run under the TMPI")
                secrets_seen += secrets_of(ue)
                status, _, answer = naf.ask(third[0])
                expected = gba_ref.ks_ext_naf(card.ks, card.rand, card.impi, gba_ref.naf_id(NAF, bytes.fromhex(UA)))
                check(status == 200 and answer["meKeyMaterial"] == expected.hex() and answer["impi"] == card.impi,
                      "run under the TMPI: the keys hold the IMPI", status)
            secrets_seen += secrets_of(check_refusals(bsf))
        finally:
            status, rest, steps, log = bsf.end()
        check(status == 0, "SIGTERM: exit status 0", status)
        check(rest == b"", "stdout holds the ready line and nothing else", rest)
        returned = [step for step in steps if step["step"] == "credentials-returned"]
        check(len(returned) == len(steps) == 10, "one step for each key returned", len(steps))
        check_silence(log, steps, secrets_seen)

        config = write_config(folder, "bsf-tls.toml", True)
        bsf = Bsf(program, config, os.path.join(folder, "bsf-tls.log"))
        try:
            naf = Naf(bsf.ready["zn_port"], certificates.path("ca", "pem"), certificates.path("naf", "pem"),
                      certificates.path("naf", "key"))
            context = ssl.create_default_context(cafile=certificates.path("ca", "pem"))
            tls = [bootstrap_and_fetch(bsf, naf, Card(SUBSCRIBERS[1][0]), True, "GBA_U over TLS", context),
                   bootstrap_and_fetch(bsf, naf, Card(SUBSCRIBERS[0][0]), False, "GBA_ME over TLS", context),
                   bootstrap_and_fetch(bsf, naf, Card(SUBSCRIBERS[3][0], sqn=0x123456789A), True,
                                       "resynchronisation over TLS", context),
                   bootstrap_and_fetch(bsf, naf, Sim(SUBSCRIBERS[4][0]), False, "2G GBA over TLS", context)]
            try:
                Ue(bsf.ready["ub_port"], Card(SUBSCRIBERS[1][0]), True,
                   ssl.create_default_context(cafile=certificates.path("other-ca", "pem"))).first()
                check(False, "over TLS: the BSF's certificate is checked by this test")
            except ssl.SSLCertVerificationError:
                check(True, "over TLS: the BSF's certificate is checked by this test")
        finally:
            status, _, steps, log = bsf.end()
            check(status == 0, "over TLS: exit status 0", status)
        secrets = [secret for run in tls if run for secret in secrets_of(run[0])]
        if tls[3]:
            secrets.append(("RES of the SIM", tls[3][0].card.res))
        check_silence(log, steps, [("K", K), ("OPc", OPC)] + secrets)

        with open(config, "a") as out:
            out.write("\n[gba_u]\nmodify_mac = 3\n")
        wrong = subprocess.run([program, "--config", config], capture_output=True, timeout=DEADLINE)
        check(wrong.returncode == 2 and wrong.stdout == b"" and b"bsf-tls.toml:" in wrong.stderr
              and b"gba_u.modify_mac" in wrong.stderr, "wrong configuration: status 2, file, line, key", wrong.stderr)
        os.chmod(os.path.join(folder, "subscribers.toml"), 0o644)
        wrong = subprocess.run([program, "--config", os.path.join(folder, "bsf.toml")], capture_output=True,
                               timeout=DEADLINE)
        check(wrong.returncode != 0 and wrong.stdout == b"" and b"chmod 600" in wrong.stderr,
              "subscriber file open to others: refused with its remedy", wrong.stderr)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    finally:
        print(f"1..{count}")
    sys.exit(1 if failed else 0)
