"""Reading a whole shop: every entity of it, object by object, into a sink.

The promise: complete or says so. What could not be read is named in the omissions and never left as an empty list;
what was read is counted against Shopify's own figures; every object is the shop's of some moment between start and
end. Memory does not grow with the catalogue but for eight bytes an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.errors import QueryRejected, ShopifyUnavailable
from salesbot_pipelines.shopify.bulk import Patience
from salesbot_pipelines.shopify.bulk_memory import History, OperationMemory
from salesbot_pipelines.shopify.client import AdminClient, Stats
from salesbot_pipelines.shopify.goods import Goods, read_goods, read_members
from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.collections import FIRST_PRODUCTS, CollectionReader
from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.reading.context import Progress, RawSink, Reading
from salesbot_pipelines.shopify.reading.discounts import DiscountReader
from salesbot_pipelines.shopify.reading.holes import SectionUnread
from salesbot_pipelines.shopify.reading.pages import by_ids
from salesbot_pipelines.shopify.reading.places import read_locations, read_shop
from salesbot_pipelines.shopify.reading.preflight import Preflight, read_preflight, scopes_in
from salesbot_pipelines.shopify.reading.sections import may_read, read_section
from salesbot_pipelines.shopify.reading.settle import COLLECTIONS, DISCOUNTS, settle
from salesbot_pipelines.workers.sharing import Share

__all__ = ["ENTITIES", "RawSink", "Snapshot", "granted_scopes", "read_snapshot", "still_there"]

ENTITIES = ("shop", "locations", "products", "inventory", "collections", "discounts")
"""What is read, and the names the sink gets it under."""

Method = Literal["paged", "bulk", "auto"]

_PAGED_SECONDS = 60.0
_POINTS_A_PRODUCT, _POINTS_A_VARIANT = 1.4, 0.3  # of pages of full size; measured with three variants a product

MOST_NAMESPACES = 8
"""Each namespace is asked in every product and variant; more would cost more than one query may."""


@dataclass(frozen=True)
class Snapshot:
    """The account of one reading. The objects themselves went to the sink.

    What the sink got is the shop once these rules are applied:

    - `dropped`: numbers of objects, by entity, that were written and were gone by the end. Leave them out. (A
    number that stands here never comes again: Shopify gives a number once.) - Objects come in no particular order:
    what the listing missed is written after it. Each is written once. - `restart(entity)` was called when all that
    was written of an entity until then does not count. - An object's own `incomplete` names its connections that
    are not whole.

    `counts_read` has what was read less what was dropped, and no key for an entity that is in the omissions
    instead. `counts_start` and `counts_end` are Shopify's own figures before the reading and right after each
    entity; None where it gives no exact one. Variants are counted too; their end count is None when each product's
    own count agreed, which proves more than a total that moves while it is read.
    """

    api_version: str
    fetched_at: datetime
    method: str
    omissions: tuple[Omission, ...]
    counts_start: dict[str, int | None]
    counts_end: dict[str, int | None]
    counts_read: dict[str, int]
    stats: Stats
    dropped: dict[str, frozenset[int]] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    scopes: frozenset[str] = frozenset()
    bulk_failure: str | None = None
    adopted: Mapping[str, str] = field(default_factory=dict)
    """The ids of earlier readings' bulk operations whose results were used, by name."""


def read_snapshot(
    client: AdminClient,
    sink: RawSink,
    *,
    namespaces: Sequence[str] = ("custom",),
    progress: Progress | None = None,
    method: Method = "paged",
    patience: Patience | None = None,
    scratch: Path | None = None,
    operations: OperationMemory | None = None,
    adopt: bool = False,
    share: Share = map,
) -> Snapshot:
    """Read the whole shop into `sink` and return the account of it.

    `method` is how products, stock and long collections are read: "paged"; "bulk", by bulk operations; "auto", by
    bulk when paging would take longer than a minute at the rate Shopify grants. All give the same nodes. When bulk
    is refused, fails or turns out not to be whole, pages are read instead, in the same run; the reason is in
    `Snapshot.bulk_failure`, and `method` says what came of it. Bulk results lie in a folder of their own below
    `scratch` (the system's by default) meanwhile.

    `operations` remembers bulk operations beyond this process. With `adopt` those that an earlier reading began are
    gone on with where they give the same; otherwise they are cancelled. A reading that used one began when that
    one's reading did (`fetched_at`), and `adopted` names it.

    `share` does what `map` does, and may have help in putting bulk results together.

    The order is what refers before what is referred to: discounts name collections and products, collections name
    products, products name inventory items, levels name locations. So a reference that was read finds its target in
    what is read later, unless that was deleted meanwhile; and stock, which moves most, is read last.

    Raises `NeedsReauth` when read_products is missing, `WrongApiVersion` when another version answers or none is
    told, `SnapshotUnstable` when the catalogue changes faster than it can be compared, and the client's errors.
    """
    if len(namespaces) > MOST_NAMESPACES:
        raise QueryRejected(
            f"{len(namespaces)} metafield namespaces are configured, {MOST_NAMESPACES} can be read",
            shop=client.shop,
            advice="shorten SALESBOT_METAFIELD_NAMESPACES",
        )
    fetched_at = client.clock.now()
    before = client.stats
    preflight = read_preflight(client)
    reading = Reading(
        client, sink, tuple(namespaces), progress, share, scopes=preflight.scopes, totals=dict(preflight.counts)
    )
    read_shop(reading)
    history = None if operations is None else History(operations, fetched_at, preflight.scopes, adopt)
    goods = _read_entities(reading, _chosen(method, client, preflight), patience, scratch, history)
    return _account(reading, preflight, fetched_at, before, goods)


