"""The only place that spells an object's key.

Promise: whatever a key names lies below its owner's and shop's prefix, and no key can climb out of
the store's root or hide from `list`. What the objects hold does not belong here.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from salesbot_pipelines.errors import InvalidShop, StoreRefused

__all__ = ["ShopKeys", "check_key", "probe_key"]

# Shopify's own rule for permanent domains. `fullmatch`, because `$` would let a trailing newline through.
_SHOP = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\.myshopify\.com")
_ENTITY = re.compile(r"[a-z]+(_[a-z]+)*")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_KEY_BYTES = 1024  # S3's limit for a whole key
_SEGMENT_BYTES = 200  # a file's name may have 255; sidecars and temporary files need the rest


@dataclass(frozen=True)
class ShopKeys:
    """The objects of one shop, all below one prefix so that one purge removes them.

    Raises `InvalidShop` for anything but a permanent myshopify.com domain and `StoreRefused` for an
    owner that is not a UUID in its canonical form. The domain itself is the key: replacing its dots,
    as the first version did, cannot be undone for every name.
    """

    owner: str
    shop: str

    def __post_init__(self) -> None:
        if not _SHOP.fullmatch(self.shop):
            raise InvalidShop(f"{self.shop[:80]!r} is not a permanent Shopify domain")
        if not _is_uuid(self.owner):
            raise StoreRefused(f"the owner of {self.shop} is not a UUID", advice="")

    @property
    def prefix(self) -> str:
        """Ends with a slash, so that no other shop's keys start with it."""
        return f"users/{self.owner}/shopify/{self.shop}/"

    @property
    def document(self) -> str:
        return f"{self.prefix}shopify_data.json"

    @property
    def manifest(self) -> str:
        return f"{self.prefix}manifest.json"

    @property
    def products(self) -> str:
        return f"{self.prefix}products.jsonl"

    @property
    def discounts(self) -> str:
        return f"{self.prefix}discounts.jsonl"

    @property
    def collections(self) -> str:
        return f"{self.prefix}collections.jsonl"

    def raw(self, entity: str) -> str:
        """The key of what Shopify said about one entity, such as `products`."""
        if not _ENTITY.fullmatch(entity):
            raise StoreRefused(f"{entity[:80]!r} is not the name of an entity", advice="")
        return f"{self.prefix}raw/{entity}.jsonl.gz"


def probe_key() -> str:
    """Return a key of its own for one check of the store, beside and not among the shops' objects."""
    return f"probes/{uuid.uuid4()}"


def check_key(key: str) -> str:
    """Return the key when every store can hold it. Raises `StoreRefused`.

    Segments that are empty or start with a dot are refused: the local store hides its own files
    behind a dot, and `..` would climb out of its root.
    """
    if _UNSAFE.search(key) or len(key.encode()) > _KEY_BYTES:
        raise StoreRefused(f"{key[:80]!r} is not a key: control characters, backslash, or too long", advice="")
    for segment in key.split("/"):
        if not segment or segment.startswith(".") or len(segment.encode()) > _SEGMENT_BYTES:
            raise StoreRefused(
                f"{key[:80]!r} is not a key: a part is empty, too long, or starts with a dot", advice=""
            )
    return key


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
