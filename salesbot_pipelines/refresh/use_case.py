"""Refresh one shop: lease, fetch, normalise, judge, publish, done.

Whatever goes wrong, the document that SalesBot reads is the old one or a whole new one, the reason is kept
beside the shop, and the next refresh starts from a clean state.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from salesbot_pipelines.catalog.changes import Changes, changes
from salesbot_pipelines.catalog.model import Generator
from salesbot_pipelines.catalog.problems import Rules
from salesbot_pipelines.errors import (
    AccessRevoked,
    LeaseHeld,
    LeaseLost,
    NeedsReauth,
    RawMissing,
    SalesbotError,
)
from salesbot_pipelines.refresh.assembly import Assembled, Assembly, Reading
from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines.refresh.credentials import InstallTokens
from salesbot_pipelines.refresh.fetching import fetch
from salesbot_pipelines.refresh.fleet import read_manifest
from salesbot_pipelines.refresh.guard import LEASE_SECONDS, LeaseGuard
from salesbot_pipelines.refresh.judgement import judge_again, judge_reading
from salesbot_pipelines.refresh.manifest import parse_time
from salesbot_pipelines.refresh.outcome import Calls, Outcome, Status
from salesbot_pipelines.refresh.published import made_products, rows, stored_products
from salesbot_pipelines.refresh.publishing import Publishing, Standing
from salesbot_pipelines.refresh.rawfiles import RawFile
from salesbot_pipelines.settings import Settings
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.clock import Clock
from salesbot_pipelines.shopify.snapshot import ENTITIES, still_there
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.spaces.store import ObjectStore
from salesbot_pipelines.state.installs import Install, Installs
from salesbot_pipelines.state.work import Lease, ShopWork

_log = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]

LEASE_PATIENCE_SECONDS = 300.0
"""How long a fleet-wide run waits for another run's shop."""

