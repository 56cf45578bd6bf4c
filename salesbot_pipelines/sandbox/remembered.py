"""Answers kept as bytes, for those who measure clients and not the sandbox.

Off unless it is given room. An answer is forgotten when its shop changes through a verb of `Shop`; a node edited in
place is not noticed.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import msgspec

from .shop import Shop

# Roots whose answers follow from the shop's tables alone.
_LASTING = """
    shop shopLocales locations location products product productVariants productVariant inventoryItems inventoryItem
    collections collection discountNodes discountNode nodes node productsCount productVariantsCount collectionsCount
    locationsCount discountNodesCount discountCodesCount
"""
LASTING = frozenset(_LASTING.split())


class Kept(NamedTuple):
    """An encoded `data`, and what it cost."""

    data: bytes
    actual: int


class Remembered:
    """Up to `room` bytes of answers; the longest unused go first."""

    def __init__(self, room: int = 0) -> None:
        self.room, self._used = room, 0
        self._kept: OrderedDict[Any, Kept] = OrderedDict()

    def key(self, shop: Shop, text: str, name: str | None, variables: dict[str, Any]) -> Any:
        """Return the name of an answer; None when nothing is kept."""
        if not self.room:
            return None
        return shop.domain, shop.version, tuple(shop.scopes), text, name, msgspec.json.encode(variables)

    def get(self, key: Any) -> Kept | None:
        """Return a kept answer."""
        kept = self._kept.get(key) if key is not None else None
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def keep(self, key: Any, kept: Kept) -> None:
        """Keep an answer."""
        if key is None or len(kept.data) > self.room:
            return
        self._kept[key] = kept
        self._used += len(kept.data)
        while self._used > self.room:
            _, gone = self._kept.popitem(last=False)
            self._used -= len(gone.data)
