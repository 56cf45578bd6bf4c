"""Refresh one shop: lease, fetch, normalise, judge, publish, done.

Whatever goes wrong, the document that SalesBot reads is the old one or a whole new one, the reason is kept
beside the shop, and the next refresh starts from a clean state.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx
from sqlalchemy import Engine

from salesbot_pipelines.errors import (
    AccessRevoked,
    LeaseHeld,
    LeaseLost,
    NeedsReauth,
    NotInstalled,
    SalesbotError,
    StateError,
)
from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines.refresh.fleet import read_manifest
from salesbot_pipelines.refresh.guard import LEASE_SECONDS, LeaseGuard, Stop
from salesbot_pipelines.refresh.manifest import parse_time
from salesbot_pipelines.refresh.one import OneRefresh
from salesbot_pipelines.refresh.outcome import Outcome, Status
from salesbot_pipelines.refresh.workfolder import WorkFolderFailed, work_folder
from salesbot_pipelines.settings import Settings
from salesbot_pipelines.shopify.clock import Clock
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.spaces.store import ObjectStore
from salesbot_pipelines.state.installs import Install, Installs
from salesbot_pipelines.state.work import Lease, ShopWork
from salesbot_pipelines.workers.sharing import sharing

_log = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]

LEASE_PATIENCE_SECONDS = 300.0
"""How long a fleet-wide run waits for another run's shop."""

_LEASE_POLL_SECONDS = 2.0

_SHARED = (
    "salesbot_pipelines.shopify.reading.bulk_join",
    "salesbot_pipelines.shopify.reading.bulk_levels",
    "salesbot_pipelines.refresh.normalising",
)
"""What a worker process does of a large shop's refresh."""


@dataclass(frozen=True)
class Refresh:
    """The use case with what it needs; one value serves any number of shops and threads."""

    settings: Settings
    engine: Engine
    installs: Installs
    work: ShopWork
    store: ObjectStore
    http: httpx.Client
    clock: Clock
    version: str
    lease_seconds: float = LEASE_SECONDS

    def run(self, shop: str, batch: Batch, progress: Progress, stop: Stop) -> Outcome:
        """Refresh the shop and say what came of it.

        Raises the `SalesbotError` that ended it, after keeping its text and the back-off in the state.
        """
        install = self.installs.find(shop)
        if install is None or install.status == "uninstalled":
            _log.info("[%s] is not connected: skipped", shop)
            return Outcome(shop=shop, status=Status.SKIPPED, trigger=batch.trigger)
        try:
            lease = self._lease(shop, batch, stop)
        except LeaseHeld as held:
            if batch.trigger != "webhook":
                raise
            _log.info("[%s] %s: its events stay due", shop, held)
            return Outcome(shop=shop, status=Status.SKIPPED, trigger=batch.trigger)
        if lease is None:
            return self._fresh(install, batch)
        guard = LeaseGuard(self.work, lease, self.clock, seconds=self.lease_seconds, stop=stop)
        one: OneRefresh | None = None
        try:
            with work_folder(self.settings.home / "work", lease) as folder, sharing(_SHARED) as share:
                one = OneRefresh(self, install, batch, guard, folder, progress, share)
                return one.from_raw() if batch.from_raw else one.from_shopify()
        except LeaseLost as lost:
            # The shop is another run's now, or nobody asked for the rest: there is nothing to note against it.
            with _aside(shop):
                if one is None or not one.began_to_publish:
                    self.work.release(guard.lease)
                else:
                    self.work.failed(guard.lease, lost.public_text, retryable=True)
            raise
        except SalesbotError as error:
            ours = True
            with _aside(shop):
                ours = self._note_failure(guard.lease, error, one)
            if isinstance(error, WorkFolderFailed) and not ours:
                # The run that took over has cleared the folder away.
                raise LeaseLost(f"the lease {lease.epoch} of {lease.holder} on {shop} is lost") from error
            raise
        except BaseException as bug:
            with _aside(shop):
                self.work.failed(guard.lease, f"unexpected {type(bug).__name__}", retryable=True)
            raise

    def _lease(self, shop: str, batch: Batch, stop: Stop) -> Lease | None:
        """Take the shop; None when the batch's refresh of it has been done already.

        A fleet-wide run waits for a run that an event began: the two would meet every day. A person, or an event,
        is told at once. Raises `LeaseHeld`.
        """
        patience = LEASE_PATIENCE_SECONDS if batch.trigger in ("schedule", "backfill") else 0.0
        deadline = self.clock.monotonic() + patience
        while not self._is_done(shop, batch.not_before):
            try:
                return self.work.lease(shop, _holder(batch.run_id), self.lease_seconds, trigger=batch.trigger)
            except LeaseHeld:
                if self.clock.monotonic() >= deadline or stop.wait(_LEASE_POLL_SECONDS):
                    raise
        return None

    def _fresh(self, install: Install, batch: Batch) -> Outcome:
        """Say what is published, for a shop that this scheduled run need not read again."""
        manifest = read_manifest(self.store, install)
        keys = ShopKeys(install.owner, install.shop)
        return Outcome(
            shop=install.shop,
            status=Status.FRESH,
            trigger=batch.trigger,
            owner=install.owner,
            revision=manifest.revision if manifest else "",
            fetched_at=parse_time(manifest.fetched_at) if manifest else None,
            counts=manifest.counts if manifest else {},
            document_bytes=manifest.bytes if manifest else 0,
            document_uri=self.store.uri(keys.document),
            omissions=tuple(manifest.source.omissions) if manifest else (),
        )

    def _is_done(self, shop: str, not_before: str | None) -> bool:
        if not_before is None:
            return False
        status = self.work.status(shop)
        return (
            status is not None
            # A refresh of what events named does not stand for the daily one, which finds what no event told.
            and status.last_full_at is not None
            and status.last_full_at >= datetime.fromisoformat(not_before)
            and status.wanted <= status.done
        )

    def _note_failure(self, lease: Lease, error: SalesbotError, one: OneRefresh | None) -> bool:
        """Keep why the refresh failed; False when the lease was lost meanwhile."""
        if isinstance(error, NeedsReauth | AccessRevoked):
            # Not when the merchant logged in again meanwhile: that is another token.
            self.installs.mark_needs_reauth(
                lease.shop, error.public_text, rejected=one.tokens.in_use if one else None
            )
        untouched = one is None or not one.began_to_publish
        return self.work.failed(lease, error.public_text, retryable=error.retryable, nothing_written=untouched)


@contextmanager
def _aside(shop: str) -> Iterator[None]:
    """Keep what goes wrong while an error is noted from hiding that error; the lease runs out by itself."""
    try:
        yield
    except (StateError, NotInstalled) as error:
        _log.warning("[%s] the failure could not be noted: %s", shop, error.public_text)


def _holder(run_id: str | None) -> str:
    """Name this process and run, for the one who finds the shop taken."""
    return f"{socket.gethostname()}:{os.getpid()}" + (f" run {run_id[:8]}" if run_id else "")
