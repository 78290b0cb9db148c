#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mtkeyd-keygen: killed anywhere it leaves the whole key or none, and never one in clear."""
import re
import shutil
import subprocess
import unittest
from pathlib import Path
from typing import Any, Iterator, Optional

from harness import eventually
from installed import CREDENTIALS, KEY, SystemdTest
from secret_scan import regular_files, scan_files, scan_octets
import tap

NEXT = KEY + ".new"


class Keygen(SystemdTest):
    """mtkeyd-keygen by itself."""
    COMMANDS = ["mkdir", "flock", "rm", "head", "systemd-creds", "wc", "sync", "mv"]

    @classmethod
    def prepare(cls, layer: Path) -> None:
        """Commands in front of the real ones, which write down how they were called and kill the script at the N-th."""
        (layer / "wrap").mkdir()
        for command in cls.COMMANDS:
            path = layer / "wrap" / command
            path.write_text(f"""#!/bin/sh
echo {command} "$@" >>/tmp/calls
[ "$(/usr/bin/wc -l </tmp/calls)" -lt "$KILL_AT" ] || kill -KILL 0
PATH=/usr/bin
if [ {command} = systemd-creds ] && [ -n "$HALF" ] && [ "$1" = encrypt ]; then
    systemd-creds "$@" | head -c 90
    kill -KILL 0
fi
exec {command} "$@"
""")
            path.chmod(0o755)

    def setUp(self) -> None:
        self.system.run("rm", "-rf", CREDENTIALS, "/tmp/calls")
        self.system.run("touch", "/tmp/calls")

    def keygen(self, *arguments: str, kill_at: int = 1000, half: str = "") -> "subprocess.CompletedProcess[str]":
        return self.system.run("env", f"KILL_AT={kill_at}", f"HALF={half}", "PATH=/wrap:/usr/bin", "setsid", "--wait",
                               self.installed("mtkeyd-keygen"), *arguments, check=False)

    def files(self) -> set[str]:
        return set(self.system.shell('ls -A "$1" 2>/dev/null || true', CREDENTIALS).split())

    def keys(self) -> "list[Optional[bytes]]":
        """The key and the next one, each whole or not there; one that is there and does not open ends the test."""
        there = self.files()
        return [self.key(path) if Path(path).name in there else None for path in (KEY, NEXT)]

    def assert_clean(self, keys: "list[Optional[bytes]]") -> None:
        """These keys, sealed, for root alone, and nothing beside them."""
        self.assertEqual(self.keys(), keys)
        there = [path for path, key in zip((KEY, NEXT), keys) if key is not None]
        self.assertEqual(self.files(), {Path(path).name for path in there})
        for path in there:
            self.assertEqual(self.of_file("%a %U %G", path), "400 root root")

    def kills(self) -> "Iterator[dict[str, Any]]":
        """At each command that the script calls, until there are no more; and when what it writes is half written."""
        yield {"half": "yes"}
        for number in range(1, 60):
            self.system.run("truncate", "-s", "0", "/tmp/calls")
            yield {"kill_at": number}
            if int(self.system.run("wc", "-l", "/tmp/calls").stdout.split()[0]) < number:
                return
        self.fail("it never ended")

    def test_1_usage(self) -> None:
        self.assertIn("usage:", self.keygen("--help").stdout)
        for arguments in ([], ["other"]):
            self.assertEqual(self.keygen(*arguments).returncode, 2)
        self.assertEqual(self.files(), set())

    def test_2_make(self) -> None:
        for kill in self.kills():
            with self.subTest(**kill):
                self.system.run("rm", "-rf", CREDENTIALS)
                ended = self.keygen("make", **kill).returncode == 0
                left, _ = self.keys()
                self.assertTrue(left or not ended)
                self.assertEqual(self.keygen("make").returncode, 0)
                made, _ = self.keys()
                self.assertIn(left, (None, made), "a whole key stays")
                self.assert_clean([made, None])

    def test_3_next_and_promote(self) -> None:
        self.keygen("make")
        first, _ = self.keys()
        self.assertEqual(self.keygen("next").returncode, 0)
        self.assertEqual(self.keygen("next").returncode, 1, "it does not lose the one that a store may have moved to")
        _, second = self.keys()
        self.assertNotEqual(first, second)
        saved = self.system.shell('cd "$1"; tar c .', CREDENTIALS)
        for kill in self.kills():
            with self.subTest(**kill):
                self.system.run("sh", "-euc", 'rm -rf "$1"; mkdir -m 0700 "$1"; cd "$1"; tar x', "-", CREDENTIALS,
                                stdin=saved)
                ended = self.keygen("promote", **kill).returncode == 0
                self.assertIn(self.keys(), [[second, None]] if ended else
                              [[first, second], [second, second], [second, None]])
                if Path(NEXT).name in self.files():
                    self.assertEqual(self.keygen("promote").returncode, 0)
                self.assert_clean([second, None])
        done = self.keygen("promote")
        self.assertEqual(done.returncode, 1)
        self.assertIn("mtkeyd-keygen next", done.stderr)

    def test_4_no_key_on_a_command_line_or_in_a_message(self) -> None:
        said = "".join(done.stdout + done.stderr for done in map(self.keygen, ("make", "next")))
        keys = {"first": self.keys()[0], "next": self.keys()[1]}
        done = self.keygen("promote")
        calls = (self.system.root / "tmp/calls").read_bytes()
        self.assertIn(b"systemd-creds encrypt", calls)
        self.assertEqual(scan_octets(calls + (said + done.stdout + done.stderr).encode(), keys), [])
        self.assertEqual(scan_files(regular_files(self.system.changed), keys), {})

    def test_5_what_does_not_open_again_is_not_kept(self) -> None:
        """As when the source ends early."""
        self.system.shell("""mkdir /short; printf '#!/bin/sh\\n/usr/bin/head -c 31 /dev/random' >/short/head
            chmod 755 /short/head; ! PATH=/short:$PATH mtkeyd-keygen make""")
        self.assertEqual(self.files(), set())

    def test_6_many_at_once(self) -> None:
        """Each ends well, and finds the key that the first has made; also where there was no folder yet."""
        for _ in range(5):
            self.setUp()
            seen = self.system.shell('for i in 1 2 3 4 5 6 7 8; do (mtkeyd-keygen make && sha256sum "$1") & done; wait', KEY)
            self.assertEqual((len(seen.split()), len(set(seen.split()))), (16, 2), seen)
            self.assert_clean([self.key(), None])


