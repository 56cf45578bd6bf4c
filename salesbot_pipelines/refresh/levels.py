"""Stock by inventory item: the raw lines in one file, and beside it where each item's line lies.

Filled once, then only read, by as many processes as like to; nothing needs it after a crash. Of a catalogue the
writer holds some numbers an item; readers look into the files.
"""

from __future__ import annotations

import mmap
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from salesbot_pipelines.shopify.nodes import gid_number

_BUFFER_BYTES = 256 * 1024
_AHEAD_BYTES = 32 * 1024
"""Read at once: products and their items mostly come in the same order, and each reading costs a call."""


class _Named(msgspec.Struct, gc=False):
    id: str


_named = msgspec.json.Decoder(_Named).decode


def write_levels(path: Path, lines: Iterable[bytes]) -> None:
    """Keep each raw inventory item as it is written; the last line of an item stays."""
    numbers, starts, sizes = array("q"), array("q"), array("q")
    end = 0
    with path.open("wb", buffering=_BUFFER_BYTES) as file:
        for line in lines:
            numbers.append(gid_number(_named(line).id))
            starts.append(end)
            sizes.append(file.write(line))
            end += len(line)
    if any(one >= other for one, other in pairwise(numbers)):
        last = dict(zip(numbers, range(len(numbers)), strict=True))
        order = [last[number] for number in sorted(last)]
        numbers, starts, sizes = (array("q", map(column.__getitem__, order)) for column in (numbers, starts, sizes))
    with _index(path).open("wb") as file:
        for column in (array("q", [len(numbers)]), numbers, starts, sizes):
            column.tofile(file)


class Levels:
    """The finished files."""

    def __init__(self, path: Path) -> None:
        self._lines = path.open("rb", buffering=0)
        with _index(path).open("rb") as file:
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._index = memoryview(self._mapped).cast("q")
        self._count = self._index[0]
        self._decode = msgspec.json.Decoder(float_hook=Decimal).decode
        self._next = 1  # where the item behind the last one is
        self._begin = 0
        self._ahead = b""

    def of(self, inventory_item_id: str) -> dict[str, Any] | None:
        """Give the item's stock as the normalisers take it, or None when none was read."""
        number, count, index, place = gid_number(inventory_item_id), self._count, self._index, self._next
        if place > count or index[place] != number:
            place = bisect_left(index, number, 1, 1 + count)
            if place > count or index[place] != number:
                return None
        self._next = place + 1
        node = self._decode(self._line(index[place + count], index[place + 2 * count]))
        return {
            "id": node["id"],
            "incomplete": "inventoryLevels" in (node.get("incomplete") or ()),
            "levels": node.get("inventoryLevels") or [],
        }

    def _line(self, start: int, size: int) -> bytes:
        begin = start - self._begin
        if begin < 0 or begin + size > len(self._ahead):
            self._ahead = os.pread(self._lines.fileno(), max(size, _AHEAD_BYTES), start)
            self._begin, begin = start, 0
        return self._ahead[begin : begin + size]

    def close(self) -> None:
        """Close the files; their folder is thrown away."""
        self._index.release()
        self._mapped.close()
        self._lines.close()


def _index(path: Path) -> Path:
    return path.with_suffix(".index")
