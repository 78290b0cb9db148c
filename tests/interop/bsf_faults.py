#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each `mtkey-bsf --fault NAME` does on the wire what its line in `--fault list` says, and nothing else.

Usage: bsf_faults.py /path/to/mtkey-bsf        (writes TAP)
"""
import base64
import gzip
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta, timezone

import bsf_client
import gba_ref
from bsf_client import DEADLINE, FQDN, SUBSCRIBERS, Bsf, Card, Certificates, Ue, check, digest_header

SHORT = 1.5
SPACE = "{uri:3gpp-gba}"


class Answer:
    """One answer as its octets came; `arrivals`: when each piece did. Waits for the end that the answer itself states."""

    def __init__(self, stream, patience=DEADLINE):
        self.raw, self.arrivals, self.closed = b"", [], False
        stream.settimeout(patience)
        try:
            while not self._complete():
                piece = stream.recv(65536)
                if not piece:
                    self.closed = True
                    break
                self.raw += piece
                self.arrivals.append((time.monotonic(), len(self.raw)))
        except TimeoutError:
            pass
        except ConnectionError:
            self.closed = True
        self.head, _, self.rest = self.raw.partition(b"\r\n\r\n")
        self.fields = [tuple(line.split(": ", 1)) for line in self.head.decode("latin-1").split("\r\n")[1:]]
        match = re.match(rb"HTTP/1\.1 (\d{3}) ", self.raw)
        self.status = int(match[1]) if match else None

    def _complete(self):
        head, blank, rest = self.raw.partition(b"\r\n\r\n")
        if not blank:
            return False
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if length:
            return len(rest) >= int(length[1])
        return b"chunked" in head and rest.endswith(b"0\r\n\r\n")

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    @property
    def body(self):
        if self.get("Transfer-Encoding") != "chunked":
            return self.rest
        out, rest = b"", self.rest
        while True:
            size, _, rest = rest.partition(b"\r\n")
            if int(size, 16) == 0:
                return out
            out, rest = out + rest[:int(size, 16)], rest[int(size, 16) + 2:]

    @property
    def digest(self):
        return next((value for value in self.all("WWW-Authenticate") if value.startswith("Digest ")), "")

    @property
    def challenge(self):
        return digest_header(self.digest)


class Run:
    """A UE of one subscriber, with the octets in its hand."""

    def __init__(self, bsf, subscriber=0, patience=DEADLINE):
        self.patience = patience
        self.ue = Ue(bsf.ready["ub_port"], Card(SUBSCRIBERS[subscriber][0]), SUBSCRIBERS[subscriber][1] == "gba-u")
        self.stream = None
        self.password = self.cnonce = None

    def send(self, authorization):
        if self.stream is None:
            self.stream = socket.create_connection(("127.0.0.1", self.ue.port), DEADLINE)
        self.stream.sendall(f"GET / HTTP/1.1\r\nHost: {FQDN}\r\nAuthorization: {authorization}\r\n\r\n".encode())
        answer = Answer(self.stream, self.patience)
        if answer.closed or answer.get("Connection") == "close":
            self.close()
        return answer

    def close(self):
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def first(self):
        return self.send(f'Digest username="{self.ue.card.name}", realm="{FQDN}", nonce="", uri="/", response=""')

    def card(self, answer):
        return self.ue.card_answer(answer.challenge)

    def resynchronise(self, answer, auts):
        return self.send(self.ue.authorization(answer.challenge, b"", auts=auts)[0])

    def answer(self, challenge, password):
        self.password, self.nonce = password, challenge["nonce"]
        text, self.cnonce = self.ue.authorization(challenge, password)
        return self.send(text)

    def result(self):
        """The answer to a right answer."""
        challenge = self.first().challenge
        kind, password = self.ue.card_answer(challenge)
        assert kind == "res", kind
        return self.answer(challenge, password)

    def rspauth(self, body):
        return gba_ref.digest(self.ue.card.name, FQDN, self.password, "GET", "/", self.nonce, "00000001", self.cnonce,
                              "auth-int", body, rsp=True)

    def proved(self, result, body=None):
        info = digest_header(result.get("Authentication-Info") or "")
        return info.get("rspauth") == self.rspauth(result.body if body is None else body) \
            and info.get("cnonce") == self.cnonce


def document(run, result, body=None):
    """(b_tid, lifetime) of a 200 that is right in everything."""
    body = result.body if body is None else body
    if result.status != 200 or not run.proved(result, body) or result.get("Content-Type") != \
            "application/vnd.3gpp.bsf+xml":
        return None
    root = ElementTree.fromstring(body)
    return root.findtext(SPACE + "btid"), root.findtext(SPACE + "lifetime")


def right(run, result, body=None):
    found = document(run, result, body)
    return found is not None and found[0] == gba_ref.btid(run.ue.card.rand, FQDN) and found[1] is not None


GOOD = re.compile(r'Digest realm="%s", nonce="[A-Za-z0-9+/=]+", algorithm=AKAv1-MD5, qop="auth-int", opaque="[0-9a-f]{32}"'
                  % re.escape(FQDN))


# ------------------------------------------------------------------------------------------------ one check a fault
def challenge_is(pattern):
    """The challenge matches, and the rest of it is as ever."""
    return lambda bsf: re.fullmatch(pattern.replace("FQDN", re.escape(FQDN)), Run(bsf).first().digest) is not None


def allowed(pattern):
    def test(bsf):
        run = Run(bsf)
        return challenge_is(pattern)(bsf) and right(run, run.result())
    return test


def wrong_mac(bsf):
    verdicts = []
    for subscriber in (0, 1):
        run = Run(bsf, subscriber)
        answer = run.first()
        raw = bytearray(base64.b64decode(answer.challenge["nonce"]))
        verdicts.append(run.card(answer)[0])
        raw[31] ^= 1
        verdicts.append(run.ue.card.authenticate(bytes(raw[:16]), bytes(raw[16:]), run.ue.gba_u)[0])
    return verdicts == ["mac", "res"] * 2


def old_sqn(bsf):
    run = Run(bsf)
    answer = run.first()
    kind, auts = run.card(answer)
    fresh = run.resynchronise(answer, auts)
    again, _ = run.card(fresh)
    return (kind, fresh.status, again) == ("auts", 401, "res")


def resync_forever(bsf):
    run = Run(bsf)
    answer = run.first()
    for _ in range(6):
        kind, auts = run.card(answer)
        if kind != "auts" or answer.status != 401:
            return False
        answer = run.resynchronise(answer, auts)
    return True


def basic_too(bsf):
    run = Run(bsf)
    values = run.first().all("WWW-Authenticate")
    return len(values) == 2 and values[0].startswith("Basic ") and GOOD.fullmatch(values[1]) is not None


def no_challenge(bsf):
    answer = Run(bsf).first()
    return answer.status == 401 and not answer.all("WWW-Authenticate")


def challenge_forever(bsf):
    run = Run(bsf)
    answer, nonces = run.first(), set()
    for _ in range(6):
        kind, password = run.card(answer)
        nonces.add(answer.challenge["nonce"])
        answer = run.answer(answer.challenge, password)
        if kind != "res" or answer.status != 401:
            return False
    return len(nonces) == 6


def no_rspauth(bsf):
    result = Run(bsf).result()
    return result.status == 200 and not result.all("Authentication-Info") and b"<btid>" in result.body


def wrong_rspauth(bsf):
    run = Run(bsf)
    result = run.result()
    info = digest_header(result.get("Authentication-Info"))
    good = run.rspauth(result.body)
    return info["cnonce"] == run.cnonce and sum(a != b for a, b in zip(info["rspauth"], good)) == 1


def wrong_cnonce(bsf):
    run = Run(bsf)
    result = run.result()
    info = digest_header(result.get("Authentication-Info"))
    return info["rspauth"] == run.rspauth(result.body) and info["cnonce"] != run.cnonce


def body_is(test):
    """rspauth fits a body that is wrong in itself."""
    def whole(bsf):
        run = Run(bsf)
        result = run.result()
        return result.status == 200 and run.proved(result) and test(result.body.decode())
    return whole


def not_xml(body):
    try:
        ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return "<btid>" in body
    return False


def names(body):
    return [element.tag for element in ElementTree.fromstring(body)]


def expired(body):
    end = datetime.strptime(ElementTree.fromstring(body).findtext(SPACE + "lifetime"), "%Y-%m-%dT%H:%M:%SZ")
    return timedelta(0) < datetime.now(timezone.utc) - end.replace(tzinfo=timezone.utc) < timedelta(hours=2)


def extra_elements(bsf):
    run = Run(bsf)
    result = run.result()
    return right(run, result) and b"g:Extension" in result.body and b"<btid>" in result.body


def wrong_type(bsf):
    run = Run(bsf)
    result = run.result()
    return result.status == 200 and run.proved(result) and result.all("Content-Type") == ["text/html"]


def status_is(status, field=None, value=None):
    def test(bsf):
        answer = Run(bsf).first()
        return answer.status == status and (field is None or answer.get(field) == value) \
            and not answer.all("WWW-Authenticate")
    return test


def zipped(bsf):
    run = Run(bsf)
    result = run.result()
    return result.get("Content-Encoding") == "gzip" and right(run, result, gzip.decompress(result.rest))


def chunked(bsf):
    run = Run(bsf)
    result = run.result()
    return result.get("Transfer-Encoding") == "chunked" and not result.all("Content-Length") and right(run, result)


def lower_case(bsf):
    run = Run(bsf)
    result = run.result()
    return all(name == name.lower() for name, _ in result.fields) and right(run, result)


def segments(bsf):
    run = Run(bsf)
    result = run.result()
    return right(run, result) and len(result.arrivals) > 20


def slow_body(bsf):
    """Its first three octets: no earlier than a second each."""
    run = Run(bsf)
    challenge = run.first().challenge
    text, _ = run.ue.authorization(challenge, run.ue.card_answer(challenge)[1])
    began = time.monotonic()
    run.stream.sendall(f"GET / HTTP/1.1\r\nHost: {FQDN}\r\nAuthorization: {text}\r\n\r\n".encode())
    octets = b""
    while len(octets.partition(b"\r\n\r\n")[2]) < 3:
        piece = run.stream.recv(65536)
        if not piece:
            return False
        octets += piece
    return time.monotonic() - began >= 3 and octets.endswith(b"\r\n\r\n<?x")


def cut_body(bsf):
    result = Run(bsf).result()
    return result.status == 200 and result.closed and 0 < len(result.rest) < int(result.get("Content-Length"))


def long_headers(bsf):
    answer = Run(bsf).first()
    return answer.status == 401 and len(answer.head) > 1024 * 1024 and GOOD.fullmatch(answer.digest) is not None


def long_body(bsf):
    answer = Run(bsf).first()
    return answer.status == 401 and int(answer.get("Content-Length")) == len(answer.rest) >= 1024 * 1024


def garbage(bsf):
    answer = Run(bsf).first()
    return answer.raw and answer.status is None and answer.closed


def no_answer(bsf):
    answer = Run(bsf, patience=SHORT).first()
    return answer.raw == b"" and not answer.closed


def close(bsf):
    answer = Run(bsf).first()
    return answer.raw == b"" and answer.closed


NONCE = '[A-Za-z0-9+/=]+'
OPAQUE = "[0-9a-f]{32}"
FAULTS = {
    "wrong-mac": wrong_mac,
    "old-sqn": old_sqn,
    "resync-forever": resync_forever,
    "wrong-realm": challenge_is(f'Digest realm="other.FQDN", nonce="{NONCE}", algorithm=AKAv1-MD5, qop="auth-int", '
                                f'opaque="{OPAQUE}"'),
    "wrong-algorithm": challenge_is(f'Digest realm="FQDN", nonce="{NONCE}", algorithm=MD5, qop="auth-int", '
                                    f'opaque="{OPAQUE}"'),
    "no-qop": challenge_is(f'Digest realm="FQDN", nonce="{NONCE}", algorithm=AKAv1-MD5, opaque="{OPAQUE}"'),
    "qop-auth": challenge_is(f'Digest realm="FQDN", nonce="{NONCE}", algorithm=AKAv1-MD5, qop="auth", '
                             f'opaque="{OPAQUE}"'),
    "qop-list": allowed(f'Digest realm="FQDN", nonce="{NONCE}", algorithm=AKAv1-MD5, qop="auth,auth-int", '
                        f'opaque="{OPAQUE}"'),
    "unquoted-parameters": allowed(f'Digest realm=FQDN, nonce="{NONCE}", algorithm=AKAv1-MD5, qop=auth-int, '
                                   f'opaque={OPAQUE}'),
    "reordered-parameters": allowed(f'Digest opaque="{OPAQUE}", qop="auth-int", algorithm=AKAv1-MD5, '
                                    f'nonce="{NONCE}", realm="FQDN"'),
    "upper-case-parameters": allowed(f'Digest REALM="FQDN", NONCE="{NONCE}", ALGORITHM=AKAv1-MD5, QOP="auth-int", '
                                     f'OPAQUE="{OPAQUE}"'),
    "short-nonce": lambda bsf: len(base64.b64decode(Run(bsf).first().challenge["nonce"])) == 31,
    "basic-too": basic_too,
    "no-challenge": no_challenge,
    "401-forever": challenge_forever,
    "no-rspauth": no_rspauth,
    "wrong-rspauth": wrong_rspauth,
    "wrong-cnonce": wrong_cnonce,
    "bad-xml": body_is(not_xml),
    "wrong-namespace": body_is(lambda body: names(body) == ["{uri:other}btid", "{uri:other}lifetime"]),
    "no-btid": body_is(lambda body: names(body) == [SPACE + "lifetime"]),
    "no-lifetime": body_is(lambda body: names(body) == [SPACE + "btid"]),
    "expired-lifetime": body_is(expired),
    "extra-elements": extra_elements,
    "doctype": body_is(lambda body: "<!ENTITY t " in body and "<btid>&t;</btid>" in body),
    "wrong-type": wrong_type,
    "403": status_is(403),
    "404": status_is(404),
    "500": status_is(500),
    "503-retry-after": status_is(503, "Retry-After", "120"),
    "redirect": status_is(302, "Location", "/bootstrap"),
    "redirect-elsewhere": status_is(302, "Location", "http://elsewhere.example.org/"),
    "gzip": zipped,
    "chunked": chunked,
    "lower-case-headers": lower_case,
    "one-octet-segments": segments,
    "slow-body": slow_body,
    "cut-body": cut_body,
    "long-headers": long_headers,
    "long-body": long_body,
    "garbage": garbage,
    "no-answer": no_answer,
    "close": close,
}


def with_fault(program, config, folder, fault, test):
    bsf = Bsf(program, config, os.path.join(folder, "bsf.log"), "--fault", fault)
    try:
        try:
            good, detail = test(bsf), ""
        except Exception as problem:  # a test that cannot go on has failed
            good, detail = False, repr(problem)
    finally:
        status, _, _, log = bsf.end()
    check(good, f"--fault {fault}", f"{detail} {log[-400:]}")
    if status != 0 or "ON PURPOSE" not in log or not all(name in log for name in fault.split(",")):
        check(False, f"--fault {fault}: said loudly, and ends with status 0", f"{status} {log}")


def main(program):
    listed = subprocess.run([program, "--fault", "list"], capture_output=True, timeout=DEADLINE)
    names_listed = [line.split()[0] for line in listed.stdout.decode().splitlines()]
    check(listed.returncode == 0 and sorted(names_listed) == sorted(FAULTS),
          "--fault list has a line for each, and each has a test", set(names_listed) ^ set(FAULTS))
    with tempfile.TemporaryDirectory(prefix="mtkey-bsf-faults-") as folder:
        Certificates(folder)
        bsf_client.write_subscribers(folder)
        config = bsf_client.write_config(folder, "bsf.toml")
        unknown = subprocess.run([program, "--config", config, "--fault", "no-qop,nonsense"], capture_output=True,
                                 timeout=DEADLINE)
        check(unknown.returncode == 2 and b'"nonsense"' in unknown.stderr and b"--fault list" in unknown.stderr,
              "an unknown fault is named", unknown.stderr)

        bsf = Bsf(program, config, os.path.join(folder, "bsf.log"))
        passed = []
        try:
            run = Run(bsf)
            check(GOOD.fullmatch(run.first().digest) is not None and right(run, run.result()), "without a fault")
            # Each test must see that its fault is not there.
            for fault, test in FAULTS.items():
                try:
                    found = test(bsf)
                except Exception:
                    found = False
                if found:
                    passed.append(fault)
        finally:
            log = bsf.end()[3]
        check(not passed, "no test finds its fault where there is none", passed)
        check("ON PURPOSE" not in log, "without a fault nothing is said")

        for fault, test in FAULTS.items():
            with_fault(program, config, folder, fault, test)
        with_fault(program, config, folder, "chunked,lower-case-headers,qop-list",
                   lambda bsf: chunked(bsf) and lower_case(bsf) and FAULTS["qop-list"](bsf))

        config = bsf_client.write_config(folder, "bsf-tls.toml", True)
        bsf = Bsf(program, config, os.path.join(folder, "bsf.log"), "--fault", "cut-body")
        try:
            context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
            ue = Ue(bsf.ready["ub_port"], Card(SUBSCRIBERS[0][0]), False, context)
            challenge = ue.challenge_of(ue.first()[0])
            cut = False
            try:
                ue.get(ue.authorization(challenge, ue.card_answer(challenge)[1])[0])
            except Exception as problem:
                cut = type(problem).__name__ == "IncompleteRead"
            check(cut, "--fault cut-body over TLS")
        finally:
            bsf.end()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    finally:
        print(f"1..{bsf_client.count}")
    sys.exit(1 if bsf_client.failed else 0)
