"""Inventory items put together from the lines of a bulk result: plain functions over files, for any process to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from salesbot_pipelines.shopify.nodes import line_of
from salesbot_pipelines.shopify.reading.bulk_lines import Node, Order, decode_lines, read_lines
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.scatter import Scatter, read_part, remove_part

_LEVELS = "inventoryLevels"
_NAME = "items"


@dataclass(frozen=True)
class Spread:
    """Where the lines of one shop's stock lie, and in how many parts."""

    folder: Path
    shop: str
    parts: int


class Item(NamedTuple):
    """One item as a page would give it, and how many levels it has."""

    number: int
    line: bytes
    levels: int


def spread(where: Spread, path: Path, lines: int) -> bool:
    """Spread a result of so many lines over parts, by item; say whether they stood in order.

    Raises `BulkFailed` when it is not whole.
    """
    scatter = Scatter(where.folder, _NAME, where.parts, anew=True)
    order = Order()
    for line in read_lines(path, lines, where.shop):
        order.note(line)
        number, _, parent, _, raw = line
        scatter.put(parent or number, raw)
    scatter.close()
    return order.kept


def join_part(where: Spread, part: int) -> list[Item]:
    """Join levels to the items of a part, whose files stay; raise `BulkFailed` when a line is broken."""
    nodes = decode_lines(read_part(where.folder, _NAME, part), where.shop)
    items: dict[str, Node] = {node["id"]: node for node in nodes if "__parentId" not in node}
    for node in items.values():
        node.pop("__typename", None)
        node[_LEVELS] = []
    for node in nodes:
        item = items.get(node.pop("__parentId", ""))
        if item is not None:
            node.pop("__typename", None)
            item[_LEVELS].append(node)
    return [Item(number_of(gid), line_of(node), len(node[_LEVELS])) for gid, node in items.items()]


def remove_joined(where: Spread, part: int) -> None:
    """Remove a part that is done with."""
    remove_part(where.folder, _NAME, part)
