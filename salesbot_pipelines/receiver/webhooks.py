"""`POST /shopify/webhook`: from raw bytes to a durable row, and only then 200.

In this order, so that little is done for whoever has no signature: the form of the headers, the body within
its limits, the signature over the raw bytes, a JSON object, a known topic, the form of the shop and the id.
The answer does not tell whether the shop is installed. Uninstalls and privacy requests go to their own table
and are confirmed before anything is deleted (`control`); every other topic only marks its shop, whose
catalogue is then asked for at Shopify: a webhook's content is never used as data.
https://shopify.dev/docs/apps/build/webhooks
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from salesbot_pipelines.errors import RequestRefused
from salesbot_pipelines.receiver.control import CONTROL_TOPICS, shop_named_in
from salesbot_pipelines.receiver.door import Door
from salesbot_pipelines.receiver.heads import event_id_of, parse_moment, read_head, require_form
from salesbot_pipelines.receiver.limits import Receive
from salesbot_pipelines.shopify.domain import parse_shop
from salesbot_pipelines.shopify.webhooks import TOPICS, Headers, verify_signature
from salesbot_pipelines.state.inbox import WebhookEvent

_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
_TAKEN: _Answer = (200, [], b"")

ORDINARY_TOPICS = (frozenset(TOPICS) | {"inventory_items/create", "inventory_items/delete"}) - CONTROL_TOPICS
"""Topics that mark their shop. They may be subscribed by us or by the app's own configuration file."""

NOTED_TOPICS = frozenset({"bulk_operations/finish"})
"""Answered and not stored: our own refreshes cause them, and marking the shop would refresh it for ever."""

_TOPICS = ORDINARY_TOPICS | CONTROL_TOPICS | NOTED_TOPICS
_LONGEST_ID = 255
_LARGEST_NUMBER = 10**18
_KINDS = {
    "products": "Product",
    "variants": "ProductVariant",
    "collections": "Collection",
    "inventory_items": "InventoryItem",
}


class _Body(msgspec.Struct):
    """What is looked at in a body. Decoding it checks that all of it is a JSON object."""

    admin_graphql_api_id: object = None
    id: object = None
    inventory_item_id: object = None
    myshopify_domain: object = None
    shop_domain: object = None


_decode = msgspec.json.Decoder(_Body).decode


class WebhookRoute:
    """The route that nearly all requests go to; called without Starlette in between."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def answer(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive, line: dict[str, Any]) -> _Answer:
        """Take one delivery and return what to answer.

        Raises `RequestRefused` for whatever is not Shopify's, and `StateUnavailable` when it cannot be made
        durable in time: Shopify sends it again then.
        """
        head = read_head(headers)
        body = await self._door.bodies.read(receive, declared=head.declared)
        claims = head.headers
        if not verify_signature(body, claims.signature, self._door.secrets):
            raise RequestRefused("the signature does not fit", status=401)
        fields = _read(body)
        require_form(claims)
        if claims.topic not in _TOPICS:
            raise RequestRefused("the topic is not one that is taken", status=404)
        shop = _shop_of(claims, fields)
        line["topic"], line["shop"], line["webhook_id"] = claims.topic, shop, claims.webhook_id
        line["outcome"] = await self._keep(claims, shop, body, fields)
        return _TAKEN

    async def _keep(self, claims: Headers, shop: str, body: bytes, fields: _Body) -> str:
        if claims.topic in NOTED_TOPICS:
            return "noted"
        event = WebhookEvent(
            shop=shop,
            topic=claims.topic,
            webhook_id=claims.webhook_id,
            body_sha256=hashlib.sha256(body).hexdigest(),
            event_id=event_id_of(claims),
            triggered_at=parse_moment(claims.triggered_at, now=self._door.program.clock.now()),
            resource_id=_resource(claims.topic, fields),
        )
        if claims.topic in CONTROL_TOPICS:
            return await self._keep_request(event, body)
        return await self._door.committer.commit(event)

    async def _keep_request(self, event: WebhookEvent, body: bytes) -> str:
        if shop_named_in(body) != event.shop:
            raise RequestRefused("the body does not name the header's shop", status=400)
        door = self._door
        kept = await door.committer.run(lambda: door.control_events.accept(event, body))
        door.worker.wake()
        return str(kept)


def _shop_of(claims: Headers, fields: _Body) -> str:
    shop = parse_shop(claims.shop)
    for named in (fields.myshopify_domain, fields.shop_domain):
        if isinstance(named, str) and named.lower() != shop:
            raise RequestRefused("the body names another shop than the header", status=400)
    return shop


def _read(body: bytes) -> _Body:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRefused("the body is not a JSON object", status=400) from None


def resource_of(topic: str, body: bytes) -> str | None:
    """Return the gid of what a body is about; raises `RequestRefused` when it is not a JSON object."""
    return _resource(topic, _read(body))


def _resource(topic: str, fields: _Body) -> str | None:
    """Give the gid that the body tells, or the one that follows from a number: what was deleted has only that.

    https://shopify.dev/docs/api/webhooks?reference=toml#list-of-topics-products/delete
    """
    told = _gid(fields.admin_graphql_api_id)
    if told is not None:
        return told
    subject = topic.partition("/")[0]
    if subject == "inventory_levels":
        return _numbered("InventoryItem", fields.inventory_item_id)
    kind = _KINDS.get(subject)
    return None if kind is None else _numbered(kind, fields.id)


def _numbered(kind: str, number: object) -> str | None:
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < _LARGEST_NUMBER:
        return f"gid://shopify/{kind}/{number}"
    return None


def _gid(value: object) -> str | None:
    if (
        isinstance(value, str)
        and len(value) <= _LONGEST_ID
        and value.isascii()
        and value.startswith("gid://shopify/")
    ):
        return value
    return None
