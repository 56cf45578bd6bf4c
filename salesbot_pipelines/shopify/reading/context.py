"""What all readers of one reading share: the client, where nodes go, what was seen, what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.reading.holes import Holes
from salesbot_pipelines.shopify.reading.ids import Numbers
from salesbot_pipelines.shopify.scopes import holds
from salesbot_pipelines.workers.sharing import Share

Progress = Callable[[str, int, int | None], None]
"""Called with an entity, how many of it were read, and how many there are (None: unknown)."""


class RawSink(Protocol):
    """Where raw nodes go, one at a time."""

    def write(self, entity: str, node: Mapping[str, Any]) -> None:
        """Take one node of an entity."""
        ...

    def write_lines(self, entity: str, lines: Sequence[bytes]) -> None:
        """Take nodes that are lines already (`nodes.line_of`)."""
        ...

    def restart(self, entity: str) -> None:
        """Forget every node taken of an entity: it is read again, or not at all."""
        ...


@dataclass
class Reading:
    """One reading of one shop, as it goes on."""

    client: AdminClient
    sink: RawSink
    namespaces: tuple[str, ...]
    progress: Progress | None = None
    share: Share = map
    scopes: frozenset[str] = frozenset()
    holes: Holes = field(default_factory=Holes)
    totals: dict[str, int | None] = field(default_factory=dict)  # Shopify's counts when the reading began
    counts_end: dict[str, int | None] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)  # entities that are whole
    seen: defaultdict[str, Numbers] = field(default_factory=lambda: defaultdict(Numbers))
    dropped: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    duplicates: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    variants: int = 0
    variants_proved: bool = True  # each product's own count agreed
    items: Numbers = field(default_factory=Numbers)  # inventory items the variants name

    by_bulk: bool = False

    def forget(self, *entities: str) -> None:
        """Begin anew with these entities, whatever was written of them."""
        for entity in entities:
            self.sink.restart(entity)
            self.seen.pop(entity, None)
            self.dropped.pop(entity, None)
            self.duplicates.pop(entity, None)
            if entity in self.read:
                self.read.remove(entity)
        self.by_bulk = False
        self.variants, self.variants_proved, self.items = 0, True, Numbers()

    def bulk_step(self, name: str, objects: int) -> None:
        """Report how far a bulk operation is that is still being written."""
        if self.progress is not None and name in self.totals:
            self.progress(name, objects, self.totals[name])

    def granted(self, scope: str) -> bool:
        """Say whether the app may do what the scope stands for."""
        return holds(self.scopes, scope)

    def found(self, entity: str) -> int:
        """Return how many objects of an entity were read and are still there."""
        return len(self.seen[entity]) - len(self.dropped[entity])

    def step(self, entity: str) -> None:
        """Report how far an entity is."""
        if self.progress is not None:
            self.progress(entity, self.found(entity), self.totals.get(entity))
