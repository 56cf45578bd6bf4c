"""What a discount applies to, or what must be bought for it.

The promise: what was not read is never "all". Scope `all` comes from Shopify's AllDiscountItems alone.
"""

from __future__ import annotations

from typing import Any

from salesbot_pipelines.catalog.model import Items
from salesbot_pipelines.catalog.normalise.context import Raw, ShopContext
from salesbot_pipelines.catalog.normalise.findings import Findings
from salesbot_pipelines.catalog.normalise.raw import connection, gid_of, ids_in_order

ALL = Items(collection_ids=[], complete=True, product_ids=[], scope="all", variant_ids=[])


def normalise_items(side: Any, context: ShopContext, pointer: str, findings: Findings, *, incomplete: bool) -> Items:
    """Return the items of one side of a discount (customerGets or customerBuys); `incomplete` if not drained."""
    raw: Raw = (side or {}).get("items") or {}
    if _is_all(raw):
        return ALL
    collections, collections_complete = connection(raw, "collections")
    products, products_complete = connection(raw, "products")
    variants, variants_complete = connection(raw, "productVariants")
    by_collection = raw.get("collections") is not None
    complete = not incomplete and (collections_complete if by_collection else products_complete and variants_complete)
    if not complete:
        were_read = len(collections) + len(products) + len(variants)
        findings.add(f"{pointer}/items", "truncated", f"{were_read} of its items were read, and there are more")
    return Items(
        collection_ids=ids_in_order(gid_of(node) for node in collections),
        complete=complete,
        product_ids=[gid for gid in ids_in_order(gid_of(node) for node in products) if context.is_published(gid)],
        scope="collections" if by_collection else "products",
        variant_ids=ids_in_order(gid_of(node) for node in variants if _is_public(node, context)),
    )


def _is_all(raw: Raw) -> bool:
    return raw.get("__typename") == "AllDiscountItems" or raw.get("allItems") is True


def _is_public(variant: Any, context: ShopContext) -> bool:
    """Say whether a variant's product is published; where its product was not selected, it counts as public."""
    product = gid_of(variant.get("product")) if isinstance(variant, dict) else None
    return product is None or context.is_published(product)
