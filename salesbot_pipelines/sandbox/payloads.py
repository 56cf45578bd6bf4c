"""The bodies of webhooks: the older, snake_case shapes of the same objects, with numbers for ids.

Nobody should read more than the ids from them; they are given in full so that a reader who does is found out.
"""

from __future__ import annotations

from .ids import number_of
from .tables import Node


def product(node: Node) -> Node:
    """Return the body of products/create and products/update."""
    return {
        "admin_graphql_api_id": node["id"],
        "id": number_of(node["id"]),
        "title": node["title"],
        "handle": node["handle"],
        "body_html": node["descriptionHtml"],
        "vendor": node["vendor"],
        "product_type": node["productType"],
        "status": node["status"].lower(),
        "tags": ", ".join(node["tags"]),
        "published_scope": "global",
        "created_at": offset(node["createdAt"]),
        "updated_at": offset(node["updatedAt"]),
        "published_at": offset(node["publishedAt"]),
        "template_suffix": node["templateSuffix"],
        "variants": [_variant(node, entry) for entry in node["variants"]],
        "images": [],
    }


def _variant(node: Node, entry: Node) -> Node:
    return {
        "admin_graphql_api_id": entry["id"],
        "id": number_of(entry["id"]),
        "product_id": number_of(node["id"]),
        "title": entry["title"],
        "sku": entry["sku"],
        "barcode": entry["barcode"],
        "price": entry["price"],
        "compare_at_price": entry["compareAtPrice"],
        "position": entry["position"],
        "inventory_policy": entry["inventoryPolicy"].lower(),
        "inventory_item_id": number_of(entry["inventoryItem"]["id"]),
        "inventory_quantity": entry["inventoryQuantity"],
        "updated_at": offset(entry["updatedAt"]),
    }


def level(node: Node) -> Node:
    """Return the body of inventory_levels/update."""
    return {
        "admin_graphql_api_id": node["id"],
        "inventory_item_id": node["_item"],
        "location_id": node["_location"],
        "available": node["_quantities"]["available"],
        "updated_at": offset(node["updatedAt"]),
    }


def item(node: Node) -> Node:
    """Return the body of inventory_items/create and inventory_items/update."""
    return {
        "admin_graphql_api_id": node["id"],
        "id": number_of(node["id"]),
        "sku": node["sku"],
        "tracked": node["tracked"],
        "requires_shipping": node["requiresShipping"],
        "created_at": offset(node["createdAt"]),
        "updated_at": offset(node["updatedAt"]),
    }


def collection(node: Node) -> Node:
    """Return the body of collections/create and collections/update."""
    return {
        "admin_graphql_api_id": node["id"],
        "id": number_of(node["id"]),
        "title": node["title"],
        "handle": node["handle"],
        "body_html": node["descriptionHtml"],
        "sort_order": node["sortOrder"].lower().replace("_", "-"),
        "updated_at": offset(node["updatedAt"]),
    }


def discount(node: Node) -> Node:
    """Return the body of discounts/*."""
    return {
        "admin_graphql_api_id": node["id"],
        "title": node["discount"]["title"],
        "status": node["discount"]["status"],
        "created_at": node["discount"]["createdAt"],
        "updated_at": node["discount"]["updatedAt"],
    }


def shop(node: Node) -> Node:
    """Return the body of shop/update and app/uninstalled."""
    return {
        "id": number_of(node["id"]),
        "name": node["name"],
        "domain": node["primaryDomain"]["host"],
        "myshopify_domain": node["myshopifyDomain"],
        "currency": node["currencyCode"],
        "updated_at": offset(node["updatedAt"]),
    }


def offset(stamp: str | None) -> str | None:
    """Write a time as webhook bodies do: in the shop's offset, here -05:00 without a change of the clock face."""
    if stamp is None:
        return None
    hour = int(stamp[11:13])
    return stamp if hour < 5 else f"{stamp[:11]}{hour - 5:02d}{stamp[13:19]}-05:00"
