"""A sandbox in the time of a fake clock, a sink that keeps what it gets, and two views of a shop to compare.

`truth` looks into the sandbox's own tables, `told` at the raw nodes that were read: both as plain values by entity
and number, so that equal means equal.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from salesbot_pipelines.sandbox.build_parts import media_image, metafield
from salesbot_pipelines.sandbox.build_products import NewVariant
from salesbot_pipelines.sandbox.build_shop import add_location, open_shop
from salesbot_pipelines.sandbox.sandbox import Sandbox
from salesbot_pipelines.sandbox.server import SandboxServer
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.sandbox.tables import Node
from salesbot_pipelines.shopify import queries
from salesbot_pipelines.shopify.client import AdminClient, open_http
from salesbot_pipelines.shopify.nodes import node_of
from salesbot_pipelines.shopify.snapshot import Snapshot, read_snapshot
from salesbot_pipelines.shopify.tokens import StaticToken
from salesbot_pipelines_tests.shopify.wire import VERSION, FakeClock

View = dict[str, dict[int, Any]]


class Sink:
    """Takes nodes as the refresh does: a restarted entity is forgotten, a dropped number is left out."""

    def __init__(self) -> None:
        self.nodes: defaultdict[str, list[Node]] = defaultdict(list)
        self.restarted: list[str] = []

    def write(self, entity: str, node: Mapping[str, Any]) -> None:
        self.nodes[entity].append(dict(node))

    def write_lines(self, entity: str, lines: Sequence[bytes]) -> None:
        for line in lines:
            self.write(entity, node_of(line))

    def restart(self, entity: str) -> None:
        self.nodes[entity].clear()
        self.restarted.append(entity)

    def settled(self, snapshot: Snapshot) -> dict[str, dict[int, Node]]:
        """Return the nodes by number; a number that comes twice is a failure."""
        found: dict[str, dict[int, Node]] = {}
        for entity, nodes in self.nodes.items():
            by_number: dict[int, Node] = {}
            for node in nodes:
                number = 0 if entity == "shop" else number_in(node["id"])
                assert number not in by_number, f"{entity} {number} was written twice"
                by_number[number] = node
            for number in snapshot.dropped.get(entity, ()):
                by_number.pop(number, None)
            found[entity] = by_number
        return found


class Bench:
    """A running sandbox, and clients of its shops."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        sandbox = Sandbox(clock=self.clock)
        self.world = sandbox.world
        self.server = SandboxServer(sandbox)
        self.http = open_http()
        self.faults = self.server.sandbox.faults
        self.calls = self.server.sandbox.calls
        self._names = itertools.count(1)

    def open(self, **settings: Any) -> Shop:
        """Add a shop with one location."""
        shop = self.world.add(open_shop(f"bench-{next(self._names)}.myshopify.com", self.clock, **settings))
        shop.bucket.unlimited = True
        add_location(shop, "Main Street")
        return shop

    def client(self, shop: Shop, *, page: int | None = None, **more: Any) -> AdminClient:
        """Return a client that asks for `page` objects at most."""
        tokens = more.pop("tokens", StaticToken(shop.token))
        client = AdminClient(
            shop.domain,
            tokens,
            self.http,
            api_version=VERSION,
            shop_url=self.server.shop_url,
            clock=self.clock,
            **more,
        )
        if page is not None:
            for name in queries.names():
                client.costs.too_much(queries.load(name), {"first": 2 * page})
        return client

    def read(
        self, shop: Shop, *, page: int | None = None, namespaces=("custom",), **more: Any
    ) -> tuple[Snapshot, Sink]:
        """Read a shop."""
        sink = Sink()
        return read_snapshot(self.client(shop, page=page, **more), sink, namespaces=namespaces), sink


def gid(number: int, kind: str = "Product") -> str:
    return f"gid://shopify/{kind}/{number}"


def number_in(gid: str) -> int:
    return int(gid.partition("?")[0].rpartition("/")[2])


def truth(shop: Shop, namespaces=("custom",)) -> View:
    """Return what the shop really is."""
    with shop.lock:
        return {
            "products": {number_in(p["id"]): _true_product(p, namespaces) for p in shop.all("products")},
            "inventory": {number_in(i["id"]): _levels(i["inventoryLevels"]) for i in shop.all("items")},
            "locations": {number_in(n["id"]): n["name"] for n in shop.all("locations")},
            "collections": {number_in(c["id"]): (c["title"], list(shop.members(c))) for c in shop.all("collections")},
            "discounts": {number_in(d["id"]): _true_discount(d["discount"]) for d in shop.all("discounts")},
        }


