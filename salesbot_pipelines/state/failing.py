"""Which shops have failed lately: those that a run had better take last."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, select

from salesbot_pipelines.state.tables import shop_work
from salesbot_pipelines.state.transactions import reading


def failing(engine: Engine, shops: Sequence[str]) -> set[str]:
    """Give those of the shops whose last refresh failed."""
    query = select(shop_work.c.shop).where(shop_work.c.attempts > 0, shop_work.c.shop.in_(shops))
    with reading(engine) as connection:
        return set(connection.execute(query).scalars())
