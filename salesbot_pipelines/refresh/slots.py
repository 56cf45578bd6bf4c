"""How many shops of a run are worked on at once; a shop that only waits takes nobody's place.

Waiting for points, after a failure, for a bulk operation or for another run's lease gives the slot back for so long.
A shop that gives no sign for some seconds, because its server hangs, keeps its thread but no longer counts.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from salesbot_pipelines.shopify.clock import Clock

SILENT_SECONDS = 10.0
"""How long a shop without a sign counts as being worked on; one page of a large shop takes less."""

BEGUN_PER_SLOT = 4
"""So many shops have begun at most for each slot: those that wait hold a thread, a folder and a lease."""

_LOOK_SECONDS = 0.5


class Slots:
    """The slots of one run. Shops begin in the order in which they came; those that have begun go first."""

    def __init__(self, count: int, *, silent_seconds: float = SILENT_SECONDS) -> None:
        self.count = max(1, count)
        self._silent_seconds = silent_seconds
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._last_sign: dict[Slot, float] = {}
        self._beginning: deque[Slot] = deque()
        self._returning: deque[Slot] = deque()

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Wait for a slot and hold it; do not wait once the run was asked to stop."""
        slot = Slot(self, self._stop)
        self.enter(slot, self._beginning)
        try:
            yield slot
        finally:
            self.leave(slot)

    @contextmanager
    def lent(self, slot: Slot) -> Iterator[None]:
        """Give the slot to others for the block, and have one again at its end.

        Nobody waits for it longer than `silent_seconds`: the shop's lease must not run out meanwhile.
        """
        self.leave(slot)
        try:
            yield
        finally:
            self.enter(slot, self._returning, patience=self._silent_seconds)

    def enter(self, slot: Slot, line: deque[Slot], *, patience: float = float("inf")) -> None:
        """Stand in the line until it is this slot's turn."""
        latest = time.monotonic() + patience
        with self._changed:
            line.append(slot)
            while not (self._is_next(slot) or self._stop.is_set() or time.monotonic() >= latest):
                self._changed.wait(_LOOK_SECONDS)
            line.remove(slot)
            self._last_sign[slot] = time.monotonic()
            self._changed.notify_all()

    def leave(self, slot: Slot) -> None:
        """Let another one in."""
        with self._changed:
            self._last_sign.pop(slot, None)
            self._changed.notify_all()

    def sign(self, slot: Slot) -> None:
        """Note that the shop gets on."""
        with self._changed:
            self._last_sign[slot] = time.monotonic()

    def stop(self) -> None:
        """Ask every shop to stop, and let nobody wait any longer."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def _is_next(self, slot: Slot) -> bool:
        silent_since = time.monotonic() - self._silent_seconds
        busy = sum(last > silent_since for last in self._last_sign.values())
        return busy < self.count and slot is (self._returning or self._beginning)[0]


class Slot:
    """One shop's place in the run, and how it hears that the run was asked to stop."""

    def __init__(self, slots: Slots, stop: threading.Event) -> None:
        self._slots = slots
        self._stop = stop

    def is_set(self) -> bool:
        """Was the run asked to stop?"""
        return self._stop.is_set()

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds without the slot; say whether the run was asked to stop."""
        with self._slots.lent(self):
            return self._stop.wait(timeout)

    def sign(self) -> None:
        """Say that the shop gets on."""
        self._slots.sign(self)

    def clock(self, clock: Clock) -> Clock:
        """Give a clock whose sleep lends the slot to others."""
        return _LendingClock(self._slots, self, clock)


class _LendingClock:
    def __init__(self, slots: Slots, slot: Slot, clock: Clock) -> None:
        self._slots = slots
        self._slot = slot
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        with self._slots.lent(self._slot):
            self._clock.sleep(seconds)
