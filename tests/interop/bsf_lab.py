#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mtkey-bsf as a laboratory runs it: its database, its options, its metrics, a foreign HSS, `subscriber`.

UE, card and NAF are those of bsf_client.py.
Usage: bsf_lab.py /path/to/mtkey-bsf        (writes TAP)
"""
import base64
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

import bsf_client
import gba_ref
from bsf_client import DEADLINE, FQDN, K, NAF, OPC, SUBSCRIBERS, UA, Bsf, Card, Certificates, Ue, check

DATABASE = 'database = "bsf.db"\nsubscribers = "subscribers.toml"'


class Lab:
    """One folder, one BSF at a time."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.certificates = Certificates(folder)
        bsf_client.write_subscribers(folder)
        self.runs = 0
        self.bsf = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, home=DATABASE, tail=""):
        self.runs += 1
        config = bsf_client.write_config(self.folder, "bsf.toml", home=home, tail=tail)
        self.bsf = Bsf(self.program, config, self.path(f"{self.runs}.log"))
        if not self.bsf.ready:
            raise RuntimeError(open(self.bsf.log_path).read())
        return self.bsf

    def stop(self):
        status, _, _, log = self.bsf.end()
        check(status == 0, f"BSF {self.runs} ends with status 0", f"{status} {log[-500:]}")
        return log

    def kill(self):
        self.bsf.process.kill()
        self.bsf.process.wait(DEADLINE)

    def naf(self):
        return bsf_client.Naf(self.bsf.ready["zn_port"], self.certificates.path("ca", "pem"),
                              self.certificates.path("naf", "pem"), self.certificates.path("naf", "key"))

    def ue(self, subscriber, **settings):
        ue = Ue(self.bsf.ready["ub_port"], Card(SUBSCRIBERS[subscriber][0]), SUBSCRIBERS[subscriber][1] == "gba-u")
        for name, value in settings.items():
            setattr(ue, name, value)
        return ue

    def check_key(self, name, ue, b_tid):
        naf_id = gba_ref.naf_id(NAF, bytes.fromhex(UA))
        external = gba_ref.ks_ext_naf(ue.card.ks, ue.card.rand, ue.card.impi, naf_id)
        status, _, answer = self.naf().ask(b_tid)
        check(status == 200 and answer["meKeyMaterial"] == external.hex() and answer["impi"] == ue.card.impi,
              f"{name}: Zn gives the key that the UE computes", f"{status} {answer}")

    def subscriber(self, *arguments, keys=None, **options):
        return subprocess.run([self.program, "subscriber", *arguments], input=keys, capture_output=True,
                              timeout=DEADLINE, **options)


# ------------------------------------------------------------------------------------------------ the database
def restarts(lab):
    lab.start()
    ue = lab.ue(1)
    b_tid, _ = ue.bootstrap("before the restart")
    card = ue.card
    lab.stop()
    check(not os.path.exists(lab.path("bsf.db-wal")), "the log is gone after a regular end")

    lab.start()
    lab.check_key("after the restart", ue, b_tid)
    again = lab.ue(1)
    again.card = card
    card.name = gba_ref.tmpi(card.ks, card.rand, card.impi, FQDN)
    b_tid, _ = again.bootstrap("under the TMPI of before the restart")
    check(again.exchanges == 2, "no resynchronisation: SQN went on", again.exchanges)
    lab.check_key("TMPI after the restart", again, b_tid)

    # A challenge has left, nobody has answered, and the BSF dies.
    challenge = again.challenge_of(again.first()[0])
    rand, autn = (base64.b64decode(challenge["nonce"])[at:at + 16] for at in (0, 16))
    left = int.from_bytes(gba_ref.xor(autn[:6], card.milenage.f5(rand)), "big")
    lab.kill()
    lab.start()
    lab.check_key("after SIGKILL", again, b_tid)
    after = lab.ue(1)
    after.card = card
    card.name = card.impi
    b_tid, _ = after.bootstrap("after SIGKILL")
    check(card.sqn > left, "an SQN that has left is not used again", f"{card.sqn} {left}")
    lab.check_key("run after SIGKILL", after, b_tid)
    log = lab.stop()
    check("added=0" in log and f"kept={len(SUBSCRIBERS)}" in log, "the import at the start keeps what is there",
          log[:400])


