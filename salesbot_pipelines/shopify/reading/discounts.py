"""Discounts of all eight types, with their codes and the things they apply to.

A discount's first codes and items come with the page; what goes on is drained by cursor while its `updatedAt`
stands still. Codes are read up to a bound: a discount with more than a handful publishes none of them anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.connections import flatten
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.holes import SectionUnread, mark_holes, mark_incomplete
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.pages import Node, does_not_move_on, drain, half_a_page, page_at, walk

ENTITY = "discounts"
MOST_CODES = 20_000
_ROOT = "discountNodes"
_FIRST = {"codesFirst": 10, "itemsFirst": 25}
_ATTEMPTS = 3
_SIDES = (("customerGets", "discount_gets"), ("customerBuys", "discount_buys"))
_CURSORS = {"products": "afterProducts", "productVariants": "afterVariants", "collections": "afterCollections"}


class _Changed(Exception):
    """The discount's `updatedAt` moved between two of its pages, or it is gone."""


class DiscountReader:
    """Reads all discounts of a shop, or those with given ids."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._client = reading.client

    def read(self) -> None:
        """Write every discount of the shop."""
        reading = self._reading
        for page, fresh in walk(self._client, load("discounts"), _ROOT, reading.seen[ENTITY], _FIRST):
            reading.duplicates[ENTITY] += len(page.nodes) - len(fresh)
            mark_holes(page.answer, (_ROOT, "nodes"), page.nodes, reading.holes, ENTITY)
            for node in fresh:
                self._write_whole(node)
            reading.step(ENTITY)

    def read_ids(self, gids: Sequence[str]) -> None:
        """Write the discounts with these ids; one that is gone is left out."""
        for gid in gids:
            node = self._one(gid)
            if node is not None and self._reading.seen[ENTITY].add(number_of(node["id"])):
                self._write_whole(node)

    def _one(self, gid: str) -> Node | None:
        node: Node | None = self._client.execute(load("discount"), {**_FIRST, "id": gid}).data.get("discountNode")
        return node

    def _write_whole(self, node: Node) -> None:
        """Write a discount once nothing of it goes on; read it anew when it changed in between."""
        for attempt in range(_ATTEMPTS):
            try:
                self._complete(node)
                break
            except _Changed:
                mark_incomplete(node, "codes", "customerGets.items.products", "customerBuys.items.products")
                if attempt + 1 < _ATTEMPTS:
                    again = self._one(node["id"])
                    if again is None:
                        self._reading.seen[ENTITY].discard(number_of(node["id"]))
                        return
                    node = again
        self._reading.sink.write(ENTITY, node)

    def _complete(self, node: Node) -> None:
        """Make plain, whole lists of codes and items; they are plain even when this raises `_Changed`."""
        discount = node.get("discount")
        if not isinstance(discount, dict):
            mark_incomplete(node, "discount")
            return
        codes = flatten(discount, "codes") if "codes" in discount else None
        more = {side: dict(_flatten_items(node, side)) for side, _ in _SIDES}
        if discount.get("incomplete"):
            mark_incomplete(node, *discount.pop("incomplete"))
        if codes is not None:
            self._drain_codes(node, discount, codes)
        for side, query in _SIDES:
            if more[side]:
                self._drain_items(node, side, query, more[side])

    def _drain_codes(self, node: Node, discount: Node, after: str) -> None:
        path = ("discountNode", "discount", "codes")
        try:
            for page in drain(self._client, load("discount_codes"), {"id": node["id"]}, path, after):
                self._same(node, page.answer.data)
                discount["codes"] += page.nodes
                if page.has_next and len(discount["codes"]) >= MOST_CODES:
                    mark_incomplete(node, "codes")
                    return
        except SectionUnread as unread:
            self._unread(node, "codes", unread)

    def _drain_items(self, node: Node, side: str, name: str, more: dict[str, str]) -> None:
        """Read on in up to three connections at once; one that has ended is asked along and not looked at."""
        query = load(name)
        items = node["discount"][side]["items"]
        while more:
            asked: dict[str, Any] = {"id": node["id"], **{_CURSORS[which]: cursor for which, cursor in more.items()}}
            asked["first"] = self._client.page_size(query, asked)
            answer = self._client.execute(query, asked, smaller=half_a_page)
            self._same(node, answer.data)
            goes_on: dict[str, str] = {}
            for which, cursor in more.items():
                try:
                    page = page_at(answer, ("discountNode", "discount", side, "items", which))
                except SectionUnread as unread:
                    self._unread(node, f"{side}.items.{which}", unread)
                    continue
                items[which] += page.nodes
                if page.has_next:
                    if page.cursor is None or page.cursor == cursor:
                        raise does_not_move_on(self._client, query)
                    goes_on[which] = page.cursor
            more = goes_on

    def _same(self, node: Node, data: Node) -> None:
        """Raise `_Changed` unless the page is of the discount as it was."""
        found = data.get("discountNode")
        if found is None or (found.get("discount") or {}).get("updatedAt") != node["discount"]["updatedAt"]:
            raise _Changed

    def _unread(self, node: Node, name: str, unread: SectionUnread) -> None:
        if unread.problem is None:
            raise _Changed from None
        self._reading.holes.add_problem(f"discounts.{name}", unread.problem)
        mark_incomplete(node, name)


def _flatten_items(node: Node, side: str) -> Iterator[tuple[str, str]]:
    """Make plain lists of what one side names; give the cursors of the lists that go on."""
    items = ((node["discount"].get(side) or {}).get("items")) or {}
    for which in _CURSORS:
        if which in items:
            cursor = flatten(items, which)
            if cursor is not None:
                yield which, cursor
    for which in items.pop("incomplete", ()):
        mark_incomplete(node, f"{side}.items.{which}")
