"""The state machine of a shop's work, row by row of its table; its leases are in test_leases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from salesbot_pipelines.errors import LeaseHeld, LeaseLost
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.reserving import reserve
from salesbot_pipelines.state.retries import RetryRules
from salesbot_pipelines.state.tables import shop_work
from salesbot_pipelines.state.transactions import writing
from salesbot_pipelines.state.work import Due, Lease, ShopWork
from salesbot_pipelines_tests.state.conftest import TurnableClock

SHOP, OTHER = "one.myshopify.com", "two.myshopify.com"
THEN = datetime(2026, 11, 25, 11, 0, tzinfo=UTC)
Turn = Callable[[float], None]


pytestmark = pytest.mark.usefixtures("two_shops")


def due_shops(work: ShopWork, **options: float) -> list[str]:
    return [due.shop for due in work.due(10, **options)]


def refresh(work: ShopWork, shop: str = SHOP, revision: str = "r1") -> Lease:
    lease = work.lease(shop, "run", 60)
    work.publish_done(lease, fetched_at=THEN, revision=revision)
    return lease


class TestDone:
    def test_what_was_wanted_before_is_done(self, work: ShopWork) -> None:
        work.want(SHOP)
        lease = work.lease(SHOP, "run", 60)
        work.publish_done(lease, fetched_at=THEN, revision="r1")
        status = work.status(SHOP)
        assert (status.state, status.wanted, status.done, status.wanted_since) == ("clean", 2, 2, None)
        assert (status.lease_owner, status.lease_until) == (None, None)
        assert (status.last_fetched_at, status.revision) == (THEN, "r1")
        assert status.last_published_at == status.last_checked_at is not None
        assert due_shops(work) == [OTHER]

    def test_what_came_meanwhile_is_not(self, work: ShopWork, turn: Turn) -> None:
        turn(100)
        lease = work.lease(SHOP, "run", 60)
        began = work.status(SHOP).leased_at
        assert began is not None
        turn(10)
        work.want(SHOP)
        work.publish_done(lease, fetched_at=began, revision="r1")
        status = work.status(SHOP)
        assert (status.state, status.wanted, status.done) == ("dirty", 2, 1)
        assert status.wanted_since is not None
        # The oldest it can be: not the first mark, which is done.
        assert timedelta(0) <= began - status.wanted_since <= timedelta(seconds=10)
        assert SHOP in due_shops(work)

    def test_it_heals_a_parked_shop(self, work: ShopWork, engine: Engine) -> None:
        parked = ShopWork(engine, work._clock, rules=RetryRules(park_after=1))
        parked.failed(parked.lease(SHOP, "run", 60), "x", retryable=True)
        assert work.status(SHOP).state == "parked"
        refresh(work)
        status = work.status(SHOP)
        assert (status.state, status.attempts, status.last_error, status.next_try_at) == ("clean", 0, None, None)

    def test_an_unchanged_document_was_checked_and_not_published(self, work: ShopWork, turn: Turn) -> None:
        refresh(work)
        turn(60)
        before = work.status(SHOP)
        work.publish_done(work.lease(SHOP, "run", 60), fetched_at=THEN, revision="r1", changed=False)
        after = work.status(SHOP)
        assert after.last_published_at == before.last_published_at
        assert before.last_checked_at is not None
        assert after.last_checked_at is not None
        assert after.last_checked_at > before.last_checked_at

    def test_the_last_fetch_never_grows_older(self, work: ShopWork) -> None:
        refresh(work)
        lease = work.lease(SHOP, "run", 60)
        work.publish_done(lease, fetched_at=THEN - timedelta(hours=1), revision="r2")
        assert work.status(SHOP).last_fetched_at == THEN

    def test_a_document_made_from_stored_objects_does_nothing_that_was_wanted(self, work: ShopWork) -> None:
        work.republished(work.lease(SHOP, "run", 60), revision="r2")
        status = work.status(SHOP)
        assert (status.state, status.done, status.revision) == ("dirty", 0, "r2")
        assert status.last_published_at is not None
        assert status.last_fetched_at is None


class TestFailed:
    def test_it_waits_longer_each_time_and_is_parked_at_last(self, engine: Engine, clock: TurnableClock) -> None:
        rules = RetryRules(base_seconds=10, cap_seconds=60, park_after=5)
        work = ShopWork(engine, clock, rules=rules, jitter=lambda _least, most: most)
        for attempts, wait in enumerate([10, 20, 40, 60, 60], start=1):
            assert work.failed(work.lease(SHOP, "run", 60), "no\nanswer\0", retryable=True)
            status = work.status(SHOP)
            assert (status.attempts, status.last_error) == (attempts, "no answer")
            assert status.lease_owner is None
            assert status.next_try_at is not None
            if engine.dialect.name == "sqlite":
                assert status.next_try_at == clock.now() + timedelta(seconds=wait)
            assert status.state == ("parked" if attempts == 5 else "waiting")
        assert due_shops(work) == [OTHER]

    def test_one_that_no_repetition_heals_waits_the_longest(self, work: ShopWork, turn: Turn) -> None:
        work.failed(work.lease(SHOP, "run", 60), "a rule said no", retryable=False)
        turn(3590)
        assert SHOP not in due_shops(work)
        turn(11)
        assert SHOP in due_shops(work)
        assert work.status(SHOP).state == "dirty"

    def test_a_person_gives_a_parked_shop_its_chance(self, engine: Engine, clock: TurnableClock, turn: Turn) -> None:
        work = ShopWork(engine, clock, rules=RetryRules(park_after=1))
        work.failed(work.lease(SHOP, "run", 60), "x", retryable=False)
        turn(86400)
        assert SHOP not in due_shops(work)
        work.replay(SHOP)
        assert SHOP in due_shops(work)
        status = work.status(SHOP)
        assert (status.attempts, status.next_try_at, status.last_error) == (0, None, "x")

    def test_new_events_do_not_wake_a_parked_shop(self, engine: Engine, clock: TurnableClock) -> None:
        work = ShopWork(engine, clock, rules=RetryRules(park_after=1))
        work.failed(work.lease(SHOP, "run", 60), "x", retryable=False)
        work.want(SHOP)
        work.failed(work.lease(SHOP, "the daily run", 60), "x", retryable=False)
        assert work.status(SHOP).state == "parked"

    def test_a_scheduled_run_that_failed_is_tried_again(self, work: ShopWork, turn: Turn) -> None:
        refresh(work)
        assert work.status(SHOP).state == "clean"
        work.failed(work.lease(SHOP, "the daily run", 60), "x", retryable=True)
        turn(31)
        assert SHOP in due_shops(work)

    def test_no_wait_is_longer_than_an_hour(self) -> None:
        with pytest.raises(ValueError, match="1:00:00"):
            RetryRules(cap_seconds=3601)

    @given(attempts=st.integers(0, 10_000), retryable=st.booleans(), share=st.floats(0, 1))
    def test_a_wait_is_never_negative_or_above_the_cap(self, attempts: int, retryable: bool, share: float) -> None:
        rules = RetryRules()
        wait = rules.wait(attempts, retryable=retryable, jitter=lambda least, most: least + (most - least) * share)
        assert timedelta(0) <= wait <= timedelta(seconds=rules.cap_seconds)

    def test_the_default_jitter_spreads(self, engine: Engine, clock: TurnableClock) -> None:
        work = ShopWork(engine, clock)
        waits = set()
        for _ in range(5):
            work.failed(work.lease(SHOP, "run", 60), "x", retryable=True)
            waits.add(work.status(SHOP).next_try_at)
        assert len(waits) == 5


class TestDue:
    def test_the_one_that_waits_longest_comes_first(
        self, work: ShopWork, turn: Turn, connect: Callable[..., None]
    ) -> None:
        refresh(work)
        turn(5)
        connect("three.myshopify.com")
        turn(5)
        work.want(SHOP)
        work.want(OTHER)  # does not make it younger
        assert due_shops(work) == [OTHER, "three.myshopify.com", SHOP]
        assert [due.shop for due in work.due(2)] == [OTHER, "three.myshopify.com"]
        due = work.due(1)[0]
        assert (due.wanted, due.attempts, due.epoch) == (2, 0, 0)

    def test_a_burst_is_waited_for(self, work: ShopWork, turn: Turn) -> None:
        turn(1)
        assert due_shops(work, event_wait_seconds=2) == []
        turn(1.5)
        assert due_shops(work, event_wait_seconds=2) == [SHOP, OTHER]

    def test_a_long_wait_is_a_wait_too(self, work: ShopWork, turn: Turn) -> None:
        turn(100)
        assert due_shops(work, event_wait_seconds=1800) == []
        turn(1701)
        assert due_shops(work, event_wait_seconds=1800) == [SHOP, OTHER]

    def test_shops_at_work_or_without_access_are_left_out(
        self, work: ShopWork, installs: Installs, connect: Callable[..., None], turn: Turn
    ) -> None:
        connect("three.myshopify.com", "four.myshopify.com")
        work.lease(SHOP, "run", 60)
        installs.uninstall(OTHER)
        installs.mark_needs_reauth("three.myshopify.com", "why")
        assert due_shops(work) == ["four.myshopify.com"]
        turn(61)
        assert sorted(due_shops(work)) == ["four.myshopify.com", SHOP]

    def test_statuses_are_those_of_connected_shops(self, work: ShopWork, installs: Installs) -> None:
        installs.mark_needs_reauth(OTHER, "why")
        assert [(row.shop, row.install_status) for row in work.statuses()] == [
            (SHOP, "installed"),
            (OTHER, "needs_reauth"),
        ]
        installs.uninstall(SHOP)
        assert [row.shop for row in work.statuses()] == [OTHER]


class TestReserving:
    """The sensor's tick reserves what it asks for, until the run that it asked for has begun."""

    def test_a_reserved_shop_is_not_due_and_becomes_it_again(
        self, work: ShopWork, engine: Engine, clock: TurnableClock, turn: Turn
    ) -> None:
        assert reserve(engine, clock, work.due(1), seconds=60) == [Due(SHOP, 1, 0, 0)]
        assert due_shops(work) == [OTHER]
        turn(61)
        assert due_shops(work) == [SHOP, OTHER]

    def test_of_two_ticks_at_once_one_gets_it(
        self, work: ShopWork, engine: Engine, clock: TurnableClock, turn: Turn
    ) -> None:
        seen_by_both = work.due(10)
        assert reserve(engine, clock, seen_by_both, seconds=60) == seen_by_both
        turn(1)
        assert reserve(engine, clock, seen_by_both, seconds=60) == []

    def test_a_shop_that_a_run_has_taken_or_failed_meanwhile_is_left(
        self, work: ShopWork, engine: Engine, clock: TurnableClock
    ) -> None:
        seen = work.due(10)
        work.lease(SHOP, "run", 60)
        work.failed(work.lease(OTHER, "run", 60), "x", retryable=True)
        assert reserve(engine, clock, seen, seconds=60) == []

    def test_the_order_of_age_is_kept(
        self, work: ShopWork, engine: Engine, clock: TurnableClock, turn: Turn, connect: Callable[..., None]
    ) -> None:
        turn(5)
        connect("a.myshopify.com")
        reserved = reserve(engine, clock, work.due(10), seconds=60)
        assert [one.shop for one in reserved] == [SHOP, OTHER, "a.myshopify.com"]

    def test_a_run_that_ends_well_ends_the_reservation(
        self, work: ShopWork, engine: Engine, clock: TurnableClock
    ) -> None:
        reserve(engine, clock, work.due(10), seconds=60)
        lease = work.lease(SHOP, "run", 60)
        work.want(SHOP)
        work.publish_done(lease, fetched_at=THEN, revision="r")
        assert due_shops(work) == [SHOP]


