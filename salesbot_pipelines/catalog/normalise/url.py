"""Addresses of the shop's pages."""

from __future__ import annotations

from urllib.parse import quote


def page_url(shop_url: str, kind: str, handle: str) -> str | None:
    """Return the page of a product or collection (`kind` is the first part of the path); None without a handle.

    Handles may hold any letter, so they are percent-encoded.
    """
    return f"{shop_url}/{kind}/{quote(handle, safe='')}" if handle else None
