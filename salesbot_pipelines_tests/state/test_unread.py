"""Which events the stored raw objects do not cover, and whether the marks add up to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert, text, update

from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines.state.installs import Credential, Installs
from salesbot_pipelines.state.tables import inbox, shop_work
from salesbot_pipelines.state.tables import installs as installs_table
from salesbot_pipelines.state.transactions import writing
from salesbot_pipelines.state.unread import Unread, unread_events
from salesbot_pipelines.state.work import Lease, ShopWork
from salesbot_pipelines_tests.state.conftest import TurnableClock

SHOP, OTHER = "one.myshopify.com", "two.myshopify.com"
THEN = datetime(2026, 11, 25, 11, 0, tzinfo=UTC)
TOPIC = "products/update"


class Telling:
    """Sends events to the inbox, each with an id of its own unless one is given."""

    def __init__(self, engine: Engine, clock: TurnableClock) -> None:
        self._inbox = Inbox(engine, clock)
        self._count = 0

    def __call__(self, number: int, shop: str = SHOP, *, webhook_id: str | None = None) -> str:
        self._count += 1
        name = webhook_id or f"w{self._count}"
        event = WebhookEvent(shop, TOPIC, name, "0" * 64, resource_id=f"gid://shopify/Product/{number}")
        (judged,) = self._inbox.accept([event])
        return judged


@pytest.fixture
def tell(engine: Engine, clock: TurnableClock, connect: Callable[..., None]) -> Telling:
    connect(SHOP, OTHER)
    return Telling(engine, clock)


def publish(work: ShopWork, **more: bool) -> Lease:
    lease = work.lease(SHOP, "run", 60)
    work.publish_done(lease, fetched_at=THEN, revision="r", **more)
    return lease


def unread(engine: Engine, work: ShopWork, most: int = 100) -> Unread | None:
    lease = work.lease(SHOP, "run", 60)
    work.release(lease)
    return unread_events(engine, lease, most=most)


def numbers(found: Unread | None) -> set[int]:
    assert found is not None
    return {int(str(gid).rpartition("/")[2]) for _, gid in found.events}


def test_before_the_first_refresh_nobody_knows(engine: Engine, work: ShopWork, tell: Telling) -> None:
    tell(1)
    assert unread(engine, work) is None


def test_events_after_a_refresh_are_told_once_each(engine: Engine, work: ShopWork, tell: Telling) -> None:
    tell(1)
    publish(work)
    tell(2)
    tell(2)
    tell(3)
    tell(9, OTHER)
    tell(4, webhook_id="again")
    assert tell(4, webhook_id="again") == "duplicate"
    found = unread(engine, work)
    assert numbers(found) == {2, 3, 4}
    assert found == Unread(found.events if found else (), unexplained=0, cut=False)


def test_an_event_during_a_refresh_is_left_for_the_next(engine: Engine, work: ShopWork, tell: Telling) -> None:
    lease = work.lease(SHOP, "run", 60)
    tell(5)
    work.publish_done(lease, fetched_at=THEN, revision="r")
    found = unread(engine, work)
    assert (numbers(found), found and found.unexplained) == ({5}, 0)


def test_what_an_unchanged_refresh_read_is_told_again(engine: Engine, work: ShopWork, tell: Telling) -> None:
    """Nothing was uploaded, so the stored raw objects are still those from before the event."""
    publish(work)
    tell(6)
    publish(work, changed=False)
    assert work.status(SHOP).done == work.status(SHOP).wanted
    tell(7)
    found = unread(engine, work)
    assert (numbers(found), found and found.unexplained) == ({6, 7}, 0)


@pytest.mark.parametrize("how", ["a person", "a failed run", "a new install", "a purge"])
def test_a_mark_that_no_event_left_is_seen(
    how: str, engine: Engine, work: ShopWork, installs: Installs, tell: Telling
) -> None:
    publish(work)
    if how == "a failed run":
        work.failed(work.lease(SHOP, "run", 60), "x", retryable=True, nothing_written=True)
    tell(8)
    if how == "a person":
        work.want(SHOP)
    elif how == "a new install":
        installs.connect(SHOP, Credential(kind="static", access_token="another"))
    elif how == "a purge":
        with writing(engine) as connection:
            connection.execute(delete(inbox).where(inbox.c.shop == SHOP))
    found = unread(engine, work)
    assert found is not None
    assert found.unexplained == 1


def test_a_failure_that_an_event_asked_for_leaves_no_mark(engine: Engine, work: ShopWork, tell: Telling) -> None:
    publish(work)
    tell(1)
    work.failed(work.lease(SHOP, "run", 60), "x", retryable=True, nothing_written=True)
    found = unread(engine, work)
    assert (numbers(found), found and found.unexplained) == ({1}, 0)


def test_more_than_was_asked_for_is_said(engine: Engine, work: ShopWork, tell: Telling) -> None:
    publish(work)
    for number in range(4):
        tell(number)
    found = unread(engine, work, most=4)
    assert found is not None
    assert not found.cut
    found = unread(engine, work, most=3)
    assert found is not None
    assert (found.cut, len(found.events), found.unexplained) == (True, 3, 0)


def test_only_a_full_read_is_noted_as_one(work: ShopWork, tell: Telling) -> None:
    publish(work)
    work.publish_done(work.lease(SHOP, "run", 60), fetched_at=THEN + timedelta(hours=1), revision="r2", full=False)
    status = work.status(SHOP)
    assert (status.last_full_at, status.last_fetched_at) == (THEN, THEN + timedelta(hours=1))
    assert work.lease(SHOP, "run", 60).last_full_at == THEN


def test_reads_from_before_the_columns_count_as_full(engine: Engine, installs: Installs) -> None:
    """The second migration writes down what is known of shops that were refreshed before it."""
    from alembic import command
    from alembic.config import Config

    import salesbot_pipelines.state.migrations as migrations

    installs.connect(SHOP, Credential(kind="static", access_token="t"))
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    with writing(engine) as connection:
        connection.execute(update(shop_work).values(last_fetched_at=THEN))
        for column in ("events_read", "marks_read", "last_full_at"):
            connection.execute(text(f"ALTER TABLE shop_work DROP COLUMN {column}"))
        connection.execute(text("DROP TABLE bulk_operations"))  # of the third
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    work = ShopWork(engine)
    assert work.status(SHOP).last_full_at == THEN
    lease = work.lease(SHOP, "run", 60)
    assert (lease.events_read, lease.marks_read) == (None, None)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(1, 5)),
        st.tuples(st.just("again"), st.just(0)),
        st.tuples(st.just("other shop"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["lease", "published", "unchanged", "failed", "released", "person"]), st.just(0)),
    ),
    max_size=25,
)


class Model:
    """A shop's history, and beside it what was told since the lease of the last refresh that stored something."""

    def __init__(self, engine: Engine, clock: TurnableClock) -> None:
        begin_anew(engine)
        self.engine = engine
        self.work, self.tell = ShopWork(engine, clock), Telling(engine, clock)
        self.told: list[int] = []
        self.marks = 1
        self.lease: Lease | None = None
        self.at_lease = (0, 0)
        self.stored: tuple[int, int] | None = None

    def step(self, name: str, number: int) -> None:
        if name == "event":
            self.tell(number, webhook_id=f"e{len(self.told)}")
            self.told.append(number)
            self.marks += 1
        elif name == "again" and self.told:
            assert self.tell(1, webhook_id="e0") == "duplicate"
        elif name == "other shop":
            self.tell(number, OTHER)
        elif name == "person":
            self.work.want(SHOP)
            self.marks += 1
        elif name == "lease" and self.lease is None:
            self.lease = self.work.lease(SHOP, "run", 60)
            self.at_lease = (len(self.told), self.marks)
        elif name in ("published", "unchanged", "failed", "released") and self.lease is not None:
            self.end(name, self.lease)
            self.lease = None

    def end(self, how: str, lease: Lease) -> None:
        if how == "failed":
            status = self.work.status(SHOP)
            self.marks += status.wanted <= status.done
            self.work.failed(lease, "x", retryable=True)
        elif how == "released":
            self.work.release(lease)
        else:
            self.work.publish_done(lease, fetched_at=THEN, revision="r", changed=how == "published")
            if how == "published":
                self.stored = self.at_lease

    def check(self) -> None:
        if self.lease is not None:
            self.work.release(self.lease)
        found = unread(self.engine, self.work)
        assert (found is None) == (self.stored is None)
        if found is not None and self.stored is not None:
            told, marks = self.stored
            assert numbers(found) == set(self.told[told:])
            assert found.unexplained == (self.marks - marks) - (len(self.told) - told)


def begin_anew(engine: Engine) -> None:
    with writing(engine) as connection:
        for table in (inbox, shop_work, installs_table):
            connection.execute(delete(table))
        for shop in (SHOP, OTHER):
            row = {"shop": shop, "owner": "o", "status": "installed", "kind": "static", "scopes": ""}
            connection.execute(insert(installs_table).values(**row, installed_at=THEN, updated_at=THEN))
            connection.execute(insert(shop_work).values(shop=shop, wanted=1, wanted_since=THEN))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps)
def test_any_history_tells_what_the_store_lacks(
    engine: Engine, clock: TurnableClock, steps: list[tuple[str, int]]
) -> None:
    model = Model(engine, clock)
    for name, number in steps:
        model.step(name, number)
    model.check()
