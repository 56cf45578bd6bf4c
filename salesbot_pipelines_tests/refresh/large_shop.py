"""The shop of the incremental refresh, large enough to be worth it: read in full, and as its events ask for it."""

from __future__ import annotations

from collections import Counter

LARGE = "large.myshopify.com"


def read_in_full(rig):
    """Read the shop in full, publish it whatever lies there, and give the document."""
    rig.publish(LARGE, full=True)
    return rig.document(LARGE)


def due(rig):
    """Refresh the shop as its events ask for it; give the outcome and the calls by operation."""
    calls = rig.server.sandbox.calls
    calls.clear()
    outcome = rig.publish(LARGE, trigger="webhook")
    return outcome, Counter(call.operation for call in calls.of(LARGE))


def published(document):
    return {key: document[key] for key in ("shop", "locations", "products", "collections", "discounts", "revision")}
