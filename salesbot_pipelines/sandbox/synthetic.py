"""Shops made by rule: any number of products whose every byte follows from their index.

A product is made when it is asked for and forgotten afterwards, so that 100,000 products need no memory and the
same shop is served in every process. Changes are kept (see `tables`).
"""

from __future__ import annotations

from typing import Any

from .build_collections import add_collection
from .build_discounts import add_discount
from .build_parts import media_image, metafield
from .build_products import (
    NewVariant,
    inventory_item,
    level,
    options_of,
    set_quantity,
    summarise,
    variant_node,
)
from .build_shop import add_location, open_shop
from .clock import Clock
from .ids import gid
from .shop import Shop
from .tables import GeneratedTable, Node

_PRODUCTS, _VARIANTS, _ITEMS = 8_000_000_000_000, 41_000_000_000_000, 43_000_000_000_000
_STEP = 32
_SIZES = ("Small", "Medium", "Large", "Extra large", "Huge")
_NOUNS = ("Lamp", "Lantern", "Sconce", "Shade", "Bulb", "Candle", "Torch", "Chandelier")
_WORDS = ("amber", "brass", "crooked", "dim", "early", "folded", "gilded", "humming", "ivory", "jolly", "knotted")


class _Rule:
    """How the products of one synthetic shop follow from their index.

    Variants and items are forms that are copied and filled in: building each anew would be most of what a page costs.
    """

    def __init__(self, shop: Shop, variants: int, locations: list[int], images: int, metafields: int) -> None:
        self.shop, self.variants, self.locations = shop, variants, locations
        self.images, self.metafields = images, metafields
        self._name = "Size" if variants > 1 else "Title"
        self._sizes = [_SIZES[n] if n < len(_SIZES) else f"Size {n + 1}" for n in range(variants)]
        if variants == 1:
            self._sizes = ["Default Title"]
        specs = [
            NewVariant("0.00", (size,), weight=(0.25 + n / 4, "KILOGRAMS")) for n, size in enumerate(self._sizes)
        ]
        self._items = [inventory_item(0, 0, spec) for spec in specs]
        self._forms = [
            variant_node(0, 0, self._items[n], n + 1, [self._name], "", spec, shop.currency)
            for n, spec in enumerate(specs)
        ]

    def item(self, flat: int) -> Node:
        index, place = divmod(flat, self.variants)
        return self._item(index, place, _stamp(index))

    def _item(self, index: int, place: int, at: str) -> Node:
        flat = index * self.variants + place
        number, node = _ITEMS + flat * _STEP, self._items[place].copy()
        node["id"], node["legacyResourceId"] = gid("InventoryItem", number), str(number)
        node["sku"], node["_variant"], node["updatedAt"] = f"S-{index:06d}-{place}", _VARIANTS + flat * _STEP, at
        node["measurement"] = {**node["measurement"], "id": gid("InventoryItemMeasurement", number)}
        first = index * 7 + place * 3
        node["inventoryLevels"] = [level(number, at_, (first + n) % 25, at) for n, at_ in enumerate(self.locations)]
        return node

    def variant(self, flat: int) -> Node:
        product = self.shop.products.get(_PRODUCTS + flat // self.variants * _STEP)
        assert product is not None
        found: Node = product["variants"][flat % self.variants]
        return found

    def _variant(self, product: int, index: int, place: int, title: str, at: str) -> Node:
        item, node = self._item(index, place, at), self._forms[place].copy()
        number, cents = item["_variant"], 500 + (index * 37 + place * 101) % 19_500
        node["id"], node["legacyResourceId"] = gid("ProductVariant", number), str(number)
        node["displayName"], node["sku"] = f"{title} - {self._sizes[place]}", item["sku"]
        node["price"] = f"{cents // 100}.{cents % 100:02d}"
        node["compareAtPrice"] = f"{cents // 100 + 5}.00" if index % 9 == 0 else None
        node["updatedAt"], node["inventoryItem"], node["_product"] = at, item, product
        node["media"], node["metafields"] = [], []
        set_quantity(node, sum(entry["_quantities"]["available"] for entry in item["inventoryLevels"]))
        return node

    def product(self, index: int) -> Node:
        shop, number = self.shop, _PRODUCTS + index * _STEP
        word, noun = _WORDS[index % len(_WORDS)], _NOUNS[index // 3 % len(_NOUNS)]
        title = f"{word.title()} {noun} {index}"
        handle = f"{word}-{noun.lower()}-{index}"
        at, live = _stamp(index), index % 50 != 49
        variants = [self._variant(number, index, place, title, at) for place in range(self.variants)]
        picture = "https://cdn.shopify.com/s/files/1/0001/"
        node: Node = {
            "__typename": "Product",
            "id": gid("Product", number),
            "legacyResourceId": str(number),
            "title": title,
            "handle": handle,
            "descriptionHtml": f"<p>One {word} {noun.lower()}, for {place_of(index)}.</p>\n<ul><li>{index}</li></ul>",
            "status": "ACTIVE" if live else "DRAFT",
            "vendor": f"Maker {index % 17}",
            "productType": noun,
            "category": None,
            "tags": [word, f"shelf-{index % 10}"],
            "options": options_of(number, [self._name], variants),
            "hasOnlyDefaultVariant": self.variants == 1,
            "isGiftCard": False,
            "requiresSellingPlan": False,
            "combinedListingRole": None,
            "templateSuffix": None,
            "seo": {"__typename": "SEO", "title": None, "description": None},
            "onlineStoreUrl": f"{shop.node['url']}/products/{handle}" if live else None,
            "publishedAt": at if live else None,
            "createdAt": at,
            "updatedAt": at,
            "media": [
                media_image(number + n, f"{picture}{number + n}.jpg", alt=f"{title}, view {n + 1}")
                for n in range(self.images)
            ],
            "variants": variants,
            "metafields": [
                metafield(number + n, "custom", f"note_{n}", "single_line_text_field", f"{word} {n}")
                for n in range(self.metafields)
            ],
        }
        summarise(node, shop.currency)
        return node


def place_of(index: int) -> str:
    """Return a place to put a lamp."""
    return ("the hall", "a desk", "the attic", "a long table", "the porch")[index % 5]


def _stamp(index: int) -> str:
    day, second = divmod(index * 60, 86_400)
    return f"2026-{1 + day % 9:02d}-{1 + day % 28:02d}T{second // 3600:02d}:{second // 60 % 60:02d}:00Z"


def make_synthetic(
    clock: Clock,
    domain: str = "synthetic.myshopify.com",
    *,
    products: int = 10_000,
    variants: int = 3,
    locations: int = 1,
    images: int = 1,
    metafields: int = 1,
    collections: int = 4,
    discounts: int = 2,
    **settings: Any,
) -> Shop:
    """Return a shop of `products` generated products with `variants` variants each; `settings` go to `open_shop`."""
    shop = open_shop(domain, clock, **settings)
    shop.begin_numbers_at(_ITEMS + products * variants * _STEP)
    places = [
        add_location(shop, f"Warehouse {n + 1}", city="Springfield", number=70_000_000_001 + n)
        for n in range(locations)
    ]
    rule = _Rule(shop, variants, places, images, metafields)
    shop.products = GeneratedTable(products, rule.product, first=_PRODUCTS, step=_STEP)
    shop.variants = GeneratedTable(products * variants, rule.variant, first=_VARIANTS, step=_STEP)
    shop.items = GeneratedTable(products * variants, rule.item, first=_ITEMS, step=_STEP)
    for n in range(collections):
        members = range(_PRODUCTS + n * _STEP, _PRODUCTS + products * _STEP, _STEP * max(1, collections))
        add_collection(shop, f"Shelf {n}", members, sort="CREATED", number=50_000_000_001 + n)
    for n in range(discounts):
        add_discount(shop, "CodeBasic", f"Save {n}", codes=[f"SAVE{n}"], number=60_000_000_001 + n)
    return shop
