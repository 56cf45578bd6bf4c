"""Marking shops as wanted: the one statement that webhooks, installs and people share.

`wanted` only grows. What is pending is `wanted > done`; since when, `wanted_since`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, Integer, bindparam, case, update

from salesbot_pipelines.state.tables import UtcTime, shop_work

_MARK = (
    update(shop_work)
    .where(shop_work.c.shop == bindparam("marked_shop"))
    .values(
        wanted=shop_work.c.wanted + bindparam("marks", type_=Integer),
        # The oldest pending mark's time, so that a shop under a stream of events is not put off for ever.
        wanted_since=case(
            (shop_work.c.wanted > shop_work.c.done, shop_work.c.wanted_since),
            else_=bindparam("moment", type_=UtcTime),
        ),
    )
)


def mark_wanted(connection: Connection, marks: Mapping[str, int], moment: datetime) -> None:
    """Add to the shops' `wanted`, in sorted order: two batches that meet cannot deadlock."""
    rows = [{"marked_shop": shop, "marks": marks[shop], "moment": moment} for shop in sorted(marks)]
    if rows:
        connection.execute(_MARK, rows)
