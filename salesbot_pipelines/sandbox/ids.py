"""Global ids and cursors, in the shapes Shopify writes them.

An id is `gid://shopify/<Type>/<digits>`, an InventoryLevel's also carries a query. A cursor is base64
of a small JSON object; clients must treat it as opaque, so nothing here promises its content.
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

import msgspec

PREFIX = "gid://shopify/"


def gid(kind: str, number: int) -> str:
    """Write the global id of object `number` of type `kind`."""
    return f"{PREFIX}{kind}/{number}"


def split_gid(text: str) -> tuple[str, int] | None:
    """Read a global id into its type and number; None when it is not one."""
    if not text.startswith(PREFIX):
        return None
    kind, slash, rest = text[len(PREFIX) :].partition("/")
    digits = rest.partition("?")[0]
    return (kind, int(digits)) if slash and digits.isascii() and digits.isdigit() else None


def number_of(text: str) -> int:
    """Return the number of a global id known to be one."""
    return int(text[text.rindex("/") + 1 :].partition("?")[0])


class Cursor(NamedTuple):
    """Where a page ended: the last object's number, and how many objects lay up to and with it."""

    last_id: int
    position: int


class _Written(msgspec.Struct):
    last_id: int
    last_value: int
    position: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Written).decode


def write_cursor(last_id: int, position: int) -> str:
    """Write the cursor of one object."""
    return base64.urlsafe_b64encode(_encode(_Written(last_id, last_id, position))).decode("ascii")


def read_cursor(text: str) -> Cursor | None:
    """Read a cursor; None when this sandbox never wrote it."""
    try:
        written = _decode(base64.urlsafe_b64decode(text.encode("ascii")))
    except (binascii.Error, UnicodeEncodeError, msgspec.MsgspecError):
        return None
    return Cursor(written.last_id, written.position)
