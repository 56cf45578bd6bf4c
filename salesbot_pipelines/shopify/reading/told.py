"""What a whole product tells of itself, for others to be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.reading.ids import number_of


class Told(NamedTuple):
    """What of a product others are compared with."""

    variants: int
    proved: bool
    """Shopify counts as many variants, exactly."""
    items: list[int]
    """The numbers of its inventory items."""


def tell(count: Any, items: Sequence[str | None]) -> Told:
    """Say it of a product: Shopify's count of its variants, and each variant's inventory item, if it has one."""
    return Told(
        variants=len(items),
        proved=exact(count) == len(items),
        items=[number_of(gid) for gid in items if gid is not None],
    )


def told_of(product: dict[str, Any]) -> Told:
    """Return it of a whole node."""
    items = [variant.get("inventoryItem") for variant in product["variants"]]
    return tell(product.get("variantsCount"), [None if item is None else item["id"] for item in items])
