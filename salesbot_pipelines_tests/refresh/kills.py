"""Killing refreshes: `python -m salesbot_pipelines_tests.refresh.kills --times 100`.

Each time something changes in every object of the shop, a refresh of it runs in a process of its own and is killed
with SIGKILL. The document must then be the one before, byte for byte, or the whole new one; and the next refresh,
once the lease has run out, must give the right document and leave nothing behind.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from salesbot_pipelines.refresh.guard import LEASE_SECONDS
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.refresh.children import At, Child, child
from salesbot_pipelines_tests.refresh.comparing import differences, left_behind, torn, without_times
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn
from salesbot_pipelines_tests.rig import Rig, open_rig


class AheadClock:
    """The machine's time, from which the test's own program can be turned ahead, so that leases run out."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead.total_seconds()

    def sleep(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    def turn(self, **units: float) -> None:
        self._ahead += timedelta(**units)


@dataclass(frozen=True)
class Killed:
    """How one kill ended; `wrong` is empty when it ended well."""

    moment: str
    document: str  # "old", "new", or "new, and it had ended"
    wrong: str = ""


class Slaughter:
    """The rig of all kills, and the right documents of the shop's two states."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.shop = rig.world.shop(DOMAIN)
        self.shop.bucket.unlimited = True
        self.state = 0
        self.right: dict[int, object] = {}
        rig.connect(self.shop)
        for _ in range(2):
            self.turn()
            rig.publish(DOMAIN)
            self.right[self.state] = without_times(rig.document(DOMAIN))
        self.turn()
        with child(rig.environ, DOMAIN) as whole:
            began = time.monotonic()
            whole.go()
            status, _, self.counts = whole.hear()
            assert status == "published"
            self.seconds = time.monotonic() - began

    def turn(self) -> None:
        self.state = 1 - self.state
        turn(self.shop, self.state)

    def boundaries(self) -> list[At]:
        """Give each write, each commit, and a call of each entity."""
        calls = sorted({1, 2, *range(4, self.counts["call"], 5), self.counts["call"]})
        return [
            *(At("put", nth + 1) for nth in range(self.counts["put"])),
            *(At("commit", nth + 1) for nth in range(self.counts["commit"])),
            *(At("call", nth) for nth in calls),
        ]

    def kill_at(self, at: At) -> Killed:
        """Let a refresh kill itself at a moment."""
        self.turn()
        before = self.rig.document_bytes(DOMAIN)
        with child(self.rig.environ, DOMAIN, at=at) as killed:
            killed.go()
            said = killed.hear()
            assert killed.ends()
            return self._look(f"at {at}", killed, before, ended=said is not None)

    def kill_after(self, seconds: float) -> Killed:
        """Kill a refresh from outside after some seconds."""
        self.turn()
        before = self.rig.document_bytes(DOMAIN)
        with child(self.rig.environ, DOMAIN) as killed:
            killed.go()
            time.sleep(seconds)
            killed.kill()
            return self._look(f"after {seconds * 1000:.0f} ms", killed, before, ended=killed.process.exitcode == 0)

    def _look(self, moment: str, killed: Child, before: bytes, *, ended: bool) -> Killed:
        after = self.rig.document_bytes(DOMAIN)
        document = "old" if after == before else "new, and it had ended" if ended else "new"
        if after != before and list(differences(self.right[self.state], without_times(json.loads(after)))):
            return Killed(moment, document, "the document is neither the old one nor the new one")
        return Killed(moment, document, self._heal())

    def _heal(self) -> str:
        self.rig.program.clock.turn(seconds=LEASE_SECONDS + 1)
        outcome = self.rig.refresh(DOMAIN)[DOMAIN]
        if outcome.error is not None:
            return f"the next refresh failed: {outcome.error.public_text}"
        if list(differences(self.right[self.state], without_times(self.rig.document(DOMAIN)))):
            return "the next refresh did not give the right document"
        return left_behind(self.rig, DOMAIN) or torn(self.rig, DOMAIN)


@contextmanager
def open_slaughter(home: Path) -> Iterator[Slaughter]:
    """Serve the small shop and open the program on it."""
    clock = AheadClock()
    world = World(clock)
    world.add(small_shop(clock))
    with open_rig(home, world, clock=clock) as rig:
        yield Slaughter(rig)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, help="kills at random moments")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as folder, open_slaughter(Path(folder) / "home") as slaughter:
        print(f"one whole refresh: {slaughter.seconds:.2f} s, {slaughter.counts}")
        found = [slaughter.kill_at(at) for at in slaughter.boundaries()]
        print(f"{len(found)} kills at boundaries: {_told(found)}", flush=True)
        randoms = [slaughter.kill_after(dice.uniform(0, slaughter.seconds)) for _ in range(arguments.times)]
        print(f"{len(randoms)} kills at random moments: {_told(randoms)}")
    wrong = [killed for killed in (*found, *randoms) if killed.wrong]
    for killed in wrong:
        print(f"{killed.moment}: {killed.document}: {killed.wrong}")
    print(f"{len(wrong)} ended wrong")
    return 1 if wrong else 0


def _told(found: list[Killed]) -> str:
    return ", ".join(f"{count} x {document}" for document, count in Counter(k.document for k in found).items())


if __name__ == "__main__":
    sys.exit(main())
