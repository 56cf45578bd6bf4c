"""Whether a time still holds: at its ends to the microsecond, and when a stepped clock wrote it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, insert, select

from salesbot_pipelines.state.clock import CLOCK_MARGIN, is_live, is_past
from salesbot_pipelines.state.lease import LONGEST_LEASE
from salesbot_pipelines.state.tables import UtcTime
from salesbot_pipelines.state.work import ShopWork

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LONGEST = timedelta(minutes=10)
TICK = timedelta(microseconds=1)
FURTHEST = NOW + LONGEST + CLOCK_MARGIN
"""The latest time that anybody may have written whose clock stood at NOW or a margin ahead of it."""


@pytest.mark.parametrize(
    ("until", "lives"),
    [
        (None, False),
        (NOW - TICK, False),
        (NOW, False),
        (NOW + TICK, True),
        (FURTHEST, True),
        (FURTHEST + TICK, False),
    ],
)
def test_a_time_holds_until_its_end_unless_nobody_may_have_written_it(until: datetime | None, lives: bool) -> None:
    assert is_live(until, NOW, LONGEST) is lives


def test_the_database_selects_just_what_does_not_hold(engine: Engine) -> None:
    moments = [None, NOW - TICK, NOW, NOW + TICK, FURTHEST, FURTHEST + TICK]
    table = Table("moments", MetaData(), Column("at", UtcTime), prefixes=["TEMPORARY"])
    with engine.connect() as connection:
        table.create(connection)
        connection.execute(insert(table), [{"at": moment} for moment in moments])
        found = connection.execute(select(table.c.at).where(is_past(table.c.at, NOW, LONGEST))).scalars().all()
        connection.rollback()
    assert set(found) == {moment for moment in moments if not is_live(moment, NOW, LONGEST)}


def test_a_lease_may_be_as_long_as_the_longest(work: ShopWork, connect: Callable[..., None]) -> None:
    connect("one.myshopify.com")
    lease = work.lease("one.myshopify.com", "run", LONGEST_LEASE.total_seconds())
    work.check(lease)
