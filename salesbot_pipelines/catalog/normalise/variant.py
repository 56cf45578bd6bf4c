"""One variant: price, choices, stock and pictures."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from salesbot_pipelines.catalog.model import Measure, UnitPrice, Variant, Weight
from salesbot_pipelines.catalog.normalise.availability import availability_of
from salesbot_pipelines.catalog.normalise.barcode import normalise_barcodes
from salesbot_pipelines.catalog.normalise.context import Levels, Raw, ShopContext
from salesbot_pipelines.catalog.normalise.findings import Findings
from salesbot_pipelines.catalog.normalise.inventory import normalise_inventory
from salesbot_pipelines.catalog.normalise.media import normalise_media
from salesbot_pipelines.catalog.normalise.metafield import normalise_metafields
from salesbot_pipelines.catalog.normalise.moment import EPOCH, moment
from salesbot_pipelines.catalog.normalise.money import Priced, decimal_text, money_v2, priced
from salesbot_pipelines.catalog.normalise.option import normalise_selected_options
from salesbot_pipelines.catalog.normalise.raw import connection, flag, integer, key_of, lower, text

_WEIGHT_UNITS: dict[Any, Literal["g", "kg", "oz", "lb"]] = {
    "GRAMS": "g",
    "KILOGRAMS": "kg",
    "OUNCES": "oz",
    "POUNDS": "lb",
}


class OfProduct(NamedTuple):
    """What a variant takes from its product: its place in the document, status, page, and whether shoppers see it."""

    pointer: str
    status: str
    is_shown: bool
    url: str | None


Found = tuple[Variant, Priced, Priced | None]
"""A variant, and its price and list price as numbers for the product's ranges."""


def normalise_variant(
    raw: Raw,
    rank: int,
    product: OfProduct,
    context: ShopContext,
    levels: Callable[[str], Levels | None],
    findings: Findings,
) -> Found | None:
    """Return one variant; None, with a finding, when it has no id or no price. `rank` stands in for a position."""
    get = raw.get
    key = key_of(raw)
    if key is None:
        findings.add(f"{product.pointer}/variants", "error", "a variant has no Shopify id")
        return None
    gid, digits = key
    pointer = f"{product.pointer}/variants/{digits}"
    currency = context.currency
    price = priced(get("price"), currency)
    if price is None:
        findings.add(pointer, "error", f"its price is no amount in {currency}")
        return None
    list_price = _list_price(get("compareAtPrice"), price, currency)
    item = get("inventoryItem") or {}
    item_id = item.get("id")
    inventory = normalise_inventory(raw, levels(item_id) if item_id else None, context, findings, pointer)
    is_available = get("availableForSale") is True and product.is_shown
    position = integer(get("position"))
    created_at, updated_at = moment(get("createdAt")), moment(get("updatedAt"))
    unit_price, url = get("unitPrice"), product.url
    variant = Variant(
        availability=availability_of(product.status, is_available, inventory),
        barcodes=normalise_barcodes(raw),
        created_at=created_at or updated_at or EPOCH,
        id=gid,
        inventory=inventory,
        legacy_id=digits,
        list_price=list_price[1] if list_price else None,
        media=normalise_media(whole(raw, "media", pointer, findings)),
        metadata=normalise_metafields(whole(raw, "metafields", pointer, findings)),
        options=normalise_selected_options(get("selectedOptions")),
        position=position if position is not None and position >= 1 else rank,
        price=price[1],
        requires_shipping=flag(item.get("requiresShipping")),
        sku=text(get("sku")),
        taxable=flag(get("taxable")),
        title=get("title") or "",
        unit_price=_unit_price(unit_price, get("unitPriceMeasurement"), currency) if unit_price else None,
        updated_at=updated_at or created_at or EPOCH,
        url=None if url is None else f"{url}{'&' if '?' in url else '?'}variant={digits}",
        weight=_weight(item),
    )
    return variant, price, list_price


def whole(raw: Raw, name: str, pointer: str, findings: Findings) -> list[Raw]:
    """Return a connection's nodes, with a finding when it was read in part. One that was not asked for is empty."""
    if raw.get(name) is None:
        return []
    nodes, complete = connection(raw, name)
    if not complete:
        findings.add(f"{pointer}/{name}", "truncated", f"{len(nodes)} were read, and there are more")
    return nodes


def _list_price(compare_at: Any, price: Priced, currency: str) -> Priced | None:
    """Return compareAtPrice when it is above the price; shops also leave equal and lower ones there."""
    found = priced(compare_at, currency)
    return found if found and found[0] > price[0] else None


def _unit_price(raw: Any, measurement: Any, currency: str) -> UnitPrice | None:
    amount = money_v2(raw, currency)
    if amount is None:
        return None
    measured = measurement or {}
    return UnitPrice(
        amount=amount.amount,
        currency=amount.currency,
        measure=_measure(measured.get("quantityValue"), measured.get("quantityUnit")),
        reference=_measure(measured.get("referenceValue"), measured.get("referenceUnit")),
    )


def _measure(value: object, unit: object) -> Measure | None:
    quantity = decimal_text(value)
    return None if quantity is None else Measure(unit=None if unit == "UNKNOWN" else lower(unit), value=quantity)


def _weight(item: Raw) -> Weight | None:
    raw = (item.get("measurement") or {}).get("weight")
    if not raw:
        return None
    value = raw.get("value")
    return _weight_of(str(value) if isinstance(value, Decimal) else value, raw.get("unit"))  # a Decimal hashes slowly


@lru_cache(maxsize=4096)
def _weight_of(value: Any, unit: Any) -> Weight | None:
    found, known = decimal_text(value), _WEIGHT_UNITS.get(unit)
    return None if found is None or known is None else Weight(unit=known, value=found)
