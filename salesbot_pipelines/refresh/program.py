"""The program put together from its settings: the one value that every door builds and hands down.

Opening it checks what must be right before anything is done: the settings, the database's schema, the
encryption keys. It opens no connection to Shopify or to the store.
"""

from __future__ import annotations

import importlib.metadata
import logging
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import httpx
from sqlalchemy import Engine

from salesbot_pipelines.errors import StateError
from salesbot_pipelines.refresh.batch import Batch, ShopProgress, run_batch
from salesbot_pipelines.refresh.fleet import ShopRow, fleet_rows
from salesbot_pipelines.refresh.outcome import Outcome
from salesbot_pipelines.refresh.slots import BEGUN_PER_SLOT
from salesbot_pipelines.refresh.use_case import Refresh
from salesbot_pipelines.settings import Settings
from salesbot_pipelines.shopify.clock import Clock, SystemClock
from salesbot_pipelines.spaces.open import open_store
from salesbot_pipelines.spaces.store import ObjectStore
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.engine import check_schema, open_engine
from salesbot_pipelines.state.failing import failing
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.reserving import reserve
from salesbot_pipelines.state.work import Due, ShopWork
from salesbot_pipelines.workers.collecting import collect_seldom

_log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0


@dataclass(frozen=True)
class Program:
    """Settings, state, store and the use case, opened once by a door and closed by it."""

    settings: Settings
    engine: Engine = field(repr=False)
    keyring: Keyring = field(repr=False)
    installs: Installs = field(repr=False)
    work: ShopWork = field(repr=False)
    store: ObjectStore = field(repr=False)
    http: httpx.Client = field(repr=False)
    refresh: Refresh = field(repr=False)
    clock: Clock = field(repr=False)

    def refresh_batch(
        self, batch: Batch, *, progress: ShopProgress | None = None, report_seconds: float = 5.0
    ) -> Iterator[Outcome]:
        """Refresh the batch's shops, several at once; one outcome a shop as each ends.

        Those that failed last time come last: their server may hang, and then the others are done by then.
        """
        return run_batch(
            replace(batch, shops=self._failing_last(batch.shops)),
            lambda shop, report, slot: replace(self.refresh, clock=slot.clock(self.clock)).run(
                shop, batch, report, slot
            ),
            at_once=self.settings.concurrent_shops,
            progress=progress,
            report_seconds=report_seconds,
        )

    def _failing_last(self, shops: tuple[str, ...]) -> tuple[str, ...]:
        if len(shops) <= self.settings.concurrent_shops:
            return shops
        try:
            failed = failing(self.engine, shops)
        except StateError as error:
            _log.warning("the shops are taken in the given order: %s", error.public_text)
            return shops
        return tuple(sorted(shops, key=failed.__contains__))

    def reserve_due(self, *, limit: int, seconds: float) -> list[Due]:
        """Give the shops whose events wait, and keep others from asking for them for some seconds."""
        due = self.work.due(limit, event_wait_seconds=self.settings.event_wait_seconds)
        return reserve(self.engine, self.clock, due, seconds=seconds) if due else []

    def connected_shops(self) -> list[str]:
        """Give the connected shops in the order in which they were connected."""
        return [install.shop for install in self.installs.connected()]

    def fleet(self) -> list[ShopRow]:
        """Give one row a connected shop: state, freshness, and what its manifest says."""
        return fleet_rows(self.installs, self.work, self.store, now=self.clock.now())

    def close(self) -> None:
        """Close connections."""
        self.http.close()
        self.engine.dispose()


def open_program(
    settings: Settings,
    *,
    clock: Clock | None = None,
    on_request: Callable[[str, str], None] | None = None,
    wait_seconds: float = 10.0,
) -> Program:
    """Build the program; no statement of the database waits longer than `wait_seconds`.

    The embedded database is made on first use; one that is named by URL is left to `salesbot migrate`.
    Raises `StateOutdated`, `StateUnavailable` or `WrongEncryptionKey` when the program may not work.
    """
    collect_seldom()
    clock = clock or SystemClock()
    engine = open_engine(settings, create=not settings.database_url, wait_seconds=wait_seconds)
    check_schema(engine)
    keyring = Keyring.from_settings(settings)
    keyring.ensure_key_check(engine)
    installs = Installs(engine, keyring, clock)
    work = ShopWork(engine, clock)
    store = open_store(settings, on_request=on_request)
    http = http_client(settings)
    refresh = Refresh(
        settings=settings,
        engine=engine,
        installs=installs,
        work=work,
        store=store,
        http=http,
        clock=clock,
        version=version(),
    )
    return Program(
        settings=settings,
        engine=engine,
        keyring=keyring,
        installs=installs,
        work=work,
        store=store,
        http=http,
        refresh=refresh,
        clock=clock,
    )


def http_client(settings: Settings) -> httpx.Client:
    """Build the one HTTP client: no redirects, no proxy from the environment, explicit time-outs."""
    # One that hangs keeps its connection: there is one for each shop that may have begun, and some to spare.
    shops = settings.concurrent_shops * (BEGUN_PER_SLOT + 1)
    return httpx.Client(
        follow_redirects=False,
        trust_env=False,
        verify=ssl.create_default_context(),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=shops, max_keepalive_connections=shops),
        headers={"User-Agent": f"salesbot_pipelines/{version()}", "Accept": "application/json"},
    )


def version() -> str:
    """Give this program's version."""
    return importlib.metadata.version("salesbot-pipelines")
