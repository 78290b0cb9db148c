#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The installed units under a systemd of their own: how the key of the store comes about, who sees it, and what the
sandboxes leave to the programs.
"""
import base64
import shutil
import subprocess
from typing import Any

from harness import Subscriber, eventually
from installed import CREDENTIALS, KEY, SystemdTest
from rig import UA, settings
from rig.certificates import Authority
from secret_scan import regular_files, scan_files, scan_octets
import tap

UNITS = ["mtkeyd.service", "mtkeyd-keygen.service", "mtkey-bsf.service"]


class FirstStart(SystemdTest):
    """A machine on which mtkeyd has just been installed."""

    def test_01_units_are_valid(self) -> None:
        done = self.system.run("systemd-analyze", "verify", *UNITS)
        self.assertEqual(done.stdout + done.stderr, "")
        for unit in UNITS:
            for page in self.show(unit, "Documentation").split():
                self.assertTrue((self.system.root / page.removeprefix("file:/")).is_file(), page)

    def test_02_key_is_made_before_the_daemon_starts(self) -> None:
        self.assertFalse((self.system.root / CREDENTIALS[1:]).exists())
        self.systemctl("start")
        self.assertEqual(self.show("mtkeyd-keygen", "Result"), "success")
        self.assertEqual(self.of_file("%a %U %G", KEY), "400 root root")
        self.assertEqual(self.of_file("%a %U %G", CREDENTIALS), "700 root root")
        self.assertEqual(self.system.run("ls", "-A", CREDENTIALS).stdout.split(), ["mtkeyd.store-key"])
        self.assertGreater(len(set(self.key())), 8, "no random octets")

    def test_03_daemon_is_ready(self) -> None:
        self.assertEqual(self.show("mtkeyd", "ActiveState"), "active")
        self.assertIn("ready version=", self.journal("--unit=mtkeyd"))
        self.assertIn("mtkeyd", self.system.run("mtkeyctl", "status").stdout)

    def test_04_sandbox(self) -> None:
        status = dict(line.split(":\t", 1) for line in
                      (self.system.root / f"proc/{self.pid()}/status").read_text().splitlines() if ":\t" in line)
        self.assertEqual(self.of_file("%U", "/var/lib/mtkeyd"), "mtkeyd")
        self.assertEqual(status["Uid"].split()[0], self.of_file("%u", "/var/lib/mtkeyd"))
        self.assertEqual((status["CapBnd"], status["CapEff"]), ("0" * 16, "0" * 16))
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertGreaterEqual(int(status["VmLck"].split()[0]), 64, "the secure heap is locked")

    def test_05_only_the_daemon_is_given_the_key(self) -> None:
        self.assertEqual(self.passed_to(), {"mtkeyd.store-key": self.key()})
        place = "/run/credentials/mtkeyd.service"
        self.assertIn(self.of_file("%a %U", place + "/mtkeyd.store-key"), ("400 mtkeyd", "440 root"))
        self.assertEqual(self.system.run("stat", "--file-system", "--format=%T", place).stdout, "ramfs\n")
        for user, may in (("mtkeyd", True), ("nobody", False)):
            done = self.system.run("setpriv", f"--reuid={user}", "--clear-groups", "sha256sum", place + "/mtkeyd.store-key",
                                   check=False)
            self.assertEqual(done.returncode == 0, may, user)

    def test_06_tpm_can_be_reached_for_the_key(self) -> None:
        """systemd opens it within the unit's own device policy, which has to name it."""
        self.assertIn("/dev/tpmrm0 rw", self.show("mtkeyd", "DeviceAllow"))

    def test_07_restart_keeps_key_and_folders(self) -> None:
        sealed, key = (self.system.root / KEY[1:]).read_bytes(), self.key()
        (self.system.root / "run/mtkeyd/mark").touch()
        self.systemctl("restart")
        self.assertEqual(((self.system.root / KEY[1:]).read_bytes(), self.passed_to()), (sealed, {"mtkeyd.store-key": key}))
        self.assertTrue((self.system.root / "run/mtkeyd/mark").exists())
        for folder in ("/run/mtkeyd", "/var/lib/mtkeyd"):
            self.assertEqual(self.of_file("%a %U", folder), "700 mtkeyd", folder)

    def test_08_no_core(self) -> None:
        limits = (self.system.root / f"proc/{self.pid()}/limits").read_text()
        self.assertRegex(limits, r"(?m)^Max core file size +0 +0 ")
        # Without the limit, where one could be written, the program itself allows none.
        self.drop_in("LimitCORE=infinity", "Restart=no", "WorkingDirectory=/var/lib/mtkeyd")
        self.system.shell("systemd-run --quiet --unit=other -p LimitCORE=infinity -p WorkingDirectory=/tmp sleep 100")
        self.systemctl("restart")
        for unit, code in (("other", "3"), ("mtkeyd", "2")):  # CLD_DUMPED, CLD_KILLED
            self.system.run("systemctl", "kill", "--signal=SEGV", unit)
            eventually(lambda: self.show(unit, "ActiveState") == "failed", f"{unit} has ended", 10)
            self.assertEqual((self.show(unit, "ExecMainCode"), self.show(unit, "ExecMainStatus")), (code, "11"), unit)
        self.drop_in()
        self.systemctl("start")

    def test_09_polkit_decides(self) -> None:
        """A rule for one user; the others would have to say the administrator's password."""
        self.system.shell('mkdir -p /etc/polkit-1/rules.d; cd /etc/polkit-1/rules.d; printf %s "$1" >10-mtkeyd.rules', """
            polkit.addRule(function(action, subject) {
                if (action.id == "org.mtkeyd1.bootstrap" && subject.user == "games") return polkit.Result.YES;
            });""")
        self.system.run("systemctl", "restart", "polkit")
        for user, status, why in (("nobody", 4, "polkit wants to ask the user|polkit found nobody to ask"),
                                  ("games", 6, "no card reader")):
            done = self.system.run("setpriv", f"--reuid={user}", "--clear-groups", "mtkeyctl", "bootstrap", check=False)
            self.assertEqual(done.returncode, status, f"{user}: {done.stderr}")
            self.assertRegex(done.stderr, why, user)

    def test_10_key_is_nowhere_in_clear(self) -> None:
        """The files that the system has written, its journal; not systemd's memory of the credential, which is no file."""
        key = {"key": self.key()}
        self.assertEqual(scan_octets(self.journal("--output=export").encode(), key), [])
        written = regular_files(self.system.changed)
        self.assertIn(self.system.changed / KEY[1:], written)
        for folder in ("run", "tmp", "var/tmp"):
            written += [path for path in regular_files(self.system.root / folder) if "run/credentials" not in str(path)]
        self.assertEqual(scan_files(written, key), {})
        passed = self.system.root / "run/credentials/mtkeyd.service/mtkeyd.store-key"
        self.assertEqual(scan_files([passed], key), {passed: [("key", "raw")]})


