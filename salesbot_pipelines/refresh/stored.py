"""What the stored raw objects know of how things hang together, looked up line by line.

They are logs: a later line of an id wins, and a dropped one takes the object away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from salesbot_pipelines.refresh.rawfiles import RawFile, read_lines, read_nodes
from salesbot_pipelines.shopify.nodes import gid_number

_KEEP_EVERY = 1000
_BY_HAND = "MANUAL"


class _Named(msgspec.Struct, gc=False):
    id: str


class _Variant(msgspec.Struct, gc=False, rename="camel"):
    id: str
    inventory_item: _Named | None = None


class _Product(msgspec.Struct, gc=False):
    id: str
    variants: list[_Variant] = []


class _Source(msgspec.Struct, gc=False):
    collections: list[_Named] | None = None


class _Collection(msgspec.Struct, gc=False):
    id: str
    dropped: bool = False
    product_ids: list[str] = []
    sort_order: str | None = msgspec.field(name="sortOrder", default=None)
    sources: list[_Source] | None = None


@dataclass(frozen=True)
class _Told:
    """What is kept of one collection."""

    members: int
    by_hand: bool
    parts: frozenset[int]


_product = msgspec.json.Decoder(_Product).decode
_collection = msgspec.json.Decoder(_Collection).decode


def items_in(line: bytes) -> Iterator[int]:
    """Give the numbers of the inventory items that a product's line names."""
    for variant in _product(line).variants:
        if variant.inventory_item is not None:
            yield gid_number(variant.inventory_item.id)


class StoredRaw:
    """The raw objects of the last read, as `shopify.delta.Stored`. `keep` is called now and then."""

    def __init__(self, raw: Mapping[str, RawFile], keep: Callable[[], None]) -> None:
        self._raw = raw
        self._keep = keep

    def currency(self) -> Any:
        """Return the currency all prices are in."""
        return currency_of(self._raw["shop"])

    def products_of(self, *, items: Collection[int], variants: Collection[int]) -> set[int]:
        """Return the products that had these inventory items or variants."""
        found: set[int] = set()
        if not items and not variants:
            return found
        for line in self._lines("products"):
            product = _product(line)
            number = gid_number(product.id)
            found.discard(number)
            for variant in product.variants:
                item = variant.inventory_item
                if gid_number(variant.id) in variants or (item is not None and gid_number(item.id) in items):
                    found.add(number)
        return found

    def holding(self, products: Collection[int]) -> Mapping[int, set[int]]:
        """Return, for each product, the collections it was in."""
        members: dict[int, set[int]] = {}
        for line in self._lines("collections"):
            collection = _collection(line)
            members[gid_number(collection.id)] = set(products).intersection(map(gid_number, collection.product_ids))
        found: dict[int, set[int]] = {product: set() for product in products}
        for number, held in members.items():
            for product in held:
                found[product].add(number)
        return found

    def ordered_by_hand(self, collections: Collection[int]) -> set[int]:
        """Return those of the collections whose order follows from nothing."""
        return {number for number in collections if number in self._told and self._told[number].by_hand}

    def made_of(self, collections: Collection[int]) -> set[int]:
        """Return these collections and all that were made of them, through any number of steps."""
        found = set(collections)
        fresh = found
        while fresh:
            fresh = {number for number, told in self._told.items() if told.parts & fresh} - found
            found |= fresh
        return found

    def members(self, collections: Collection[int]) -> int:
        """Return how many members these collections had together."""
        return sum(self._told[number].members for number in collections if number in self._told)

    @cached_property
    def _told(self) -> dict[int, _Told]:
        found: dict[int, _Told] = {}
        for line in self._lines("collections"):
            node = _collection(line)
            number = gid_number(node.id)
            if node.dropped:
                found.pop(number, None)
                continue
            parts = (part.id for source in node.sources or () for part in source.collections or ())
            found[number] = _Told(
                members=len(node.product_ids),
                by_hand=node.sort_order == _BY_HAND,
                parts=frozenset(map(gid_number, parts)),
            )
        return found

    def _lines(self, entity: str) -> Iterator[bytes]:
        for place, line in enumerate(read_lines(self._raw[entity].path)):
            if place % _KEEP_EVERY == 0:
                self._keep()
            yield line


def currency_of(file: RawFile) -> Any:
    """Return the currency that a raw object of the shop tells."""
    node = next(read_nodes(file.path), {})
    return (node.get("shop") or {}).get("currencyCode")
