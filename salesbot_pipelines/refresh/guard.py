"""The lease of a running refresh: renewed while work goes on, checked before anything is written."""

from __future__ import annotations

import threading
from collections.abc import Callable

from salesbot_pipelines.errors import LeaseLost
from salesbot_pipelines.shopify.clock import Clock
from salesbot_pipelines.state.work import Lease, ShopWork

LEASE_SECONDS = 120
"""How long a killed refresh keeps its shop from the next one. Work renews it at every third."""


class LeaseGuard:
    """Keeps one lease alive. `keep` is called often and asks the database seldom."""

    def __init__(self, work: ShopWork, lease: Lease, clock: Clock, *, stop: threading.Event | None = None) -> None:
        self._work = work
        self._clock = clock
        self._stop = stop
        self.lease = lease
        self._renew_at = clock.monotonic() + LEASE_SECONDS / 3

    def keep(self) -> None:
        """Renew the lease when a third of it is gone.

        Raises `LeaseLost` when another refresh has the shop, or when this one was asked to stop.
        """
        if self._stop is not None and self._stop.is_set():
            raise LeaseLost(
                f"{self.lease.shop}: the refresh was asked to stop", advice="start it again when you like"
            )
        if self._clock.monotonic() >= self._renew_at:
            self.lease = self._work.renew(self.lease, LEASE_SECONDS)
            self._renew_at = self._clock.monotonic() + LEASE_SECONDS / 3

    def check(self) -> None:
        """Ask the database whether the lease is still ours; raises `LeaseLost`.

        The clock on the wall decides nothing here: a process that was frozen finds its number outdated.
        """
        self.lease = self._work.renew(self.lease, LEASE_SECONDS)

    def keeping(
        self, report: Callable[[str, int, int | None], None] | None
    ) -> Callable[[str, int, int | None], None]:
        """Give a progress callback that also keeps the lease."""

        def progress(stage: str, done: int, total: int | None) -> None:
            self.keep()
            if report is not None:
                report(stage, done, total)

        return progress
