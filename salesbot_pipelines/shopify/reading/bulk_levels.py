"""Inventory items put together from the lines of a bulk result: plain functions over files, for any process to do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from salesbot_pipelines.shopify.reading.bulk_lines import Order, heads_in, inside_of, number_of_kind, read_lines
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.scatter import Scatter, cuts_for, parts_for, read_part, remove_part

_LEVELS = b"inventoryLevels"
_NAME = "items"


@dataclass(frozen=True)
class Spread:
    """Where the lines of one shop's stock lie, and which items each part begins with."""

    folder: Path
    shop: str
    cuts: tuple[int, ...]

    @property
    def parts(self) -> int:
        """How many there are."""
        return len(self.cuts) + 1


class Items(NamedTuple):
    """Some items as a page would give them: number, line and how many levels, each in a list of its own.

    That way they cost little between two processes.
    """

    numbers: list[int]
    lines: list[bytes]
    levels: list[int]


def cut(folder: Path, shop: str, path: Path) -> Spread:
    """Say how to spread a result."""
    parts = parts_for(path.stat().st_size)
    return Spread(folder, shop, cuts_for(path, parts, partial(number_of_kind, "InventoryItem")))


def spread(where: Spread, path: Path, lines: int) -> bool:
    """Spread a result of so many lines over parts, by item; say whether they stood in order.

    Raises `BulkFailed` when it is not whole.
    """
    scatter = Scatter(where.folder, _NAME, where.cuts, anew=True)
    order = Order()
    for line in read_lines(path, lines, where.shop):
        order.note(line)
        number, parent, _, _, raw = line
        scatter.put(parent or number, raw)
    scatter.close()
    return order.kept


def join_part(where: Spread, part: int) -> Items:
    """Join levels to the items of a part, in order; its files stay. Raise `BulkFailed` when a line is broken."""
    lines = read_part(where.folder, _NAME, part)
    heads = heads_in(lines, where.shop)
    items = {head.id: inside_of(line, head) for head, line in zip(heads, lines, strict=True) if head.parent is None}
    levels: dict[str, list[bytes]] = {gid: [] for gid in items}
    for head, line in zip(heads, lines, strict=True):
        of_item = levels.get(head.parent or "")
        if of_item is not None:
            of_item.append(b"{%b}" % inside_of(line, head))
    found = sorted((number_of(gid), gid) for gid in items)
    return Items(
        numbers=[number for number, _ in found],
        lines=[b'{%b,"%b":[%b]}' % (items[gid], _LEVELS, b",".join(levels[gid])) for _, gid in found],
        levels=[len(levels[gid]) for _, gid in found],
    )


def remove_joined(where: Spread, part: int) -> None:
    """Remove a part that is done with."""
    remove_part(where.folder, _NAME, part)
