"""What runs at Shopify is remembered for the run that comes next, and belongs to one lease at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, func, select, text

import salesbot_pipelines.state.migrations as migrations
from salesbot_pipelines.errors import LeaseLost
from salesbot_pipelines.state.bulk_operations import RememberedOperations
from salesbot_pipelines.state.engine import check_schema
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.lease import Lease
from salesbot_pipelines.state.tables import bulk_operations
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines.state.unread import unread_events
from salesbot_pipelines.state.work import ShopWork
from salesbot_pipelines_tests.state.conftest import TurnableClock
from salesbot_pipelines_tests.state.test_unread import Telling, numbers

SHOP, OTHER = "one.myshopify.com", "two.myshopify.com"
BEGAN = datetime(2026, 11, 25, 11, 0, tzinfo=UTC)
DIGEST = "d" * 64


@pytest.fixture(autouse=True)
def two_shops(connect: Callable[..., None]) -> None:
    connect(SHOP, OTHER)


def gid(number: int) -> str:
    return f"gid://shopify/BulkOperation/{number}"


def started(
    engine: Engine, work: ShopWork, *, shop: str = SHOP, first: int = 1
) -> tuple[Lease, RememberedOperations]:
    """A run that has the shop and has started two operations."""
    lease = work.lease(shop, "run", 60)
    mine = RememberedOperations(engine, lease)
    mine.remember("products", gid(first), DIGEST, BEGAN)
    mine.remember("inventory", gid(first + 1), DIGEST, BEGAN)
    return lease, mine


def left(engine: Engine, shop: str = SHOP) -> set[str]:
    with reading(engine) as connection:
        return set(connection.execute(select(bulk_operations.c.gid).where(bulk_operations.c.shop == shop)).scalars())


def test_the_next_run_recalls_what_the_last_one_wrote(
    engine: Engine, work: ShopWork, turn: Callable[[float], None]
) -> None:
    lease, _ = started(engine, work)
    started(engine, work, shop=OTHER, first=11)
    work.want(SHOP)
    turn(61)
    next_one = work.lease(SHOP, "next", 60)
    assert next_one.wanted == lease.wanted + 1
    found = RememberedOperations(engine, next_one).recall()
    assert [(one.name, one.gid, one.digest) for one in found] == [
        ("inventory", gid(2), DIGEST),
        ("products", gid(1), DIGEST),
    ]
    assert {(one.wanted, one.newest_event) for one in found} == {(lease.wanted, lease.newest_event)}
    assert left(engine, OTHER) == {gid(11), gid(12)}


def test_an_operation_takes_the_place_of_the_older_one_of_its_name(engine: Engine, work: ShopWork) -> None:
    _, mine = started(engine, work)
    mine.remember("products", gid(3), DIGEST, BEGAN + timedelta(minutes=1))
    assert left(engine) == {gid(2), gid(3)}
    assert not mine.release(gid(1))


def test_only_its_own_are_released(engine: Engine, work: ShopWork, turn: Callable[[float], None]) -> None:
    _, old = started(engine, work)
    turn(61)
    new = RememberedOperations(engine, work.lease(SHOP, "next", 60))
    assert not old.release(gid(1)), "the shop is another run's, which has not looked yet"
    new.recall()
    old.restore(gid(1))
    assert not old.release(gid(1))
    with pytest.raises(LeaseLost):
        old.recall()
    with pytest.raises(LeaseLost):
        old.remember("media", gid(5), DIGEST, BEGAN)
    assert left(engine) == {gid(1), gid(2)}
    assert new.release(gid(1))
    assert not new.release(gid(1))
    assert left(engine) == {gid(2)}


def test_what_could_not_be_cancelled_is_put_back_as_it_was(
    engine: Engine, work: ShopWork, turn: Callable[[float], None]
) -> None:
    lease, _ = started(engine, work)
    work.want(SHOP)
    turn(61)
    second = RememberedOperations(engine, work.lease(SHOP, "second", 60))
    before = second.recall()
    assert second.release(gid(1))
    second.restore(gid(1))
    turn(61)
    third = RememberedOperations(engine, work.lease(SHOP, "third", 60)).recall()
    assert [(one.gid, one.wanted) for one in third] == [(gid(2), lease.wanted), (gid(1), lease.wanted)]
    assert [one.name for one in third] == [one.name for one in before]


@pytest.mark.parametrize("changed", [True, False])
def test_whatever_is_published_makes_what_runs_too_old(engine: Engine, work: ShopWork, changed: bool) -> None:
    lease, _ = started(engine, work)
    started(engine, work, shop=OTHER, first=11)
    work.publish_done(lease, fetched_at=BEGAN, revision="r", changed=changed, full=changed)
    assert left(engine) == set()
    assert left(engine, OTHER) == {gid(11), gid(12)}


def test_a_failed_run_leaves_them_for_the_next_one(engine: Engine, work: ShopWork) -> None:
    lease, _ = started(engine, work)
    work.failed(lease, "the network is away", retryable=True, nothing_written=True)
    assert left(engine) == {gid(1), gid(2)}


@pytest.mark.parametrize("told_meanwhile", [False, True])
def test_the_mark_of_a_failure_is_covered_by_its_own_operations(
    engine: Engine, work: ShopWork, clock: TurnableClock, told_meanwhile: bool
) -> None:
    """It stands for the run that failed, and for nothing that came after its reading began."""
    work.publish_done(work.lease(SHOP, "before", 60), fetched_at=BEGAN, revision="r")
    lease, _ = started(engine, work)
    if told_meanwhile:
        Telling(engine, clock)(1)
    work.failed(lease, "the network is away", retryable=True, nothing_written=True)
    Telling(engine, clock)(2, webhook_id="later")
    after = work.lease(SHOP, "next", 60)
    assert after.wanted == lease.wanted + 2
    mine = RememberedOperations(engine, after)
    mine.recall()
    covered = mine.covered_by(after, [gid(1), gid(2)])
    assert covered.wanted == lease.wanted + (0 if told_meanwhile else 1)
    work.publish_done(covered, fetched_at=BEGAN, revision="r")
    found = unread_events(engine, work.lease(SHOP, "last", 60), most=10)
    assert (numbers(found), found and found.unexplained) == ({1, 2} if told_meanwhile else {2}, 0)


def test_what_came_after_the_oldest_reading_stays_pending(
    engine: Engine, work: ShopWork, clock: TurnableClock, turn: Callable[[float], None]
) -> None:
    tell = Telling(engine, clock)
    tell(1)
    first, _ = started(engine, work)
    tell(2)
    turn(61)
    second = work.lease(SHOP, "second", 60)
    theirs = RememberedOperations(engine, second)
    theirs.recall()
    theirs.remember("products", gid(3), DIGEST, BEGAN)
    tell(3)
    turn(61)
    third = work.lease(SHOP, "third", 60)
    mine = RememberedOperations(engine, third)
    mine.recall()
    assert mine.covered_by(third, []) == third
    newer = mine.covered_by(third, [gid(3)])
    assert (newer.wanted, newer.newest_event) == (second.wanted, second.newest_event)
    covered = mine.covered_by(third, [gid(3), gid(2)])
    assert (covered.wanted, covered.newest_event) == (first.wanted, first.newest_event)
    assert (covered.epoch, covered.holder, covered.until) == (third.epoch, third.holder, third.until)
    work.publish_done(covered, fetched_at=BEGAN, revision="r")
    status = work.status(SHOP)
    assert (status.done, status.wanted, status.state) == (first.wanted, third.wanted, "dirty")
    found = unread_events(engine, work.lease(SHOP, "next", 60), most=10)
    assert (numbers(found), found and found.unexplained) == ({2, 3}, 0)


@pytest.mark.parametrize("how", ["uninstalled", "redacted"])
def test_a_shop_that_left_leaves_none(engine: Engine, work: ShopWork, installs: Installs, how: str) -> None:
    _, mine = started(engine, work)
    assert installs.uninstall(SHOP) if how == "uninstalled" else installs.forget(SHOP)
    assert left(engine) == set()
    assert not mine.release(gid(1))
    with pytest.raises(LeaseLost):
        mine.remember("products", gid(3), DIGEST, BEGAN)
    assert left(engine) == set()


def test_the_third_migration_makes_the_table_and_keeps_the_rest(engine: Engine, work: ShopWork) -> None:
    work.want(SHOP)
    before = work.status(SHOP)
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE bulk_operations"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    check_schema(engine)
    assert work.status(SHOP) == before
    started(engine, work)
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(bulk_operations)).scalar_one() == 2
