"""What the normalisers must know of the shop around the one object they look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Raw = Mapping[str, Any]
"""One Shopify node as it was selected, connections flattened to lists."""

Levels = Mapping[str, Any]
"""The stock of one inventory item: {"id", "levels": [raw levels], "incomplete": bool}."""


@dataclass(frozen=True, slots=True)
class ShopContext:
    """Currency (ISO 4217), public URL without a slash at the end, domain, and the locations' names by gid.

    `is_published` answers for a product's gid whether that product is in the document.
    """

    currency: str
    url: str
    domain: str
    location_names: Mapping[str, str | None]
    is_published: Callable[[str], bool]
