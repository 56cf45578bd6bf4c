"""Webhooks as Shopify sends them: signature, the two families of headers, topics, and the subscriptions for them.

The promise: nothing in a request from outside makes these functions raise anything but `RequestRefused`. The
signature covers the body alone, so the headers choose between harmless things only: a topic outside `TOPICS` is no
topic, and what a destructive one claims must be confirmed by whoever acts on it.
https://shopify.dev/docs/apps/build/webhooks
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from salesbot_pipelines.errors import QueryRejected, RequestRefused, ShopifyUnavailable
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.queries import load

Kind = Literal["ordinary", "lifecycle", "destructive"]

_ORDINARY = (
    "products/create",
    "products/update",
    "products/delete",
    "collections/create",
    "collections/update",
    "collections/delete",
    "discounts/create",
    "discounts/update",
    "discounts/delete",
    "discounts/redeemcode_added",
    "discounts/redeemcode_removed",
    "inventory_levels/update",
    "inventory_levels/connect",
    "inventory_levels/disconnect",
    "inventory_items/create",
    "inventory_items/update",
    "inventory_items/delete",
    "variants/in_stock",
    "variants/out_of_stock",
    "locations/create",
    "locations/update",
    "locations/activate",
    "locations/deactivate",
    "locations/delete",
    "shop/update",
)
TOPICS: Mapping[str, Kind] = MappingProxyType(
    {
        **dict.fromkeys(_ORDINARY, "ordinary"),
        "app/scopes_update": "lifecycle",
        "customers/data_request": "lifecycle",
        "app/uninstalled": "destructive",
        "customers/redact": "destructive",
        "shop/redact": "destructive",
    }
)
"""The topics that mean something here.

ordinary: the catalogue may have changed, fetch it again. lifecycle: noted one by one, deletes nothing.
destructive: noted one by one, and confirmed before anything is deleted. `bulk_operations/finish` is left out on
purpose: our own reading causes it, and a refresh for each would never end.
"""

SUBSCRIBED = (*_ORDINARY, "app/uninstalled", "app/scopes_update")
"""What we subscribe to through the API. The three compliance topics exist in the app's configuration only."""

# Small payloads, for they are only hints; updated_at must be there, or changes of other fields would not be sent.
_FIELDS: Mapping[str, list[str]] = MappingProxyType(
    {
        f"{kind}/{verb}": ["id", "admin_graphql_api_id", "updated_at"]
        for kind in ("products", "collections")
        for verb in ("create", "update")
    }
)

_CLASSIC, _EVENTS = "x-shopify-", "shopify-"
_SECURITY = ("hmac-sha256", "topic", "shop-domain", "webhook-id")
_READ = (*_SECURITY, "event-id", "triggered-at", "api-version")
_LARGEST_PAGE = 250


def verify_signature(body: bytes, header: str | bytes | None, secrets: Iterable[str]) -> bool:
    """Say whether `header` is the base64 HMAC-SHA256 of the raw body under one of the secrets.

    Digests are compared as bytes and in constant time; anything that is not base64 of 32 bytes is simply wrong.
    """
    if isinstance(header, str):
        header = header.encode("utf-8", "surrogatepass")
    try:
        given = base64.b64decode(header or b"", validate=True)
    except (binascii.Error, ValueError):
        return False
    if len(given) != hashlib.sha256().digest_size:
        return False
    matches = False
    for secret in secrets:
        if secret:
            matches |= hmac.compare_digest(hmac.new(secret.encode(), body, hashlib.sha256).digest(), given)
    return matches


@dataclass(frozen=True)
class Headers:
    """What a webhook's headers claim; unsigned, all of them. Absent ones are empty."""

    signature: str
    topic: str
    shop: str
    webhook_id: str
    event_id: str
    triggered_at: str
    api_version: str


