"""Everything a route needs, put together once.

The door has an engine of its own beside the program's: no call of a route may wait for the database as long
as a refresh may. Opening checks what must be right before the first request; it opens no port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine

from salesbot_pipelines.receiver.committer import Committer
from salesbot_pipelines.receiver.control import ControlDesk, ControlWorker
from salesbot_pipelines.receiver.cookies import CookieJar, new_token
from salesbot_pipelines.receiver.journal import Journal
from salesbot_pipelines.receiver.limits import BodyBudget
from salesbot_pipelines.receiver.metrics import Metrics
from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.settings import Settings
from salesbot_pipelines.shopify.clock import Clock
from salesbot_pipelines.state.control import ControlEvents
from salesbot_pipelines.state.engine import check_schema, open_engine
from salesbot_pipelines.state.files import require_room
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines.state.sessions import OAuthStates, Sessions

DATABASE_SECONDS = 1.0
"""For how long a route's call may wait for the database."""

_PURGED_AT_ONCE = 500
_READINESS_SHOP = "readyz.myshopify.com"
_READINESS_SECONDS = 10.0


@dataclass(eq=False)
class Door:
    """The parts of one receiver process."""

    program: Program
    engine: Engine = field(repr=False)
    inbox: Inbox
    control_events: ControlEvents
    sessions: Sessions
    states: OAuthStates
    cookies: CookieJar
    metrics: Metrics
    journal: Journal
    secrets: tuple[str, ...] = field(repr=False)
    bodies: BodyBudget = field(default_factory=BodyBudget)
    _on_broken: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        self.committer: Committer[WebhookEvent] = Committer(
            self._accept, metrics=self.metrics, chore=self._purge, on_broken=self._broke
        )
        self.desk = ControlDesk(self.program, self.control_events)
        self.worker = ControlWorker(self.desk, metrics=self.metrics, journal=self.journal)
        self.metrics.gauge(
            "salesbot_receiver_queue_depth", "events that wait for their commit", lambda: self.committer.depth
        )
        self.metrics.gauge(
            "salesbot_receiver_broken", "1 after the database failed", lambda: bool(self.committer.broken)
        )

    @property
    def settings(self) -> Settings:
        """The program's settings."""
        return self.program.settings

    @property
    def is_https(self) -> bool:
        """Do browsers reach this door by TLS? Only the sandbox on loopback may say no."""
        return urlsplit(self.settings.shopify.redirect_uri).scheme == "https"

    def start(self, loop: asyncio.AbstractEventLoop, *, on_broken: Callable[[str], None] | None = None) -> None:
        """Start the threads; `on_broken` is called in one of them when the database failed for good."""
        self._on_broken = on_broken
        self.committer.start(loop)
        self.worker.start()

    def stop(self, wait_seconds: float) -> bool:
        """Write what waits and end the threads; return whether all was written in time."""
        self.worker.ask_to_stop()
        drained = self.committer.close(wait_seconds=wait_seconds)
        self.worker.close(wait_seconds=1.0)
        return drained

    def prove_writable(self) -> None:
        """Write a row and take it out again, as a login does, and see that there is room for more.

        Raises `StateError` when that fails.
        """
        if self.engine.dialect.name == "sqlite" and self.engine.url.database:
            require_room(Path(self.engine.url.database).parent)
        browser = new_token()
        state = self.states.begin(_READINESS_SHOP, browser, lifetime_seconds=_READINESS_SECONDS)
        self.states.consume(state, shop=_READINESS_SHOP, browser=browser)

    def _accept(self, events: Sequence[WebhookEvent]) -> Sequence[str]:
        return self.inbox.accept(events)

    def _purge(self) -> bool:
        return self.inbox.purge(limit=_PURGED_AT_ONCE) == _PURGED_AT_ONCE

    def _broke(self, reason: str) -> None:
        self.journal.note("broken", level="critical", error=reason[:300])
        if self._on_broken is not None:
            self._on_broken(reason)


@contextmanager
def open_door(settings: Settings, *, journal: Journal | None = None, clock: Clock | None = None) -> Iterator[Door]:
    """Open the program and the door's own engine, and close both at the end.

    Raises `StateOutdated`, `StateUnavailable` or `WrongEncryptionKey` when the door may not work.
    """
    metrics = Metrics()
    secrets = tuple(s for s in (settings.shopify.api_secret, settings.shopify.api_secret_previous) if s)
    with ExitStack() as stack:
        program = open_program(settings, clock=clock)
        stack.callback(program.close)
        engine = open_engine(settings, wait_seconds=DATABASE_SECONDS)
        stack.callback(engine.dispose)
        check_schema(engine)
        if journal is None:
            journal = Journal(lost=metrics.log_lost)
            journal.start()
            stack.callback(journal.close)
        yield Door(
            program=program,
            engine=engine,
            inbox=Inbox(engine, program.clock),
            control_events=ControlEvents(engine, program.keyring, program.clock),
            sessions=Sessions(engine, program.clock),
            states=OAuthStates(engine, program.clock),
            cookies=CookieJar(secrets),
            metrics=metrics,
            journal=journal,
            secrets=secrets,
        )
