"""What a merchant adds to a shop and takes out of it besides whole products; each tells what Shopify would tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import payloads
from .build_collections import add_collection, has_tag
from .build_discounts import add_discount
from .build_products import NewVariant, inventory_item, options_of, summarise, variant_node
from .shop import Name, Shop, number_named
from .tables import Node


def create_collection(
    shop: Shop, title: str, *, products: Sequence[Name] = (), tag: str | None = None, **settings: Any
) -> Node:
    """Add a collection of products chosen by hand, or of all that have a tag; return it.

    `settings` are those of `add_collection`.
    """
    with shop.lock:
        if tag is not None:
            settings["rule"] = has_tag(tag)
        members = [number_named(product) for product in products]
        node: Node = shop.collections.get(add_collection(shop, title, members, **settings)) or {}
        node["updatedAt"] = shop.stamp()
        shop.tell("collections/create", payloads.collection(node))
        return node


def create_discount(shop: Shop, type_: str, title: str, **settings: Any) -> Node:
    """Add a discount; `type_` is its type without `Discount`. Return it."""
    with shop.lock:
        node: Node = shop.discounts.get(add_discount(shop, type_, title, **settings)) or {}
        node["discount"]["createdAt"] = node["discount"]["updatedAt"] = shop.stamp()
        shop.tell("discounts/create", payloads.discount(node))
        return node


def add_variant(shop: Shop, product: Name, price: str, option: str, *, stock: int = 1) -> Node:
    """Add a variant with one new value of each option, stocked at the first location; return the product."""
    with shop.lock:
        node = shop.product_named(product)
        number, variant, item_number = number_named(node["id"]), shop.next_number(), shop.next_number()
        names = [entry["name"] for entry in node["options"]]
        first = number_named(shop.all("locations")[0]["id"])
        spec = NewVariant(price, tuple(option for _ in names), stock={first: stock})
        item = inventory_item(item_number, variant, spec, shop.stamp())
        position = len(node["variants"]) + 1
        made = variant_node(number, variant, item, position, names, node["title"], spec, shop.currency)
        node["variants"] = [*node["variants"], made]
        shop.variants.put(variant, made)
        shop.items.put(item_number, item)
        shop.tell("inventory_items/create", payloads.item(item))
        shop.tell("inventory_levels/connect", payloads.level(item["inventoryLevels"][0]))
        return _changed(shop, node, names)


def remove_variant(shop: Shop, variant: Name) -> Node:
    """Take a variant and its stock out of its product, which must have another; return the product."""
    with shop.lock:
        number = number_named(variant)
        node, gone = shop.variant_named(variant)
        if len(node["variants"]) == 1:
            raise ValueError("a product keeps its last variant")
        node["variants"] = [entry for entry in node["variants"] if entry is not gone]
        for position, entry in enumerate(node["variants"], start=1):
            entry["position"] = position
        item = shop.items.remove(number_named(gone["inventoryItem"]["id"]))
        shop.variants.remove(number)
        shop.take_out_of_discounts(number)
        if item is not None:
            shop.tell("inventory_items/delete", {"id": number_named(item["id"])})
        return _changed(shop, node, [entry["name"] for entry in node["options"]])


def _changed(shop: Shop, product: Node, names: Sequence[str]) -> Node:
    product["options"] = options_of(number_named(product["id"]), names, product["variants"])
    product["hasOnlyDefaultVariant"] = names == ["Title"] and len(product["variants"]) == 1
    product["updatedAt"] = shop.stamp()
    summarise(product, shop.currency)
    shop.tell("products/update", payloads.product(product))
    return product


MAKERS: dict[str, Callable[..., Node]] = {
    "create_collection": create_collection,
    "create_discount": create_discount,
    "add_variant": add_variant,
    "remove_variant": remove_variant,
}
