"""A raw node as one line of JSON, as it is kept: fractions as Shopify writes them, never as floats."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def line_of(node: Mapping[str, Any]) -> bytes:
    """Return the node's line, without a newline."""
    return _encode(node)


def node_of(line: bytes) -> dict[str, Any]:
    """Return the node of a line; fractions come as `Decimal`."""
    node: dict[str, Any] = _decode(line)
    return node


def gid_number(gid: str) -> int:
    """Give the digits of `gid://shopify/Type/123?query` as a number.

    Raises `ValueError` for anything else.
    """
    return int(gid.partition("?")[0].rpartition("/")[2])