def refused_databases(lab):
    def refusal(config=lab.path("bsf.toml")):
        return subprocess.run([lab.program, "--config", config], capture_output=True, timeout=DEADLINE)

    os.chmod(lab.path("bsf.db"), 0o640)
    wrong = refusal()
    check(wrong.returncode not in (0, None) and b"bsf.db" in wrong.stderr and b"chmod 600" in wrong.stderr
          and wrong.stdout == b"", "a database that others can read is refused with the remedy", wrong.stderr)
    os.chmod(lab.path("bsf.db"), 0o600)
    with sqlite3.connect(lab.path("bsf.db")) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    wrong = refusal()
    check(wrong.returncode == 2 and b"version 99" in wrong.stderr and b"newer" in wrong.stderr,
          "a newer schema is refused", wrong.stderr)
    os.remove(lab.path("bsf.db"))


# ------------------------------------------------------------------------------------------------ options of Ub
def next_nonce(lab):
    lab.start(DATABASE + "\nnext_nonce = true")
    for subscriber in (0, 1):
        ue = lab.ue(subscriber)
        ue.bootstrap(f"next nonce {subscriber}: first run")
        check(ue.exchanges == 2 and ue.nextnonce, f"next nonce {subscriber}: Authentication-Info gives one")
        b_tid, _ = ue.in_advance(f"next nonce {subscriber}: second run")
        check(ue.exchanges == 3, f"next nonce {subscriber}: one exchange", ue.exchanges)
        lab.check_key(f"next nonce {subscriber}", ue, b_tid)
        ue.card.name = gba_ref.tmpi(ue.card.ks, ue.card.rand, ue.card.impi, FQDN)
        b_tid, _ = ue.in_advance(f"next nonce {subscriber}: third run, under the TMPI")
        check(ue.exchanges == 4, f"next nonce {subscriber}: one exchange again", ue.exchanges)
        lab.check_key(f"next nonce {subscriber}, TMPI", ue, b_tid)
        ue.card.name = ue.card.impi
        used = dict(nonce=ue.nextnonce, opaque=ue.opaque)
        ue.in_advance(f"next nonce {subscriber}: fourth run")
        answer, _ = ue.get(ue.authorization(used, bytes(8))[0])
        check(answer.status == 401 and ue.challenge_of(answer).get("nonce") not in (None, "", used["nonce"]),
              f"next nonce {subscriber}: a used one gets a fresh challenge", answer.status)
    lab.stop()


def other_options(lab):
    lab.start(DATABASE + '\nnonce_data = 24\nb_tid = "opaque"\nsqn = "cycling-ind"')
    ue = lab.ue(0, nonce_data=24, opaque_b_tid=True)
    indices = []
    for number in (1, 2, 3):
        b_tid, _ = ue.bootstrap(f"opaque B-TID, server data, run {number}")
        indices.append(ue.card.sqn % 32)
    lab.check_key("opaque B-TID", ue, b_tid)
    check([(index - indices[0]) % 32 for index in indices] == [0, 1, 2], "IND goes round", indices)
    lab.stop()

    lab.start(DATABASE + '\nsqn = "time"')
    ue = lab.ue(2)
    ue.bootstrap("SQN by the clock, first run")
    ue.bootstrap("SQN by the clock, second run")
    check(ue.exchanges == 4, "SQN by the clock: no resynchronisation", ue.exchanges)
    ue.card.sqn = 1 << 40
    ue.bootstrap("SQN by the clock, the card is ahead")
    ue.bootstrap("SQN by the clock, afterwards")
    check(ue.exchanges == 9, "SQN by the clock: one resynchronisation", ue.exchanges)
    lab.stop()


