"""Lines spread over files by a number, so that what belongs together lies in one file small enough to be held.

Joining a bulk result of any size this way takes the memory of one part, in whatever order its lines come.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PART_BYTES = 6 * 1024 * 1024
_MOST_PARTS = 256
_GATHERED_BYTES = 64 * 1024


def parts_for(total_bytes: int) -> int:
    """Return into how many parts a result should be spread."""
    return max(1, min(_MOST_PARTS, -(-total_bytes // PART_BYTES)))


class Scatter:
    """As many files as parts, each written by appending and read once."""

    def __init__(self, folder: Path, name: str, parts: int) -> None:
        self._paths = [folder / f"{name}-{part}" for part in range(parts)]
        self._gathered = [bytearray() for _ in range(parts)]
        self._parts = parts

    def put(self, number: int, line: bytes) -> None:
        """Add a line to the part of `number`; lines of one number keep their order."""
        part = _part_of(number, self._parts)
        gathered = self._gathered[part]
        gathered += line
        if len(gathered) > _GATHERED_BYTES:
            self._flush(part)

    def take(self, part: int) -> Iterator[bytes]:
        """Give the lines of a part, and remove its file."""
        self._flush(part)
        path = self._paths[part]
        if path.exists():
            with path.open("rb") as file:
                yield from file
            path.unlink()

    def _flush(self, part: int) -> None:
        if self._gathered[part]:
            with self._paths[part].open("ab") as file:
                file.write(self._gathered[part])
            self._gathered[part].clear()


def _part_of(number: int, parts: int) -> int:
    """Shopify's numbers share factors; mixing spreads them evenly."""
    return (number * 0x9E3779B97F4A7C15 >> 32) % parts