@unittest.skipUnless(shutil.which("swtpm"), "no swtpm; tools/install-deps installs it")
class Tpm(SystemdTest):
    """The key bound to a TPM2, by swtpm in the place of a chip. In a container --with-key=auto looks for none."""
    SOCKET = "/run/swtpm"
    environment = {"SYSTEMD_TPM2_DEVICE": f"swtpm:path={SOCKET}"}

    @classmethod
    def prepare(cls, layer: Path) -> None:
        """The drop-in that a machine needs whose firmware does not tell of its TPM2."""
        folder = layer / "etc/systemd/system/mtkeyd-keygen.service.d"
        folder.mkdir(parents=True)
        make = re.search(r"(?m)^ExecStart=\S+ make", next(layer.rglob("mtkeyd-keygen.service")).read_text())
        (folder / "tpm.conf").write_text(f"[Service]\nExecStart=\n{make[0]} --with-key=host+tpm2\n"
                                         f"Environment=SYSTEMD_TPM2_DEVICE={cls.environment['SYSTEMD_TPM2_DEVICE']}\n")

    def chip(self, name: str) -> None:
        """This one, in the place of the one before."""
        self.system.shell("""systemctl stop tpm 2>/dev/null || true; mkdir -p "/var/lib/$1"
            systemd-run --quiet --unit=tpm swtpm socket --tpm2 --tpmstate "dir=/var/lib/$1" --server "type=unixio,path=$2" \\
                --ctrl "type=unixio,path=$2.ctrl" --flags not-need-init,startup-clear""", name, self.SOCKET)
        eventually(lambda: self.system.run("test", "-S", self.SOCKET + ".ctrl", check=False).returncode == 0, "swtpm serves")

    def test_only_this_chip_opens_it(self) -> None:
        self.chip("one")
        self.systemctl("start")
        self.assertEqual(self.show("mtkeyd-keygen", "Result"), "success", self.journal())
        key = self.passed_to()["mtkeyd.store-key"]
        self.assertEqual(len(key), 32)
        self.chip("two")
        self.systemctl("restart", fails=True)
        self.assertEqual(self.show("mtkeyd", "ExecMainStatus"), "243")
        self.systemctl("stop")
        self.chip("one")
        self.systemctl("start")
        self.assertEqual(self.passed_to(), {"mtkeyd.store-key": key})


if __name__ == "__main__":
    tap.main()
