"""The shop of the fault tests: a few objects of everything, and pages so short that each listing has three.

Pages are cut on the sandbox's side of the wire, as Shopify may: a page holds fewer objects than were asked for and
says that there are more. So every drain of the reading runs, in a refresh of some dozens of calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from salesbot_pipelines.sandbox import connections
from salesbot_pipelines.sandbox.build_collections import add_collection, has_tag
from salesbot_pipelines.sandbox.build_discounts import add_discount, percent, quantity, these
from salesbot_pipelines.sandbox.build_parts import media_image, metafield
from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.build_shop import add_location, add_policy, open_shop
from salesbot_pipelines.sandbox.clock import Clock
from salesbot_pipelines.sandbox.faults import Faults
from salesbot_pipelines.sandbox.shop import Shop

DOMAIN = "small.myshopify.com"
PRODUCTS = 5


@contextmanager
def short_pages(most: int) -> Iterator[None]:
    """Let no connection of any sandbox in this process give more than `most` objects at once."""
    whole = connections.cut

    def cut(source: Any, arguments: dict[str, Any]) -> Any:
        first = arguments.get("first")
        return whole(source, arguments if first is None else {**arguments, "first": min(first, most)})

    connections.cut = cut
    try:
        yield
    finally:
        connections.cut = whole


def small_shop(clock: Clock, domain: str = DOMAIN, **settings: Any) -> Shop:
    """Return the shop: five products, three collections, three discounts, three locations."""
    shop = open_shop(domain, clock, name="Small", currency="EUR", **settings)
    places = [add_location(shop, f"Room {n + 1}", city="Ghent", country="BE") for n in range(3)]
    numbers = [_product(shop, place, places) for place in range(PRODUCTS)]
    add_collection(shop, "By hand", [numbers[3], numbers[0], numbers[1]])
    add_collection(shop, "Red", rule=has_tag("red"))
    add_collection(shop, "Single", [numbers[4]])
    variants = [int(variant["legacyResourceId"]) for variant in shop.products.get(numbers[0])["variants"]]
    add_discount(shop, "CodeBasic", "Ten off", codes=["A", "B", "C"], items=these(numbers[:3]), value=percent(0.1))
    add_discount(
        shop,
        "AutomaticBxgy",
        "Buy two, get one",
        buys=(these(numbers[1:4]), quantity(2)),
        items=these([], variants),
        value=None,
    )
    add_discount(shop, "CodeFreeShipping", "Free post", codes=["POST"])
    add_policy(shop, "REFUND_POLICY", "Refunds", "<p>Thirty days.</p>")
    return shop


def _product(shop: Shop, place: int, places: list[int]) -> int:
    rich = place == 0
    variants = [
        NewVariant(
            f"{10 + place}.{n}0",
            (f"Size {n}",) if rich else (),
            sku=f"P{place}-{n}",
            stock=dict.fromkeys(places if rich and n == 0 else places[:1], 5 + n),
            metafields=[_note(place, 90 + m) for m in range(3)] if rich and n == 0 else (),
        )
        for n in range(3 if rich else 1)
    ]
    product = add_product(
        shop,
        f"Product {place}",
        variants,
        options=("Size",) if rich else (),
        html=f"<p>Number {place}.</p>",
        tags=["red"] if place % 2 else ["blue"],
        media=[_picture(place, n) for n in range(3 if rich else 1)],
        metafields=[_note(place, n) for n in range(3 if place == 1 else 1)],
    )
    return int(product["legacyResourceId"])


def _picture(place: int, n: int) -> dict[str, Any]:
    return media_image(900_000 + place * 100 + n, f"https://cdn.shopify.com/s/files/{place}-{n}.jpg", alt=f"View {n}")


def _note(place: int, n: int) -> dict[str, Any]:
    return metafield(910_000 + place * 100 + n, "custom", f"note_{n}", "single_line_text_field", f"text {n}")


def turn(shop: Shop, state: int) -> None:
    """Put the shop into a state, 0 or 1: every object of it differs from the other state in something published."""
    with shop.lock:
        shop.update_shop(name=f"Small {state}")
        for product in shop.all("products"):
            for variant in product["variants"]:
                shop.set_price(variant["id"], f"{10 + state}.50")
            shop.update_product(product["id"], title=f"Product {product['legacyResourceId']} {state}")
            shop.set_stock(product["variants"][0]["id"], 10 + state)
        for collection in shop.all("collections"):
            shop.update_collection(collection["id"], title=f"Collection {collection['legacyResourceId']} {state}")
        for discount in shop.all("discounts"):
            shop.update_discount(discount["id"], title=f"Discount {discount['id'][-3:]} {state}")
        for location in shop.all("locations"):
            location["name"] = f"{location['name'][:6]} {state}"


def move(faults: Faults) -> None:
    """Let objects go that a read has met and that it has not, and others come once the listing is read.

    Then nothing that was read is what Shopify counts. As many come as go, so that the shop stays small.
    """
    makes: dict[str, tuple[str, Callable[[Shop], Any]]] = {
        "product": ("products", lambda shop: shop.create_product("Came")),
        "collection": ("collections", lambda shop: add_collection(shop, "Came")),
        "discount": ("discounts", lambda shop: add_discount(shop, "CodeFreeShipping", "Came")),
    }
    for name, (table, make) in makes.items():
        faults.add("change", operation=table.title(), nth=2, change=_let_go(table, f"delete_{name}"))
        faults.add("change", operation=f"{table.title()}Count", nth=1, change=_let_come(make))


def _let_go(table: str, delete: str) -> Callable[[Shop], None]:
    def change(shop: Shop) -> None:
        first, _, third, *_ = shop.all(table)
        for node in (first, third):
            getattr(shop, delete)(node["id"])

    return change


def _let_come(make: Callable[[Shop], Any]) -> Callable[[Shop], None]:
    def change(shop: Shop) -> None:
        make(shop)
        make(shop)

    return change
