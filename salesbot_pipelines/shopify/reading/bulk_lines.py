"""Lines of a bulk result, looked at just enough to know where they belong."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.shopify.reading.ids import Numbers, number_of

Node = dict[str, Any]

PROVED_CHILDREN = 90
"""Fewer children than this are believed where Shopify gives no count of them.

Nested connections of a completed operation have been seen to stop at about 100 (airbyte#78512).
"""


_ROOT_KINDS = ("Product", "InventoryItem")


class _Head(msgspec.Struct, gc=False):
    id: str
    parent: str | None = msgspec.field(name="__parentId", default=None)
    kind: str = msgspec.field(name="__typename", default="")
    position: int = 0


class Line(NamedTuple):
    """One line: its own number and kind, its parent's, and the bytes of it."""

    number: int
    kind: str
    parent: str
    parent_kind: str
    position: int
    raw: bytes

    @property
    def parent_number(self) -> int:
        return number_of(self.parent)


_head = msgspec.json.Decoder(_Head).decode
_whole = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


class Order:
    """Whether parents stood before their children, and variants by position: else a child's place means nothing."""

    def __init__(self) -> None:
        self.kept = True
        self._roots = Numbers()
        self._last = ("", 0)

    def note(self, line: Line) -> None:
        """Look at the next line. Children of children are not judged: their order tells nothing."""
        if not line.parent:
            self._roots.add(line.number)
        elif line.parent_kind in _ROOT_KINDS:
            if line.parent_number not in self._roots:
                self.kept = False
            if line.kind == "ProductVariant":
                parent, position = self._last
                if parent == line.parent and line.position < position:
                    self.kept = False
                self._last = (line.parent, line.position)


def read_lines(path: Path, expected: int, shop: str) -> Iterator[Line]:
    """Give the lines of a result; raise `BulkFailed` for a broken one, or unless there are as many as expected."""
    count = 0
    with path.open("rb") as file:
        for raw in file:
            count += 1
            try:
                head = _head(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise BulkFailed(f"{shop}: line {count} of the result is broken", shop=shop) from None
            parent = head.parent or ""
            kind = parent[14:].partition("/")[0]  # gid://shopify/<kind>/<number>
            yield Line(number_of(head.id), head.kind, parent, kind, head.position, raw)
    if count != expected:
        raise BulkFailed(f"{shop}: the result has {count} lines and Shopify counts {expected}", shop=shop)


def decode_line(raw: bytes, shop: str) -> Node:
    """Return a line as a node, without what only the bulk result has: its parent's id."""
    try:
        node: Node = _whole(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BulkFailed(f"{shop}: a line of the result is broken", shop=shop) from None
    return node
