"""The numbers of what has been read: eight bytes an object, which is all a reading remembers of a catalogue."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from salesbot_pipelines.errors import ShopifyUnavailable

_MATCH = re.compile(r"gid://shopify/\w+/(\d{1,18})(?:\?.*)?", re.ASCII).fullmatch


def number_of(gid: object) -> int:
    """Return the number in a global id, which may carry a query; raise `ShopifyUnavailable` for anything else."""
    match = _MATCH(gid) if isinstance(gid, str) else None
    if match is None:
        raise ShopifyUnavailable(f"an object came with {str(gid)[:80]!r} for an id")
    return int(match[1])


class Numbers:
    """A set of numbers, kept sorted in an array; made for numbers that come in rising order, as pages by id do."""

    def __init__(self, rising: Iterable[int] = ()) -> None:
        self._sorted = array("q", rising)

    def __len__(self) -> int:
        return len(self._sorted)

    def __iter__(self) -> Iterator[int]:
        return iter(self._sorted)

    def __contains__(self, number: int) -> bool:
        place = bisect_left(self._sorted, number)
        return place < len(self._sorted) and self._sorted[place] == number

    def every(self, step: int) -> list[int]:
        """Return each `step`th number, ascending."""
        return list(self._sorted[step - 1 :: step])

    def discard(self, number: int) -> None:
        """Take a number out, if it is in."""
        place = bisect_left(self._sorted, number)
        if place < len(self._sorted) and self._sorted[place] == number:
            del self._sorted[place]

    def new(self, numbers: Iterable[int]) -> list[bool]:
        """Add numbers and say of each whether it is new."""
        found = []
        last = self._sorted[-1] if self._sorted else -1
        append = self._sorted.append
        for number in numbers:
            if number > last:
                append(number)
                last = number
                found.append(True)
            else:
                found.append(self.add(number))
        return found

    def add(self, number: int) -> bool:
        """Add a number and say whether it is new."""
        if not self._sorted or number > self._sorted[-1]:
            self._sorted.append(number)
            return True
        place = bisect_left(self._sorted, number)
        if self._sorted[place] == number:
            return False
        self._sorted.insert(place, number)
        return True
