"""What webhook events say has changed, by the number of the thing; and when that is not enough to go by.

An event is a hint to ask again and never data: only its topic and the id it names are looked at.
https://shopify.dev/docs/api/webhooks
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_CHANGED = 250
"""Objects that are asked for one by one; for more a full read is no dearer and proves more."""

_GID = re.compile(r"gid://shopify/(\w+)/(\d{1,18})(?:\?inventory_item_id=(\d{1,18}))?", re.ASCII).fullmatch
_ALWAYS_READ = ("discounts/",)
"""Whatever happened to these, all of them are read at every refresh."""


class FullReadNeeded(Exception):
    """What changed cannot be told apart, or was not proved to be all: everything is read. Never leaves a refresh."""


@dataclass
class Changed:
    """The numbers of what changed."""

    products: set[int] = field(default_factory=set)
    variants: set[int] = field(default_factory=set)
    items: set[int] = field(default_factory=set)
    collections: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.products) + len(self.variants) + len(self.items) + len(self.collections)


def changed_by(events: Iterable[tuple[str, str | None]]) -> Changed:
    """Sort events, each a topic and a gid, by what they are about.

    Raises `FullReadNeeded` for one that concerns the whole shop or names nothing that is known.
    """
    changed = Changed()
    places = {
        ("products", "Product"): changed.products,
        ("variants", "Product"): changed.products,
        ("variants", "ProductVariant"): changed.variants,
        ("inventory_items", "InventoryItem"): changed.items,
        ("inventory_levels", "InventoryItem"): changed.items,
        ("collections", "Collection"): changed.collections,
    }
    for topic, gid in events:
        if topic.startswith(_ALWAYS_READ):
            continue
        match = _GID(gid or "")
        subject = topic.partition("/")[0]
        if match and subject == "inventory_levels" and match[1] == "InventoryLevel" and match[3]:
            changed.items.add(int(match[3]))
        elif match and not match[3] and (place := places.get((subject, match[1]))) is not None:
            place.add(int(match[2]))
        elif subject in ("inventory_levels", *(known for known, _ in places)):
            raise FullReadNeeded(f"{topic} does not name what it is about")
        else:
            raise FullReadNeeded(f"{topic} concerns the whole shop")
    return changed
