"""Stock out of a bulk result, made into exactly what pages give."""

from __future__ import annotations

from pathlib import Path

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.shopify.bulk import BulkResult
from salesbot_pipelines.shopify.queries import bulk_text
from salesbot_pipelines.shopify.reading.bulk_lines import PROVED_CHILDREN, Node, Order, decode_lines, read_lines
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.inventory import InventoryReader
from salesbot_pipelines.shopify.reading.scatter import Scatter, parts_for

ENTITY = "inventory"
_LEVELS = "inventoryLevels"


def inventory_texts() -> dict[str, str]:
    """Return the operation that all stock takes."""
    return {"inventory": bulk_text("bulk_inventory")}


class BulkInventory:
    """Joins levels to their items and writes them."""

    def __init__(self, reading: Reading, reader: InventoryReader, folder: Path) -> None:
        self._reading = reading
        self._reader = reader
        self._folder = folder
        self._shop = reading.client.shop

    def read(self, result: BulkResult) -> None:
        """Write every item, then those that only variants know; raise `BulkFailed` when the result is not whole."""
        parts = parts_for(result.path.stat().st_size)
        spread = Scatter(self._folder, "items", parts)
        order = Order()
        for line in read_lines(result.path, result.lines, self._shop):
            order.note(line)
            number, _, parent, _, raw = line
            spread.put(parent or number, raw)
        result.path.unlink()
        for part in range(parts):
            self._write_part(decode_lines(spread.take(part), self._shop), ordered=order.kept)
            self._reading.step(ENTITY)
        self._reader.read_missed()

    def _write_part(self, lines: list[Node], *, ordered: bool) -> None:
        items: dict[str, Node] = {node["id"]: node for node in lines if "__parentId" not in node}
        for node in items.values():
            node.pop("__typename", None)
            node[_LEVELS] = []
        for node in lines:
            item = items.get(node.pop("__parentId", ""))
            if item is not None:
                node.pop("__typename", None)
                item[_LEVELS].append(node)
        most = PROVED_CHILDREN if ordered else 2
        doubts = [gid for gid, node in items.items() if len(node[_LEVELS]) >= most]
        probe = max(items, key=lambda gid: len(items[gid][_LEVELS]), default=None)
        if probe is not None and len(items[probe][_LEVELS]) > 1 and probe not in doubts:
            doubts.append(probe)  # what has most levels shows whether they were cut
        for gid, node in items.items():
            if gid not in doubts and self._reading.seen[ENTITY].add(number_of(gid)):
                self._reader.write(node)
        for gid, levels in self._reader.read_ids(doubts).items():
            got = len(items[gid][_LEVELS])
            if got < levels and got < PROVED_CHILDREN:
                raise BulkFailed(
                    f"{self._shop}: the result has {got} of {levels} levels of one item", shop=self._shop
                )
