"""The fields of Mutation: webhook subscriptions and bulk operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .ids import gid, split_gid
from .paging import RefusedField
from .tables import Node

if TYPE_CHECKING:
    from .shop import Shop

Resolve = Callable[[Node, "Shop", dict[str, Any]], Any]

# The privacy topics belong to the app's configuration file: the API takes none, and the schema lists none.
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _complaint(field: list[str] | None, message: str) -> Node:
    return {"__typename": "UserError", "field": field, "message": message}


def _address_complaints(uri: str | None) -> list[Node]:
    """Shopify takes https, pubsub and ARNs; http is taken on loopback, where this sandbox delivers to."""
    if not uri:
        return [_complaint(["webhookSubscription", "uri"], "Address can't be blank")]
    parts = urlsplit(uri)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return []
    return [_complaint(["webhookSubscription", "uri"], "Address protocol http:// is not supported")]


def _address(given: dict[str, Any]) -> str | None:
    return given.get("uri") or given.get("callbackUrl")


def _fill(node: Node, given: dict[str, Any], at: str) -> None:
    node["uri"] = node["callbackUrl"] = _address(given) or node.get("uri")
    for name, default in (
        ("format", "JSON"),
        ("filter", None),
        ("includeFields", []),
        ("metafieldNamespaces", []),
        ("name", None),
    ):
        value = given.get(name, node.get(name))
        node[name] = default if value is None else value
    node["updatedAt"] = at


def _create(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Node:
    topic, given = arguments["topic"], arguments["webhookSubscription"]
    complaints = _address_complaints(_address(given))
    if not complaints and any(
        node["topic"] == topic and node["uri"] == _address(given) and node["filter"] == given.get("filter")
        for node in shop.all("subscriptions")
    ):
        complaints = [_complaint(["webhookSubscription", "uri"], "Address for this topic has already been taken")]
    subscription: Node | None = None
    if not complaints:
        number, at = shop.next_number(), shop.stamp()
        subscription = {
            "__typename": "WebhookSubscription",
            "id": gid("WebhookSubscription", number),
            "legacyResourceId": str(number),
            "topic": topic,
            "apiVersion": shop.api_versions[-1],
            "createdAt": at,
        }
        _fill(subscription, given, at)
        shop.subscriptions.put(number, subscription)
    return {
        "__typename": "WebhookSubscriptionCreatePayload",
        "webhookSubscription": subscription,
        "userErrors": complaints,
    }


def _update(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Node:
    number = (split_gid(arguments["id"]) or ("", -1))[1]
    subscription, given = shop.subscriptions.own(number), arguments["webhookSubscription"]
    if subscription is None:
        complaints = [_complaint(["id"], "Webhook subscription does not exist")]
    else:
        complaints = _address_complaints(_address(given) or subscription["uri"])
        if not complaints:
            _fill(subscription, given, shop.stamp())
    return {
        "__typename": "WebhookSubscriptionUpdatePayload",
        "webhookSubscription": None if complaints else subscription,
        "userErrors": complaints,
    }


def _delete(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Node:
    number = (split_gid(arguments["id"]) or ("", -1))[1]
    gone = shop.subscriptions.remove(number)
    return {
        "__typename": "WebhookSubscriptionDeletePayload",
        "deletedWebhookSubscriptionId": gone and gone["id"],
        "userErrors": [] if gone else [_complaint(["id"], "Webhook subscription does not exist")],
    }


def _run_bulk(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Node:
    if shop.bulk is None:
        raise RefusedField("This shop stands in no world that runs bulk operations", "ACCESS_DENIED")
    operation, found = shop.bulk.run_query(shop, arguments["query"], grouped=arguments["groupObjects"])
    return {"__typename": "BulkOperationRunQueryPayload", "bulkOperation": operation, "userErrors": found}


def _cancel_bulk(_node: Node, shop: Shop, arguments: dict[str, Any]) -> Node:
    if shop.bulk is None:
        raise RefusedField("This shop stands in no world that runs bulk operations", "ACCESS_DENIED")
    operation, found = shop.bulk.cancel(shop, arguments["id"])
    return {"__typename": "BulkOperationCancelPayload", "bulkOperation": operation, "userErrors": found}


MUTATIONS: dict[str, Resolve] = {
    "bulkOperationRunQuery": _run_bulk,
    "bulkOperationCancel": _cancel_bulk,
    "webhookSubscriptionCreate": _create,
    "webhookSubscriptionUpdate": _update,
    "webhookSubscriptionDelete": _delete,
}
