"""Webhooks: subscribed through the API, delivered over real sockets, signed over the raw body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from salesbot_pipelines.sandbox.webhooks import WebhookRules

CREATE = """mutation Subscribe($topic: WebhookSubscriptionTopic!, $given: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $given) {
    webhookSubscription { id topic uri includeFields apiVersion { handle } } userErrors { field message } } }"""
LIST = "{ webhookSubscriptions(first: 50) { nodes { id topic uri } } }"


class Receiver:
    """Keeps what arrives; answers with the statuses it was given, then 200."""

    def __init__(self, *statuses):
        self.statuses, self.got = list(statuses), []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/shopify/webhook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    running = Receiver()
    yield running
    running.close()


def subscribe(client, topic, uri, **given):
    return client.data(CREATE, {"topic": topic, "given": {"uri": uri, **given}})["webhookSubscriptionCreate"]


def test_a_change_arrives_signed(client, receiver, sandbox, shop):
    made = subscribe(client, "PRODUCTS_UPDATE", receiver.uri)
    assert made["userErrors"] == []
    assert made["webhookSubscription"]["uri"] == receiver.uri
    product = shop.all("products")[2]
    shop.set_price(product["variants"][0]["id"], "8.00")
    assert sandbox.webhooks.flush(5)
    headers, body = receiver.got[0]
    signed = base64.b64encode(hmac.new(b"sandbox-client-secret", body, hashlib.sha256).digest()).decode()
    told = {name.lower(): value for name, value in headers.items()}
    assert told["x-shopify-hmac-sha256"] == signed
    assert told["x-shopify-topic"] == "products/update"
    assert told["x-shopify-shop-domain"] == "small.myshopify.com"
    assert told["x-shopify-api-version"] == "2026-10"
    assert told["x-shopify-webhook-id"] != told["x-shopify-event-id"]
    assert told["x-shopify-triggered-at"].startswith("2026-11-23T12:00:00.")
    assert json.loads(body)["admin_graphql_api_id"] == product["id"]


def test_subscriptions_are_refused_changed_and_removed(client, receiver):
    assert subscribe(client, "PRODUCTS_UPDATE", "http://elsewhere.example/hook")["userErrors"][0]["field"] == [
        "webhookSubscription",
        "uri",
    ]
    first = subscribe(client, "PRODUCTS_UPDATE", receiver.uri)["webhookSubscription"]
    again = subscribe(client, "PRODUCTS_UPDATE", receiver.uri)
    assert "already been taken" in again["userErrors"][0]["message"]
    change = """mutation ($id: ID!, $uri: String!) {
      webhookSubscriptionUpdate(id: $id, webhookSubscription: {uri: $uri}) {
        webhookSubscription { uri } userErrors { message } } }"""
    moved = client.data(change, {"id": first["id"], "uri": "https://new.example/"})["webhookSubscriptionUpdate"]
    assert moved == {"webhookSubscription": {"uri": "https://new.example/"}, "userErrors": []}
    remove = """mutation ($id: ID!) {
      webhookSubscriptionDelete(id: $id) { gone: deletedWebhookSubscriptionId userErrors { message } } }"""
    assert client.data(remove, {"id": first["id"]})["webhookSubscriptionDelete"]["gone"] == first["id"]
    assert client.data(remove, {"id": first["id"]})["webhookSubscriptionDelete"]["userErrors"]
    assert client.data(LIST)["webhookSubscriptions"]["nodes"] == []


def test_failures_are_retried_with_the_same_id_and_body(client, sandbox, shop, receiver):
    receiver.statuses = [500, 404]
    sandbox.webhooks.rules = WebhookRules(retry_delays=(0.01, 0.01, 0.01))
    subscribe(client, "INVENTORY_LEVELS_UPDATE", receiver.uri)
    shop.set_stock(shop.all("variants")[0]["id"], 0)
    assert sandbox.webhooks.flush(5)
    assert len(receiver.got) == 3
    assert len({(headers["X-Shopify-Webhook-Id"], body) for headers, body in receiver.got}) == 1
    assert [(d.attempt, d.status) for d in sandbox.webhooks.log()] == [(1, 500), (2, 404), (3, 200)]


def test_a_subscription_that_fails_to_the_end_is_removed(client, sandbox, shop):
    sandbox.webhooks.rules = WebhookRules(retry_delays=(0.01,))
    subscribe(client, "PRODUCTS_DELETE", "http://127.0.0.1:9/nobody")
    shop.delete_product(shop.all("products")[0]["id"])
    assert sandbox.webhooks.flush(5)
    assert [d.status for d in sandbox.webhooks.log()] == [None, None]
    assert client.data(LIST)["webhookSubscriptions"]["nodes"] == []


def test_only_the_fields_asked_for_twice_and_in_the_newer_family(client, sandbox, shop, receiver):
    sandbox.webhooks.rules = WebhookRules(copies=2, prefix="shopify-")
    subscribe(client, "COLLECTIONS_UPDATE", receiver.uri, includeFields=["id", "updated_at"])
    sandbox.webhooks.hold()
    shop.update_collection(50_000_000_001, title="New")
    assert not sandbox.webhooks.flush(0.1)
    sandbox.webhooks.hold(held=False)
    assert sandbox.webhooks.flush(5)
    (headers, body), (again, _) = receiver.got
    assert set(json.loads(body)) == {"id", "updated_at"}
    assert headers["shopify-Webhook-Id"] == again["shopify-Webhook-Id"]


def test_uninstall_and_privacy_topics(client, server, http, sandbox, shop, receiver):
    at = f"{server.url}/_sandbox/shops/{shop.domain}"
    assert http.post(f"{at}/webhook", json={"topic": "shop/redact"}).status_code == 400, "nobody told where to"
    subscribe(client, "APP_UNINSTALLED", receiver.uri)
    assert http.post(f"{at}/change", json={"verb": "uninstall"}).status_code == 200
    assert http.post(f"{at}/webhook", json={"topic": "shop/redact"}).status_code == 202
    assert http.post(f"{at}/webhook", json={"topic": "customers/redact"}).status_code == 202
    assert sandbox.webhooks.flush(5)
    by_topic = {headers["X-Shopify-Topic"]: json.loads(body) for headers, body in receiver.got}
    assert set(by_topic) == {"app/uninstalled", "shop/redact", "customers/redact"}
    assert by_topic["app/uninstalled"]["myshopify_domain"] == shop.domain
    assert by_topic["shop/redact"]["shop_domain"] == shop.domain
    assert len(http.get(f"{server.url}/_sandbox/deliveries").json()["deliveries"]) == 3
    assert client.post(LIST).status_code == 401
