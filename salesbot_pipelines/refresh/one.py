"""One shop's refresh from the taken lease to the released one: fetch, normalise, judge, publish."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from salesbot_pipelines.catalog.changes import Changes
from salesbot_pipelines.catalog.model import Generator
from salesbot_pipelines.catalog.problems import Rules
from salesbot_pipelines.errors import CatalogRefused, RawMissing, SnapshotUnstable
from salesbot_pipelines.refresh.assembly import Assembled, Assembly, Reading
from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines.refresh.comparing import compare
from salesbot_pipelines.refresh.credentials import InstallTokens
from salesbot_pipelines.refresh.fetching import Fetched, calls_of, fetch
from salesbot_pipelines.refresh.guard import LeaseGuard
from salesbot_pipelines.refresh.incremental import fetch_changes, find_baseline
from salesbot_pipelines.refresh.judgement import judge_again, judge_reading
from salesbot_pipelines.refresh.manifest import parse_time
from salesbot_pipelines.refresh.outcome import Calls, Outcome, Status
from salesbot_pipelines.refresh.phases import Phases
from salesbot_pipelines.refresh.published import stored_products
from salesbot_pipelines.refresh.publishing import Publishing, Standing
from salesbot_pipelines.refresh.rawfiles import RawFile
from salesbot_pipelines.refresh.subscriptions import mend_subscriptions
from salesbot_pipelines.shopify.bulk_memory import cancel_remembered
from salesbot_pipelines.shopify.changed import FullReadNeeded
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.snapshot import ENTITIES, still_there
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.state.bulk_operations import RememberedOperations
from salesbot_pipelines.state.explaining import SeenEvents, events_since
from salesbot_pipelines.state.installs import Install
from salesbot_pipelines.workers.sharing import Share

if TYPE_CHECKING:
    from salesbot_pipelines.refresh.use_case import Refresh

_log = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]

_ADOPTING = ("webhook", "schedule")
"""Who goes on with bulk operations of a killed run; a person wants the shop as it is now."""


@dataclass(frozen=True)
class _Made:
    """A catalogue that was judged fit, and what lay in the store when it was."""

    fetched: Fetched
    assembled: Assembled
    standing: Standing
    of_changes: bool = False


class OneRefresh:
    """One shop's refresh from the taken lease to the released one."""

    def __init__(
        self,
        use_case: Refresh,
        install: Install,
        batch: Batch,
        guard: LeaseGuard,
        folder: Path,
        progress: Progress,
        share: Share,
    ) -> None:
        self._use_case = use_case
        self._install = install
        self._batch = batch
        self._guard = guard
        self._folder = folder
        self._progress = guard.keeping(progress)
        self._share = share
        self._keys = ShopKeys(install.owner, install.shop)
        self._publishing = Publishing(use_case.store, self._keys, guard)
        self._operations = RememberedOperations(use_case.engine, guard.lease)
        self._generator = Generator(name="salesbot_pipelines", run_id=batch.run_id, version=use_case.version)
        self._phases = Phases(use_case.clock)
        self._drift: int | None = None
        self._subscriptions = ""
        self._full_because = ""
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
        """Read the catalogue, or what events say has changed of it, and publish it unless nothing changed."""
        client = self._client()
        made = self._made_of_changes(client) or self._made_of_everything(client)
        fetched, assembled = made.fetched, made.assembled
        with self._phases.timed("publish"):
            outcome = self._published(fetched.raw, fetched.reading, assembled, made.standing, calls_of(client.stats))
        self._use_case.work.publish_done(
            self._operations.covered_by(self._guard.lease, fetched.snapshot.adopted.values()),
            fetched_at=fetched.reading.fetched_at,
            revision=assembled.revision,
            changed=outcome.status is Status.PUBLISHED,
            full=not made.of_changes,
        )
        if self._install.status == "needs_reauth":
            self._use_case.installs.clear_reauth(self._install.shop)
        method = "incremental" if made.of_changes else fetched.reading.method
        return replace(outcome, method=method, full_because=self._full_because, adopted=fetched.adopted)

    def _made_of_changes(self, client: AdminClient) -> _Made | None:
        """Read only what events named; None when everything has to be read, for a reason that is noted."""
        batch, use_case = self._batch, self._use_case
        if batch.full or not (batch.method == "incremental" or (batch.method, batch.trigger) == ("auto", "webhook")):
            return None
        folder = self._folder / "incremental"
        folder.mkdir()
        try:
            with self._phases.timed("fetch"):
                standing = self._publishing.look(ENTITIES)
                baseline = find_baseline(
                    use_case.engine,
                    standing,
                    self._guard.lease,
                    now=use_case.clock.now(),
                    namespaces=use_case.settings.metafield_namespaces,
                    version=use_case.version,
                    even_if_small=batch.method == "incremental",
                )
                fetched = fetch_changes(
                    client, self._publishing, baseline, self._guard, folder, progress=self._progress
                )
            assembled = self._assembled(fetched.raw, fetched.reading, folder)
            self._judge(fetched, assembled, standing)
        except (FullReadNeeded, CatalogRefused) as needed:
            self._full_because = str(needed)
            _log.info("[%s] everything is read: %s", self._install.shop, needed)
            shutil.rmtree(folder)
            return None
        cancel_remembered(client, self._operations)  # what is published now is newer
        _log.info("[%s] read what changed: %d objects", self._install.shop, len(baseline.changed))
        return _Made(fetched, assembled, standing, of_changes=True)

    def _made_of_everything(self, client: AdminClient) -> _Made:
        try:
            return self._made_anew(client)
        except (CatalogRefused, SnapshotUnstable):
            cancel_remembered(client, self._operations)  # the same results would be refused again
            raise

    def _made_anew(self, client: AdminClient) -> _Made:
        method = self._batch.method
        with self._phases.timed("fetch"):
            fetched = fetch(
                client,
                self._folder / "raw",
                namespaces=self._use_case.settings.metafield_namespaces,
                version=self._use_case.version,
                method="auto" if method == "incremental" else method,
                progress=self._progress,
                operations=self._operations,
                adopt=self._batch.trigger in _ADOPTING and not self._batch.full,
                share=self._share,
            )
            address = self._use_case.settings.shopify.webhook_address
            if address and self._batch.trigger == "schedule":
                self._subscriptions = mend_subscriptions(client, address)
        assembled = self._assembled(fetched.raw, fetched.reading, self._folder)
        with self._phases.timed("publish"):
            standing = self._publishing.look(ENTITIES)
            self._judge(fetched, assembled, standing)
        return _Made(fetched, assembled, standing)

    def _judge(self, fetched: Fetched, assembled: Assembled, standing: Standing) -> None:
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

    def from_raw(self) -> Outcome:
        """Normalise the stored raw objects again by the present rules; Shopify is not called."""
        standing = self._publishing.look(ENTITIES)
        manifest = standing.manifest
        if manifest is None or not manifest.raw:
            raise RawMissing(f"{self._install.shop}: nothing is published yet")
        with self._phases.timed("fetch"):
            raw = self._publishing.stored_raw(manifest, self._folder / "raw")
        reading = Reading(
            api_version=manifest.source.api_version,
            fetched_at=parse_time(manifest.source.fetched_at),
            method=manifest.source.method,
            omissions=tuple(manifest.read_omissions),
            namespaces=None if manifest.namespaces is None else tuple(manifest.namespaces),
            read_by=manifest.read_by,
        )
        assembled = self._assembled(raw, reading, self._folder)
        judge_again(self._install.shop, assembled, reading.omissions, rules=self._rules())
        with self._phases.timed("publish"):
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
            clock=self._guard.keeping_clock(),
        )

    def _assembled(self, raw: dict[str, RawFile], reading: Reading, folder: Path) -> Assembled:
        with self._phases.timed("normalise"):
            statuses = self._use_case.settings.product_statuses
            assembly = Assembly(folder, statuses=statuses, progress=self._progress, share=self._share)
            return assembly.make(
                raw,
                reading,
                trigger=self._batch.trigger,
                generator=self._generator,
                generated_at=self._use_case.clock.now(),
            )

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
            drift=self._drift,
            subscriptions=self._subscriptions,
            calls=calls or Calls(),
            seconds=self._phases.seconds,
        )

    def _changes(self, standing: Standing, assembled: Assembled) -> Changes | None:
        found, self._drift = compare(
            self._use_case.store, self._keys.products, standing, assembled, seen=self._events_seen
        )
        return found

    def _events_seen(self) -> SeenEvents | None:
        """Give the events since the last refresh began; None where drift is not measured."""
        status = self._use_case.work.status(self._install.shop)
        if self._batch.trigger != "schedule" or status.last_fetched_at is None:
            return None
        return events_since(self._use_case.engine, self._install.shop, status.last_fetched_at)

    def _rules(self) -> Rules:
        return Rules(max_loss_percent=self._use_case.settings.max_loss_percent)
