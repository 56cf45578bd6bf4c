"""Where a shop's objects lie: tables in the order of their numbers, stored or made on demand.

A generated table holds no object until one is changed, so a shop of 100,000 products costs nothing to own.
Tables know numbers and ranges only; what a `query:` means is told in `filters`, what a page is in `paging`.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from typing import Any, Protocol

Node = dict[str, Any]


class Table(Protocol):
    """Objects by number, in ascending order."""

    def get(self, number: int) -> Node | None:
        """Return one object to read."""
        ...

    def own(self, number: int) -> Node | None:
        """Return one object to change; later reads see the change."""
        ...

    def put(self, number: int, node: Node) -> None:
        """Add an object, or replace it."""
        ...

    def remove(self, number: int) -> Node | None:
        """Take an object away and return it."""
        ...

    def scan(self, above: int, below: int) -> Iterator[Node]:
        """Yield the objects with `above` < number < `below`, ascending."""
        ...

    def count(self, above: int, below: int) -> int:
        """Count the objects with `above` < number < `below` without making them."""
        ...


class StoredTable:
    """Objects held in memory."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._nodes: dict[int, Node] = {}

    def get(self, number: int) -> Node | None:
        return self._nodes.get(number)

    own = get

    def put(self, number: int, node: Node) -> None:
        if number not in self._nodes:
            if self._numbers and number < self._numbers[-1]:
                insort(self._numbers, number)
            else:
                self._numbers.append(number)
        self._nodes[number] = node

    def remove(self, number: int) -> Node | None:
        node = self._nodes.pop(number, None)
        if node is not None:
            self._numbers.remove(number)
        return node

    def scan(self, above: int, below: int) -> Iterator[Node]:
        numbers, nodes = self._numbers, self._nodes
        for place in range(bisect_right(numbers, above), len(numbers)):
            number = numbers[place]
            if number >= below:
                return
            yield nodes[number]

    def count(self, above: int, below: int) -> int:
        return max(0, bisect_right(self._numbers, below - 1) - bisect_right(self._numbers, above))


class GeneratedTable:
    """`size` objects numbered `first`, `first + step`, ...; each made from its index when it is asked for.

    Changed objects are kept beside the rule, objects added later in a stored table of their own, whose numbers
    must lie above the generated ones.
    """

    def __init__(self, size: int, make: Callable[[int], Node], *, first: int, step: int) -> None:
        self._size, self._make, self._first, self._step = size, make, first, step
        self._end = first + (size - 1) * step
        self._changed: dict[int, Node | None] = {}
        self._gone: list[int] = []
        self._later = StoredTable()

    def _index(self, number: int) -> int | None:
        index, rest = divmod(number - self._first, self._step)
        return index if rest == 0 and 0 <= index < self._size else None

    def get(self, number: int) -> Node | None:
        if number in self._changed:
            return self._changed[number]
        index = self._index(number)
        return self._later.get(number) if index is None else self._make(index)

    def own(self, number: int) -> Node | None:
        node = self.get(number)
        if node is not None and self._index(number) is not None:
            self._changed[number] = node
        return node

    def put(self, number: int, node: Node) -> None:
        if self._index(number) is not None:
            if self._changed.get(number, node) is None:
                self._gone.remove(number)
            self._changed[number] = node
        elif number > self._end:
            self._later.put(number, node)
        else:
            raise ValueError(f"{number} lies below the end of a generated table ({self._end})")

    def remove(self, number: int) -> Node | None:
        if self._index(number) is None:
            return self._later.remove(number)
        node = self.get(number)
        if node is not None:
            self._changed[number] = None
            insort(self._gone, number)
        return node

    def scan(self, above: int, below: int) -> Iterator[Node]:
        changed, make, first, step = self._changed, self._make, self._first, self._step
        start, stop = self._indices(above, below)
        if not changed:
            yield from map(make, range(start, stop))
        else:
            for index in range(start, stop):
                number = first + index * step
                node = changed[number] if number in changed else make(index)
                if node is not None:
                    yield node
        yield from self._later.scan(above, below)

    def count(self, above: int, below: int) -> int:
        start, stop = self._indices(above, below)
        gone = bisect_right(self._gone, below - 1) - bisect_right(self._gone, above)
        return max(0, stop - start) - max(0, gone) + self._later.count(above, below)

    def _indices(self, above: int, below: int) -> tuple[int, int]:
        """Return the half-open range of indices whose numbers lie between."""
        first, step = self._first, self._step
        start = 0 if above < first else (above - first) // step + 1
        return start, min(self._size, max(0, -(-(below - first) // step)))
