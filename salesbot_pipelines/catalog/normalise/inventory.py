"""The stock of one variant: its item, and the levels at the shop's locations joined to it."""

from __future__ import annotations

from typing import Any

from salesbot_pipelines.catalog.model import Inventory, Level
from salesbot_pipelines.catalog.normalise.context import Levels, Raw, ShopContext
from salesbot_pipelines.catalog.normalise.findings import Findings
from salesbot_pipelines.catalog.normalise.moment import first_moment
from salesbot_pipelines.catalog.normalise.raw import integer, key_of


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
    nodes = raw.get("levels") or ()
    complete = not raw.get("incomplete")
    for node in nodes:
        if node.get("isActive") is False:
            continue  # the item is no longer stocked there; Shopify does not count it either
        key = key_of(node.get("location") or {})
        if key is None:
            complete = False
            continue
        location, digits = key
        found.append((int(digits), _level(node, location, context)))
    found.sort(key=lambda pair: pair[0])
    return [level for _, level in found], complete


def _level(node: Raw, location: str, context: ShopContext) -> Level:
    quantities: dict[str, dict[str, Any]] = {
        one["name"]: one for one in node.get("quantities") or () if one.get("name")
    }
    available = quantities.get("available") or {}
    return Level(
        available=integer(available.get("quantity")),
        incoming=integer((quantities.get("incoming") or {}).get("quantity")),
        location_id=location,
        location_name=context.location_names.get(location),
        on_hand=integer((quantities.get("on_hand") or {}).get("quantity")),
        updated_at=first_moment(available.get("updatedAt"), node.get("updatedAt")),
    )


def _sum(levels: list[Level]) -> int | None:
    """Return the pieces over all levels; None when one of them is unknown."""
    total = 0
    for level in levels:
        if level.available is None:
            return None
        total += level.available
    return integer(total)