class Reboots(SystemdTest):
    """The daemon comes with the machine, and finds the same key."""

    def test_reboot(self) -> None:
        self.system.run("systemctl", "add-wants", "sd-boot.target", "mtkeyd.service")
        keys = []
        for _ in range(2):
            self.system.reboot()
            self.assertEqual(self.show("mtkeyd", "ActiveState"), "active", self.journal())
            keys.append((self.key(), self.passed_to()))
        self.assertEqual(keys[0], keys[1])
        self.assertEqual(keys[0][1], {"mtkeyd.store-key": keys[0][0]})
        self.assertIn("unmet condition", self.journal("--unit=mtkeyd-keygen"))

    def test_store_survives(self) -> None:
        self.systemctl("start")
        for again in (lambda: None, lambda: self.systemctl("restart"), self.system.reboot):
            again()
            self.systemctl("start")
            info = self.store()
            self.assertEqual((info["key_origin"], info["persistent"], info["quarantined"]), ("credential", True, None))


class Credentials(SystemdTest):
    """What the unit makes of the files that it may find."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.system.run("systemctl", "start", "mtkeyd-keygen")

    def without_key(self) -> None:
        self.system.shell('systemctl mask --runtime --quiet mtkeyd-keygen; mv "$1" /root/key', KEY)
        self.addCleanup(self.system.shell, 'mv /root/key "$1"; systemctl unmask --runtime --quiet mtkeyd-keygen', KEY)

    def refused(self) -> None:
        """The unit fails by the credential alone: mtkeyd has not run."""
        self.systemctl("restart", fails=True)
        self.assertEqual(self.show("mtkeyd", "ExecMainStatus"), "243")
        self.assertIn("Failed to set up credentials", self.journal("--unit=mtkeyd"))
        self.systemctl("stop")

    def test_1_none(self) -> None:
        self.without_key()
        self.systemctl("restart")
        self.assertEqual(self.passed_to(), {})
        info = self.store()
        self.assertEqual((info["key_origin"], info["persistent"]), ("none", False))

    def test_2_with_a_path_in_the_unit_none_would_be_an_error(self) -> None:
        """Why the unit names no path."""
        self.without_key()
        self.drop_in("LoadCredentialEncrypted=mtkeyd.store-key:" + KEY)
        self.refused()
        self.drop_in()

    def test_3_broken(self) -> None:
        """The remedy: it is removed, and the next start makes a new one."""
        path = self.system.root / KEY[1:]
        good, key = path.read_bytes(), self.key()
        flipped = bytearray(base64.b64decode(good))
        flipped[len(flipped) // 2] ^= 1
        self.system.run("mtkeyd-keygen", "next")
        renamed = (self.system.root / (KEY[1:] + ".new")).read_bytes()
        self.system.run("rm", KEY + ".new")
        for name, content in (("one bit", base64.b64encode(flipped)), ("cut off", good[:60]), ("empty", b""),
                              ("renamed", renamed)):
            with self.subTest(name):
                path.write_bytes(content)
                self.refused()
        path.unlink()
        self.systemctl("start")
        self.assertEqual(self.passed_to(), {"mtkeyd.store-key": self.key()})
        self.assertNotEqual(self.key(), key)

    def test_4_not_tried_for_ever(self) -> None:
        path = self.system.root / KEY[1:]
        path.write_bytes(b"")
        self.drop_in("RestartSec=10ms")
        self.systemctl("restart", fails=True)
        eventually(lambda: "Start request repeated too quickly" in self.journal("--unit=mtkeyd"), "systemd has given up")
        self.assertEqual((self.show("mtkeyd", "ActiveState"), self.show("mtkeyd", "NRestarts")), ("failed", "10"))
        self.drop_in()
        path.unlink()
        self.systemctl("start")


class Bootstrapping(SystemdTest):
    """Both units at work: a card in pcscd's virtual reader, mtkey-bsf with its configuration as installed."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.subscriber = Subscriber()
        state, folder = cls.system.root / "var/lib/mtkey-bsf", cls.folder / "ca"
        state.mkdir(mode=0o700)
        authority = Authority(folder, "CA of the NAFs")
        server = authority.server("zn", cls.subscriber.bsf_fqdn)
        crl = ["openssl", "ca", "-gencrl", "-config", "/dev/stdin", "-out", str(folder / "crl")]
        (folder / "index").touch()
        subprocess.run(crl, input=f"""[ca]
            default_ca = a
            [a]
            database = {folder}/index
            certificate = {folder}/ca.pem
            private_key = {folder}/ca.key
            default_md = sha256
            default_crl_days = 7
            """, text=True, check=True, capture_output=True, timeout=30)
        for source, name in ((server.certificate, "zn.pem"), (server.private_key, "zn.key"),
                             (authority.certificate, "naf-ca.pem"), (folder / "crl", "naf-ca.crl")):
            shutil.copy(source, state / name)
        cls.system.run("chown", "-R", "mtkey-bsf:", "/var/lib/mtkey-bsf")

    def test_1_bsf_starts(self) -> None:
        self.systemctl("start", "mtkey-bsf")
        # Type=exec: it has begun, and may not listen yet.
        asked = self.system.run("bash", "-c", "for i in {1..100}; do exec 3<>/dev/tcp/127.0.0.1/8080 && break; sleep .1; done; "
                                r"printf 'GET / HTTP/1.1\r\nHost: bsf\r\nConnection: close\r\n\r\n' >&3; head -n 1 <&3")
        self.assertRegex(asked.stdout, "^HTTP/1.1 4")
        self.assertEqual(self.show("mtkey-bsf", "ActiveState"), "active", self.journal("--unit=mtkey-bsf"))
        self.assertEqual(self.of_file("%a %U", "/var/lib/mtkey-bsf/bsf.db"), "600 mtkey-bsf")

    def write(self, path: str, text: str) -> str:
        (self.system.root / path[1:]).write_text(text)
        return path

    def test_2_gba_with_a_card(self) -> None:
        """Every system call, device and socket of a run is one that the sandboxes allow."""
        subscriber = self.subscriber
        self.system.run("setpriv", "--reuid=mtkey-bsf", "--regid=mtkey-bsf", "--clear-groups", "mtkey-bsf", "subscriber",
                        "add", "--config", self.installed("bsf.toml"), "--imsi", subscriber.imsi, "--mnc-length",
                        str(subscriber.mnc_length), "--keys-fd", "0",
                        stdin=f'k = "{subscriber.k}"\nopc = "{subscriber.opc}"\n')
        card = self.write("/root/card.toml", settings.card(subscriber, True, None))
        keys = self.write("/root/subscribers.toml", settings.subscribers(subscriber, "gba-u"))
        self.system.run("chmod", "0600", keys)
        self.system.run("systemd-run", "--quiet", "--unit=card", "virtual-uicc", "--card", card, "--subscribers", keys,
                        "--port", "35963")
        self.write(self.installed("mtkeyd.toml"), settings.table("[uicc]", allow_virtual=True) +
                   settings.table("[bsf]", address="127.0.0.1:8080") +
                   settings.table("[[naf]]", fqdn=subscriber.naf_fqdn, ua=UA))
        self.systemctl("start")
        eventually(lambda: self.ctl("status")["state"] == "ready", "mtkeyd has the card")
        self.assertEqual(self.ctl("bootstrap")["mode"], "gba-u")
        self.assertIn("bootstrapped impi=", self.journal("--unit=mtkey-bsf"))

    def restarted(self) -> Any:
        """The session that the daemon takes up again after a restart."""
        self.systemctl("restart")
        session, = eventually(lambda: self.ctl("status")["sessions"], "the session is there")
        return session["b_tid"]

    def key_id(self) -> bytes:
        return (self.system.root / "var/lib/mtkeyd/store").read_bytes()[16:32]

    def test_3_another_key(self) -> None:
        """As docs/store.md has it. That the store still opens, the session of before tells."""
        session, first = self.restarted(), self.key_id()
        self.system.run("mtkeyd-keygen", "next")
        self.assertEqual(self.restarted(), session)
        self.assertTrue(self.store()["next_key"])
        self.ctl("store", "rekey")
        second = self.key_id()
        self.assertNotEqual(first, second)
        self.assertEqual(self.restarted(), session, "cut short here")
        self.system.run("mtkeyd-keygen", "promote")
        self.assertEqual(self.restarted(), session)
        info = self.store()
        self.assertEqual((self.key_id(), info["next_key"], info["quarantined"]), (second, False, None))

    def test_4_key_lost(self) -> None:
        (self.system.root / KEY[1:]).unlink()
        self.systemctl("restart")
        info = self.store()
        self.assertTrue(info["persistent"])
        self.assertTrue((self.system.root / "var/lib/mtkeyd" / info["quarantined"]["kept_as"]).is_file())


if __name__ == "__main__":
    tap.main()
