"""Forgetting a shop: every row of it goes, but one line that says so.

The line is the proof that a redaction was done, and it keeps the shop's last fencing number, so that
a run from before cannot match the numbers of a later install.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from salesbot_pipelines.state.tables import (
    audit,
    bulk_operations,
    control_events,
    inbox,
    installs,
    oauth_states,
    sessions,
    shop_work,
)
from salesbot_pipelines.state.texts import clean

_OF_A_SHOP = (inbox, control_events, sessions, oauth_states, bulk_operations, shop_work, installs)


def forget_rows(connection: Connection, shop: str, now: datetime, note: str) -> None:
    """Delete the shop's rows in the caller's transaction and write the line of audit."""
    epoch = connection.execute(
        select(shop_work.c.lease_epoch).where(shop_work.c.shop == shop).with_for_update()
    ).scalar_one()
    gone = [
        f"{connection.execute(delete(table).where(table.c.shop == shop)).rowcount} {table.name}"
        for table in _OF_A_SHOP
    ]
    line = ", ".join(gone) + (f"; {clean(note, 500)}" if note else "")
    connection.execute(insert(audit).values(at=now, shop=shop, act="forgotten", note=line, lease_epoch=epoch))


def last_epoch(connection: Connection, shop: str) -> int:
    """Return the highest fencing number the shop had before it was forgotten; 0 for a new one."""
    found: int | None = connection.execute(select(func.max(audit.c.lease_epoch)).where(audit.c.shop == shop)).scalar()
    return found or 0
