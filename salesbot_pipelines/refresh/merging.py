"""Raw objects put together from those of the last read and those that were read again.

A raw file is a log (a later line of an id wins, a dropped one takes it away), and so are two files, one behind the
other. What is left of them here is each object's last line, so that a file does not grow with the refreshes. Lines
are copied as they are; of a catalogue some numbers a line stay in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec

from salesbot_pipelines.refresh.rawfiles import read_lines
from salesbot_pipelines.shopify.nodes import gid_number

Look = Callable[[int, bytes], None]
"""Is shown every line, superseded ones too, with the number of its object."""

_KEEP_EVERY = 1000


class _Something(msgspec.Struct, gc=False):
    pass


class _Head(msgspec.Struct, gc=False):
    id: str
    dropped: bool = False
    variants: list[_Something] = []


_head = msgspec.json.Decoder(_Head).decode


@dataclass(frozen=True)
class Merged:
    """What was written: the objects' numbers, rising, and how many variants they have together."""

    numbers: array[int]
    variants: int


def merge(
    paths: Sequence[Path],
    write: Callable[[bytes], None],
    *,
    without: Collection[int] = (),
    look: Look | None = None,
    keep: Callable[[], None] = lambda: None,
) -> Merged:
    """Give `write` the last line of every object in the files but those `without`; dropped ones are left out.

    `keep` is called now and then.
    """
    numbers, variants = array("q"), array("L")
    dropped: set[int] = set()
    for place, line in enumerate(_lines(paths, keep)):
        head = _head(line)
        number = gid_number(head.id)
        numbers.append(number)
        variants.append(len(head.variants))
        if head.dropped or number in without:
            dropped.add(place)
        if look is not None:
            look(number, line)
    last = _last_places(numbers)
    kept, total = array("q"), 0
    for place, line in enumerate(_lines(paths, keep)):
        number = numbers[place]
        if place not in dropped and last.get(number, place) == place:
            write(line)
            kept.append(number)
            total += variants[place]
    return Merged(array("q", sorted(kept)), total)


def _last_places(numbers: Sequence[int]) -> dict[int, int]:
    """Return where the last line of each object is that has more than one."""
    if all(one < other for one, other in pairwise(numbers)):
        return {}
    twice = {one for one, other in pairwise(sorted(numbers)) if one == other}
    return {number: place for place, number in enumerate(numbers) if number in twice} if twice else {}


def _lines(paths: Sequence[Path], keep: Callable[[], None]) -> Iterator[bytes]:
    for path in paths:
        for place, line in enumerate(read_lines(path)):
            if place % _KEEP_EVERY == 0:
                keep()
            yield line
