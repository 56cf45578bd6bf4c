"""Which events could explain what has changed in a shop: for the measure of drift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select

from salesbot_pipelines.state.tables import inbox
from salesbot_pipelines.state.transactions import reading

_MOST = 10_000
_OF_PRODUCTS = "products/"


@dataclass(frozen=True)
class SeenEvents:
    """The events of a shop since a moment.

    `product_ids` are the gids that product events named. `broad` says that something else was told as well (stock,
    collections, a product without its name, or more than can be looked at), which may explain any product.
    """

    product_ids: frozenset[str]
    broad: bool

    def explains(self, product_id: str) -> bool:
        """Could one of the events be about this product?"""
        return self.broad or product_id in self.product_ids


def events_since(engine: Engine, shop: str, moment: datetime) -> SeenEvents:
    """Give the events that were received after the moment; those of ten thousand at most are told apart."""
    with reading(engine) as connection:
        rows = connection.execute(
            select(inbox.c.topic, inbox.c.resource_id)
            .where(inbox.c.shop == shop, inbox.c.received_at >= moment)
            .distinct()
            .limit(_MOST)
        ).all()
    told_apart = [row.resource_id for row in rows if row.topic.startswith(_OF_PRODUCTS) and row.resource_id]
    return SeenEvents(frozenset(told_apart), broad=len(told_apart) < len(rows) or len(rows) == _MOST)
