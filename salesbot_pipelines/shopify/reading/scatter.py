"""Lines spread over files by a number, so that what belongs together lies in one file small enough to be held.

Joining a bulk result of any size this way takes the memory of one part, in whatever order its lines come. Each part
has the numbers between two cuts, so that the parts, one after the other, are in order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PART_BYTES = 4 * 1024 * 1024
_MOST_PARTS = 256
_GATHERED_BYTES = 4 * 1024 * 1024
"""Lines of one scatter that wait in memory, over all its parts: each write opens its file anew.

A result in order fills one part after the other, and so costs few writes.
"""
_SAMPLES_A_PART = 32
"""Lines looked at to tell where a part should end: it is then hardly ever half as long again as another."""


def parts_for(total_bytes: int) -> int:
    """Return into how many parts a result should be spread."""
    return max(1, min(_MOST_PARTS, -(-total_bytes // PART_BYTES)))


def cuts_for(path: Path, parts: int, number_in: Callable[[bytes], int]) -> tuple[int, ...]:
    """Return the numbers, rising, that parts begin with, so that each gets about as many of the file's bytes.

    (As many lines, where lines beside each other are not alike.) `number_in` gives the number of a line, 0 where it
    says nothing. There are fewer cuts where numbers are few.
    """
    if parts < 2:
        return ()
    found = sorted(filter(None, map(number_in, _sampled(path, parts * _SAMPLES_A_PART))))
    return tuple(sorted({found[len(found) * part // parts] for part in range(1, parts)} if found else ()))


def _sampled(path: Path, samples: int) -> Iterator[bytes]:
    """Give the lines behind evenly spaced places of a file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for sample in range(samples):
            file.seek(size * sample // samples)
            file.readline()
            yield file.readline()


class Scatter:
    """Writes as many files as there are parts, by appending; they are whole after `close`."""

    def __init__(self, folder: Path, name: str, cuts: Sequence[int], *, anew: bool = False) -> None:
        """Go on with files that may be there; `anew` begins with none."""
        self._cuts = cuts
        self._paths = [_path(folder, name, part) for part in range(len(cuts) + 1)]
        self._gathered: list[list[bytes]] = [[] for _ in self._paths]
        self._waiting = 0
        if anew:
            for path in self._paths:
                path.unlink(missing_ok=True)

    def put(self, number: int, line: bytes) -> None:
        """Add a line to the part of `number`; lines of one number keep their order."""
        self._gathered[bisect_right(self._cuts, number)].append(line)
        self._waiting += len(line)
        if self._waiting >= _GATHERED_BYTES:
            self.close()

    def close(self) -> None:
        """Write what waits in memory."""
        for path, lines in zip(self._paths, self._gathered, strict=True):
            if lines:
                with path.open("ab") as file:
                    file.writelines(lines)
                lines.clear()
        self._waiting = 0


def read_part(folder: Path, name: str, part: int) -> list[bytes]:
    """Return the lines of a part; one that no line fell into has no file."""
    path = _path(folder, name, part)
    if not path.exists():
        return []
    with path.open("rb") as file:
        return file.readlines()


def remove_part(folder: Path, name: str, part: int) -> None:
    """Remove a part that is done with."""
    _path(folder, name, part).unlink(missing_ok=True)


def _path(folder: Path, name: str, part: int) -> Path:
    return folder / f"{name}-{part}"
