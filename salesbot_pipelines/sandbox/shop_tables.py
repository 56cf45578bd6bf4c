"""What one shop keeps: its objects in tables, its settings, and what its app was granted."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from .clock import Clock, stamp
from .cost import Bucket
from .filters import EVERYTHING
from .ids import split_gid
from .plan import Refusal, access_denied
from .scopes import DEFAULT_SCOPES, NODE_SCOPES, is_granted
from .tables import Node, StoredTable, Table

API_VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")

Listener = Callable[[Any, str, Node], None]


def static_token(domain: str) -> str:
    """Return the token a shop takes besides OAuth's; it follows from the name, so that a test knows it."""
    return "shpat_" + hashlib.sha256(f"sandbox:{domain}".encode()).hexdigest()[:32]


class ShopTables:
    """Everything a shop keeps, without the verbs that change it.

    Tables hold plain dicts with the API's field names; entries that begin with `_` are ours and never leave.
    """

    def __init__(
        self,
        domain: str,
        node: Node,
        clock: Clock,
        *,
        scopes: Sequence[str] = DEFAULT_SCOPES,
        first_number: int = 7_000_000_000_001,
        bucket: Bucket | None = None,
    ) -> None:
        self.domain: str = domain
        self.node: Node = node
        self.clock: Clock = clock
        self.scopes: list[str] = list(scopes)
        self.bucket = bucket or Bucket(clock)
        self.token = static_token(domain)
        self.policies: list[Node] = []
        self.locales: list[Node] = []
        self.products: Table = StoredTable()
        self.variants: Table = StoredTable()
        self.items: Table = StoredTable()
        self.locations: Table = StoredTable()
        self.collections: Table = StoredTable()
        self.discounts: Table = StoredTable()
        self.subscriptions: Table = StoredTable()
        self.operations: Table = StoredTable()
        self.events: Table = StoredTable()
        self.listeners: list[Listener] = []
        self.lock = threading.RLock()
        self.frozen_status: int | None = None
        self.is_installed = True
        self.takes_static_token = True
        self.version = 0
        self._next = first_number
        self._members: dict[int, tuple[int, list[int]]] = {}

    @property
    def currency(self) -> str:
        return str(self.node["currencyCode"])

    @property
    def installation(self) -> Node:
        return {
            "__typename": "AppInstallation",
            "id": "gid://shopify/AppInstallation/1",
            "launchUrl": f"https://{self.domain}/admin/apps/sandbox",
        }

    @property
    def api_versions(self) -> list[Node]:
        return [
            {"__typename": "ApiVersion", "handle": handle, "displayName": handle, "supported": True}
            for handle in API_VERSIONS
        ]

    def next_number(self) -> int:
        """Return a number no object of this shop has, above all before it."""
        self._next += 1
        return self._next

    def begin_numbers_at(self, number: int) -> None:
        """Let new objects be numbered above `number`."""
        self._next = max(self._next, number)

    def stamp(self) -> str:
        """Return the time now, as the API writes it."""
        return stamp(self.clock.now())

    def all(self, table: str) -> list[Node]:
        """Return every object of a table, ascending."""
        return list(getattr(self, table).scan(*EVERYTHING))

    def lookup(self, text: str) -> Node | None:
        """Return the object with a global id."""
        wanted = split_gid(text)
        if wanted is None:
            return None
        kind, number = wanted
        if kind == "InventoryLevel":
            return self._level(text)
        if kind == "Shop":
            return self.node if self.node["id"] == text else None
        table = _TABLE_OF.get(kind)
        found: Node | None = getattr(self, table).get(number) if table else None
        return found

    def lookup_granted(self, text: str) -> Node | Refusal | None:
        """Return the object with a global id, or the refusal its missing scope earns."""
        node = self.lookup(text)
        scope = NODE_SCOPES.get(node["__typename"]) if node else None
        if scope and not is_granted(self.scopes, scope):
            return access_denied("node", scope, None)
        return node

    def _level(self, text: str) -> Node | None:
        _, _, query = text.partition("?inventory_item_id=")
        item = self.items.get(int(query)) if query.isdigit() else None
        return next((level for level in item["inventoryLevels"] if level["id"] == text), None) if item else None

    def members(self, collection: Node) -> Sequence[int]:
        """Return the numbers of a collection's products in the shop's order.

        Rules, and orders that follow from the products, are worked out anew after a change.
        """
        rule, order = collection.get("_rule"), _ORDERS.get(collection["sortOrder"])
        chosen: Sequence[int] = collection["_members"]
        if rule is None and order is None:
            return chosen
        number = int(collection["legacyResourceId"])
        known = self._members.get(number)
        if known is None or known[0] != self.version:
            if rule is None:
                products = [product for member in chosen if (product := self.products.get(member)) is not None]
            else:
                products = [product for product in self.products.scan(*EVERYTHING) if rule(product)]
            if order is not None:
                products.sort(key=order)
            known = self._members[number] = (self.version, [int(p["legacyResourceId"]) for p in products])
        return known[1]

    def collections_of(self, product: int) -> list[Node]:
        """Return the collections that hold a product."""
        return [node for node in self.all("collections") if product in self.members(node)]

    def tell(self, topic: str, payload: Node) -> None:
        """Report a change to whoever listens (webhooks do)."""
        self.version += 1
        for listener in self.listeners:
            listener(self, topic, payload)

    def counts(self) -> dict[str, int]:
        """Return how much of everything there is."""
        names = ("products", "variants", "locations", "collections", "discounts")
        return {name: getattr(self, name).count(*EVERYTHING) for name in names}


def _lowest_price(product: Node) -> Decimal:
    return min((Decimal(variant["price"]) for variant in product["variants"]), default=Decimal(0))


_ORDERS: dict[str, Callable[[Node], Any]] = {
    "ALPHA_ASC": lambda product: product["title"],
    "PRICE_ASC": _lowest_price,
    "PRICE_DESC": lambda product: -_lowest_price(product),
}
_TABLE_OF: dict[str, Any] = {
    "Product": "products",
    "ProductVariant": "variants",
    "InventoryItem": "items",
    "Location": "locations",
    "Collection": "collections",
    "DiscountNode": "discounts",
    "DiscountCodeNode": "discounts",
    "DiscountAutomaticNode": "discounts",
    "WebhookSubscription": "subscriptions",
    "BulkOperation": "operations",
    "BasicEvent": "events",
}
