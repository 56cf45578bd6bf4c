"""Lines spread over files by a number, so that what belongs together lies in one file small enough to be held.

Joining a bulk result of any size this way takes the memory of one part, in whatever order its lines come.
"""

from __future__ import annotations

from pathlib import Path

PART_BYTES = 4 * 1024 * 1024
_MOST_PARTS = 256
_GATHERED_LINES = 2_048
"""Lines of one scatter that wait in memory, over all its parts: each write opens its file anew."""


def parts_for(total_bytes: int) -> int:
    """Return into how many parts a result should be spread."""
    return max(1, min(_MOST_PARTS, -(-total_bytes // PART_BYTES)))


class Scatter:
    """Writes as many files as there are parts, by appending; they are whole after `close`."""

    def __init__(self, folder: Path, name: str, parts: int, *, anew: bool = False) -> None:
        """Go on with files that may be there; `anew` begins with none."""
        self._paths = [_path(folder, name, part) for part in range(parts)]
        self._gathered: list[list[bytes]] = [[] for _ in range(parts)]
        self._parts = parts
        self._most = max(64, _GATHERED_LINES // parts)
        if anew:
            for part in range(parts):
                remove_part(folder, name, part)

    def put(self, number: int, line: bytes) -> None:
        """Add a line to the part of `number`; lines of one number keep their order."""
        part = (number // 32) % self._parts  # Shopify's numbers of one kind are 32 apart and more
        gathered = self._gathered[part]
        gathered.append(line)
        if len(gathered) >= self._most:
            self._flush(part)

    def close(self) -> None:
        """Write what waits in memory."""
        for part in range(self._parts):
            self._flush(part)

    def _flush(self, part: int) -> None:
        if self._gathered[part]:
            with self._paths[part].open("ab") as file:
                file.writelines(self._gathered[part])
            self._gathered[part].clear()


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
