"""What is new, changed and gone between two published catalogues.

Both are streams of (legacy id, content hash, title) in the document's own order, so a million products need no more
memory than ten. Times of change do not count, because the hashes leave them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

Row = tuple[str, str, str]
"""A product's legacy id, its content_hash and its title."""

SAMPLES = 20
"""Changes of each kind that are kept for people to look at."""

Kind = Literal["added", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One product that is new, changed or gone; the title is the newest known."""

    kind: Kind
    legacy_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Changes:
    """How many products changed in which way, and the first ones of each kind for people to look at."""

    added: int
    changed: int
    removed: int
    samples: tuple[Change, ...]

    @property
    def total(self) -> int:
        """Products that differ in any way."""
        return self.added + self.changed + self.removed


def walk_changes(old: Iterable[Row], new: Iterable[Row]) -> Iterator[Change]:
    """Yield every change in order of legacy id; a ValueError says that a stream was not in ascending order."""
    olds, news = _ascending(old), _ascending(new)
    before, after = next(olds, None), next(news, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before[0] < after[0]):
            assert before is not None
            yield Change("removed", before[1][0], before[1][2])
            before = next(olds, None)
        elif before is None or after[0] < before[0]:
            yield Change("added", after[1][0], after[1][2])
            after = next(news, None)
        else:
            if before[1][1] != after[1][1]:
                yield Change("changed", after[1][0], after[1][2])
            before, after = next(olds, None), next(news, None)


def all_added(new: Iterable[Row], count: int) -> Changes:
    """Return the changes of a first catalogue: all of its `count` products are new; only samples are read."""
    first = islice(new, SAMPLES)
    return Changes(count, 0, 0, tuple(Change("added", legacy_id, title) for legacy_id, _, title in first))


def changes(
    old: Iterable[Row], new: Iterable[Row], *, samples: int = SAMPLES, note: Callable[[Change], None] | None = None
) -> Changes:
    """Count the changes, and keep the first `samples` of each kind; `note` is told of every one."""
    counts: dict[Kind, int] = {"added": 0, "changed": 0, "removed": 0}
    kept = []
    for change in walk_changes(old, new):
        if counts[change.kind] < samples:
            kept.append(change)
        counts[change.kind] += 1
        if note is not None:
            note(change)
    return Changes(counts["added"], counts["changed"], counts["removed"], tuple(kept))


def _ascending(rows: Iterable[Row]) -> Iterator[tuple[int, Row]]:
    last = -1
    for row in rows:
        number = int(row[0])
        if number <= last:
            raise ValueError(f"product {row[0]} comes after {last}: the rows must ascend by legacy id")
        last = number
        yield number, row