def still_there(client: AdminClient, ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
    """Return {"id", "status", "publishedAt"} for each product that exists, None for each that is gone.

    Raises `ShopifyUnavailable` when Shopify does not say.
    """
    found: dict[str, dict[str, Any] | None] = {}
    wanted = list(ids)
    try:
        for _, nodes in by_ids(client, load("still_there"), wanted):
            chunk, wanted = wanted[: len(nodes)], wanted[len(nodes) :]
            for gid, node in zip(chunk, nodes, strict=True):
                found[gid] = None if node is None else {key: node.get(key) for key in ("id", "status", "publishedAt")}
    except SectionUnread as unread:
        raise ShopifyUnavailable(f"{client.shop} does not answer for ids: {unread}", shop=client.shop) from None
    return found


def granted_scopes(client: AdminClient) -> frozenset[str]:
    """Return the scopes the app holds in this shop now; the cheapest way to learn that a token lives."""
    return scopes_in(client.execute(load("scopes")).data, client.shop)


def _chosen(method: Method, client: AdminClient, preflight: Preflight) -> bool:
    """Say whether products and stock are asked for by bulk operations."""
    if method != "auto":
        return method == "bulk"
    products, variants = preflight.counts["products"], preflight.counts["variants"]
    if products is None or variants is None:
        return True  # more than Shopify counts
    points = _POINTS_A_PRODUCT * products + _POINTS_A_VARIANT * variants
    return points > _PAGED_SECONDS * client.restore_rate


def _read_entities(
    reading: Reading, by_bulk: bool, patience: Patience | None, scratch: Path | None, history: History | None
) -> Goods:
    """Read everything but the shop itself; return how products and stock were read."""
    if may_read(reading, "discounts", "read_discounts"):
        discounts = DiscountReader(reading)
        read_section(reading, "discounts", discounts.read, lambda: settle(reading, DISCOUNTS, discounts))
    members = read_members(reading, scratch, longer_than=FIRST_PRODUCTS) if by_bulk else None
    collections = CollectionReader(reading, members)
    read_section(reading, "collections", collections.read, lambda: settle(reading, COLLECTIONS, collections))
    goods = read_goods(reading, by_bulk, patience, scratch, history)
    if may_read(reading, "locations", "read_locations"):
        read_section(reading, "locations", lambda: read_locations(reading))
    return goods


def _account(reading: Reading, preflight: Preflight, fetched_at: datetime, before: Stats, goods: Goods) -> Snapshot:
    counts_start = dict(preflight.counts)
    counts_end = dict(reading.counts_end)
    counts_end["variants"] = exact(reading.client.execute(load("variants_count")).data.get("found"))
    counts_read = {entity: reading.found(entity) for entity in reading.read} | {
        "shop": 1,
        "variants": reading.variants,
    }
    if reading.variants_proved and not _within(counts_start["variants"], reading.variants, counts_end["variants"]):
        counts_start["variants"] = counts_end["variants"] = None
    return Snapshot(
        api_version=preflight.api_version,
        fetched_at=min([fetched_at, *(known.began_at for known in goods.adopted.values())]),
        method="bulk" if reading.by_bulk else "paged",
        bulk_failure=goods.failure,
        adopted={name: known.gid for name, known in goods.adopted.items()},
        omissions=reading.holes.all(),
        counts_start=counts_start,
        counts_end=counts_end,
        counts_read=counts_read,
        stats=reading.client.stats.since(before),
        dropped={entity: frozenset(numbers) for entity, numbers in reading.dropped.items() if numbers},
        duplicates={entity: count for entity, count in reading.duplicates.items() if count},
        scopes=preflight.scopes,
    )


def _within(one: int | None, found: int, other: int | None) -> bool:
    known = [count for count in (one, other) if count is not None]
    return bool(known) and min(known) <= found <= max(known)
