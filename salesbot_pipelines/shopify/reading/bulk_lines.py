"""Lines of a bulk result, looked at just enough to know where they belong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.shopify.nodes import line_of, node_of
from salesbot_pipelines.shopify.reading.ids import Numbers, match_gid

PROVED_CHILDREN = 90
"""Fewer children than this are believed where Shopify gives no count of them.

Nested connections of a completed operation have been seen to stop at about 100 (airbyte#78512).
"""

_BYTES_AT_ONCE = 256 * 1024
_ROOT_KINDS = ("Product", "InventoryItem")


class _Named(msgspec.Struct, gc=False, rename="camel"):
    id: str = ""
    updated_at: Any = None


class Head(msgspec.Struct, gc=False, rename="camel"):
    """What a line says of where it belongs, and how much belongs to it."""

    id: str
    parent: str | None = msgspec.field(name="__parentId", default=None)
    kind: str = msgspec.field(name="__typename", default="")
    position: Any = None
    updated_at: Any = None
    product: _Named | None = None
    inventory_item: _Named | None = None
    variants_count: Any = None
    media_count: Any = None


Line = tuple[int, int, str, Head, bytes]
"""The object's number, the number and kind of its parent (0 and "" at the root), what else it says, and the line."""

_head = msgspec.json.Decoder(Head).decode
_heads = msgspec.json.Decoder(list[Head]).decode
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Order:
    """Whether parents stood before their children, and variants by position: else a child's place means nothing."""

    def __init__(self) -> None:
        self.kept = True
        self._roots = Numbers()
        self._parent = 0
        self._variants_of = (0, 0)

    def note(self, line: Line) -> None:
        """Look at the next line. Children of children are not judged: their order tells nothing."""
        number, parent, parent_kind, head, _ = line
        if not parent:
            self._roots.add(number)
        elif parent_kind in _ROOT_KINDS:
            if parent != self._parent:
                self._parent = parent
                self.kept &= parent in self._roots
            if head.kind == "ProductVariant":
                position = head.position if isinstance(head.position, int) else 0
                self.kept &= self._variants_of[0] != parent or self._variants_of[1] <= position
                self._variants_of = (parent, position)


def read_lines(path: Path, expected: int, shop: str) -> Iterator[Line]:
    """Give the lines of a result; raise `BulkFailed` for a broken one, or unless there are as many as expected."""
    count = 0
    gid: str | None = None  # of the last parent: its children mostly stand together
    parent, parent_kind = 0, ""
    with path.open("rb") as file:
        while lines := file.readlines(_BYTES_AT_ONCE):
            for raw, head in zip(lines, _heads_of(lines, count, shop), strict=True):
                count += 1
                found = match_gid(head.id)
                if head.parent != gid:
                    gid, (parent, parent_kind) = head.parent, named(head.parent)
                if found is None or (gid and not parent):
                    raise _broken(count, shop)
                yield int(found[2]), parent, parent_kind, head, raw
    if count != expected:
        raise BulkFailed(f"{shop}: the result has {count} lines and Shopify counts {expected}", shop=shop)


def number_of_kind(wanted: str, raw: bytes) -> int:
    """Return the number of a line's object, or else of its parent, that is of the kind; 0 where neither is."""
    try:
        head = _head(raw)
    except _BROKEN:  # told when the line is read in its turn
        return 0
    number, _ = named(head.id)
    parent, parent_kind = named(head.parent)
    return number if head.kind == wanted else parent if parent_kind == wanted else 0


def named(gid: str | None) -> tuple[int, str]:
    """Return the number and the kind that a gid names; 0 and "" for anything else."""
    found = match_gid(gid) if gid else None
    return (int(found[2]), found[1]) if found else (0, "")


def heads_in(lines: Sequence[bytes], shop: str) -> list[Head]:
    """Return what lines say that were read before; raise `BulkFailed` when one is broken."""
    text = _as_list(lines)
    try:
        text.decode()  # what a head leaves out is not looked at letter by letter
        return _heads(text)
    except _BROKEN:
        raise BulkFailed(f"{shop}: a line of the result is broken", shop=shop) from None


def inside_of(line: bytes, head: Head, *, with_kind: bool = False) -> bytes:
    """Return what stands between a line's braces, without the parent and, unless that is wanted, the kind.

    Both are cut out of the bytes where they stand as Shopify writes them: the kind first, for every query asks for it
    first, and the parent last. Inside a string neither could have these quotes. Any other line is written anew.
    """
    inside = line.strip()[1:-1]
    if head.parent is not None:
        inside, _, parent = inside.rpartition(b',"__parentId":')
        if parent != b'"%b"' % head.parent.encode():
            return _written_anew(line, with_kind=with_kind)
    if head.kind and not with_kind:
        begin = b'"__typename":"%b",' % head.kind.encode()
        if not inside.startswith(begin):
            return _written_anew(line, with_kind=with_kind)
        inside = inside[len(begin) :]
    return inside


def _written_anew(line: bytes, *, with_kind: bool) -> bytes:
    node = node_of(line)
    node.pop("__parentId", None)
    if not with_kind:
        node.pop("__typename", None)
    return line_of(node)[1:-1]


def _heads_of(lines: Sequence[bytes], before: int, shop: str) -> list[Head]:
    """Decode lines at once, or find the first broken one; so many lines came `before`."""
    try:
        # A line ends with its newline, which no string may hold: no text is put together out of two lines.
        heads = _heads(_as_list(lines))
        if len(heads) == len(lines):
            return heads
    except _BROKEN:
        pass
    return [_head_of(line, place, shop) for place, line in enumerate(lines, before + 1)]


def _as_list(lines: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(lines) + b"]"


def _head_of(line: bytes, place: int, shop: str) -> Head:
    try:
        return _head(line)
    except _BROKEN:
        raise _broken(place, shop) from None


def _broken(place: int, shop: str) -> BulkFailed:
    return BulkFailed(f"{shop}: line {place} of the result is broken", shop=shop)
