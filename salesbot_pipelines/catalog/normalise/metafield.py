"""Custom values, as Shopify stores them."""

from __future__ import annotations

from typing import Any

from salesbot_pipelines.catalog.model import Metafield


def normalise_metafields(nodes: list[Any]) -> list[Metafield]:
    """Return metafields by namespace and key; the value stays the raw text, whatever its type."""
    found = [
        Metafield(
            key=node["key"],
            namespace=node["namespace"],
            # Recorded bulk lines did not select it.
            type=node.get("type") or "unknown",
            value=node["value"],
        )
        for node in nodes
        if node.get("key") and node.get("namespace") and isinstance(node.get("value"), str)
    ]
    if len(found) > 1:
        found.sort(key=lambda field: (field.namespace, field.key, field.value))
    return found
