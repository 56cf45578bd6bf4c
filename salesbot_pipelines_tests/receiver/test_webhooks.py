"""Webhooks that are Shopify's: kept before they are answered, once each, and said nothing about."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from salesbot_pipelines.receiver.control import CONTROL_TOPICS
from salesbot_pipelines.receiver.webhooks import NOTED_TOPICS, ORDINARY_TOPICS
from salesbot_pipelines.shopify.webhooks import SUBSCRIBED
from salesbot_pipelines_tests.receiver.harness import OTHER, PAYLOAD, SHOP, delivery, receiver


@pytest.mark.parametrize("prefix", ["X-Shopify-", "shopify-"])
def test_an_event_is_kept_and_marks_its_shop(door, prefix):
    door.connect()
    before = door.work()
    content, headers = delivery(prefix=prefix, webhook_id="w1", Event_Id="e1")
    answer = door.http.post("/shopify/webhook", content=content, headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    [row] = door.rows("inbox")["inbox"]
    assert row[1:5] == (SHOP, "products/update", "w1", "e1")
    assert hashlib.sha256(content).hexdigest() in row
    assert "gid://shopify/Product/1" in row
    assert PAYLOAD not in str(row)
    assert door.work().wanted == before.wanted + 1
    [line] = door.lines()
    assert (line["route"], line["status"], line["outcome"]) == ("webhook", 200, "new")
    assert (line["topic"], line["shop"], line["webhook_id"]) == ("products/update", SHOP, "w1")
    assert PAYLOAD not in door.log.getvalue().decode()


def test_twenty_copies_at_once_are_one(door):
    door.connect()
    wanted = door.work().wanted
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: door.post(webhook_id="same").status_code, range(20)))
    assert answers == [200] * 20
    assert len(door.rows("inbox")["inbox"]) == 1
    assert door.work().wanted == wanted + 1


def test_one_id_from_two_shops_is_two(door):
    door.connect()
    door.connect(OTHER)
    assert door.post(webhook_id="same").status_code == 200
    assert door.post(webhook_id="same", shop=OTHER).status_code == 200
    assert len(door.rows("inbox")["inbox"]) == 2


def test_an_old_delivery_with_fresh_ids_costs_a_refresh_at_most(door):
    door.connect()
    content, headers = delivery()
    for number in range(100):
        headers["X-Shopify-Webhook-Id"] = f"fresh-{number}"
        assert door.http.post("/shopify/webhook", content=content, headers=headers).status_code == 200
    assert [due.shop for due in door.door.program.work.due(10)] == [SHOP]


def test_a_shop_that_was_never_here_is_answered_alike_and_leaves_nothing(door):
    known = door.connect()
    here, there = door.post(), door.post(shop=OTHER)
    for answer in (here, there):
        answer.headers.pop("date")
    assert (there.status_code, dict(there.headers), there.content) == (200, dict(here.headers), here.content)
    rows = door.rows()
    assert OTHER not in str(rows)
    assert len(rows["inbox"]) == 1
    assert [row[1] for row in rows["installs"]] == [known.shop]
    assert door.door.metrics.webhooks.total("unknown_shop") == 1


def test_a_disconnected_shops_events_are_answered_and_forgotten(door):
    door.connect()
    door.installs.uninstall(SHOP)
    assert door.post().status_code == 200
    assert door.rows("inbox")["inbox"] == []


@pytest.mark.parametrize("shop", [SHOP.upper(), "Tiny-Teapots.myshopify.com"])
def test_the_case_of_a_domain_does_not_matter(door, shop):
    door.connect()
    assert door.post(shop=shop).status_code == 200
    assert len(door.rows("inbox")["inbox"]) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"title": "a\r\nb"}', 400),
        (b'{"title":"' + b"\\u0000" + b'"}', 200),
        (b'{"a":1,"a":2}', 200),
        (b"{}", 200),
        (b'\r\n {"a": 1}\r\n', 200),
        (b'{"title": "\xc3\xa4"}', 200),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"title": "\x00"}', 400),
        (b'{"admin_graphql_api_id": "\xff"}', 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"null", 400),
        (b"1", 400),
        (b"", 400),
        (b"{", 400),
        (b"{} {}", 400),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400),
        (b"[" * 100_000, 400),
        (b'{"admin_graphql_api_id": 1e999}', 400),
        (b'{"admin_graphql_api_id": ["x"]}', 200),
        (b'{"admin_graphql_api_id": "gid://shopify/' + b"x" * 300 + b'"}', 200),
    ],
)
def test_the_signature_is_over_the_raw_bytes_and_the_body_is_a_json_object(quiet_door, body, status):
    kept = len(quiet_door.rows("inbox")["inbox"])
    assert quiet_door.post(body).status_code == status
    assert len(quiet_door.rows("inbox")["inbox"]) == kept + (status == 200)


def test_what_we_subscribe_to_is_taken():
    assert set(SUBSCRIBED) <= ORDINARY_TOPICS | CONTROL_TOPICS
    assert {"customers/data_request", "customers/redact", "shop/redact"} <= CONTROL_TOPICS
    assert not ORDINARY_TOPICS & (CONTROL_TOPICS | NOTED_TOPICS)


def test_our_own_bulk_operations_do_not_mark_the_shop(door):
    door.connect()
    wanted = door.work().wanted
    assert door.post({"admin_graphql_api_id": "x"}, topic="bulk_operations/finish").status_code == 200
    assert door.work().wanted == wanted
    assert door.rows("inbox")["inbox"] == []


@pytest.mark.parametrize("topic", sorted(ORDINARY_TOPICS))
def test_each_ordinary_topic_marks_the_shop(quiet_door, topic):
    wanted = quiet_door.work().wanted
    assert quiet_door.post(topic=topic).status_code == 200
    assert quiet_door.work().wanted == wanted + 1


def test_secrets_during_a_rotation(tmp_path):
    with receiver(tmp_path / "home", SHOPIFY_API_SECRET="new", SHOPIFY_API_SECRET_PREVIOUS="old") as door:
        door.connect()
        assert [door.post(secret=secret).status_code for secret in ("new", "old", "neither")] == [200, 200, 401]


def test_more_than_can_wait_is_refused_at_once_and_the_rest_is_kept(door, monkeypatch):
    door.connect()
    disk = threading.Event()
    accept = door.door.inbox.accept
    monkeypatch.setattr(door.door.inbox, "accept", lambda events: (disk.wait(5), accept(events))[1])
    monkeypatch.setattr(door.door.committer, "_capacity", 4)
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(door.post) for _ in range(12)]
        door.wait_until(lambda: sum(answer.done() for answer in answers) == 8)
        disk.set()
        statuses = [answer.result().status_code for answer in answers]
    assert sorted(statuses) == [200] * 4 + [503] * 8
    assert {answer.result().headers.get("retry-after") for answer in answers} == {None, "2"}
    assert len(door.rows("inbox")["inbox"]) == 4


def test_a_larger_body_than_most_is_taken(door):
    door.connect()
    body = json.dumps({"variants": ["x" * 1000] * 3000}).encode()
    assert len(body) > 3_000_000
    assert door.post(body).status_code == 200
