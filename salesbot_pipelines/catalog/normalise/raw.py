"""Reading raw nodes: connections in every shape Shopify has for them, ids, whole numbers, optional text, URLs.

Absent and null are the same everywhere. Nothing here raises on what JSON can hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from salesbot_pipelines.catalog.normalise.context import Raw

_GID = re.compile(r"gid://shopify/[A-Za-z]+/([0-9]+)(?:\?.*)?", re.DOTALL | re.ASCII)
_USUAL = frozenset(
    f"gid://shopify/{kind}" for kind in ("Collection", "InventoryItem", "Location", "Product", "ProductVariant")
)
"""The gids of every refresh, read without the pattern; all others are read with it."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_LEAST, _MOST = -(2**63), 2**64 - 1
_URI_TEXT = re.compile(r"[!#$%&'()*+,\-./:;=?@\[\]_~A-Za-z0-9]+", re.ASCII)
_URI_SAFE = "!#$%&'()*+,-./:;=?@[]_~"


def nodes_of(value: Any) -> tuple[list[Any], bool]:
    """Return a connection's nodes and whether they are all: a list, {"nodes"}, {"edges": [{"node"}]}, or None.

    None is unknown, so it is not complete. A null among the nodes is left out.
    """
    if isinstance(value, list):
        return value if None not in value else [node for node in value if node is not None], True
    if not isinstance(value, dict):
        return [], False
    nodes = value.get("nodes")
    if nodes is None:
        nodes = [(edge or {}).get("node") for edge in value.get("edges") or ()]
    has_more = bool((value.get("pageInfo") or {}).get("hasNextPage"))
    return [node for node in nodes if node is not None], not has_more


def connection(raw: Raw, name: str) -> tuple[list[Any], bool]:
    """Return `nodes_of` a node's connection, incomplete also when the node's own "incomplete" names it."""
    nodes, complete = nodes_of(raw.get(name))
    incomplete = raw.get("incomplete")
    return nodes, complete and not (incomplete and name in incomplete)


def legacy_id(gid: Any) -> str | None:
    """Return the digits of a gid as text; None when it is no Shopify gid."""
    if not isinstance(gid, str):
        return None
    head, _, digits = gid.rpartition("/")
    if head in _USUAL and digits.isdecimal() and digits.isascii():
        return digits
    match = _GID.fullmatch(gid)
    return match[1] if match else None


def key_of(raw: Raw) -> tuple[str, str] | None:
    """Return a node's gid and legacy id; None when it has no Shopify gid."""
    gid = raw.get("id")
    digits = legacy_id(gid)
    return (gid, digits) if gid is not None and digits is not None else None


def ids_in_order(gids: Iterable[Any]) -> list[str]:
    """Return gids once each, by legacy id as a number; what is no gid is left out."""
    places = sorted(place for place in map(_place, set(gids)) if place is not None)
    return [gid for _, gid in places]


@lru_cache(maxsize=4096)
def _place(gid: str | None) -> tuple[int, str] | None:
    digits = legacy_id(gid)
    return None if gid is None or digits is None else (int(digits), gid)


def gid_of(node: Any) -> Any:
    """Return the gid of a node, or the gid itself where only gids were kept."""
    return node.get("id") if isinstance(node, dict) else node


def integer(value: Any) -> int | None:
    """Return a whole number from an Int or from Shopify's 64-bit numbers in text; None for anything else."""
    kind = type(value)
    if kind is str and _WHOLE.fullmatch(value):
        value = int(value)
    elif kind is not int:
        return None
    return value if _LEAST <= value <= _MOST else None


def exact_count(value: Any) -> int | None:
    """Return the count of a `Count {count precision}` when it is exact.

    At 10,000 (or with AT_LEAST) Shopify only knows a lower bound, which proves nothing.
    """
    if not isinstance(value, dict) or value.get("precision", "EXACT") != "EXACT":
        return None
    return integer(value.get("count"))


def flag(value: Any) -> bool | None:
    """Return a boolean, or None for unknown."""
    return value if isinstance(value, bool) else None


def text(value: Any) -> str | None:
    """Return an optional text: "" says nothing and becomes None."""
    return value if isinstance(value, str) and value else None


def lower(value: Any) -> str | None:
    """Return a Shopify enum value in the contract's spelling."""
    return value.lower() if isinstance(value, str) and value else None


def uri(value: Any) -> str | None:
    """Return a URL whose every character a URI may hold; None for no text."""
    if not isinstance(value, str) or not value:
        return None
    return value if _URI_TEXT.fullmatch(value) else quote(value, safe=_URI_SAFE)
