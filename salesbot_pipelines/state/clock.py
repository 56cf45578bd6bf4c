"""Whose time counts.

On PostgreSQL several machines share one state, so the database's clock is the only one; on SQLite it
is the clock handed in, which tests can turn. Read it with `read_clock` after the row it judges has
been locked, never before: an earlier reading is older than what the row's last writer wrote, and a
lease just renewed would look like one from the future, or a live one like a void one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, func, or_, select

CLOCK_MARGIN = timedelta(minutes=5)
"""How far a time may lie ahead of what this room would write before it is taken for a stepped clock's."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)


def read_clock(connection: Connection, clock: Clock) -> datetime:
    """Return the present moment of the clock that counts for this database.

    `clock_timestamp()` and not `now()`: the latter stands still at the transaction's start, which may
    lie before the wait for a lock. https://www.postgresql.org/docs/current/functions-datetime.html
    """
    if connection.dialect.name == "postgresql":
        moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return moment.astimezone(UTC)
    return clock.now()


def is_live(until: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Tell whether something that ends at `until` still holds, given the `longest` it may be made for.

    An end further ahead than anybody may have written was written by a clock that has since been set
    back; without this a shop would wait out the whole error.
    """
    return until is not None and now < until <= now + longest + CLOCK_MARGIN


def is_past(column: ColumnElement[datetime], moment: datetime, longest: timedelta) -> ColumnElement[bool]:
    """Select no time, one that has passed, or one so far ahead that a stepped clock wrote it; see `is_live`."""
    return or_(column.is_(None), column <= moment, column > moment + longest + CLOCK_MARGIN)
