"""The lease of a running refresh: renewed while work goes on, checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from salesbot_pipelines.errors import LeaseLost
from salesbot_pipelines.shopify.clock import Clock
from salesbot_pipelines.state.work import Lease, ShopWork

LEASE_SECONDS = 120
"""How long a killed refresh keeps its shop from the next one. Work renews it at every third."""

_STOPS_WITHIN_SECONDS = 2.0


class Stop(Protocol):
    """How a refresh hears that it should stop; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Was it asked to stop?"""
        ...

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; say whether it was asked to stop."""
        ...


class LeaseGuard:
    """Keeps one lease of `seconds` alive. `keep` is called often and asks the database seldom."""

    def __init__(
        self,
        work: ShopWork,
        lease: Lease,
        clock: Clock,
        *,
        seconds: float = LEASE_SECONDS,
        stop: Stop | None = None,
    ) -> None:
        self._work = work
        self._clock = clock
        self._seconds = seconds
        self._stop = stop
        self.lease = lease
        self._renew_at = clock.monotonic() + seconds / 3

    def keep(self) -> None:
        """Renew the lease when a third of it is gone.

        Raises `LeaseLost` when another refresh has the shop, or when this one was asked to stop.
        """
        if self._stop is not None and self._stop.is_set():
            raise LeaseLost(
                f"{self.lease.shop}: the refresh was asked to stop", advice="start it again when you like"
            )
        if self._clock.monotonic() >= self._renew_at:
            self.check()

    def check(self) -> None:
        """Ask the database whether the lease is still ours; raises `LeaseLost`.

        The clock on the wall decides nothing here: a process that was frozen finds its number outdated.
        """
        self.lease = self._work.renew(self.lease, self._seconds)
        self._renew_at = self._clock.monotonic() + self._seconds / 3

    def keeping(
        self, report: Callable[[str, int, int | None], None] | None
    ) -> Callable[[str, int, int | None], None]:
        """Give a progress callback that also keeps the lease."""

        def progress(stage: str, done: int, total: int | None) -> None:
            self.keep()
            if report is not None:
                report(stage, done, total)

        return progress

    def keeping_clock(self) -> Clock:
        """Give a clock whose waits keep the lease: a call may be repeated for longer than a lease lasts.

        They also end soon after the run was asked to stop.
        """
        return _KeepingClock(self, self._clock, min(self._seconds / 4, _STOPS_WITHIN_SECONDS))


class _KeepingClock:
    """Waits in pieces of up to `piece` seconds."""

    def __init__(self, guard: LeaseGuard, clock: Clock, piece: float) -> None:
        self._guard = guard
        self._clock = clock
        self._piece = piece

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0:
            self._guard.keep()
            self._clock.sleep(min(left, self._piece))
