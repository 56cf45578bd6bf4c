"""Reading only what changed in a shop whose last reading is still at hand.

The promise: what was read before and what is read here make the shop as a full reading would find it, as far as the
events tell; what no event told shows in the counts, which are compared as ever, or else at the next full reading.
What has no event for every change is read anew as a whole: the shop itself, its locations, its discounts. A changed
product is read whole with its stock, and so is every collection whose members or order may follow from it.
Anything that is not as plain as that ends in `FullReadNeeded`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.errors import QueryRejected
from salesbot_pipelines.shopify.changed import MOST_CHANGED, Changed, FullReadNeeded
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.collections import CollectionReader
from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.reading.context import Progress, RawSink, Reading
from salesbot_pipelines.shopify.reading.discounts import DiscountReader
from salesbot_pipelines.shopify.reading.holes import SectionUnread
from salesbot_pipelines.shopify.reading.ids import Numbers, number_of
from salesbot_pipelines.shopify.reading.inventory import InventoryReader
from salesbot_pipelines.shopify.reading.pages import Node, by_ids
from salesbot_pipelines.shopify.reading.places import read_locations, read_shop
from salesbot_pipelines.shopify.reading.preflight import Preflight, read_preflight
from salesbot_pipelines.shopify.reading.products import ProductReader
from salesbot_pipelines.shopify.reading.sections import may_read, read_section
from salesbot_pipelines.shopify.reading.settle import COLLECTIONS, DISCOUNTS, PRODUCTS, count, settle

MOST_DISCOUNTS = 500
"""Discounts that are read anew at each refresh: their usage and status change without an event."""

MOST_COLLECTIONS = 100
MOST_MEMBERS = 25_000
"""Members, added up over all collections, that are read again."""

_AT_ONCE = 250
_LAG_SECONDS = 2.0  # counts may lag behind what they count


class Stored(Protocol):
    """What the last reading knows of how things hang together. Numbers in, numbers out."""

    def products_of(self, *, items: Collection[int], variants: Collection[int]) -> set[int]:
        """Return the products that had these inventory items or variants."""
        ...

    def holding(self, products: Collection[int]) -> Mapping[int, set[int]]:
        """Return, for each product, the collections it was in."""
        ...

    def ordered_by_hand(self, collections: Collection[int]) -> set[int]:
        """Return those of the collections whose order follows from nothing."""
        ...

    def made_of(self, collections: Collection[int]) -> set[int]:
        """Return these collections and all that were made of them, through any number of steps."""
        ...

    def members(self, collections: Collection[int]) -> int:
        """Return how many members these collections had together."""
        ...


@dataclass(frozen=True)
class Delta:
    """The account of one such reading. The objects themselves went to the sink, each once.

    `gone` has the numbers of what was asked for and is no more, by entity; `read` names the entities that were read
    or asked about. Counts are Shopify's own.
    """

    api_version: str
    fetched_at: datetime
    omissions: tuple[Omission, ...]
    counts_start: dict[str, int | None]
    counts_end: dict[str, int | None]
    discounts: int | None
    read: tuple[str, ...]
    gone: dict[str, frozenset[int]]
    products: frozenset[int]
    """Those that were asked for, whether they are still there or not."""
    dropped: dict[str, frozenset[int]]
    """Numbers of objects that were written and are gone since, of what is read as a whole."""


def read_delta(
    client: AdminClient,
    sink: RawSink,
    changed: Changed,
    stored: Stored,
    *,
    namespaces: Sequence[str] = ("custom",),
    progress: Progress | None = None,
) -> Delta:
    """Read what changed into `sink`, in the order of a full reading.

    Raises `FullReadNeeded`, and what a full reading raises.
    """
    fetched_at = client.clock.now()
    preflight = read_preflight(client)
    _require_few_discounts(preflight)
    reading = Reading(
        client, sink, tuple(namespaces), progress, scopes=preflight.scopes, totals=dict(preflight.counts)
    )
    try:
        return _DeltaReading(reading, preflight, changed, stored).read(fetched_at)
    except SectionUnread as unread:
        raise FullReadNeeded(f"Shopify did not tell what changed: {unread or 'no reason given'}") from None
    except QueryRejected as rejected:
        raise FullReadNeeded(f"a question was refused: {rejected.public_text}") from None


def settled_count(client: AdminClient, entity: str, numbers: Sequence[int], begun_with: int | None) -> int | None:
    """Return Shopify's count of products or collections, asked again when it may lag behind the known `numbers`."""
    listing = {"products": PRODUCTS, "collections": COLLECTIONS}[entity]
    known = Numbers(numbers)
    counted = count(client, listing, known)
    if agrees(len(known), begun_with, counted):
        return counted
    client.clock.sleep(_LAG_SECONDS)
    return count(client, listing, known)


def agrees(found: int, begun_with: int | None, ended_with: int | None) -> bool:
    """Say whether a number lies between Shopify's two counts; with none there is nothing to disagree with."""
    known = [counted for counted in (begun_with, ended_with) if counted is not None]
    return not known or min(known) <= found <= max(known)


def variants_now(client: AdminClient) -> int | None:
    """Return how many variants the shop has, None where Shopify does not count so far."""
    return exact(client.execute(load("variants_count")).data.get("found"))