# ------------------------------------------------------------------------------------------------ metrics
def scrape(port, path="/metrics"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return answer, {name: int(value) for name, value in values.items()}


def metrics(lab):
    lab.start(tail='[metrics]\nlisten = "127.0.0.1:0"\n')
    port = lab.bsf.ready.get("metrics_port")
    answer, before = scrape(port)
    check(answer.status == 200 and answer.getheader("Content-Type").startswith("text/plain; version=0.0.4"),
          "metrics: Prometheus' text format")
    contexts = before.pop("mtkey_bsf_contexts")
    check(before and not any(before.values()), "metrics: every series is there, at zero", before)
    b_tid, _ = lab.ue(1).bootstrap("metrics: GBA_U")
    ue = lab.ue(0)
    ue.card.sqn = 1 << 41
    ue.bootstrap("metrics: GBA_ME with resynchronisation")
    lab.ue(3).first()
    lab.ue(3).first(impi="001019999999999@ims.mnc001.mcc001.3gppnetwork.org")
    lab.ue(3).first(impi="AAAA@tmpi.bsf.3gppnetwork.org")
    lab.ue(3).get("Basic eDp5")
    stranger = lab.ue(3)
    stranger.get(stranger.authorization(stranger.challenge_of(stranger.first()[0]), bytes(8))[0])
    lab.naf().ask(b_tid)
    lab.naf().ask("AAAA@" + FQDN)
    _, after = scrape(port)
    expected = {
        "mtkey_bsf_challenges_total": 6, 'mtkey_bsf_bootstrappings_total{mode="gba-me"}': 1,
        'mtkey_bsf_bootstrappings_total{mode="gba-u"}': 1, "mtkey_bsf_resynchronisations_total": 1,
        'mtkey_bsf_refusals_total{cause="malformed"}': 1, 'mtkey_bsf_refusals_total{cause="unknown-subscriber"}': 1,
        'mtkey_bsf_refusals_total{cause="unknown-tmpi"}': 1, 'mtkey_bsf_refusals_total{cause="wrong-response"}': 1,
        'mtkey_bsf_zn_requests_total{status="200"}': 1, 'mtkey_bsf_zn_requests_total{status="404"}': 1,
        "mtkey_bsf_open_challenges": 2, "mtkey_bsf_contexts": contexts + 2}
    shown = {name: value for name, value in after.items() if value}
    check(shown == expected, "metrics: each event is counted once", f"{shown} {expected}")
    check(scrape(port, "/")[0].status == 404, "metrics: nothing else there")
    lab.stop()


# ------------------------------------------------------------------------------------------------ a foreign HSS
HSS = """#!/usr/bin/python3
import json, os, sys, time
sys.path.insert(0, {here!r})
import gba_ref
request = json.load(sys.stdin)
if os.path.exists({folder!r} + "/hang"):
    time.sleep(600)
if not request["impi"].startswith("00101"):
    print(json.dumps(dict(error="unknown-subscriber")))
    sys.exit()
milenage = gba_ref.Milenage(bytes.fromhex({k!r}), bytes.fromhex({opc!r}))
path = {folder!r} + "/sqn"
sqn = int(open(path).read()) if os.path.exists(path) else 32
if "resync" in request:
    rand, auts = (bytes.fromhex(request["resync"][name]) for name in ("rand", "auts"))
    sqn_ms = gba_ref.xor(auts[:6], milenage.f5s(rand))
    if milenage.f1s(rand, sqn_ms, bytes(2)) != auts[6:]:
        print(json.dumps(dict(error="resync-refused")))
        sys.exit()
    sqn = int.from_bytes(sqn_ms, "big") + 32
open(path, "w").write(str(sqn + 32))
rand, octets, amf = os.urandom(16), sqn.to_bytes(6, "big"), bytes.fromhex("8000")
autn = gba_ref.xor(octets, milenage.f5(rand)) + amf + milenage.f1(rand, octets, amf)
print(json.dumps(dict(rand=rand.hex(), autn=autn.hex(), xres=milenage.f2(rand).hex(), ck=milenage.f3(rand).hex(),
                      ik=milenage.f4(rand).hex(), mode="gba-u", lifetime_seconds={lifetime})))
"""


def foreign_hss(lab):
    program = lab.path("hss")
    with open(program, "w") as out:
        out.write(HSS.format(here=os.path.dirname(os.path.abspath(__file__)), folder=lab.folder, k=K.hex(),
                             opc=OPC.hex(), lifetime=bsf_client.LIFETIME))
    os.chmod(program, 0o700)
    lab.start(f'database = "bsf.db"\nav_command = ["{program}"]\nav_command_seconds = 2')
    ue = lab.ue(1)
    b_tid, _ = ue.bootstrap("foreign HSS")
    lab.check_key("foreign HSS", ue, b_tid)
    ue.card.sqn = 1 << 42
    b_tid, _ = ue.bootstrap("foreign HSS, resynchronisation")
    lab.check_key("foreign HSS, resynchronisation", ue, b_tid)
    check(lab.ue(1).first(impi="stranger@example.org")[0].status == 403, "foreign HSS: a stranger: 403")
    open(lab.path("hang"), "w").close()
    connection = http.client.HTTPConnection("127.0.0.1", lab.bsf.ready["ub_port"], timeout=DEADLINE)
    connection.request("GET", "/", headers={"Host": FQDN, "Authorization": (
        f'Digest username="{ue.card.impi}", realm="{FQDN}", nonce="", uri="/", response=""')})
    status, _, _ = lab.naf().ask(b_tid)
    check(status == 200, "foreign HSS hangs: Zn is served meanwhile", status)
    check(ue.get("Basic eDp5")[0].status == 400, "foreign HSS hangs: Ub is served meanwhile")
    answer = connection.getresponse()
    check(answer.status == 503 and program.encode() not in answer.read(), "foreign HSS hangs: 503 after its time",
          answer.status)
    connection.close()
    log = lab.stop()
    check(program in log and "in time" in log, "foreign HSS hangs: the log names the command", log[-600:])
    check(not any(secret.hex() in log for secret in (K, OPC, ue.card.ks[:16], ue.card.ks[16:])),
          "foreign HSS: no key in the log")


# ------------------------------------------------------------------------------------------------ subscriber ...
def command_line(lab):
    database = lab.path("cli.db")
    keys = f'k = "{K.hex()}"\nopc = "{OPC.hex()}"\n'.encode()
    where = ["--database", database]

    for arguments in (["list"], ["remove", "001010000000042"]):
        done = lab.subscriber(*arguments, *where)
        check(done.returncode == 5 and database.encode() in done.stderr and not os.path.exists(database),
              f"{arguments[0]} makes no database", done)
    add = ["add", *where, "--imsi", "001010000000042", "--mnc-length", "2", "--keys-fd", "0"]
    done = lab.subscriber(*add, "--mode", "gba-me", "--sqn", "000000001000", "--lifetime-seconds", "600", "--json",
                          keys=keys)
    check(done.returncode == 0 and json.loads(done.stdout) == {"added": "001010000000042"}, "add, keys on stdin", done)
    check(os.stat(database).st_mode & 0o777 == 0o600, "a new database is for its owner alone")
    done = lab.subscriber(*add, keys=keys)
    check(done.returncode == 2 and b"already" in done.stderr and done.stdout == b"", "add twice", done)
    with open(lab.path("keys"), "wb") as out:
        out.write(b'k = "' + K.hex().encode() + b'"\nalgorithm = "xor"\n')
    with_file = ["add", *where, "--imsi", "001010000000043", "--mnc-length", "2", "--keys-file", lab.path("keys")]
    done = lab.subscriber(*with_file)
    check(done.returncode != 0 and b"chmod 600" in done.stderr, "keys in a file that is open to others", done)
    os.chmod(lab.path("keys"), 0o600)
    done = lab.subscriber(*with_file)
    check(done.returncode == 0 and done.stdout == b"added 001010000000043\n", "add, keys from a file", done)

    for what, arguments, data in (
            ("no keys", add[:-2], None), ("half a key", add, keys[:20]), ("no octets", add, b""),
            ("a second subscriber in the keys", add, keys + b'[[subscriber]]\nimsi = "001010000000044"\n'),
            ("a quote in the IMSI", ["add", *where, "--imsi", '0"\nx = "', *add[5:]], keys),
            ("IMSI of letters", ["add", *where, "--imsi", "abcdefghijk", *add[5:]], keys),
            ("MNC length 4", [*add[:5], "--mnc-length", "4", *add[7:]], keys),
            ("mode", [*add, "--mode", "gba"], keys), ("no database", ["list"], None)):
        done = lab.subscriber(*arguments, keys=data)
        check(done.returncode != 0 and done.stdout == b"" and done.stderr and K.hex().encode() not in done.stderr,
              f"add refused: {what}", done)

    done = lab.subscriber("import", *where, lab.path("subscribers.toml"), "--json")
    check(json.loads(done.stdout) == {"added": len(SUBSCRIBERS), "kept": 0}, "import", done)
    done = lab.subscriber("import", *where, lab.path("subscribers.toml"))
    check(done.stdout == f"added 0, kept {len(SUBSCRIBERS)} as they were\n".encode(), "import again", done)
    listed = lab.subscriber("list", *where, "--json")
    rows = {row["imsi"]: row for row in json.loads(listed.stdout)}
    check(rows["001010000000042"] == {
        "imsi": "001010000000042", "impi": "001010000000042@ims.mnc001.mcc001.3gppnetwork.org",
        "algorithm": "milenage", "amf": "8000", "mode": "gba-me", "next_sqn": "000000001000", "lifetime_seconds": 600},
        "list --json: everything but the keys", rows.get("001010000000042"))
    check(rows["001010000000043"]["algorithm"] == "xor" and rows["001010000000043"]["lifetime_seconds"] is None
          and len(rows) == 2 + len(SUBSCRIBERS), "list --json: all of them", list(rows))
    plain = lab.subscriber("list", *where)
    check(all(imsi.encode() in plain.stdout for imsi in rows), "list", plain)
    check(not any(secret in (listed.stdout + plain.stdout).lower()
                  for key in (K, OPC) for secret in (key.hex().encode(), base64.b64encode(key).lower())),
          "list shows no key")

    many(lab, add, keys)

    # Beside a BSF that serves: what is added counts at once, and what is removed ends with its contexts.
    lab.start('database = "cli.db"')
    config = ["--config", lab.path("bsf.toml")]
    ue = lab.ue(0)
    b_tid, _ = ue.bootstrap("subscriber of the database")
    late = lab.ue(0)
    challenge = late.challenge_of(late.first()[0])
    kind, res = late.card_answer(challenge)
    check(kind == "res", "a challenge is open", kind)
    done = lab.subscriber("remove", SUBSCRIBERS[0][0], *config, "--json")
    check(json.loads(done.stdout) == {"removed": SUBSCRIBERS[0][0]}, "remove", done)
    check(lab.ue(0).first()[0].status == 403, "a removed subscriber gets no challenge")
    answer = late.get(late.authorization(challenge, res)[0])[0]
    check(answer.status == 403, "and the open one is nobody's any more", answer.status)
    check(lab.naf().ask(b_tid)[0] == 404, "and its B-TID is gone")
    done = lab.subscriber("remove", SUBSCRIBERS[0][0], *config)
    check(done.returncode == 5 and SUBSCRIBERS[0][0].encode() in done.stderr, "remove twice", done)
    done = lab.subscriber("add", *config, "--imsi", SUBSCRIBERS[0][0], "--mnc-length", "2", "--keys-fd", "0", "--mode",
                          "gba-me", keys=keys)
    check(done.returncode == 0, "add beside a serving BSF", done)
    lab.ue(0).bootstrap("subscriber added while the BSF serves")
    lab.stop()

    def stands_in_a_file(octets):
        paths = [path for path in (database, database + "-wal") if os.path.exists(path)]
        return any(octets in open(path, "rb").read() for path in paths)

    check(stands_in_a_file(K), "K stands in the database, in clear, as the manual says")
    for row in json.loads(lab.subscriber("list", *where, "--json").stdout):
        lab.subscriber("remove", row["imsi"], *where)
    check(not stands_in_a_file(K) and not stands_in_a_file(OPC), "what was removed is in no file")


def many(lab, add, keys):
    """More subscribers than the secure heap has room for the keys of."""
    path, count = lab.path("many.db"), 20000
    lab.subscriber(*[path if argument == lab.path("cli.db") else argument for argument in add], keys=keys)
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute("SELECT * FROM subscriber").fetchone())
        imsis = [f"00102{number:010}" for number in range(count)]
        rows = [row | {"imsi": imsi, "impi": imsi + "@ims.mnc002.mcc001.3gppnetwork.org"} for imsi in imsis]
        database.executemany(f"INSERT INTO subscriber({','.join(row)}) VALUES({','.join(':' + name for name in row)})",
                             rows)
    database.close()
    listed = lab.subscriber("list", "--database", path, "--json")
    check(listed.returncode == 0, "list --json of many", listed.stderr)
    imsis.insert(0, row["imsi"])
    check([one["imsi"] for one in json.loads(listed.stdout or b"[]")] == imsis, "list --json of many: each once, in order")
    lines = lab.subscriber("list", "--database", path).stdout.decode().splitlines()
    check([line.split()[0] for line in lines] == ["IMSI", *imsis], "list of many: one heading, each once", len(lines))


def main(program):
    with tempfile.TemporaryDirectory(prefix="mtkey-bsf-lab-") as folder:
        lab = Lab(program, folder)
        try:
            for scenario in (restarts, refused_databases, next_nonce, other_options, metrics, foreign_hss,
                             command_line):
                scenario(lab)
        finally:
            if lab.bsf is not None and lab.bsf.process.poll() is None:
                lab.bsf.process.kill()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as problem:
        check(False, "the test went to its end", repr(problem))
        raise
    finally:
        print(f"1..{bsf_client.count}")
    sys.exit(1 if bsf_client.failed else 0)
