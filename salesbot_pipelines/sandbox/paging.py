"""Pages: a listing of a table or a plain list, cut by `first` and `after`, and counted.

Two limits of Shopify's are kept strictly, because a client must survive them: no plain cursor leads beyond
25,000 objects (an `id:>N` window starts anew), and no count tells more than that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from .filters import Filter
from .ids import Cursor, number_of, read_cursor, write_cursor
from .tables import Node, Table

LARGEST_PAGE = 250
DEEPEST_POSITION = 25_000


class RefusedField(Exception):
    """A field answers with an error instead of a value."""

    def __init__(self, message: str, code: str = "BAD_REQUEST") -> None:
        super().__init__(message)
        self.message, self.code = message, code


class Page(NamedTuple):
    """Some objects in a row; `start` lie before them."""

    nodes: Sequence[Node]
    start: int
    has_next: bool

    def cursor(self, place: int) -> str:
        return write_cursor(number_of(self.nodes[place]["id"]), self.start + place + 1)

    def start_cursor(self) -> str | None:
        return self.cursor(0) if self.nodes else None

    def end_cursor(self) -> str | None:
        return self.cursor(len(self.nodes) - 1) if self.nodes else None


@dataclass(frozen=True)
class Listing:
    """The objects of a table that pass a filter, ascending by number."""

    table: Table
    filter: Filter

    def page(self, first: int, after: Cursor | None) -> Page:
        above = self.filter.above if after is None else max(self.filter.above, after.last_id)
        found = self.table.scan(above, self.filter.below)
        if self.filter.tests:
            found = filter(self.filter.passes, found)
        nodes = list(islice(found, first + 1))
        return Page(nodes[:first], after.position if after else 0, len(nodes) > first)

    def all(self) -> list[Node]:
        return [node for node in self.table.scan(self.filter.above, self.filter.below) if self.filter.passes(node)]

    def count(self) -> int:
        if self.filter.tests:
            return sum(map(self.filter.passes, self.table.scan(self.filter.above, self.filter.below)))
        return self.table.count(self.filter.above, self.filter.below)


@dataclass(frozen=True)
class Picked:
    """Objects of a table in an order of their own, such as a collection's products."""

    table: Table
    numbers: Sequence[int]

    def page(self, first: int, after: Cursor | None) -> Page:
        start = _resume(self.numbers, after)
        nodes = [node for number in self.numbers[start : start + first] if (node := self.table.get(number))]
        return Page(nodes, start, len(self.numbers) > start + first)


def _resume(numbers: Sequence[int], after: Cursor | None) -> int:
    """Return where to go on: behind the last object if it is still there, else where it was."""
    if after is None:
        return 0
    if 0 < after.position <= len(numbers) and numbers[after.position - 1] == after.last_id:
        return after.position
    return numbers.index(after.last_id) + 1 if after.last_id in numbers else after.position


def _list_page(items: Sequence[Node], first: int, after: Cursor | None) -> Page:
    if after is None:
        return Page(items[:first], 0, len(items) > first)
    start = _resume([number_of(node["id"]) for node in items], after)
    return Page(items[start : start + first], start, len(items) > start + first)


def cut(source: Listing | Picked | Sequence[Node], arguments: dict[str, Any]) -> Page:
    """Return the page the arguments ask for; raises RefusedField."""
    if arguments.get("last") is not None or arguments.get("before") is not None:
        raise RefusedField("This sandbox pages forwards only: use first and after")
    first = arguments.get("first")
    if first is None:
        raise RefusedField("you must provide one of first or last")
    if not 0 <= first <= LARGEST_PAGE:
        raise RefusedField(f"first must lie between 0 and {LARGEST_PAGE}")
    after = None
    if (text := arguments.get("after")) is not None:
        after = read_cursor(text)
        if after is None:
            raise RefusedField(f"Invalid cursor for current pagination sort: {text[:80]}")
        if after.position >= DEEPEST_POSITION:
            raise RefusedField(
                f"Paging stops at {DEEPEST_POSITION} objects; narrow the query, for instance with id:>{after.last_id}"
            )
    if isinstance(source, Listing | Picked):
        return source.page(first, after)
    return _list_page(source, first, after)


def tell_count(found: int, limit: int | None) -> Node:
    """Return a `Count` as Shopify words it: exact, or at least the limit."""
    cap = math.inf if limit is None else limit
    if found > min(cap, DEEPEST_POSITION):
        told = DEEPEST_POSITION + 1 if cap > DEEPEST_POSITION else int(cap)
        return {"__typename": "Count", "count": told, "precision": "AT_LEAST"}
    return {"__typename": "Count", "count": found, "precision": "EXACT"}
