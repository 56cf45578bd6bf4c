"""The fields of QueryRoot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .filters import EVERYTHING, Filter, UnknownFilter, read_filter
from .ids import split_gid
from .paging import Listing, Picked, RefusedField, tell_count
from .tables import Node

if TYPE_CHECKING:
    from .shop import Shop

Resolve = Callable[[Node, "Shop", dict[str, Any]], Any]
Source = Listing | Picked | Sequence[Node]

_SORTS = {
    "NAME": "name",
    "TITLE": "title",
    "CREATED_AT": "createdAt",
    "UPDATED_AT": "updatedAt",
    "PUBLISHED_AT": "publishedAt",
    "STARTS_AT": "startsAt",
    "ENDS_AT": "endsAt",
    "COMPLETED_AT": "completedAt",
    "VENDOR": "vendor",
    "PRODUCT_TYPE": "productType",
    "INVENTORY_TOTAL": "totalInventory",
    "INVENTORY_QUANTITY": "inventoryQuantity",
    "SKU": "sku",
}
_IN_NUMBER_ORDER = ("ID", "RELEVANCE", "POSITION", None)


def _filter(text: str | None) -> Filter:
    try:
        return read_filter(text)
    except UnknownFilter as error:
        raise RefusedField(f"This sandbox cannot read the query: {error}") from error


def _sorted(listing: Listing, arguments: dict[str, Any]) -> Source:
    key, backwards = arguments.get("sortKey"), bool(arguments.get("reverse"))
    if key in _IN_NUMBER_ORDER and not backwards:
        return listing
    nodes = listing.all()
    if key not in _IN_NUMBER_ORDER:
        if key not in _SORTS:
            raise RefusedField(f"This sandbox does not sort by {key}")
        name = _SORTS[key]
        nodes.sort(key=lambda found: str(found.get("discount", found).get(name) or ""))
    return nodes[::-1] if backwards else nodes


def _listing(table: str) -> Resolve:
    def resolve(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Source:
        return _sorted(Listing(getattr(shop, table), _filter(arguments.get("query"))), arguments)

    return resolve


def _count(table: str) -> Resolve:
    def resolve(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Node:
        found = Listing(getattr(shop, table), _filter(arguments.get("query"))).count()
        return tell_count(found, arguments.get("limit"))

    return resolve


def _one(kind: str) -> Resolve:
    def resolve(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Node | None:
        wanted = split_gid(arguments["id"]) if arguments.get("id") else None
        if wanted is None:
            raise RefusedField(f"Invalid global id '{arguments.get('id')}'", "INVALID_ID")
        node = shop.lookup(arguments["id"])
        return node if node is not None and node["__typename"] == kind else None

    return resolve


def _locations(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Source:
    asked = _filter(arguments.get("query"))
    tests = list(asked.tests)
    if not arguments.get("includeInactive"):
        tests.append(lambda node: node["isActive"])
    if not arguments.get("includeLegacy"):
        tests.append(lambda node: not node["isFulfillmentService"])
    return _sorted(Listing(shop.locations, Filter(asked.above, asked.below, tests)), arguments)


def _location(node: Node, shop: Shop, arguments: dict[str, Any]) -> Node | None:
    """Without an id, the first location answers, as the primary one does."""
    if arguments.get("id"):
        found: Node | None = _one("Location")(node, shop, arguments)
        return found
    return next(iter(shop.all("locations")), None)


def _codes_count(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Node:
    codes = sum(len(node["discount"].get("codes", ())) for node in shop.discounts.scan(*EVERYTHING))
    return tell_count(codes, arguments.get("limit"))


def _node(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Any:
    return shop.lookup_granted(arguments["id"])


def _nodes(_node: Node, shop: Shop, arguments: dict[str, Any]) -> list[Any]:
    ids = arguments["ids"]
    if len(ids) > 250:
        raise RefusedField(
            f"The input array size of {len(ids)} is greater than the maximum allowed of 250.",
            "MAX_INPUT_SIZE_EXCEEDED",
        )
    return [shop.lookup_granted(text) for text in ids]


def _subscriptions(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Source:
    topics, uri = arguments.get("topics"), arguments.get("uri")
    tests: list[Callable[[Node], bool]] = []
    if topics:
        tests.append(lambda node: node["topic"] in topics)
    if uri is not None:
        tests.append(lambda node: node["uri"] == uri)
    asked = _filter(arguments.get("query"))
    return Listing(shop.subscriptions, Filter(asked.above, asked.below, [*asked.tests, *tests]))


def _latest_operation(_node: Node, shop: Shop, _arguments: dict[str, Any]) -> Node | None:
    operations = list(shop.operations.scan(*EVERYTHING))
    return operations[-1] if operations else None


ROOTS: dict[str, Resolve] = {
    "shop": lambda _node, shop, _arguments: shop.node,
    "shopLocales": lambda _node, shop, arguments: [
        locale for locale in shop.locales if locale["published"] or not arguments.get("published")
    ],
    "currentAppInstallation": lambda _node, shop, _arguments: shop.installation,
    "publicApiVersions": lambda _node, shop, _arguments: shop.api_versions,
    "productsCount": _count("products"),
    "productVariantsCount": _count("variants"),
    "collectionsCount": _count("collections"),
    "locationsCount": _count("locations"),
    "discountNodesCount": _count("discounts"),
    "discountCodesCount": _codes_count,
    "webhookSubscriptionsCount": _count("subscriptions"),
    "locations": _locations,
    "location": _location,
    "products": _listing("products"),
    "product": _one("Product"),
    "productVariants": _listing("variants"),
    "productVariant": _one("ProductVariant"),
    "inventoryItems": _listing("items"),
    "inventoryItem": _one("InventoryItem"),
    "inventoryLevel": _one("InventoryLevel"),
    "collections": _listing("collections"),
    "collection": _one("Collection"),
    "discountNodes": _listing("discounts"),
    "discountNode": _one("DiscountNode"),
    "node": _node,
    "nodes": _nodes,
    "webhookSubscriptions": _subscriptions,
    "webhookSubscription": _one("WebhookSubscription"),
    "bulkOperations": _listing("operations"),
    "bulkOperation": _one("BulkOperation"),
    "currentBulkOperation": _latest_operation,
    "events": _listing("events"),
    "event": _one("BasicEvent"),
}
