"""Signatures, headers, topics and subscriptions."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import QueryRejected, RequestRefused
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.shopify import webhooks
from salesbot_pipelines_tests.needs import need_material
from salesbot_pipelines_tests.shopify.bench import Bench

SECRET, OLD = "shpss_webhooks", "shpss_before"
ADDRESS = "https://bot.example/shopify/webhook"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "recorded"


def sign(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


# Signature


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'\xef\xbb\xbf{"a": 1}',
        b"\x00\xff",
        b'{"a":1,\r\n"a":2}',
        b'{"\\/": "\xc3\xa4"}',
        b"x" * 1_000_000,
    ],
)
def test_the_raw_bytes_are_signed_whatever_they_are(body: bytes) -> None:
    assert webhooks.verify_signature(body, sign(body), [SECRET])
    assert webhooks.verify_signature(body, sign(body).encode(), [OLD, SECRET])
    assert not webhooks.verify_signature(body + b" ", sign(body), [SECRET])


def test_a_rotated_secret_is_good_until_it_is_taken_off_the_list() -> None:
    body = b'{"id": 1}'
    assert webhooks.verify_signature(body, sign(body, OLD), [SECRET, OLD])
    assert not webhooks.verify_signature(body, sign(body, OLD), [SECRET])


def test_no_secret_and_an_empty_one_sign_nothing() -> None:
    body = b"{}"
    assert not webhooks.verify_signature(body, sign(body), [])
    assert not webhooks.verify_signature(body, sign(body, ""), [""])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        b"",
        "ü" * 44,
        "\udc80",
        b"\xff" * 44,
        "=" * 44,
        hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest(),
        sign(b"{}")[:-1],
        sign(b"{}") + "\n",
        " " + sign(b"{}"),
        sign(b"{}") * 2,
        base64.b64encode(b"short").decode(),
        "A" * 1_000_000,
    ],
)
def test_what_is_no_signature_is_wrong_and_nothing_else(header) -> None:
    assert webhooks.verify_signature(b"{}", header, [SECRET]) is False


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.data())
def test_flipping_any_byte_of_body_or_signature_breaks_it(body: bytes, data) -> None:
    good = sign(body)
    place = data.draw(st.integers(0, len(body) - 1))
    flipped = bytearray(body)
    flipped[place] ^= data.draw(st.integers(1, 255))
    assert not webhooks.verify_signature(bytes(flipped), good, [SECRET])
    raw = bytearray(base64.b64decode(good))
    raw[data.draw(st.integers(0, 31))] ^= data.draw(st.integers(1, 255))
    assert not webhooks.verify_signature(body, base64.b64encode(raw), [SECRET])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=50), st.one_of(st.binary(max_size=80), st.text(max_size=80)))
def test_garbage_never_raises(body: bytes, header) -> None:
    assert webhooks.verify_signature(body, header, [SECRET, OLD]) is False


@pytest.mark.shared
def test_shopifys_own_sample_body_is_signed_as_it_lies_there() -> None:
    path = SHARED / "webhook_products_create_sample.raw"
    need_material(path, "a webhook recorded at Shopify")
    body = path.read_bytes()
    assert webhooks.verify_signature(body, sign(body), [SECRET])


# Headers

CLASSIC = [
    ("X-Shopify-Topic", "products/update"),
    ("X-Shopify-Hmac-Sha256", "c2ln"),
    ("X-Shopify-Shop-Domain", "Velo.myshopify.com"),
    ("X-Shopify-API-Version", "2026-10"),
    ("X-Shopify-Webhook-Id", "w-1"),
    ("X-Shopify-Event-Id", "e-1"),
    ("X-Shopify-Triggered-At", "2026-11-25T12:00:00.123456789Z"),
    ("Content-Type", "application/json"),
]
EVENTS = [(name.removeprefix("X-"), value) for name, value in CLASSIC]


@pytest.mark.parametrize("items", [CLASSIC, EVENTS])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_both_families_are_read_in_any_case(items, case, as_bytes: bool) -> None:
    spelled = [(case(name), value) for name, value in items]
    if as_bytes:
        spelled = [(name.encode(), value.encode()) for name, value in spelled]
    headers = webhooks.read_headers(spelled)
    assert headers == webhooks.Headers(
        "c2ln", "products/update", "velo.myshopify.com", "w-1", "e-1", "2026-11-25T12:00:00.123456789Z", "2026-10"
    )


def test_the_newer_family_wins_where_both_came() -> None:
    theirs = [(name, "other/topic" if name == "Shopify-Topic" else value) for name, value in EVENTS]
    assert webhooks.read_headers([*CLASSIC, *theirs]).topic == "other/topic"


@pytest.mark.parametrize(
    "name", ["X-Shopify-Hmac-Sha256", "x-shopify-topic", "X-SHOPIFY-SHOP-DOMAIN", "X-Shopify-Webhook-Id"]
)
def test_a_security_header_that_comes_twice_is_refused(name: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        webhooks.read_headers([*CLASSIC, (name, "another")])
    assert caught.value.status == 400


def test_a_header_that_decides_nothing_may_come_twice() -> None:
    assert webhooks.read_headers([*CLASSIC, ("X-Shopify-Event-Id", "e-2")]).event_id == "e-1"


@pytest.mark.parametrize("items", [[], [("X-Shopify-Topic", "shop/redact")], [("Content-Type", "a")]])
def test_without_a_signature_there_is_nothing_to_read(items) -> None:
    with pytest.raises(RequestRefused) as caught:
        webhooks.read_headers(items)
    assert caught.value.status == 401


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=30)), max_size=6))
def test_headers_of_any_bytes_are_read_or_refused(items) -> None:
    status = None
    try:
        webhooks.read_headers(items)
    except RequestRefused as refused:
        status = refused.status
    assert status in (None, 400, 401)


# Topics


def test_topics_know_what_may_delete() -> None:
    by_kind = {kind: {t for t, k in webhooks.TOPICS.items() if k == kind} for kind in set(webhooks.TOPICS.values())}
    assert by_kind["destructive"] == {"app/uninstalled", "customers/redact", "shop/redact"}
    assert by_kind["lifecycle"] == {"app/scopes_update", "customers/data_request"}
    assert "inventory_levels/update" in by_kind["ordinary"], "a purchase fires no products/update"
    assert "bulk_operations/finish" not in webhooks.TOPICS, "our own reading would cause the next one"
    with pytest.raises(TypeError):
        webhooks.TOPICS["orders/create"] = "ordinary"  # type: ignore[index]


def test_everything_but_the_compliance_topics_is_subscribed() -> None:
    assert set(webhooks.TOPICS) - set(webhooks.SUBSCRIBED) == {
        "customers/data_request",
        "customers/redact",
        "shop/redact",
    }


# Subscriptions


def subscriptions(shop: Shop) -> dict[str, dict]:
    return {node["topic"]: node for node in shop.all("subscriptions")}


def test_a_new_shop_gets_every_subscription(bench: Bench) -> None:
    shop = bench.open()
    done = webhooks.reconcile_subscriptions(bench.client(shop), ADDRESS)
    assert set(done.created) == set(webhooks.SUBSCRIBED)
    assert (done.kept, done.updated, done.removed, done.refused) == ((), (), (), {})
    there = subscriptions(shop)
    assert len(shop.all("subscriptions")) == len(webhooks.SUBSCRIBED)
    assert {node["uri"] for node in there.values()} == {ADDRESS}
    assert there["PRODUCTS_UPDATE"]["includeFields"] == ["id", "admin_graphql_api_id", "updated_at"]
    assert there["INVENTORY_LEVELS_UPDATE"]["includeFields"] == []


def test_doing_it_again_changes_nothing(bench: Bench) -> None:
    shop = bench.open()
    webhooks.reconcile_subscriptions(bench.client(shop), ADDRESS)
    before = [dict(node) for node in shop.all("subscriptions")]
    bench.calls.clear()
    done = webhooks.reconcile_subscriptions(bench.client(shop), ADDRESS)
    assert set(done.kept) == set(webhooks.SUBSCRIBED)
    assert (done.created, done.updated, done.removed) == ((), (), ())
    assert [dict(node) for node in shop.all("subscriptions")] == before
    assert len(bench.calls.of(shop.domain)) == 1


def test_what_shopify_removed_comes_back_and_what_is_wrong_is_mended(bench: Bench) -> None:
    shop = bench.open()
    webhooks.reconcile_subscriptions(bench.client(shop), ADDRESS)
    there = subscriptions(shop)
    shop.subscriptions.remove(int(there["PRODUCTS_UPDATE"]["legacyResourceId"]))
    there["PRODUCTS_CREATE"].update(includeFields=["id"])
    there["SHOP_UPDATE"].update(filter="id:1")
    there["LOCATIONS_DELETE"].update(format="XML")
    done = webhooks.reconcile_subscriptions(bench.client(shop), ADDRESS)
    assert done.created == ("products/update",)
    assert set(done.updated) == {"products/create", "shop/update", "locations/delete"}
    again = webhooks.reconcile_subscriptions(bench.client(shop), ADDRESS)
    assert set(again.kept) == set(webhooks.SUBSCRIBED)


def test_strange_topics_and_doubles_at_our_address_go_and_other_addresses_stay(bench: Bench) -> None:
    shop = bench.open()
    client = bench.client(shop)
    webhooks.reconcile_subscriptions(client, "https://elsewhere.example/hook")
    from salesbot_pipelines.shopify.queries import load

    for topic, uri in (
        ("BULK_OPERATIONS_FINISH", ADDRESS),
        ("BULK_OPERATIONS_FINISH", "https://elsewhere.example/orders"),
    ):
        client.execute(load("webhook_create"), {"topic": topic, "subscription": {"uri": uri}})
    client.execute(
        load("webhook_create"), {"topic": "SHOP_UPDATE", "subscription": {"uri": ADDRESS, "filter": "id:1"}}
    )
    client.execute(load("webhook_create"), {"topic": "SHOP_UPDATE", "subscription": {"uri": ADDRESS}})
    elsewhere = [dict(node) for node in shop.all("subscriptions") if node["uri"] != ADDRESS]
    done = webhooks.reconcile_subscriptions(client, ADDRESS)
    assert set(done.removed) == {"bulk_operations_finish", "shop_update"}
    assert len([node for node in shop.all("subscriptions") if node["uri"] == ADDRESS]) == len(webhooks.SUBSCRIBED)
    assert [dict(node) for node in shop.all("subscriptions") if node["uri"] != ADDRESS] == elsewhere


def test_a_topic_that_is_refused_does_not_stop_the_others(bench: Bench) -> None:
    shop = bench.open()
    bench.faults.add("partial", operation="WebhookCreate", path="webhookSubscriptionCreate", required_access="read_x")
    done = webhooks.reconcile_subscriptions(bench.client(shop), ADDRESS)
    assert list(done.refused) == ["products/create"]
    assert "read_x" in done.refused["products/create"]
    assert len(done.created) == len(webhooks.SUBSCRIBED) - 1


def test_an_address_that_shopify_refuses_is_an_error(bench: Bench) -> None:
    with pytest.raises(QueryRejected, match="not supported"):
        webhooks.reconcile_subscriptions(bench.client(bench.open()), "http://bot.example/webhook")


def test_somebody_who_subscribes_at_the_same_time_is_no_error(bench: Bench) -> None:
    shop = bench.open()
    other = bench.client(shop)

    def meanwhile(_shop: Shop) -> None:
        from salesbot_pipelines.sandbox.mutations import MUTATIONS

        MUTATIONS["webhookSubscriptionCreate"](
            {}, shop, {"topic": "PRODUCTS_CREATE", "webhookSubscription": {"uri": ADDRESS, "format": "JSON"}}
        )

    bench.faults.add("change", operation="WebhookCreate", change=meanwhile)
    done = webhooks.reconcile_subscriptions(other, ADDRESS)
    assert done.kept == ("products/create",)
    assert done.refused == {}
