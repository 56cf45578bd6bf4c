"""JSON lines in the order of their ids, whatever order they came in.

Lines are written as they come; only three numbers a line stay in memory. Most reads come in order and
cost one file; others are rewritten once. Of two lines with one id the later one stays, for a reader that
reads an object again appends it; an empty line takes the object away.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing
from itertools import islice, zip_longest
from pathlib import Path

from salesbot_pipelines.refresh.newfile import MadeFile, NewFile


class SortedLines:
    """Collects `(id, line)`; `finish` leaves one file, sorted by id, each id once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._out = NewFile(path)
        self._ids = array("Q")
        self._starts = array("Q")
        self._weights = array("L")
        self._end = 0
        self._largest = -1
        self._in_order = True

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def weight(self) -> int:
        """The sum of the weights of the lines that stay; known after `finish`."""
        return sum(self._weights)

    def add(self, number: int, line: bytes, *, weight: int = 0) -> None:
        """Append a line (without its newline) under its number; an empty one removes an earlier one."""
        if number <= self._largest:
            self._in_order = False
        elif not line:
            return  # nothing of this id was written before
        self._largest = max(self._largest, number)
        self._ids.append(number)
        self._starts.append(self._end)
        self._weights.append(weight)
        self._out.write(line + b"\n")
        self._end += len(line) + 1

    def finish(self) -> tuple[MadeFile, array[int]]:
        """Close the file, in order; describe it and give the ids in order."""
        made = self._out.made()
        if self._in_order:
            return made, self._ids
        ids, weights = array("Q"), array("L")
        unsorted_path = self.path.with_suffix(".unsorted")
        self.path.rename(unsorted_path)
        with unsorted_path.open("rb") as source, closing(NewFile(self.path)) as target:
            for index in self._latest():
                start = self._starts[index]
                end = self._starts[index + 1] if index + 1 < len(self._starts) else self._end
                if end - start > 1:
                    source.seek(start)
                    target.write(source.read(end - start))
                    ids.append(self._ids[index])
                    weights.append(self._weights[index])
            made = target.made()
        unsorted_path.unlink()
        self._ids, self._weights = ids, weights
        self._in_order = True
        return made, self._ids

    def _latest(self) -> Iterator[int]:
        """Give the place of the last line of each id, in the order of the ids."""
        # The sort is stable: of equal ids the latest comes last.
        order = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        for index, following in zip_longest(order, islice(order, 1, None)):
            if following is None or self._ids[following] != self._ids[index]:
                yield index

    def close(self) -> None:
        """Close the file as it is; after a failure its folder is thrown away."""
        self._out.close()


def holds(numbers: array[int], number: int) -> bool:
    """Is `number` in the sorted array?"""
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number
