"""The stock of one variant: its item, and the levels at the shop's locations joined to it."""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter

from salesbot_pipelines.catalog.model import Inventory, Level
from salesbot_pipelines.catalog.normalise.context import Levels, Raw, ShopContext
from salesbot_pipelines.catalog.normalise.findings import Findings
from salesbot_pipelines.catalog.normalise.moment import moment
from salesbot_pipelines.catalog.normalise.raw import integer, key_of, legacy_id


def normalise_inventory(
    variant: Raw, levels: Levels | None, context: ShopContext, findings: Findings, pointer: str
) -> Inventory | None:
    """Join a variant's inventory item with its levels; None when the levels were not granted or not read."""
    item: Raw = variant.get("inventoryItem") or {}
    key = key_of(item)
    if levels is None or key is None:
        return None
    found, complete = _levels(levels, context)
    if not complete:
        findings.add(f"{pointer}/inventory/levels", "truncated", f"{len(found)} levels were read, and there are more")
    tracked = item.get("tracked") is True
    return Inventory(
        available=_sum(found) if tracked and complete else None,
        inventory_item_id=key[0],
        levels=found,
        levels_complete=complete,
        policy="continue" if variant.get("inventoryPolicy") == "CONTINUE" else "deny",
        tracked=tracked,
    )


def _levels(raw: Levels, context: ShopContext) -> tuple[list[Level], bool]:
    found = []
    complete = not raw.get("incomplete")
    for node in raw.get("levels") or ():
        if node.get("isActive") is False:
            continue  # the item is no longer stocked there; Shopify does not count it either
        location = (node.get("location") or {}).get("id")
        order = _location_order(location)
        if location is None or order is None:
            complete = False
        else:
            found.append((order, _level(node, location, context)))
    if len(found) > 1:
        found.sort(key=itemgetter(0))
    return [level for _, level in found], complete


@lru_cache(maxsize=1024)
def _location_order(gid: str | None) -> int | None:
    """Return a location's legacy id as a number; a shop has few, and every level names one."""
    digits = legacy_id(gid)
    return None if digits is None else int(digits)


def _level(node: Raw, location: str, context: ShopContext) -> Level:
    available = incoming = on_hand = updated_at = None
    for quantity in node.get("quantities") or ():
        name = quantity.get("name")
        if name == "available":
            available = integer(quantity.get("quantity"))
            updated_at = moment(quantity.get("updatedAt"))
        elif name == "incoming":
            incoming = integer(quantity.get("quantity"))
        elif name == "on_hand":
            on_hand = integer(quantity.get("quantity"))
    return Level(
        available=available,
        incoming=incoming,
        location_id=location,
        location_name=context.location_names.get(location),
        on_hand=on_hand,
        updated_at=updated_at or moment(node.get("updatedAt")),
    )


def _sum(levels: list[Level]) -> int | None:
    """Return the pieces over all levels; None when one of them is unknown."""
    total = 0
    for level in levels:
        if level.available is None:
            return None
        total += level.available
    return integer(total)
