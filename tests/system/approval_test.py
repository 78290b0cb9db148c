#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who is not allowed gets nothing; who replays gets nothing either."""
import os
import select

from harness import SystemTest, eventually
from wire import CONFIRM_ACK, ERROR, L4, messages
import tap


class NoRule(SystemTest):
    variations = {"rules": False}

    def test_device_gets_neither_b_tid_nor_naf_list(self) -> None:
        run = self.establish()
        self.assert_failed(run, "DeviceNotApproved")
        names = {event.name for event in run.events}
        self.assertLessEqual(names, {"no-valid-key", "key-info-requested"})
        passed = b"".join(octets for sender, octets in self.rig.devices[0].ttys.passed if sender == "mt")
        self.assertTrue(passed)
        self.assertNotIn(self.rig.options.subscriber.naf_fqdn.encode(), passed)

    def test_no_apdu_is_sent_for_it(self) -> None:
        run = self.establish()
        for name in ("apdus", "card_commands", "http_exchanges", "gba_runs"):
            self.assertEqual(run.counts[name], 0, name)
        self.assertGreaterEqual(run.counts["devices_refused"], 1)

    def test_nor_when_there_is_a_b_tid(self) -> None:
        self.rig.ctl("bootstrap")
        run = self.establish()
        self.assert_failed(run, "DeviceNotApproved")
        self.assertEqual(run.counts["apdus"], 0)
        self.assertEqual(run.counts["card_commands"], 0)
        passed = b"".join(octets for sender, octets in self.rig.devices[0].ttys.passed if sender == "mt")
        self.assertNotIn(b"3gppnetwork", passed)


class ReplayedConnection(SystemTest):
    """All that an allowed device has sent, CONFIRM included, sent once more by somebody who has listened."""

    def test_confirm_of_an_earlier_session_is_refused(self) -> None:
        device = self.rig.devices[0]
        self.assertTrue(self.establish().ok)
        recorded = list(device.ttys.passed)
        self.assertTrue(any(sender == "device" for sender, _ in recorded))
        before = self.rig.statistics()
        line = os.open(device.ttys.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.addCleanup(os.close, line)
        position = len(device.ttys.passed)
        def answers() -> list[int]:
            return [message.type for message in messages(device.ttys.passed[position:]) if message.direction == 1]
        # The whole dialogue is answered up to CONFIRM: the MT cannot tell before.
        frames = b"".join(octets for sender, octets in recorded if sender == "device").split(b"\0")
        for number, frame in enumerate(filter(None, frames), 1):
            os.write(line, b"\0" + frame + b"\0")
            eventually(lambda: len(answers()) >= number, f"the MT answers message {number}")
            if answers()[-1] in (ERROR, CONFIRM_ACK):
                break
        self.assertEqual(answers()[-1], ERROR)
        self.assertEqual(answers()[-2], L4)
        after = self.rig.statistics()
        self.assertEqual(after["keys_confirmed"], before["keys_confirmed"])
        self.assertEqual(after["keys_resumed"], before["keys_resumed"])
        self.assertEqual(after["gba_runs"], before["gba_runs"])
        self.assertIn("nothing was stored", self.daemon_log())
        while select.select([line], [], [], 0.2)[0]:
            os.read(line, 4096)  # nobody else is to find the answers

    def test_key_survives_the_replay(self) -> None:
        self.assertEqual(self.establish().result["result"], "resumed")


if __name__ == "__main__":
    tap.main()
