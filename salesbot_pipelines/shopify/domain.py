"""The shop's permanent domain: the one name a shop is known by, and the only thing a Shopify host is built from.

The promise: what `parse_shop` lets through is a single label under myshopify.com, so no text from outside can steer a
secret to another host.
"""

from __future__ import annotations

import re

from salesbot_pipelines.errors import InvalidShop

_SHOP = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\.myshopify\.com")
_LONGEST = 80


def parse_shop(text: str) -> str:
    """Return the domain in lower case; raise `InvalidShop` for anything but `<name>.myshopify.com`.

    The pattern is matched whole: Python's `$` would let a trailing newline through.
    """
    lowered = text.lower() if text.isascii() and len(text) <= _LONGEST else ""
    if not _SHOP.fullmatch(lowered):
        raise InvalidShop(f"{text[:_LONGEST]!r} is not a shop's permanent domain")
    return lowered


def shop_base_url(template: str, shop: str) -> str:
    """Return where the shop is reached: the template (`SHOPIFY_SHOP_URL`) with the validated domain in it."""
    return template.replace("{shop}", parse_shop(shop)).rstrip("/")