def _require_few_discounts(preflight: Preflight) -> None:
    if "discounts" in preflight.counts:
        found = preflight.counts["discounts"]
        if found is None or found > MOST_DISCOUNTS:
            raise FullReadNeeded(f"the shop has {'very many' if found is None else found} discounts")


class _DeltaReading:
    def __init__(self, reading: Reading, preflight: Preflight, changed: Changed, stored: Stored) -> None:
        self._reading = reading
        self._client = reading.client
        self._preflight = preflight
        self._changed = changed
        self._stored = stored
        self._items_gone: set[int] = set()

    def read(self, fetched_at: datetime) -> Delta:
        """Read everything; the order is the one of a full reading, for its reasons."""
        reading = self._reading
        read_shop(reading)
        products = self._products()
        collections = self._collections(products)
        if may_read(reading, "discounts", "read_discounts"):
            discounts = DiscountReader(reading)
            read_section(reading, "discounts", discounts.read, lambda: settle(reading, DISCOUNTS, discounts))
        CollectionReader(reading).read_ids(_gids("Collection", collections))
        reading.step("collections")
        ProductReader(reading).read_ids(_gids("Product", products))
        reading.step("products")
        if may_read(reading, "inventory", "read_inventory"):
            InventoryReader(reading).read_missed()
            reading.read.append("inventory")
        if may_read(reading, "locations", "read_locations"):
            read_section(reading, "locations", lambda: read_locations(reading))
        return Delta(
            api_version=self._preflight.api_version,
            fetched_at=fetched_at,
            omissions=reading.holes.all(),
            counts_start=dict(self._preflight.counts),
            counts_end=dict(reading.counts_end),
            discounts=reading.found("discounts") if "discounts" in reading.read else None,
            read=("shop", "collections", "products", *reading.read),
            gone={
                "products": frozenset(products.difference(reading.seen["products"])),
                "collections": frozenset(collections.difference(reading.seen["collections"])),
                "inventory": frozenset(self._items_gone),
            },
            products=frozenset(products),
            dropped={"discounts": frozenset(reading.dropped["discounts"])},
        )

    def _products(self) -> set[int]:
        """Return the products to read: those that were named, and those behind what was named."""
        changed, stored = self._changed, self._stored
        found = set(changed.products)
        behind, gone = self._owners(
            [*_gids("InventoryItem", changed.items), *_gids("ProductVariant", changed.variants)]
        )
        self._items_gone = gone & changed.items
        # What is no more cannot be asked whose it was.
        return found | behind | stored.products_of(items=self._items_gone, variants=gone & changed.variants)

    def _owners(self, gids: Sequence[str]) -> tuple[set[int], set[int]]:
        """Return the products of inventory items and variants, and the numbers of those that are gone."""
        owners: set[int] = set()
        gone: set[int] = set()
        for gid, node in self._ask("owners", gids, {"variantsFirst": 10}):
            if node is None:
                gone.add(number_of(gid))
            elif "variants" in node:
                owners.update(number_of(variant["product"]["id"]) for variant in _whole(node, "variants"))
            else:
                owners.add(number_of((node.get("product") or {}).get("id")))
        return owners, gone

    def _collections(self, products: set[int]) -> set[int]:
        """Return the collections to read: those that were named, and those that may follow from the products."""
        stored = self._stored
        if len(products) + len(self._changed.collections) > MOST_CHANGED:
            raise FullReadNeeded(f"more than {MOST_CHANGED} objects changed")
        before = stored.holding(products)
        after = {
            number_of(gid): {number_of(held["id"]) for held in _whole(node, "collections")} if node else set()
            for gid, node in self._ask("product_collections", _gids("Product", products), {"collectionsFirst": 250})
        }
        stayed: set[int] = set()
        moved: set[int] = set()
        for product in products:
            was, now = before.get(product, set()), after.get(product, set())
            stayed |= was & now
            moved |= was ^ now
        following = stayed - stored.ordered_by_hand(stayed)
        wanted = stored.made_of(self._changed.collections | moved | following)
        members = stored.members(wanted)
        if len(wanted) > MOST_COLLECTIONS or members > MOST_MEMBERS:
            raise FullReadNeeded(f"{len(wanted)} collections of {members} products follow from what changed")
        return wanted

    def _ask(self, query: str, gids: Sequence[str], variables: dict[str, Any]) -> Iterator[tuple[str, Node | None]]:
        rest = list(gids)
        for answer, nodes in by_ids(self._client, load(query), gids, variables):
            chunk, rest = rest[: len(nodes)], rest[len(nodes) :]
            if answer.problems:
                raise SectionUnread(answer.problems[0])
            yield from zip(chunk, nodes, strict=True)


def _whole(node: Node, name: str) -> list[Node]:
    """Return the nodes of a connection; raise `FullReadNeeded` when they are not all."""
    connection = node.get(name)
    nodes = connection.get("nodes") if isinstance(connection, dict) else None
    info = connection.get("pageInfo") if isinstance(connection, dict) else None
    if (
        not isinstance(nodes, list)
        or None in nodes
        or not isinstance(info, dict)
        or info.get("hasNextPage") is not False
    ):
        raise FullReadNeeded(f"{node.get('id')} has more {name} than one answer tells")
    return nodes


def _gids(kind: str, numbers: Collection[int]) -> list[str]:
    return [f"gid://shopify/{kind}/{number}" for number in sorted(numbers)]
