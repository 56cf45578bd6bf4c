"""How fields are found that are no plain entry of their object: those with arguments, and those leading elsewhere.

A field not named here is its object's entry of that name. Roots are in `roots`, mutations in `mutations`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .filters import EVERYTHING
from .ids import number_of, split_gid
from .mutations import MUTATIONS
from .paging import Picked
from .roots import ROOTS
from .tables import Node

if TYPE_CHECKING:
    from .shop import Shop

Resolve = Callable[[Node, "Shop", dict[str, Any]], Any]

_TAG = re.compile(r"<[^>]*>")


def _plain(text: str, limit: int | None) -> str:
    """Strip tags as the API does: it keeps the text of style blocks, which is why nobody should use it."""
    text = " ".join(html.unescape(_TAG.sub(" ", text)).split())
    return text if limit is None or len(text) <= limit else text[: max(0, limit - 3)] + "..."


def _description(node: Node, _shop: Shop, arguments: dict[str, Any]) -> str:
    return _plain(node["descriptionHtml"], arguments.get("truncateAt"))


def _metafields(node: Node, _shop: Shop, arguments: dict[str, Any]) -> list[Node]:
    space, keys = arguments.get("namespace"), arguments.get("keys")
    found = [entry for entry in node["metafields"] if space is None or entry["namespace"] == space]
    return found if keys is None else [entry for entry in found if f"{entry['namespace']}.{entry['key']}" in keys]


def _metafield(node: Node, _shop: Shop, arguments: dict[str, Any]) -> Node | None:
    for entry in node["metafields"]:
        if entry["key"] == arguments["key"] and arguments.get("namespace") in (None, entry["namespace"]):
            found: Node = entry
            return found
    return None


def _levels(node: Node, _shop: Shop, arguments: dict[str, Any]) -> list[Node]:
    levels: list[Node] = node["inventoryLevels"]
    return levels if arguments.get("includeInactive") else [level for level in levels if level["isActive"]]


def _level_at(node: Node, _shop: Shop, arguments: dict[str, Any]) -> Node | None:
    wanted = split_gid(arguments["locationId"])
    return next((level for level in node["inventoryLevels"] if wanted and level["_location"] == wanted[1]), None)


def _quantities(node: Node, _shop: Shop, arguments: dict[str, Any]) -> list[Node]:
    kept, at = node["_quantities"], node["updatedAt"]
    number = number_of(node["id"])
    return [
        {
            "__typename": "InventoryQuantity",
            "id": f"gid://shopify/InventoryQuantity/{number}?inventory_item_id={node['_item']}&name={name}",
            "name": name,
            "quantity": kept.get(name, 0),
            "updatedAt": at,
        }
        for name in arguments["names"]
    ]


def _location_levels(node: Node, shop: Shop, _arguments: dict[str, Any]) -> list[Node]:
    number = number_of(node["id"])
    return [
        level
        for item in shop.items.scan(*EVERYTHING)
        for level in item["inventoryLevels"]
        if level["_location"] == number
    ]


def _item_variants(node: Node, shop: Shop, _arguments: dict[str, Any]) -> list[Node]:
    variant = shop.variants.get(node["_variant"])
    return [] if variant is None else [variant]


def _first_image(node: Node, _shop: Shop, _arguments: dict[str, Any]) -> Node | None:
    return node["media"][0]["image"] if node["media"] else None


def _in_collection(product: Node, shop: Shop, arguments: dict[str, Any]) -> bool:
    wanted = split_gid(arguments["id"])
    collection = shop.collections.get(wanted[1]) if wanted else None
    return collection is not None and number_of(product["id"]) in shop.members(collection)


def _count(number: int) -> Node:
    return {"__typename": "Count", "count": number, "precision": "EXACT"}


def _picked(table: str, entry: str) -> Resolve:
    return lambda node, shop, _arguments: Picked(getattr(shop, table), node[entry])


_PRODUCT: dict[str, Resolve] = {
    "description": _description,
    "metafields": _metafields,
    "metafield": _metafield,
    "options": lambda node, _shop, arguments: node["options"][: arguments.get("first")],
    "featuredMedia": lambda node, _shop, _arguments: node["media"][0] if node["media"] else None,
    "collections": lambda node, shop, _arguments: shop.collections_of(number_of(node["id"])),
    "inCollection": _in_collection,
    "onlineStorePreviewUrl": lambda node, shop, _arguments: (
        f"https://{shop.domain}/products_preview?handle={node['handle']}"
    ),
    "hasOutOfStockVariants": lambda node, _shop, _arguments: any(
        not variant["availableForSale"] for variant in node["variants"]
    ),
}
_VARIANT: dict[str, Resolve] = {
    "product": lambda node, shop, _arguments: shop.products.get(node["_product"]),
    "image": _first_image,
    "metafields": _metafields,
    "metafield": _metafield,
}
_ITEM: dict[str, Resolve] = {
    "inventoryLevels": _levels,
    "inventoryLevel": _level_at,
    "locationsCount": lambda node, _shop, _arguments: _count(len(node["inventoryLevels"])),
    "variants": _item_variants,
    "variant": lambda node, shop, _arguments: shop.variants.get(node["_variant"]),
}
_LEVEL: dict[str, Resolve] = {
    "location": lambda node, shop, _arguments: shop.locations.get(node["_location"]),
    "item": lambda node, shop, _arguments: shop.items.get(node["_item"]),
    "quantities": _quantities,
}
_COLLECTION: dict[str, Resolve] = {
    "description": _description,
    "metafields": _metafields,
    "metafield": _metafield,
    "products": lambda node, shop, _arguments: Picked(shop.products, shop.members(node)),
    "productsCount": lambda node, shop, _arguments: _count(len(shop.members(node))),
    "hasProduct": lambda node, shop, arguments: (
        (number := split_gid(arguments["id"])) is not None and number[1] in shop.members(node)
    ),
}
_OTHERS: dict[tuple[str, str], Resolve] = {
    ("Shop", "shopPolicies"): lambda _node, shop, _arguments: shop.policies,
    ("Location", "inventoryLevels"): _location_levels,
    ("CollectionSubCollectionsSource", "collections"): lambda node, shop, _arguments: [
        found for number in node["_collections"] if (found := shop.collections.get(number))
    ],
    ("CollectionConditionsSource", "products"): lambda node, shop, _arguments: Picked(
        shop.products, shop.members(node["_collection"])
    ),
    ("DiscountProducts", "products"): _picked("products", "_products"),
    ("DiscountProducts", "productVariants"): _picked("variants", "_variants"),
    ("DiscountCollections", "collections"): _picked("collections", "_collections"),
    ("AppInstallation", "accessScopes"): lambda _node, shop, _arguments: [
        {"__typename": "AccessScope", "handle": scope, "description": scope.replace("_", " ")}
        for scope in shop.scopes
    ],
}

RESOLVERS: dict[tuple[str, str], Resolve] = {
    **{("Product", name): resolve for name, resolve in _PRODUCT.items()},
    **{("ProductVariant", name): resolve for name, resolve in _VARIANT.items()},
    **{("InventoryItem", name): resolve for name, resolve in _ITEM.items()},
    **{("InventoryLevel", name): resolve for name, resolve in _LEVEL.items()},
    **{("Collection", name): resolve for name, resolve in _COLLECTION.items()},
    **_OTHERS,
    **{("QueryRoot", name): resolve for name, resolve in ROOTS.items()},
    **{("Mutation", name): resolve for name, resolve in MUTATIONS.items()},
}