def told(nodes: dict[str, dict[int, Node]]) -> View:
    """Return the same of what was read."""

    def of(entity: str, view: Any) -> dict[int, Any]:
        return {number: view(node) for number, node in nodes.get(entity, {}).items()}

    return {
        "products": of("products", _told_product),
        "inventory": of("inventory", lambda n: [_told_level(level) for level in n["inventoryLevels"]]),
        "locations": of("locations", lambda n: n["name"]),
        "collections": of("collections", lambda n: (n["title"], [number_in(gid) for gid in n["product_ids"]])),
        "discounts": of("discounts", lambda n: _told_discount(n["discount"])),
    }


def _true_product(product: Node, namespaces) -> Any:
    return (
        product["title"],
        product["status"],
        [media["id"] for media in product["media"]],
        _true_metafields(product, namespaces),
        [
            (
                number_in(v["id"]),
                v["price"],
                v["inventoryQuantity"],
                [media["id"] for media in v.get("media", ())],
                _true_metafields(v, namespaces),
            )
            for v in product["variants"]
        ],
    )


def _true_metafields(node: Node, namespaces) -> list[Any]:
    own = node.get("metafields", ())
    return sorted((m["namespace"], m["key"], m["value"]) for m in own if m["namespace"] in namespaces)


def _told_product(product: Node) -> Any:
    return (
        product["title"],
        product["status"],
        [media["id"] for media in product["media"]],
        _told_metafields(product),
        [
            (
                number_in(v["id"]),
                v["price"],
                v["inventoryQuantity"],
                [media["id"] for media in v["media"]],
                _told_metafields(v),
            )
            for v in product["variants"]
        ],
    )


def _told_metafields(node: Node) -> list[Any]:
    return sorted((m["namespace"], m["key"], m["value"]) for m in node["metafields"])


def _levels(levels: list[Node]) -> list[Any]:
    return [(level["_location"], level["_quantities"]["available"]) for level in levels]


def _told_level(level: Node) -> Any:
    available = next(q["quantity"] for q in level["quantities"] if q["name"] == "available")
    return number_in(level["location"]["id"]), available


def _true_discount(discount: Node) -> Any:
    return (
        discount["__typename"],
        discount["title"],
        [code["code"] for code in discount.get("codes", ())],
        _true_items(discount.get("customerGets")),
        _true_items(discount.get("customerBuys")),
    )


def _true_items(side: Node | None) -> Any:
    items = (side or {}).get("items") or {}
    return [list(items.get(name, ())) for name in ("_products", "_variants", "_collections")]


def _told_discount(discount: Node) -> Any:
    return (
        discount["__typename"],
        discount["title"],
        [code["code"] for code in discount.get("codes", ())],
        _told_items(discount.get("customerGets")),
        _told_items(discount.get("customerBuys")),
    )


def _told_items(side: Node | None) -> Any:
    items = (side or {}).get("items") or {}
    return [
        [number_in(node["id"]) for node in items.get(name, ())]
        for name in ("products", "productVariants", "collections")
    ]


def picture(number: int) -> dict[str, Any]:
    return media_image(number, f"https://cdn.shopify.com/{number}.jpg", alt=f"View {number}")


def note(number: int, namespace: str = "custom") -> dict[str, Any]:
    return metafield(number, namespace, f"key_{number}", "single_line_text_field", f"value {number}")


def location_of(shop: Shop) -> int:
    return number_in(shop.all("locations")[0]["id"])


def stock(shop: Shop, count: int) -> list[NewVariant]:
    place = location_of(shop)
    return [NewVariant(f"{n}.50", (f"V{n}",), sku=f"S{n}", stock={place: n}) for n in range(1, count + 1)]


def read_and_compare(bench: Bench, shop: Shop, **how: Any):
    snapshot, sink = bench.read(shop, **how)
    nodes = sink.settled(snapshot)
    namespaces = how.get("namespaces", ("custom",))
    assert told(nodes) == truth(shop, namespaces)
    assert snapshot.omissions == ()
    assert not any("incomplete" in node for of_entity in nodes.values() for node in of_entity.values())
    return snapshot, nodes
