"""Stock out of a bulk result, made into exactly what pages give."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import compress
from pathlib import Path

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.shopify.bulk import BulkResult
from salesbot_pipelines.shopify.queries import bulk_text
from salesbot_pipelines.shopify.reading.bulk_levels import Items, cut, join_part, remove_joined, spread
from salesbot_pipelines.shopify.reading.bulk_lines import PROVED_CHILDREN
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.inventory import InventoryReader

ENTITY = "inventory"


def inventory_texts() -> dict[str, str]:
    """Return the operation that all stock takes."""
    return {ENTITY: bulk_text("bulk_inventory")}


class BulkInventory:
    """Joins levels to their items and writes them."""

    def __init__(self, reading: Reading, reader: InventoryReader, folder: Path, result: BulkResult) -> None:
        self._reading = reading
        self._reader = reader
        self._result = result
        self._where = cut(folder, reading.client.shop, result.path)

    def spreading(self) -> dict[str, Callable[[], bool]]:
        """Return what is to be done before `read`, by any process."""
        return {ENTITY: partial(spread, self._where, self._result.path, self._result.lines)}

    def read(self, *, ordered: bool) -> None:
        """Write every item, then those that only variants know; raise `BulkFailed` when the result is not whole.

        `ordered` says whether the result's lines stood in order.
        """
        where = self._where
        share = self._reading.share if where.parts > 1 else map
        for part, items in enumerate(share(partial(join_part, where), range(where.parts))):
            self._write_part(items, ordered=ordered)
            remove_joined(where, part)
            self._reading.step(ENTITY)
        self._reader.read_missed()

    def _write_part(self, items: Items, *, ordered: bool) -> None:
        levels = dict(zip(items.numbers, items.levels, strict=True))
        most = PROVED_CHILDREN if ordered else 2
        doubts = {number for number, count in levels.items() if count >= most}
        probe = max(levels, key=levels.__getitem__, default=None)
        if probe is not None and levels[probe] > 1:
            doubts.add(probe)  # what has most levels shows whether they were cut
        sure = [number not in doubts for number in items.numbers]
        fresh = self._reading.seen[ENTITY].new(compress(items.numbers, sure))
        self._reading.sink.write_lines(ENTITY, list(compress(compress(items.lines, sure), fresh)))
        found = self._reader.read_ids([f"gid://shopify/InventoryItem/{number}" for number in sorted(doubts)])
        for gid, count in found.items():
            got = levels[number_of(gid)]
            if got < count and got < PROVED_CHILDREN:
                shop = self._where.shop
                raise BulkFailed(f"{shop}: the result has {got} of {count} levels of one item", shop=shop)
