"""A whole program over a real sandbox: what most tests of the use case stand on.

The wire is real (HTTP on loopback, files or a database on disk); time can be turned, and every request to the
store is written down.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines.refresh.outcome import Outcome
from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.sandbox.server import SandboxServer
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines.settings import Settings, load_settings
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.state.installs import Credential

APP = {"SHOPIFY_API_KEY": "sandbox-client-id", "SHOPIFY_API_SECRET": "sandbox-client-secret"}


class TurnedClock:
    """One time for the program and the sandbox: it stands still, and sleeping turns it on.

    A lock makes it safe for the threads of both sides of the wire.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = 0.0
        self.start = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
        self.slept = 0.0

    def now(self) -> datetime:
        with self._lock:
            return self.start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        with self._lock:
            return self._seconds

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._seconds += max(0.0, seconds)
            self.slept += max(0.0, seconds)

    def turn(self, **units: float) -> None:
        self.sleep(timedelta(**units).total_seconds())


@dataclass
class Rig:
    """The program, the sandbox it reads, and what was asked of the store."""

    program: Program
    server: SandboxServer
    environ: Mapping[str, str]
    requests: list[tuple[str, str]] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.server.sandbox.world

    @property
    def settings(self) -> Settings:
        return self.program.settings

    def connect(self, shop: Shop | str, *, owner: str | None = None) -> str:
        """Connect a shop of the world by its static token."""
        found = self.world.shop(shop) if isinstance(shop, str) else shop
        self.program.installs.connect(found.domain, Credential(kind="static", access_token=found.token), owner=owner)
        return found.domain

    def refresh(self, *shops: str, trigger: str = "manual", **batch: Any) -> dict[str, Outcome]:
        """Refresh shops; give the outcomes by shop, errors inside."""
        wanted = Batch(shops=shops, trigger=trigger, run_id="test-run", **batch)
        return {outcome.shop: outcome for outcome in self.program.refresh_batch(wanted)}

    def publish(self, shop: str, **batch: Any) -> Outcome:
        """Refresh one shop and insist that it went well."""
        outcome = self.refresh(shop, **batch)[shop]
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def keys(self, shop: str) -> ShopKeys:
        install = self.program.installs.find(shop)
        assert install is not None
        return ShopKeys(install.owner, shop)

    def document_bytes(self, shop: str) -> bytes:
        return self.program.store.read(self.keys(shop).document)

    def document(self, shop: str) -> dict[str, Any]:
        return json.loads(self.document_bytes(shop))

    def manifest(self, shop: str) -> dict[str, Any]:
        return json.loads(self.program.store.read(self.keys(shop).manifest))

    def puts(self) -> list[str]:
        """Give the keys written since the last call."""
        written = [key for verb, key in self.requests if verb == "PUT"]
        self.requests.clear()
        return written


@contextmanager
def open_rig(
    home: Path, world: World, *, clock: Any = None, environ: Mapping[str, str] | None = None
) -> Iterator[Rig]:
    """Serve the world on loopback and open the program on it, with a local folder and SQLite in `home`."""
    with SandboxServer(world) as server:
        variables = {"SALESBOT_HOME": str(home), "SHOPIFY_SHOP_URL": server.shop_url, **APP, **(environ or {})}
        requests: list[tuple[str, str]] = []
        program = open_program(
            load_settings(variables), clock=clock, on_request=lambda verb, key: requests.append((verb, key))
        )
        try:
            yield Rig(program, server, variables, requests)
        finally:
            program.close()


@contextmanager
def open_second(rig: Rig, home: Path) -> Iterator[Rig]:
    """Open another program on the same world, which knows nothing of the first one."""
    variables = {**rig.environ, "SALESBOT_HOME": str(home)}
    program = open_program(load_settings(variables), clock=rig.program.clock)
    try:
        yield Rig(program, rig.server, variables)
    finally:
        program.close()
