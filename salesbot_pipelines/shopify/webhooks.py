"""Webhook subscriptions of a shop: what should be there, compared with what is there, and mended.

Shopify removes a subscription made through the API after eight failed deliveries in a row, so this runs at each
install and every day. https://shopify.dev/docs/apps/build/webhooks/subscribe
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from salesbot_pipelines.errors import QueryRejected
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.queries import load

TOPICS = (
    "APP_SCOPES_UPDATE",
    "APP_UNINSTALLED",
    "COLLECTIONS_CREATE",
    "COLLECTIONS_DELETE",
    "COLLECTIONS_UPDATE",
    "DISCOUNTS_CREATE",
    "DISCOUNTS_DELETE",
    "DISCOUNTS_REDEEMCODE_ADDED",
    "DISCOUNTS_REDEEMCODE_REMOVED",
    "DISCOUNTS_UPDATE",
    "INVENTORY_ITEMS_CREATE",
    "INVENTORY_ITEMS_DELETE",
    "INVENTORY_ITEMS_UPDATE",
    "INVENTORY_LEVELS_CONNECT",
    "INVENTORY_LEVELS_DISCONNECT",
    "INVENTORY_LEVELS_UPDATE",
    "LOCATIONS_CREATE",
    "LOCATIONS_DELETE",
    "LOCATIONS_UPDATE",
    "PRODUCTS_CREATE",
    "PRODUCTS_DELETE",
    "PRODUCTS_UPDATE",
    "SHOP_UPDATE",
)
"""Subscribed for every shop. The privacy topics can only be set in the app's own configuration."""

_PAGE = 100


@dataclass(frozen=True)
class Reconciled:
    """The topics that were created, updated, removed, and found right."""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]


def sign_body(body: bytes, secret: str) -> str:
    """Return the base64 signature Shopify sends with these bytes."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def verify_signature(body: bytes, signature: bytes, secrets: Sequence[str]) -> bool:
    """Say whether one of the secrets signed these very bytes; never raises, whatever the header holds.

    The raw body is signed: parsed and written again it would be another.
    """
    matches = [hmac.compare_digest(sign_body(body, secret).encode(), signature) for secret in secrets if secret]
    return any(matches)


def reconcile_subscriptions(client: AdminClient, address: str, topics: Sequence[str] = TOPICS) -> Reconciled:
    """Make the shop's subscriptions equal to `topics` at `address`.

    Only subscriptions that lead to our address are touched; the same topic twice is removed once. Raises
    `QueryRejected` naming the topic that Shopify refused.
    """
    created, updated, removed, kept = [], [], [], []
    seen: set[str] = set()
    for found in _subscriptions(client):
        topic = found["topic"]
        if found.get("uri") != address:
            continue
        if topic not in topics or topic in seen:
            _mutate(client, "webhook_delete", topic, {"id": found["id"]})
            removed.append(topic)
            continue
        seen.add(topic)
        if _is_right(found):
            kept.append(topic)
        else:
            _mutate(client, "webhook_update", topic, {"id": found["id"], "subscription": _wanted(address)})
            updated.append(topic)
    for topic in topics:
        if topic not in seen:
            _mutate(client, "webhook_create", topic, {"topic": topic, "subscription": _wanted(address)})
            created.append(topic)
    return Reconciled(tuple(created), tuple(updated), tuple(removed), tuple(kept))


def _wanted(address: str) -> dict[str, Any]:
    # The whole payload is not needed, but a filter on fields would debounce and could swallow a change.
    return {"uri": address, "format": "JSON", "filter": None, "includeFields": [], "metafieldNamespaces": []}


def _is_right(found: dict[str, Any]) -> bool:
    return (
        found.get("format") == "JSON"
        and not found.get("filter")
        and not found.get("includeFields")
        and not found.get("metafieldNamespaces")
    )


def _subscriptions(client: AdminClient) -> Iterator[dict[str, Any]]:
    after: str | None = None
    found: list[dict[str, Any]] = []
    while True:
        answer = client.execute(load("webhook_subscriptions"), {"first": _PAGE, "after": after})
        page = answer.data.get("webhookSubscriptions")
        if not page:
            raise QueryRejected(f"{client.shop}: the subscriptions cannot be listed", shop=client.shop)
        found += [node for node in page["nodes"] if node]
        info = page["pageInfo"]
        if not info["hasNextPage"] or info["endCursor"] == after:
            # Mutations move pages, so the list is read to its end before anything is changed.
            yield from found
            return
        after = info["endCursor"]


def _mutate(client: AdminClient, name: str, topic: str, variables: dict[str, Any]) -> None:
    answer = client.execute(load(name), variables)
    results = [result for result in answer.data.values() if isinstance(result, dict)]
    errors = [error for result in results for error in result.get("userErrors") or ()]
    if errors or not results:
        text = str(errors[0].get("message", ""))[:200] if errors else "no answer"
        raise QueryRejected(f"{client.shop}: subscription {topic} was refused: {text}", shop=client.shop)
