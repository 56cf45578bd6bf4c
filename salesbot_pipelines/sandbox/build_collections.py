"""Builds collections: chosen by hand, by a rule over products, or out of other collections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .build_parts import BORN
from .ids import gid
from .shop import Shop
from .tables import Node

Rule = Callable[[Node], bool]


def has_tag(tag: str) -> Rule:
    """Return the rule "product is tagged so"."""
    return lambda product: tag in product["tags"]


def is_by(vendor: str) -> Rule:
    """Return the rule "product is by this vendor"."""
    return lambda product: bool(product["vendor"] == vendor)


def add_collection(
    shop: Shop,
    title: str,
    members: Sequence[int] = (),
    *,
    rule: Rule | None = None,
    condition: str = "ProductTag",
    target: str = "PRODUCTS",
    collections: Sequence[int] = (),
    handle: str | None = None,
    html: str = "",
    sort: str | None = None,
    image: Node | None = None,
    seo: tuple[str | None, str | None] = (None, None),
    number: int | None = None,
    **fields: Any,
) -> int:
    """Add a collection and return its number.

    With a rule it has a conditions source, with `collections` a source of sub-collections, else none: merchants
    who choose products by hand have no `sources` entry.
    """
    number = number or shop.next_number()
    node: Node = {
        "__typename": "Collection",
        "id": gid("Collection", number),
        "legacyResourceId": str(number),
        "title": title,
        "handle": handle or title.lower().replace(" ", "-"),
        "descriptionHtml": html,
        "sortOrder": sort or ("BEST_SELLING" if rule else "MANUAL"),
        "templateSuffix": None,
        "image": image,
        "seo": {"__typename": "SEO", "title": seo[0], "description": seo[1]},
        "updatedAt": BORN,
        "metafields": [],
        "sources": [],
        "_members": members,
        "_rule": rule,
        **fields,
    }
    if rule is not None:
        node["sources"].append(_conditions(node, number, condition, target))
    if collections:
        node["sources"].append(
            {
                "__typename": "CollectionSubCollectionsSource",
                "id": gid("CollectionSubCollectionsSource", number),
                "title": f"{title}: sub-collections",
                "description": None,
                "_collections": list(collections),
            }
        )
    shop.collections.put(number, node)
    return number


def _conditions(collection: Node, number: int, condition: str, target: str) -> Node:
    kind = f"CollectionSourceInclusionCondition{condition}"
    return {
        "__typename": "CollectionConditionsSource",
        "id": gid("CollectionConditionsSource", number),
        "title": collection["title"],
        "description": None,
        "targetType": target,
        "shareable": False,
        "inclusion": {
            "__typename": "CollectionSourceInclusion",
            "matchType": "ALL",
            "conditions": [{"__typename": kind, "id": gid(kind, number)}],
        },
        "exclusion": None,
        "_collection": collection,
    }
