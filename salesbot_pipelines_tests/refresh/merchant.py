"""A merchant at work: every kind of change that the sandbox knows, at objects chosen by number.

Each change takes a shop and two numbers and does something sensible with them, or nothing when there is no object
for it; so any list of numbers is a day in a shop, and a shorter one is a simpler day.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from salesbot_pipelines.sandbox.build_collections import has_tag
from salesbot_pipelines.sandbox.build_discounts import these
from salesbot_pipelines.sandbox.makers import add_variant, create_collection, create_discount, remove_variant
from salesbot_pipelines.sandbox.shop import Shop

Change = Callable[[Shop, int, int], Any]

TAGS = ("red", "blue", "old")
STATUSES = ("ACTIVE", "DRAFT", "ARCHIVED", "UNLISTED")
ORDERS = ("MANUAL", "PRICE_ASC", "PRICE_DESC", "ALPHA_ASC")
MOST = 9


def _number(node: dict[str, Any]) -> int:
    return int(node["id"].rpartition("/")[2])


def _nth(table: str, change: Callable[[Shop, dict[str, Any], int], Any], *, least: int = 1) -> Change:
    """Make the change at the nth object of a table that holds at least so many."""

    def at(shop: Shop, nth: int, value: int) -> Any:
        there = shop.all(table)
        return change(shop, there[nth % len(there)], value) if len(there) >= least else None

    return at


def _variant(change: Callable[[Shop, str, int], Any]) -> Change:
    return _nth("variants", lambda shop, node, value: change(shop, node["id"], value))


def _by_hand(change: Callable[[Shop, dict[str, Any], int], Any]) -> Change:
    """Make the change at the nth collection whose products are chosen by hand."""

    def at(shop: Shop, nth: int, value: int) -> Any:
        there = [node for node in shop.all("collections") if node["_rule"] is None]
        return change(shop, there[nth % len(there)], value) if there and shop.all("products") else None

    return at


def _a_product(shop: Shop, value: int) -> int:
    there = shop.all("products")
    return _number(there[value % len(there)])


def _make_product(shop: Shop, nth: int, value: int) -> None:
    if len(shop.all("products")) < MOST:
        title = f"Product {nth}"
        shop.create_product(title, f"{value}.00", tags=[TAGS[nth % 3]], status=STATUSES[value % 2], stock=value % 4)


def _make_collection(shop: Shop, nth: int, value: int) -> None:
    if len(shop.all("collections")) >= MOST:
        return
    kind, title = value % 3, f"Collection {shop.next_number()}"
    if kind == 0:
        create_collection(shop, title, tag=TAGS[nth % 3], sort=ORDERS[nth % 4])
    elif kind == 1 and shop.all("products"):
        create_collection(shop, title, products=[_a_product(shop, nth)], sort=ORDERS[value % 4])
    elif kind == 2 and shop.all("collections"):
        inner = shop.all("collections")[nth % len(shop.all("collections"))]
        number = _number(inner)
        # It holds what the other one holds, for as long as that is there.
        create_collection(
            shop,
            title,
            collections=[number],
            rule=lambda product: _in(shop, number, _number(product)),
        )


def _make_discount(shop: Shop, nth: int, value: int) -> None:
    if len(shop.all("discounts")) < 5:
        items = these([_a_product(shop, nth)]) if shop.all("products") else None
        create_discount(shop, "CodeBasic", f"Discount {value}", codes=[f"C{value}"], items=items)


def _move(shop: Shop, node: dict[str, Any], value: int) -> None:
    shop.move_product(_a_product(shop, value), node["id"], value % 3)


def _rename_location(shop: Shop, node: dict[str, Any], value: int) -> None:
    with shop.lock:
        node["name"] = f"Room {value}"
        shop.tell("locations/update", {"id": _number(node)})


def _add_variant(shop: Shop, node: dict[str, Any], value: int) -> None:
    if len(node["variants"]) < 5:
        add_variant(shop, node["id"], f"{value}.25", f"O{shop.next_number()}")


def _drop_variant(shop: Shop, node: dict[str, Any], _value: int) -> None:
    product, _ = shop.variant_named(node["id"])
    if len(product["variants"]) > 1:
        remove_variant(shop, node["id"])


CHANGES: dict[str, Change] = {
    "set a price": _variant(lambda shop, gid, value: shop.set_price(gid, f"{value}.50")),
    "sell a piece": _variant(lambda shop, gid, value: shop.set_stock(gid, value % 3)),
    "stock another place": _nth(
        "variants", lambda shop, node, value: shop.set_stock(node["id"], 2, location=_place(shop, value))
    ),
    "rename a product": _nth(
        "products", lambda shop, node, value: shop.update_product(node["id"], title=f"T{value}")
    ),
    "tag a product": _nth(
        "products", lambda shop, node, value: shop.update_product(node["id"], tags=[TAGS[value % 3]])
    ),
    "set a status": _nth(
        "products", lambda shop, node, value: shop.update_product(node["id"], status=STATUSES[value % 4])
    ),
    "publish or hide": _nth(
        "products", lambda shop, node, value: shop.publish(node["id"], published=bool(value % 2))
    ),
    "make a product": _make_product,
    "delete a product": _nth("products", lambda shop, node, _value: shop.delete_product(node["id"]), least=2),
    "add a variant": _nth("products", _add_variant),
    "remove a variant": _nth("variants", _drop_variant),
    "move in a collection": _by_hand(_move),
    "take out of a collection": _by_hand(
        lambda shop, node, value: shop.remove_from_collection(_a_product(shop, value), node["id"])
    ),
    "order a collection": _nth(
        "collections", lambda shop, node, value: shop.update_collection(node["id"], sortOrder=ORDERS[value % 4])
    ),
    "rename a collection": _nth(
        "collections", lambda shop, node, value: shop.update_collection(node["id"], title=f"K{value}")
    ),
    "make a collection": _make_collection,
    "delete a collection": _nth("collections", lambda shop, node, _value: shop.delete_collection(node["id"])),
    "make a discount": _make_discount,
    "rename a discount": _nth(
        "discounts", lambda shop, node, value: shop.update_discount(node["id"], title=f"D{value}")
    ),
    "delete a discount": _nth("discounts", lambda shop, node, _value: shop.delete_discount(node["id"])),
    "use a discount, untold": _nth(
        "discounts", lambda _shop, node, value: node["discount"].update(asyncUsageCount=value)
    ),
    "rename the shop": lambda shop, _nth, value: shop.update_shop(name=f"Shop {value}"),
    "rename a location": _nth("locations", _rename_location),
}
FOR_ALL = ("rename the shop", "rename a location")
"""Changes whose events concern the whole shop."""


def _place(shop: Shop, value: int) -> str:
    places = shop.all("locations")
    gid: str = places[value % len(places)]["id"]
    return gid


def opening(shop: Shop, plan: list[tuple[int, int]]) -> None:
    """Fill a new shop: its first products, collections of each kind, and a discount."""
    for nth, value in plan:
        _make_product(shop, nth, value)
    numbers = [_number(product) for product in shop.all("products")]
    by_hand = create_collection(shop, "By hand", products=numbers[:3])
    create_collection(shop, "By price", products=numbers, sort="PRICE_ASC")
    create_collection(shop, "Red", rule=has_tag("red"), sort="ALPHA_ASC")
    inner = _number(by_hand)
    create_collection(
        shop, "Of the first", collections=[inner], rule=lambda product: _in(shop, inner, _number(product))
    )
    _make_discount(shop, 0, 1)


def _in(shop: Shop, collection: int, product: int) -> bool:
    found = shop.collections.get(collection)
    return found is not None and product in shop.members(found)
