"""Stock: the levels of every inventory item, at all its locations.

The listing of items knows no sort key and no count; so completeness is proved from the other side: every item that a
variant names must have come, and those that did not are fetched by id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.connections import flatten
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.holes import SectionUnread, mark_holes, mark_incomplete
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.pages import Node, by_ids, drain, walk

ENTITY = "inventory"
_LEVELS = "inventoryLevels"
_ROOT = "inventoryItems"
_STEPS = (10, 50, 250)  # levels asked with each item: more where a shop has many locations
_OFTEN = 0.1  # this share of items cut short, and the next pages ask for more
_AT_ONCE = 50  # items that are read again in one answer


class InventoryReader:
    """Reads the stock of all inventory items."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._client = reading.client

    def read(self) -> None:
        """Write the levels of every item, first of the listing and then of what it missed."""
        asked = {"levelsFirst": _STEPS[0]}
        reading, seen = self._reading, self._reading.seen[ENTITY]
        for page, fresh in walk(self._client, load("inventory"), _ROOT, seen, asked):
            reading.duplicates[ENTITY] += len(page.nodes) - len(fresh)
            mark_holes(page.answer, (_ROOT, "nodes"), page.nodes, reading.holes, ENTITY)
            cut = self._take(fresh)
            if len(cut) > _OFTEN * len(fresh):
                asked["levelsFirst"] = next((step for step in _STEPS if step > asked["levelsFirst"]), _STEPS[-1])
            self.read_ids(cut)
            reading.step(ENTITY)
        self.read_missed()

    def read_missed(self) -> None:
        """Write the items that variants name and no listing had."""
        reading = self._reading
        seen = reading.seen[ENTITY]
        self.read_ids([f"gid://shopify/InventoryItem/{number}" for number in reading.items if number not in seen])
        reading.step(ENTITY)

    def read_ids(self, gids: Sequence[str]) -> dict[str, int]:
        """Write the items with these ids and return how many levels each has.

        The item of a variant that was deleted meanwhile is gone, and left out.
        """
        found: dict[str, int] = {}
        for start in range(0, len(gids), _AT_ONCE):
            chunk = gids[start : start + _AT_ONCE]
            try:
                found.update(self._read_some(chunk))
            except SectionUnread as unread:
                self._reading.holes.add_problem(f"{ENTITY}.{_LEVELS}", unread.problem)
                for gid in chunk:
                    self.write({"id": gid, _LEVELS: [], "incomplete": [_LEVELS]})
        return found

    def _read_some(self, gids: Sequence[str]) -> Iterator[tuple[str, int]]:
        for answer, nodes in by_ids(self._client, load("inventory_by_id"), gids, {"levelsFirst": _STEPS[-1]}):
            mark_holes(answer, ("nodes",), nodes, self._reading.holes, ENTITY)
            for node in nodes:
                if node is not None:
                    self._reading.seen[ENTITY].add(number_of(node["id"]))
                    self.write(node, flatten(node, _LEVELS))
                    yield node["id"], len(node[_LEVELS])

    def _take(self, nodes: list[Node]) -> list[str]:
        """Write the items that are whole; return those that are not."""
        cut = []
        for node in nodes:
            if flatten(node, _LEVELS) is None:
                self.write(node)
            else:
                cut.append(node["id"])
        return cut

    def write(self, node: Node, cursor: str | None = None) -> None:
        """Write an item, after reading what lies beyond its first 250 levels."""
        if cursor is not None:
            asked = {"id": node["id"]}
            try:
                for page in drain(self._client, load("inventory_levels"), asked, ("inventoryItem", _LEVELS), cursor):
                    node[_LEVELS] += page.nodes
            except SectionUnread:
                mark_incomplete(node, _LEVELS)
        node.pop("__typename", None)
        self._reading.sink.write(ENTITY, node)
