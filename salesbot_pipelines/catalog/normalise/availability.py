"""May it be bought, and what state is its stock in: the contract's five rules, in their order."""

from __future__ import annotations

from collections.abc import Collection

from salesbot_pipelines.catalog.model import Availability, Inventory

DISCONTINUED = Availability(available=False, status="discontinued")
IN_STOCK = Availability(available=True, status="in_stock")
BACKORDER = Availability(available=True, status="backorder")
OUT_OF_STOCK = Availability(available=False, status="out_of_stock")
FOR_SALE_OUT_OF_STOCK = Availability(available=True, status="out_of_stock")
"""Shopify says for sale, the levels say none left and none may be oversold: both are told."""

_STATUSES = ("in_stock", "backorder", "preorder", "out_of_stock", "discontinued")
_RANK = {status: rank for rank, status in enumerate(_STATUSES)}


def availability_of(status: str, available: bool, inventory: Inventory | None) -> Availability:
    """Judge one variant; `available` is availableForSale of an active or unlisted, published product."""
    if status == "archived":
        return DISCONTINUED
    if inventory is None or not inventory.tracked or inventory.available is None or inventory.available > 0:
        return IN_STOCK if available else OUT_OF_STOCK
    if not available:
        return OUT_OF_STOCK
    return BACKORDER if inventory.policy == "continue" else FOR_SALE_OUT_OF_STOCK


def best_of(variants: Collection[Availability]) -> Availability:
    """Return the best: available ones first, then by status."""
    if IN_STOCK in variants:
        return IN_STOCK
    return min(variants, key=lambda one: (not one.available, _RANK[one.status]))
