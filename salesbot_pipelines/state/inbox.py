"""Webhook events, kept before they are acknowledged.

`accept` is the whole promise: when it returns, the events are on the disk and their shops are wanted.
An event's body is not kept (Shopify is asked again), its hash is. Nothing reads the inbox by a
cursor: row numbers are given before the commit, so a reader of "greater than the last" skips rows;
what is pending stands in `shop_work`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from sqlalchemy import Connection, Dialect, Engine, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from salesbot_pipelines.errors import RequestRefused
from salesbot_pipelines.state.clock import Clock, SystemClock, read_clock
from salesbot_pipelines.state.marking import mark_wanted
from salesbot_pipelines.state.tables import UtcTime, counters, inbox, installs, shop_work
from salesbot_pipelines.state.transactions import reading, writing

_Identity = tuple[str, str, str]  # shop, topic, webhook id

Acceptance = Literal["new", "duplicate", "unknown_shop"]

LEAST_RETENTION = timedelta(days=8)
"""Shopify repeats for four hours and may be a day late; the rest is for looking into trouble."""

_LONGEST_TEXT = 255
_ROWS_AT_ONCE = 500
_UNKNOWN = "events of unknown shops"


@dataclass(frozen=True)
class WebhookEvent:
    """An authentic event of an ordinary topic.

    Text that no column can hold raises `RequestRefused` (400) here, before it can spoil a batch.
    `resource_id` is the changed thing's gid, kept for a later refresh of single products.
    """

    shop: str
    topic: str
    webhook_id: str
    body_sha256: str
    event_id: str | None = None
    triggered_at: datetime | None = None
    resource_id: str | None = None

    def __post_init__(self) -> None:
        required = (self.shop, self.topic, self.webhook_id, self.body_sha256)
        if not all(required):
            raise RequestRefused("an event lacks its shop, topic, id or hash", status=400)
        texts = [text for text in (*required, self.event_id, self.resource_id) if text is not None]
        if not all(_fits(text) for text in texts) or len(self.body_sha256) != 64:
            raise RequestRefused("an event's header cannot be stored", status=400)
        if self.triggered_at is not None and self.triggered_at.tzinfo is None:
            raise RequestRefused("an event's time has no zone", status=400)


class Inbox:
    """The inbox of every shop."""

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()

    def accept(self, events: Sequence[WebhookEvent]) -> list[Acceptance]:
        """Store the events and mark their shops, all in one transaction; say of each what it was.

        A duplicate leaves no second row and no second mark. Of a shop that is not connected nothing
        stays but a number. Raises `StateUnavailable` or `StateError`: then none was accepted.
        """
        if not events:
            return []
        with writing(self._engine) as connection:
            # The shops' rows are locked first and in order: batches that meet wait for each other
            # instead of deadlocking, and a shop cannot be forgotten between the two writes.
            shops = sorted({event.shop for event in events})
            known = set(connection.execute(_LOCK_CONNECTED, {"shops": shops}).scalars())
            fresh: dict[_Identity, WebhookEvent] = {}
            for event in events:
                if event.shop in known:
                    fresh.setdefault(_identity(event), event)
            now = read_clock(connection, self._clock)
            new = self._insert(connection, list(fresh.values()), now)
            mark_wanted(connection, Counter(shop for shop, _, _ in new), now)
            unknown = sum(event.shop not in known for event in events)
            if unknown:
                self._count_unknown(connection, unknown)
        return [_judge(event, known, new) for event in events]

    def unknown_total(self) -> int:
        """Return how many events came for shops that were not connected."""
        with reading(self._engine) as connection:
            total = connection.execute(select(counters.c.total).where(counters.c.name == _UNKNOWN)).scalar()
        return total or 0

    def high_water(self, shop: str) -> int:
        """Return the number of the shop's newest event, 0 if there is none.

        Within one shop the numbers follow the commits, for `accept` locks the shop before it inserts.
        """
        with reading(self._engine) as connection:
            newest = connection.execute(select(func.max(inbox.c.seq)).where(inbox.c.shop == shop)).scalar()
        return newest or 0

    def purge(self, *, older_than: timedelta = LEAST_RETENTION, limit: int = 500) -> int:
        """Delete up to `limit` of the oldest events; return how many went.

        What they marked stays marked. Call it again while it returns `limit`: one call is short, so
        that the receiver is not kept waiting. `ValueError` below eight days.
        """
        if older_than < LEAST_RETENTION:
            raise ValueError(f"events are kept for at least {LEAST_RETENTION.days} days")
        with writing(self._engine) as connection:
            # Numbers and times rise together, so the oldest are found without an index on the time.
            oldest = select(inbox.c.seq, inbox.c.received_at).order_by(inbox.c.seq).limit(limit).subquery()
            cut = read_clock(connection, self._clock) - older_than
            gone = connection.execute(
                delete(inbox).where(inbox.c.seq.in_(select(oldest.c.seq).where(oldest.c.received_at < cut)))
            )
        return gone.rowcount

    def _insert(self, connection: Connection, events: Sequence[WebhookEvent], now: datetime) -> set[_Identity]:
        """Insert what is not there yet; return the identities of what was new."""
        store_time = _time_writer(connection.dialect)
        received_at = store_time(now)
        new: set[_Identity] = set()
        for start in range(0, len(events), _ROWS_AT_ONCE):
            values: list[Any] = []
            portion = events[start : start + _ROWS_AT_ONCE]
            for event in portion:
                values += (event.shop, event.topic, event.webhook_id, event.event_id)
                values += (store_time(event.triggered_at), received_at, event.body_sha256, event.resource_id)
            sql = _insert_sql("%s" if connection.dialect.name == "postgresql" else "?", len(portion))
            new.update((row[0], row[1], row[2]) for row in connection.exec_driver_sql(sql, tuple(values)))
        return new

    def _count_unknown(self, connection: Connection, events: int) -> None:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        added = insert(counters).values(name=_UNKNOWN, total=events)
        connection.execute(
            added.on_conflict_do_update(
                index_elements=[counters.c.name], set_={"total": counters.c.total + added.excluded.total}
            )
        )


_LOCK_CONNECTED = (
    select(shop_work.c.shop)
    .join(installs, installs.c.shop == shop_work.c.shop)
    .where(shop_work.c.shop.in_(bindparam("shops", expanding=True)), installs.c.status != "uninstalled")
    .order_by(shop_work.c.shop)
    .with_for_update(of=shop_work)
)


@cache
def _insert_sql(mark: str, rows: int) -> str:
    """Write the one statement of this program that SQLAlchemy does not write.

    Its INSERT with ON CONFLICT is compiled anew at each call, which took most of a batch's time.
    """
    row = f"({', '.join([mark] * 8)})"
    columns = "shop, topic, webhook_id, event_id, triggered_at, received_at, body_sha256, resource_id"
    values = ", ".join([row] * rows)
    # S608: only names of columns and marks for values are put together here, never a value.
    return f"INSERT INTO inbox ({columns}) VALUES {values} ON CONFLICT DO NOTHING RETURNING shop, topic, webhook_id"  # noqa: S608


@cache
def _time_writer(dialect: Dialect) -> Callable[[datetime | None], Any]:
    """Return what SQLAlchemy itself would do to a moment on its way to the driver."""
    return UtcTime().dialect_impl(dialect).bind_processor(dialect) or (lambda moment: moment)


def _fits(text: str) -> bool:
    if len(text) > _LONGEST_TEXT or "\0" in text:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _identity(event: WebhookEvent) -> _Identity:
    return event.shop, event.topic, event.webhook_id


def _judge(event: WebhookEvent, known: set[str], new: set[_Identity]) -> Acceptance:
    if event.shop not in known:
        return "unknown_shop"
    # The first of several alike in one batch is the new one.
    identity = _identity(event)
    if identity in new:
        new.discard(identity)
        return "new"
    return "duplicate"