def read_headers(items: Iterable[tuple[str | bytes, str | bytes]]) -> Headers:
    """Return the headers of either family, names in any case; the newer Events family wins when both are there.

    Raises `RequestRefused`: 401 without a signature, 400 when a header that decides something comes twice.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in items:
        name = _text(raw_name).lower()
        family, short = _split(name)
        if not family:
            continue
        if name in found and short in _SECURITY:
            raise RequestRefused(f"the header {name} comes twice", status=400)
        found.setdefault(name, _text(raw_value).strip())
    family = _EVENTS if _EVENTS + "hmac-sha256" in found else _CLASSIC
    values = {short: found.get(family + short, "") for short in _READ}
    if not values["hmac-sha256"]:
        raise RequestRefused("the signature is missing", status=401)
    return Headers(
        signature=values["hmac-sha256"],
        topic=values["topic"].lower(),
        shop=values["shop-domain"].lower(),
        webhook_id=values["webhook-id"],
        event_id=values["event-id"],
        triggered_at=values["triggered-at"],
        api_version=values["api-version"],
    )


def _split(name: str) -> tuple[str, str]:
    for family in (_CLASSIC, _EVENTS):
        if name.startswith(family) and name[len(family) :] in _READ:
            return family, name[len(family) :]
    return "", ""


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


@dataclass(frozen=True)
class Reconciled:
    """What was done to the subscriptions, by topic. `refused` has Shopify's reason: mostly a missing scope."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def reconcile_subscriptions(client: AdminClient, address: str) -> Reconciled:
    """Make this app's subscriptions at `address` what they should be, and return what that took.

    Shopify removes a subscription after eight failed deliveries in a row, so this is asked daily. Subscriptions at
    other addresses are somebody else's and stay. A topic that Shopify refuses does not stop the others; raises
    `QueryRejected` when it refuses all.
    """
    work = _Reconciling(client, address)
    for node in _own_subscriptions(client, address):
        work.judge(node)
    work.create_missing()
    return work.result()


class _Reconciling:
    def __init__(self, client: AdminClient, address: str) -> None:
        self._client = client
        self._address = address
        self._wanted = {_enum(topic): topic for topic in SUBSCRIBED}
        self._done: dict[str, list[str]] = {"created": [], "updated": [], "removed": [], "kept": []}
        self._refused: dict[str, str] = {}

    def judge(self, node: Mapping[str, Any]) -> None:
        """Keep, mend or remove a subscription that is at our address."""
        enum = str(node.get("topic"))
        topic = self._wanted.pop(enum, None)
        if topic is None:  # a topic we do not want, or one we have already
            self._run("removed", enum.lower(), "webhook_delete", {"id": node["id"]})
        elif _is_right(topic, node):
            self._done["kept"].append(topic)
        else:
            # An absent filter stays as it is, so one that is there has to be emptied.
            mended = {**self._shape(topic), **({"filter": ""} if node.get("filter") else {})}
            self._run("updated", topic, "webhook_update", {"id": node["id"], "subscription": mended})

    def create_missing(self) -> None:
        """Subscribe to what was not found."""
        for enum, topic in self._wanted.items():
            asked = {"topic": enum, "subscription": self._shape(topic)}
            self._run("created", topic, "webhook_create", asked)

    def result(self) -> Reconciled:
        """Return what was done; raise when Shopify would have none of it."""
        if self._refused and not any(self._done.values()):
            topic, reason = next(iter(self._refused.items()))
            raise QueryRejected(
                f"{self._client.shop} refuses all webhooks: {topic}: {reason}", shop=self._client.shop
            )
        done = {name: tuple(topics) for name, topics in self._done.items()}
        return Reconciled(**done, refused=self._refused)

    def _shape(self, topic: str) -> dict[str, Any]:
        return {"uri": self._address, "format": "JSON", "includeFields": _FIELDS.get(topic, [])}

    def _run(self, verb: str, topic: str, query: str, variables: dict[str, Any]) -> None:
        answer = self._client.execute(load(query), variables)
        reasons = [problem.message for problem in answer.problems]
        for payload in answer.data.values():
            reasons += [str(error.get("message")) for error in (payload or {}).get("userErrors") or ()]
        if not reasons:
            self._done[verb].append(topic)
        elif verb == "created" and any("already been taken" in reason for reason in reasons):
            self._done["kept"].append(topic)  # somebody subscribed while we looked
        else:
            self._refused[topic] = "; ".join(reasons)[:200]


def _own_subscriptions(client: AdminClient, address: str) -> list[dict[str, Any]]:
    """An app has at most some dozens, so they are listed before anything is changed."""
    found: list[dict[str, Any]] = []
    query, after = load("webhook_subscriptions"), None
    while True:
        answer = client.execute(query, {"first": _LARGEST_PAGE, "after": after})
        page = answer.data.get("webhookSubscriptions")
        if not isinstance(page, dict):
            raise QueryRejected(f"{client.shop} does not list this app's webhooks", shop=client.shop)
        found += [node for node in page["nodes"] if node["uri"] == address]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        if cursor is None or cursor == after:
            raise ShopifyUnavailable(f"{client.shop} lists its webhooks without an end", shop=client.shop)
        after = cursor


def _is_right(topic: str, node: Mapping[str, Any]) -> bool:
    fields = sorted(node.get("includeFields") or [])
    return node.get("format") == "JSON" and not node.get("filter") and fields == sorted(_FIELDS.get(topic, []))


def _enum(topic: str) -> str:
    """`products/update` is `PRODUCTS_UPDATE` in GraphQL."""
    return topic.replace("/", "_").upper()
