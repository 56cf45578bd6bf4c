"""What a whole product tells of itself, for others to be compared with."""

from __future__ import annotations

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


def told_of(product: dict[str, Any]) -> Told:
    """Return it."""
    variants = product["variants"]
    counted = exact(product.get("variantsCount"))
    items = (variant.get("inventoryItem") for variant in variants)
    return Told(
        variants=len(variants),
        proved=counted is not None and counted == len(variants),
        items=[number_of(item["id"]) for item in items if item is not None],
    )
