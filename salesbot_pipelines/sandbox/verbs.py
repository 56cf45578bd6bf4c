"""Changes told in words: the verbs of `Shop` by name, for the control plane, the pages and the faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .makers import MAKERS
from .shop import Shop

VERBS = (
    "set_price",
    "set_stock",
    "update_product",
    "publish",
    "create_product",
    "delete_product",
    "move_product",
    "remove_from_collection",
    "update_collection",
    "delete_collection",
    "update_discount",
    "delete_discount",
    "update_shop",
    "grant",
    "install",
    "uninstall",
    "freeze",
    "thaw",
    *MAKERS,
)


class BadChange(ValueError):
    """A change nobody understands."""


def apply_change(shop: Shop, change: Callable[[Shop], Any] | dict[str, Any]) -> Any:
    """Apply a change: a callable, or {"verb": ..., "arguments": {...}}; raises BadChange."""
    if not isinstance(change, dict):
        return change(shop)
    verb, arguments = change.get("verb"), change.get("arguments", {})
    if verb not in VERBS or not isinstance(arguments, dict):
        raise BadChange(f"no verb {verb!r}; there are {', '.join(VERBS)}")
    try:
        maker = MAKERS.get(verb)
        return getattr(shop, verb)(**arguments) if maker is None else maker(shop, **arguments)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise BadChange(f"{verb}: {type(error).__name__}: {error}") from error