_LEASE_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Refresh:
    """The use case with what it needs; one value serves any number of shops and threads."""

    settings: Settings
    installs: Installs
    work: ShopWork
    store: ObjectStore
    http: httpx.Client
    clock: Clock
    version: str

    def run(self, shop: str, batch: Batch, progress: Progress, stop: threading.Event) -> Outcome:
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
        guard = LeaseGuard(self.work, lease, self.clock, stop=stop)
        one: _OneRefresh | None = None
        try:
            with self._folder(lease) as folder:
                one = _OneRefresh(self, install, batch, guard, folder, progress)
                return one.from_raw() if batch.from_raw else one.from_shopify()
        except LeaseLost:
            # The shop is another run's now, or nobody asked for the rest: there is nothing to note against it.
            self.work.release(guard.lease)
            raise
        except SalesbotError as error:
            self._note_failure(guard.lease, error, one)
            raise
        except BaseException as bug:
            self.work.failed(guard.lease, f"unexpected {type(bug).__name__}", retryable=True)
            raise

    def _lease(self, shop: str, batch: Batch, stop: threading.Event) -> Lease | None:
        """Take the shop; None when the batch's refresh of it has been done already.

        A fleet-wide run waits for a run that an event began: the two would meet every day. A person, or an event,
        is told at once. Raises `LeaseHeld`.
        """
        patience = LEASE_PATIENCE_SECONDS if batch.trigger in ("schedule", "backfill") else 0.0
        deadline = self.clock.monotonic() + patience
        while not self._is_done(shop, batch.not_before):
            try:
                return self.work.lease(shop, _holder(batch.run_id), LEASE_SECONDS, trigger=batch.trigger)
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
            and status.last_fetched_at is not None
            and status.last_fetched_at >= datetime.fromisoformat(not_before)
            and status.wanted <= status.done
        )

    def _note_failure(self, lease: Lease, error: SalesbotError, one: _OneRefresh | None) -> None:
        if isinstance(error, NeedsReauth | AccessRevoked):
            # Not when the merchant logged in again meanwhile: that is another token.
            self.installs.mark_needs_reauth(
                lease.shop, error.public_text, rejected=one.tokens.in_use if one else None
            )
        untouched = one is None or not one.began_to_publish
        self.work.failed(lease, error.public_text, retryable=error.retryable, nothing_written=untouched)

    @contextmanager
    def _folder(self, lease: Lease) -> Iterator[Path]:
        """Give an empty folder and leave nothing: not after an error, and not of a run that was killed."""
        shop_folder = self.settings.home / "work" / lease.shop
        shutil.rmtree(shop_folder, ignore_errors=True)
        folder = shop_folder / str(lease.epoch)
        folder.mkdir(parents=True, mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _OneRefresh:
    """One shop's refresh from the taken lease to the released one."""

    def __init__(
        self, use_case: Refresh, install: Install, batch: Batch, guard: LeaseGuard, folder: Path, progress: Progress
    ) -> None:
        self._use_case = use_case
        self._install = install
        self._batch = batch
        self._guard = guard
        self._folder = folder
        self._progress = guard.keeping(progress)
        self._keys = ShopKeys(install.owner, install.shop)
        self._publishing = Publishing(use_case.store, self._keys, guard)
        self._generator = Generator(name="salesbot_pipelines", run_id=batch.run_id, version=use_case.version)
        self._seconds: dict[str, float] = {}
        self.began_to_publish = False
        self.tokens = InstallTokens(
            install.shop,
            installs=use_case.installs,
            http=use_case.http,
            settings=use_case.settings.shopify,
            clock=use_case.clock,
            holder=guard.lease.holder,
        )

    def from_shopify(self) -> Outcome:
        """Read the whole catalogue and publish it unless nothing changed."""
        with self._timed("fetch"):
            fetched = fetch(
                self._client(),
                self._folder / "raw",
                namespaces=self._use_case.settings.metafield_namespaces,
                progress=self._progress,
            )
        assembled = self._assembled(fetched.raw, fetched.reading)
        with self._timed("publish"):
            standing = self._publishing.look(ENTITIES)
            judge_reading(
                self._install.shop,
                fetched.snapshot,
                assembled,
                rules=self._rules(),
                statuses=self._use_case.settings.product_statuses,
                counts_before=standing.manifest.counts if standing.manifest else None,
                before=lambda: stored_products(self._use_case.store, self._keys.products),
                still_there=lambda ids: still_there(fetched.client, ids),
            )
            outcome = self._published(fetched.raw, fetched.reading, assembled, standing, fetched.calls)
        self._use_case.work.publish_done(
            self._guard.lease,
            fetched_at=fetched.reading.fetched_at,
            revision=assembled.revision,
            changed=outcome.status is Status.PUBLISHED,
        )
        if self._install.status == "needs_reauth":
            self._use_case.installs.clear_reauth(self._install.shop)
        return outcome

    def from_raw(self) -> Outcome:
        """Normalise the stored raw objects again by the present rules; Shopify is not called."""
        standing = self._publishing.look(ENTITIES)
        manifest = standing.manifest
        if manifest is None or not manifest.raw:
            raise RawMissing(f"{self._install.shop}: nothing is published yet")
        with self._timed("fetch"):
            raw = self._publishing.stored_raw(manifest, self._folder / "raw")
        reading = Reading(
            api_version=manifest.source.api_version,
            fetched_at=parse_time(manifest.source.fetched_at),
            method=manifest.source.method,
            omissions=tuple(manifest.read_omissions),
        )
        assembled = self._assembled(raw, reading)
        judge_again(self._install.shop, assembled, reading.omissions, rules=self._rules())
        with self._timed("publish"):
            outcome = self._published(raw, reading, assembled, standing)
        if outcome.status is Status.PUBLISHED:
            self._use_case.work.republished(self._guard.lease, revision=assembled.revision)
        else:
            self._use_case.work.release(self._guard.lease)
        return outcome

    def _client(self) -> AdminClient:
        use_case = self._use_case
        shopify = use_case.settings.shopify
        return AdminClient(
            self._install.shop,
            self.tokens,
            use_case.http,
            api_version=shopify.api_version,
            shop_url=shopify.shop_url,
            clock=use_case.clock,
        )

    def _assembled(self, raw: dict[str, RawFile], reading: Reading) -> Assembled:
        with self._timed("normalise"):
            assembly = Assembly(
                self._folder, statuses=self._use_case.settings.product_statuses, progress=self._progress
            )
            try:
                return assembly.make(
                    raw,
                    reading,
                    trigger=self._batch.trigger,
                    generator=self._generator,
                    generated_at=self._use_case.clock.now(),
                )
            finally:
                assembly.close()

    def _published(
        self,
        raw: dict[str, RawFile],
        reading: Reading,
        assembled: Assembled,
        standing: Standing,
        calls: Calls | None = None,
    ) -> Outcome:
        unchanged = not self._batch.full and self._publishing.is_unchanged(standing, assembled)
        change = None
        if not unchanged:
            change = self._changes(standing, assembled)
            self.began_to_publish = True
            self._publishing.publish(
                standing,
                assembled,
                raw,
                reading,
                generator=self._generator,
                generated_at=self._use_case.clock.now(),
            )
        return Outcome(
            shop=self._install.shop,
            status=Status.UNCHANGED if unchanged else Status.PUBLISHED,
            trigger=self._batch.trigger,
            owner=self._install.owner,
            revision=assembled.revision,
            fetched_at=parse_time(assembled.source.fetched_at),
            counts=assembled.counts,
            document_bytes=assembled.document.size,
            document_uri=self._use_case.store.uri(self._keys.document),
            omissions=tuple(assembled.source.omissions),
            findings=assembled.findings,
            changes=change,
            calls=calls or Calls(),
            seconds=self._seconds,
        )

    def _changes(self, standing: Standing, assembled: Assembled) -> Changes | None:
        """Compare with what is published; None when that is not whole enough to compare with."""
        manifest = standing.manifest
        if manifest is None:
            return changes(iter(()), rows(made_products(assembled.products.path)))
        if not standing.holds(manifest.objects["products"]):
            return None
        before = stored_products(self._use_case.store, self._keys.products)
        return changes(rows(before), rows(made_products(assembled.products.path)))

    def _rules(self) -> Rules:
        return Rules(max_loss_percent=self._use_case.settings.max_loss_percent)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = self._use_case.clock.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] = self._use_case.clock.monotonic() - began


def _holder(run_id: str | None) -> str:
    """Name this process and run, for the one who finds the shop taken."""
    return f"{socket.gethostname()}:{os.getpid()}" + (f" run {run_id[:8]}" if run_id else "")
