"""Proving that a listing was read whole: count, and where the count differs, compare ids.

The promise: what is settled has as many objects as Shopify counts, or as many as it counted while they were
compared. Each object is the shop's of some moment during the reading: one that was made meanwhile is fetched, one
that has gone is dropped when Shopify no longer knows its id. What keeps changing faster than it can be compared is
`SnapshotUnstable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from salesbot_pipelines.errors import SnapshotUnstable
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.ids import Numbers, number_of
from salesbot_pipelines.shopify.reading.pages import WINDOW, by_ids, walk

_ROUNDS = 4


class Reader(Protocol):
    """Reads objects of one entity by id."""

    def read_ids(self, gids: Sequence[str]) -> None:
        """Write the objects with these ids."""
        ...


@dataclass(frozen=True)
class Listing:
    """How one entity is counted and listed by id."""

    entity: str
    kinds: tuple[str, ...]  # its global ids are of one of these
    root: str
    ids_query: str
    count_query: str


PRODUCTS = Listing("products", ("Product",), "products", "product_ids", "products_count")
COLLECTIONS = Listing("collections", ("Collection",), "collections", "collection_ids", "collections_count")
DISCOUNTS = Listing(
    # Listings give DiscountCodeNode and DiscountAutomaticNode, which share their numbers.
    "discounts",
    ("DiscountCodeNode", "DiscountAutomaticNode", "DiscountNode"),
    "discountNodes",
    "discount_ids",
    "discounts_count",
)


def settle(reading: Reading, listing: Listing, reader: Reader) -> None:
    """Make what was read agree with what Shopify counts; raise `SnapshotUnstable` when that cannot be had.

    The last count goes into `counts_end`. A listing that Shopify does not count exactly is left as it is.
    """
    entity = listing.entity
    before: int | None = None
    for attempt in range(_ROUNDS):
        counted = reading.counts_end[entity] = count(reading.client, listing, reading.seen[entity])
        found = reading.found(entity)
        if counted is None or counted == found:
            return
        if before is not None and min(before, counted) <= found <= max(before, counted):
            # The count passed by this number while ids were compared.
            reading.counts_end[entity] = found
            return
        if attempt:
            reading.client.clock.sleep(2.0**attempt)  # counts may lag behind what they count
        before = counted
        _compare(reading, listing, reader)
    raise SnapshotUnstable(
        f"{reading.client.shop}: {reading.found(entity)} {entity} were read and Shopify counts "
        f"{reading.counts_end[entity]}, after comparing {_ROUNDS} times",
        shop=reading.client.shop,
    )


def _compare(reading: Reading, listing: Listing, reader: Reader) -> None:
    entity, client = listing.entity, reading.client
    there = Numbers()
    missed: list[str] = []
    seen, dropped = reading.seen[entity], reading.dropped[entity]
    for _, fresh in walk(client, load(listing.ids_query), listing.root, there):
        for node in fresh:
            number = number_of(node["id"])
            if number not in seen:
                missed.append(node["id"])
            dropped.discard(number)
    reader.read_ids(missed)
    absent = [number for number in seen if number not in there and number not in dropped]
    dropped.update(_gone(reading, listing, absent))


def _gone(reading: Reading, listing: Listing, numbers: Sequence[int]) -> set[int]:
    """Return those of the numbers that Shopify knows under no kind of id: an absence in a list is no proof."""
    gone = set(numbers)
    gids = [f"gid://shopify/{kind}/{number}" for number in numbers for kind in listing.kinds]
    for _, nodes in by_ids(reading.client, load("still_there"), gids):
        gone.difference_update(number_of(node["id"]) for node in nodes if node is not None)
    return gone


def count(client: AdminClient, listing: Listing, numbers: Numbers) -> int | None:
    """Return Shopify's exact count, added up over windows where it does not count so far at once.

    `numbers` are those of the objects that are known, by which the windows are cut.
    """
    query = load(listing.count_query)
    whole = exact(client.execute(query, {"query": None}).data.get("found"))
    if whole is not None:
        return whole
    edges = numbers.every(WINDOW)
    if not edges:
        return None
    total = 0
    for low, high in zip([None, *edges], [*edges, None], strict=True):
        window = " ".join(term for term in (f"id:>{low}" if low else "", f"id:<={high}" if high else "") if term)
        part = exact(client.execute(query, {"query": window}).data.get("found"))
        if part is None:
            return None
        total += part
    return total
