"""The numbers of what has been read: eight bytes an object, which is all a reading remembers of a catalogue."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from salesbot_pipelines.errors import ShopifyUnavailable

match_gid = re.compile(r"gid://shopify/(\w+)/(\d{1,18})(?:\?.*)?", re.ASCII).fullmatch
"""Matches a whole global id, which may carry a query: its kind and its number."""

_BLOCK = 2_048
_LEAST = -(2**63)


def number_of(gid: object) -> int:
    """Return the number in a global id, which may carry a query; raise `ShopifyUnavailable` for anything else."""
    match = match_gid(gid) if isinstance(gid, str) else None
    if match is None:
        raise ShopifyUnavailable(f"an object came with {str(gid)[:80]!r} for an id")
    return int(match[2])


class Numbers:
    """A sorted set of numbers in blocks of some thousand, so that one more costs the same in a shop of any size.

    Numbers mostly come in rising order, as pages by id do; the parts of a bulk result come interleaved.
    """

    def __init__(self, rising: Iterable[int] = ()) -> None:
        numbers = array("q", rising)
        self._blocks = [numbers[start : start + _BLOCK] for start in range(0, len(numbers), _BLOCK)] or [numbers]
        self._begins = [_LEAST, *(block[0] for block in self._blocks[1:])]  # where each block's numbers begin
        self._count = len(numbers)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._blocks)

    def __contains__(self, number: int) -> bool:
        block, place = self._find(number)
        return place < len(block) and block[place] == number

    def every(self, step: int) -> list[int]:
        """Return each `step`th number, ascending."""
        return list(islice(self, step - 1, None, step))

    def discard(self, number: int) -> None:
        """Take a number out, if it is in."""
        block, place = self._find(number)
        if place < len(block) and block[place] == number:
            del block[place]
            self._count -= 1

    def new(self, numbers: Iterable[int]) -> list[bool]:
        """Add numbers and say of each whether it is new."""
        return [self.add(number) for number in numbers]

    def add(self, number: int) -> bool:
        """Add a number and say whether it is new."""
        block = self._blocks[-1]
        if block and number > block[-1]:
            block.append(number)
        else:
            block, place = self._find(number)
            if place < len(block) and block[place] == number:
                return False
            block.insert(place, number)
        self._count += 1
        if len(block) > 2 * _BLOCK:
            self._split(block)
        return True

    def _find(self, number: int) -> tuple[array[int], int]:
        """Return the block that a number belongs to, and its place there."""
        block = self._blocks[bisect_right(self._begins, number) - 1]
        return block, bisect_left(block, number)

    def _split(self, block: array[int]) -> None:
        nth = bisect_right(self._begins, block[_BLOCK]) - 1
        self._blocks[nth : nth + 1] = [block[:_BLOCK], block[_BLOCK:]]
        self._begins.insert(nth + 1, block[_BLOCK])
