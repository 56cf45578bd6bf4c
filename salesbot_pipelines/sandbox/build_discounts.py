"""Builds discounts of all eight types, with the pieces they are made of.

`add_discount(shop, "CodeBasic", "Ten off", ...)`: the word before the title is the type without `Discount`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .build_parts import BORN, money
from .ids import gid
from .shop import Shop
from .tables import Node

CLASSES = {"Basic": "PRODUCT", "Bxgy": "PRODUCT", "FreeShipping": "SHIPPING", "App": "ORDER"}


def percent(fraction: float) -> Node:
    """Return a percentage as Shopify writes it: 0.1 is ten percent."""
    return {"__typename": "DiscountPercentage", "percentage": fraction}


def amount_off(shop: Shop, amount: str, *, each: bool = False) -> Node:
    """Return an amount off the order, or off each item."""
    return {"__typename": "DiscountAmount", "amount": money(amount, shop.currency), "appliesOnEachItem": each}


def on_quantity(quantity: int, effect: Node) -> Node:
    """Return what a buy-x-get-y grants; 64-bit quantities are strings."""
    return {
        "__typename": "DiscountOnQuantity",
        "quantity": {"__typename": "DiscountQuantity", "quantity": str(quantity)},
        "effect": effect,
    }


def quantity(count: int) -> Node:
    """Return "buy so many"."""
    return {"__typename": "DiscountQuantity", "quantity": str(count)}


def purchase(amount: str) -> Node:
    """Return "spend so much"; a Decimal without a currency."""
    return {"__typename": "DiscountPurchaseAmount", "amount": amount}


def all_items() -> Node:
    """Return "everything in the shop"."""
    return {"__typename": "AllDiscountItems", "allItems": True}


def these(products: Sequence[int] = (), variants: Sequence[int] = ()) -> Node:
    """Return chosen products and variants."""
    return {"__typename": "DiscountProducts", "_products": list(products), "_variants": list(variants)}


def in_collections(collections: Sequence[int]) -> Node:
    """Return chosen collections."""
    return {"__typename": "DiscountCollections", "_collections": list(collections)}


def at_least_spent(shop: Shop, amount: str) -> Node:
    """Return a minimum subtotal."""
    return {
        "__typename": "DiscountMinimumSubtotal",
        "greaterThanOrEqualToSubtotal": money(amount, shop.currency),
    }


def at_least_bought(count: int) -> Node:
    """Return a minimum quantity; a string on the wire."""
    return {"__typename": "DiscountMinimumQuantity", "greaterThanOrEqualToQuantity": str(count)}


def everybody() -> Node:
    """Return the context of a discount for all buyers."""
    return {"__typename": "DiscountBuyerSelectionAll", "all": "ALL"}


def some_customers() -> Node:
    """Return the context of a discount for chosen customers, whose names nobody should ask for."""
    customer = {"__typename": "Customer", "id": gid("Customer", 41), "displayName": "Ada Secret"}
    return {"__typename": "DiscountCustomers", "customers": [customer]}


def some_segments() -> Node:
    """Return the context of a discount for a segment of customers."""
    segment = {"__typename": "Segment", "id": gid("Segment", 42), "name": "Regulars of the back room"}
    return {"__typename": "DiscountCustomerSegments", "segments": [segment]}


def some_markets(count: int) -> Node:
    """Return the context of a discount for some markets."""
    markets = [
        {"__typename": "Market", "id": gid("Market", n), "name": f"Market {n}", "handle": f"market-{n}"}
        for n in range(1, count + 1)
    ]
    return {"__typename": "DiscountMarkets", "markets": markets, "marketsCount": count}


def _shared(title: str, kind: str, number: int) -> Node:
    return {
        "title": title,
        "status": "ACTIVE",
        "summary": title,
        "shortSummary": title,
        "startsAt": BORN,
        "endsAt": None,
        "createdAt": BORN,
        "updatedAt": BORN,
        "asyncUsageCount": 0,
        "discountClasses": [CLASSES[kind]],
        "combinesWith": {
            "__typename": "DiscountCombinesWith",
            "orderDiscounts": False,
            "productDiscounts": False,
            "productDiscountsWithTagsOnSameCartLine": [],
            "shippingDiscounts": True,
        },
        "context": everybody(),
        "tags": [],
        "hasTimelineComment": False,
        "totalSales": None,
        "id": gid("DiscountAutomaticNode", number),
        "discountId": gid("DiscountCodeNode", number),
    }


def _code_fields(shop: Shop, codes: Sequence[str]) -> Node:
    rows = []
    for code in codes:
        row = {"__typename": "DiscountRedeemCode", "id": gid("DiscountRedeemCode", shop.next_number())}
        rows.append({**row, "code": code, "asyncUsageCount": 0})
    return {
        "codes": rows,
        "codesCount": {"__typename": "Count", "count": len(rows), "precision": "EXACT"},
        "usageLimit": None,
        "appliesOncePerCustomer": False,
        "shareableUrls": [],
    }


def _kind_fields(kind: str, items: Node | None, value: Node | None, buys: tuple[Node, Node] | None) -> Node:
    subscription = {"appliesOnOneTimePurchase": True, "appliesOnSubscription": False}
    if kind == "App":
        app_type = {
            "__typename": "AppDiscountType",
            "appKey": "00aa11bb22cc33dd44ee55ff66aa77bb",
            "description": "Computed by an app",
            "functionId": "019e00a2-0000-7000-a000-000000000001",
            "title": "Bundle builder",
            "discountClasses": ["ORDER"],
        }
        return {"appDiscountType": app_type, **subscription}
    if kind == "FreeShipping":
        everywhere = {"__typename": "DiscountCountryAll", "allCountries": True}
        return {
            "minimumRequirement": None,
            "maximumShippingPrice": None,
            "destinationSelection": everywhere,
            **subscription,
        }
    gets = {
        "__typename": "DiscountCustomerGets",
        "items": items or all_items(),
        "value": value or percent(0.1),
        **subscription,
    }
    if kind == "Basic":
        return {"customerGets": gets, "minimumRequirement": None}
    bought, wanted = buys or (all_items(), quantity(1))
    customer_buys = {
        "__typename": "DiscountCustomerBuys",
        "items": bought,
        "value": wanted,
        "isOneTimePurchase": True,
        "isSubscription": False,
    }
    return {"customerGets": gets, "customerBuys": customer_buys, "usesPerOrderLimit": None}


def add_discount(
    shop: Shop,
    type_: str,
    title: str,
    *,
    codes: Sequence[str] = (),
    items: Node | None = None,
    value: Node | None = None,
    buys: tuple[Node, Node] | None = None,
    number: int | None = None,
    **fields: Any,
) -> int:
    """Add a discount and return its number; `buys` is (items, value) of a buy-x-get-y."""
    number = number or shop.next_number()
    coded = type_.startswith("Code")
    kind = type_.removeprefix("Code").removeprefix("Automatic")
    discount: Node = {"__typename": f"Discount{type_}", **_shared(title, kind, number)}
    discount.update(_kind_fields(kind, items, value, buys))
    if coded:
        discount.update(_code_fields(shop, codes or [title.upper().replace(" ", "")]))
    if kind != "Bxgy":
        discount["recurringCycleLimit"] = None if coded else 1
    discount.update(fields)
    shop.discounts.put(
        number, {"__typename": "DiscountNode", "id": gid("DiscountNode", number), "discount": discount}
    )
    return number
