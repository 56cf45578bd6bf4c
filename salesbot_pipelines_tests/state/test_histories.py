"""Random histories of events, ticks, crashes and runs: an acknowledged event is never forgotten.

The promise, after every step: where nothing is pending, the last successful fetch began after the
last acknowledged event. Two designs that look right and are not must be caught by the same histories.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, delete, event, select

from salesbot_pipelines.errors import LeaseHeld, LeaseLost
from salesbot_pipelines.state import tables
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines.state.installs import Credential, Installs
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines.state.work import Lease, ShopWork

SHOPS = [f"shop-{number}.myshopify.com" for number in range(3)]
LEASE_SECONDS = 60
shops = st.sampled_from(SHOPS)


class Crash(BaseException):
    """The process dies before its commit."""


@dataclass
class Run:
    lease: Lease
    fetch_began: int


class Histories(RuleBasedStateMachine):
    """The real inbox and work, and beside them what an onlooker knows."""

    engine: Engine
    keyring: Keyring
    clock: Any
    turn: Callable[[float], None]
    work_class: type[ShopWork] = ShopWork

    def __init__(self) -> None:
        super().__init__()
        self.step = 0
        self.acknowledged: dict[str, int] = {}
        self.fetched: dict[str, int] = {}
        self.runs: list[Run] = []
        self.delivered: list[WebhookEvent] = []

    @initialize()
    def start_clean(self) -> None:
        with writing(self.engine) as connection:
            for table in reversed(tables.metadata.sorted_tables):
                if table.name != "encryption_keys":
                    connection.execute(delete(table))
        self.work = self.work_class(self.engine, self.clock, jitter=lambda _least, most: most)
        self.inbox = Inbox(self.engine, self.clock)
        self.installs = Installs(self.engine, self.keyring, self.clock)
        for shop in SHOPS:
            self.installs.connect(shop, Credential(kind="static", access_token="t"))
            self.acknowledged[shop] = self.next_step()
            self.begin(shop)
            self.publish(self.runs[-1])

    def next_step(self) -> int:
        self.step += 1
        return self.step

    # What the design decides, and what a mutant replaces.

    def asked_for(self) -> list[str]:
        return [due.shop for due in self.work.due(10)]

    def pending(self) -> set[str]:
        return {status.shop for status in self.work.statuses() if status.wanted > status.done}

    # Events.

    def deliver(self, arriving: WebhookEvent) -> None:
        if self.inbox.accept([arriving]) == ["new"]:
            self.acknowledged[arriving.shop] = self.next_step()

    @rule(shop=shops)
    def event_arrives(self, shop: str) -> None:
        self.delivered.append(WebhookEvent(shop, "products/update", f"w{self.next_step()}", "0" * 64))
        self.deliver(self.delivered[-1])

    @precondition(lambda self: self.delivered)
    @rule(which=st.integers(0, 100))
    def event_arrives_again(self, which: int) -> None:
        self.deliver(self.delivered[which % len(self.delivered)])

    @rule(shop=shops)
    def receiver_dies_before_its_commit(self, shop: str) -> None:
        def die(_connection: object) -> None:
            raise Crash

        # Shopify, which got no answer, sends it again some time.
        self.delivered.append(WebhookEvent(shop, "products/update", f"w{self.next_step()}", "0" * 64))
        event.listen(self.engine, "commit", die)
        try:
            self.deliver(self.delivered[-1])
        except Crash:
            pass
        finally:
            event.remove(self.engine, "commit", die)

    @rule(shop=shops)
    def shop_is_installed_again(self, shop: str) -> None:
        self.installs.uninstall(shop)
        self.installs.connect(shop, Credential(kind="static", access_token="t"))
        self.acknowledged[shop] = self.next_step()
        self.event_arrives(shop)

    # Runs.

    def begin(self, shop: str) -> None:
        try:
            lease = self.work.lease(shop, f"run {self.next_step()}", LEASE_SECONDS)
        except LeaseHeld:
            return
        self.runs.append(Run(lease, self.next_step()))

    def publish(self, run: Run) -> None:
        self.runs.remove(run)
        try:
            self.work.publish_done(run.lease, fetched_at=datetime(2026, 1, 1, tzinfo=UTC), revision="r")
        except LeaseLost:
            return
        self.fetched[run.lease.shop] = max(self.fetched.get(run.lease.shop, 0), run.fetch_began)

    @rule()
    def sensor_ticks(self) -> None:
        for shop in self.asked_for():
            self.begin(shop)

    @rule(shop=shops)
    def schedule_begins_a_run(self, shop: str) -> None:
        self.begin(shop)

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 100))
    def run_publishes(self, which: int) -> None:
        self.publish(self.runs[which % len(self.runs)])

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 100), retryable=st.booleans())
    def run_fails(self, which: int, retryable: bool) -> None:
        run = self.runs.pop(which % len(self.runs))
        self.work.failed(run.lease, "it failed", retryable=retryable)

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 100))
    def run_is_killed(self, which: int) -> None:
        self.runs.pop(which % len(self.runs))

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 100))
    def run_renews_its_lease(self, which: int) -> None:
        run = self.runs[which % len(self.runs)]
        try:
            run.lease = self.work.renew(run.lease, LEASE_SECONDS)
        except LeaseLost:
            self.runs.remove(run)

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 100))
    def run_gives_its_lease_back(self, which: int) -> None:
        self.work.release(self.runs.pop(which % len(self.runs)).lease)

    @rule(seconds=st.sampled_from([1, LEASE_SECONDS + 1, 3601]))
    def time_passes(self, seconds: int) -> None:
        self.turn(seconds)

    @rule(shop=shops)
    def person_replays(self, shop: str) -> None:
        self.work.replay(shop)

    # The promise.

    @invariant()
    def what_was_acknowledged_is_covered_or_pending(self) -> None:
        pending = self.pending() if self.acknowledged else set()
        for shop in self.acknowledged.keys() - pending:
            assert self.fetched.get(shop, 0) > self.acknowledged[shop], f"{shop} lost an event"

    def teardown(self) -> None:
        """And it ends: once nothing fails any more, every shop becomes clean by itself."""
        if not self.acknowledged:
            return
        for _ in range(2):
            self.turn(3 * 3600)
            self.sensor_ticks()
            for run in list(self.runs):
                self.publish(run)
        assert self.pending() == set()
        self.what_was_acknowledged_is_covered_or_pending()


class DoneIsWhatIsWantedAtTheEnd(ShopWork):
    """The mutant that marks everything done when it publishes."""

    def publish_done(self, lease: Lease, **more: Any) -> None:
        super().publish_done(replace(lease, wanted=self.status(lease.shop).wanted), **more)


class CursorOnly(Histories):
    """The mutant that reads the inbox by a cursor and starts a run for what it finds there."""

    def __init__(self) -> None:
        super().__init__()
        self.cursor = 0

    def asked_for(self) -> list[str]:
        with reading(self.engine) as connection:
            rows = connection.execute(select(tables.inbox.c.seq, tables.inbox.c.shop)).all()
        found = {row.shop for row in rows if row.seq > self.cursor}
        self.cursor = max([self.cursor, *(row.seq for row in rows)])
        return sorted(found)

    def pending(self) -> set[str]:
        with reading(self.engine) as connection:
            unread = connection.execute(select(tables.inbox.c.shop).where(tables.inbox.c.seq > self.cursor)).scalars()
            return {*unread, *(run.lease.shop for run in self.runs)}

    def teardown(self) -> None:
        pass


def play(machine: type[Histories], examples: int, steps: int, **parts: Any) -> None:
    chosen = type("Chosen", (machine,), parts)
    run_state_machine_as_test(
        chosen,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def parts(engine: Engine, keyring: Keyring, clock: Any, turn: Callable[[float], None]) -> dict[str, Any]:
    return {"engine": engine, "keyring": keyring, "clock": clock, "turn": staticmethod(turn)}


def test_no_history_loses_an_event(parts: dict[str, Any], engine: Engine) -> None:
    examples, steps = (30, 25) if engine.dialect.name == "sqlite" else (6, 20)
    play(Histories, examples, steps, **parts)


class TestTheseHistoriesCatch:
    @pytest.fixture
    def engine(self, sqlite_engine: Engine) -> Engine:
        return sqlite_engine

    def test_done_is_what_is_wanted_at_the_end(self, parts: dict[str, Any]) -> None:
        with pytest.raises(AssertionError, match="lost an event"):
            play(Histories, 50, 30, work_class=DoneIsWhatIsWantedAtTheEnd, **parts)

    def test_a_cursor_only(self, parts: dict[str, Any]) -> None:
        with pytest.raises(AssertionError, match="lost an event"):
            play(CursorOnly, 50, 30, **parts)
