"""Which access scopes reading a shop needs, and what is left out without each.

https://shopify.dev/docs/api/usage/access-scopes
"""

from __future__ import annotations

from collections.abc import Iterable

NEEDED = ("read_products", "read_inventory", "read_locations", "read_discounts")
"""Asked for when the app is installed; one that is not granted means that the merchant must open the app again."""

OPTIONAL = ("read_legal_policies", "read_locales")
"""Used when they are granted, never asked for: links to the shop's policies, and its language."""


def holds(granted: Iterable[str], scope: str) -> bool:
    """Say whether `granted` allows what `scope` does; `write_x` holds `read_x`."""
    given = set(granted)
    return scope in given or scope.replace("read_", "write_", 1) in given


def missing_scopes(granted: Iterable[str]) -> list[str]:
    """Return the needed scopes that are not granted."""
    given = set(granted)
    return [scope for scope in NEEDED if not holds(given, scope)]