class TestAClockThatSteps:
    """On SQLite, whose time is the machine's; on PostgreSQL one clock serves all."""

    @pytest.fixture
    def engine(self, sqlite_engine: Engine) -> Engine:
        return sqlite_engine

    def test_a_live_lease_is_not_void_when_an_hour_comes_twice(self, work: ShopWork, clock: TurnableClock) -> None:
        lease = work.lease(SHOP, "run 1", 3 * 3600)
        clock.turn(-3600)
        with pytest.raises(LeaseHeld):
            work.lease(SHOP, "run 2", 60)
        assert SHOP not in due_shops(work)
        work.check(lease)

    def test_a_day_ahead_for_a_moment_does_not_block_a_shop_for_a_day(
        self, work: ShopWork, clock: TurnableClock, engine: Engine
    ) -> None:
        clock.turn(86400)
        work.lease(SHOP, "a run that is killed", 600)
        work.failed(work.lease(OTHER, "run", 600), "x", retryable=False)
        with writing(engine) as connection:
            connection.execute(update(shop_work).values(wanted_since=clock.now()))
        clock.turn(-86400)
        assert due_shops(work, event_wait_seconds=2) == [SHOP, OTHER]
        assert work.lease(SHOP, "run 2", 60).takeover

    def test_a_step_forward_costs_a_lease_and_no_event(self, work: ShopWork, clock: TurnableClock) -> None:
        slow = work.lease(SHOP, "run 1", 600)
        clock.turn(86400)
        fast = work.lease(SHOP, "run 2", 600)
        with pytest.raises(LeaseLost):
            work.publish_done(slow, fetched_at=THEN, revision="old")
        work.publish_done(fast, fetched_at=THEN, revision="new")
        assert work.status(SHOP).revision == "new"
