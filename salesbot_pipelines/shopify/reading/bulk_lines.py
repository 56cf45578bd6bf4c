"""Lines of a bulk result, looked at just enough to know where they belong.

Our own texts select `__typename` and `id` first, and Shopify writes the parent's id last, so two short looks at the
bytes do for nearly every line; a line of any other make is decoded and understood just as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from salesbot_pipelines.errors import BulkFailed, ShopifyUnavailable
from salesbot_pipelines.shopify.reading.ids import Numbers, number_of

Node = dict[str, Any]

PROVED_CHILDREN = 90
"""Fewer children than this are believed where Shopify gives no count of them.

Nested connections of a completed operation have been seen to stop at about 100 (airbyte#78512).
"""

Line = tuple[int, str, int, str, bytes]
"""Number and kind of an object, number and kind of its parent (0 and "" at the root), and the line itself."""

_START = re.compile(rb'\{"__typename":"(\w+)","id":"gid://shopify/\w+/(\d{1,18})[?"]').match
# Within a JSON string the quotes would be escaped, so these bytes can only be the key itself.
_PARENT = b'"__parentId":"gid://shopify/'
_PARENT_KEY = b'"__parentId"'
_PARENT_ID = re.compile(rb'(\w+)/(\d{1,18})[?"]').match
_POSITION = re.compile(rb'"position":(\d+)').search
_ROOT_KINDS = ("Product", "InventoryItem")
_KINDS = {
    kind.encode(): kind
    for kind in ("Product", "ProductVariant", "Metafield", "MediaImage", "InventoryItem", "InventoryLevel")
}


class _Head(msgspec.Struct, gc=False):
    id: str
    parent: str | None = msgspec.field(name="__parentId", default=None)
    kind: str = msgspec.field(name="__typename", default="")


_head = msgspec.json.Decoder(_Head).decode
_list = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Decimal).decode


class Order:
    """Whether parents stood before their children, and variants by position: else a child's place means nothing."""

    def __init__(self) -> None:
        self.kept = True
        self._roots = Numbers()
        self._parent = 0
        self._variants_of = (0, 0)

    def note(self, line: Line) -> None:
        """Look at the next line. Children of children are not judged: their order tells nothing."""
        number, kind, parent, parent_kind, raw = line
        if not parent:
            self._roots.add(number)
        elif parent_kind in _ROOT_KINDS:
            if parent != self._parent:
                self._parent = parent
                self.kept &= parent in self._roots
            if kind == "ProductVariant":
                found = _POSITION(raw)
                position = int(found[1]) if found else 0
                self.kept &= self._variants_of[0] != parent or self._variants_of[1] <= position
                self._variants_of = (parent, position)


def read_lines(path: Path, expected: int, shop: str) -> Iterator[Line]:
    """Give the lines of a result; raise `BulkFailed` for a broken one, or unless there are as many as expected."""
    count = 0
    with path.open("rb") as file:
        for raw in file:
            count += 1
            start = _START(raw)
            place = raw.rfind(_PARENT)
            if start is None or (place < 0 and _PARENT_KEY in raw):
                yield _decoded(raw, count, shop)
                continue
            kind, number = start.groups()
            parent = _PARENT_ID(raw, place + len(_PARENT)) if place >= 0 else None
            if parent is None:
                yield int(number), _kind(kind), 0, "", raw
            else:
                yield int(number), _kind(kind), int(parent[2]), _kind(parent[1]), raw
    if count != expected:
        raise BulkFailed(f"{shop}: the result has {count} lines and Shopify counts {expected}", shop=shop)


def number_of_kind(wanted: str, raw: bytes) -> int:
    """Return the number of a line's object, or else of its parent, that is of the kind; 0 where neither is."""
    try:
        number, kind, parent, parent_kind, _ = _decoded(raw, 0, "")
    except BulkFailed:  # told when the line is read in its turn
        return 0
    return number if kind == wanted else parent if parent_kind == wanted else 0


def decode_lines(lines: list[bytes], shop: str) -> list[Node]:
    """Return lines as nodes; raise `BulkFailed` when one is broken."""
    try:
        return _list(b"[" + b",".join(lines) + b"]")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BulkFailed(f"{shop}: a line of the result is broken", shop=shop) from None


def _decoded(raw: bytes, place: int, shop: str) -> Line:
    try:
        head = _head(raw)
        number = number_of(head.id)
        parent = number_of(head.parent) if head.parent else 0
    except (msgspec.MsgspecError, UnicodeDecodeError, ShopifyUnavailable):
        raise BulkFailed(f"{shop}: line {place} of the result is broken", shop=shop) from None
    kind = head.parent[14:].partition("/")[0] if head.parent else ""  # gid://shopify/<kind>/<number>
    return number, head.kind, parent, kind, raw


def _kind(name: bytes) -> str:
    return _KINDS.get(name) or name.decode()
