"""Requests that cannot be carried out at once, or twice, or were left by a killed process."""

from __future__ import annotations

from datetime import timedelta

import pytest

from salesbot_pipelines.errors import StoreUnavailable
from salesbot_pipelines.receiver.control import shop_named_in
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.state.inbox import WebhookEvent
from salesbot_pipelines_tests.receiver.deciding import CUSTOMER, decided, events, new_worker, objects, request
from salesbot_pipelines_tests.receiver.harness import OTHER, PAYLOAD, SHOP


def _short():
    from salesbot_pipelines.shopify.effort import Limits

    return Limits(deadline_seconds=0.5, throttle_seconds=0.5, answer_seconds=0.5, answer_bytes=100_000)


@pytest.mark.parametrize("action", ["disconnect", "status", "html", "slow"])
def test_no_answer_from_shopify_decides_nothing(installed, shopify, action, monkeypatch):
    monkeypatch.setattr("salesbot_pipelines.receiver.control._PROBE_LIMITS", _short())
    more = {"slow": {"seconds": 3.0}, "status": {"status": 503}}.get(action, {})
    shopify.sandbox.faults.add(action, times=None, **more)
    installed.door.worker.ask_to_stop()
    request(installed, "app/uninstalled")
    installed.door.worker.close(wait_seconds=2)
    worker = new_worker(installed)
    assert worker.work_once() == 0
    assert len(events(installed, "pending")) == 1
    assert installed.installs.require(SHOP).status == "installed"
    shopify.sandbox.faults.clear()
    worker._retries.clear()
    assert worker.work_once() == 1
    assert len(events(installed, "quarantined")) == 1


def test_a_store_that_fails_is_tried_again_and_the_rows_stay_until_then(installed, shopify, monkeypatch):
    shopify.sandbox.webhooks.hold()
    shopify.sandbox.world.shop(SHOP).uninstall()
    installed.door.worker.close(wait_seconds=2)
    request(installed, "shop/redact")
    worker, store = new_worker(installed), installed.door.program.store
    deleted = []

    def delete_two(key, delete=store.delete):
        if len(deleted) == 2:
            raise StoreUnavailable("out of order", key=key)
        deleted.append(key)
        delete(key)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "delete", lambda self, key: delete_two(key))
        assert worker.work_once() == 0
    assert len(objects(installed)) == 2
    assert installed.installs.find(SHOP).status == "uninstalled"
    assert len(events(installed, "confirmed")) == 1
    worker._retries.clear()
    assert worker.work_once() == 1
    assert objects(installed) == []
    assert installed.installs.find(SHOP) is None


def test_a_refresh_that_may_still_write_is_waited_for(installed, shopify):
    shopify.sandbox.webhooks.hold()
    installed.door.worker.close(wait_seconds=2)
    installed.door.program.work.lease(SHOP, "a run", 60)
    shopify.sandbox.world.shop(SHOP).uninstall()
    request(installed, "shop/redact")
    worker = new_worker(installed)
    assert worker.work_once() == 0
    assert installed.installs.find(SHOP).status == "uninstalled"
    assert len(objects(installed)) == 4
    publish_late = ShopKeys(installed.installs.find(SHOP).owner, SHOP).discounts
    installed.door.program.store.put(publish_late, b"{}", content_type="application/json")
    installed.clock.shift = timedelta(minutes=4)
    worker._retries.clear()
    assert worker.work_once() == 1
    assert objects(installed) == []


def test_requests_left_by_a_killed_process_are_taken_up(installed, shopify):
    installed.door.worker.close(wait_seconds=2)
    shopify.sandbox.webhooks.hold()
    shopify.sandbox.world.shop(SHOP).uninstall()
    request(installed, "app/uninstalled")
    request(installed, "customers/redact", CUSTOMER)
    request(installed, "shop/redact")
    assert len(events(installed, "pending")) == 3
    assert new_worker(installed).work_once() == 3
    assert events(installed) == []
    assert objects(installed) == []


def test_a_shop_whose_token_was_given_up_can_be_uninstalled(installed, shopify):
    shopify.sandbox.webhooks.hold()
    shopify.sandbox.tokens.expire_access(SHOP)
    shopify.sandbox.tokens.expire_refresh(SHOP)
    installed.installs.mark_needs_reauth(SHOP, "dead")
    request(installed, "app/uninstalled")
    decided(installed, "done")
    assert installed.installs.find(SHOP).status == "uninstalled"


def test_a_shop_that_was_never_here_leaves_nothing(installed):
    before = installed.rows()
    for topic in ("shop/redact", "customers/redact", "customers/data_request", "app/uninstalled"):
        request(installed, topic, shop="never-here.myshopify.com")
    after = installed.rows()
    assert "never-here" not in str(after)
    assert after["control_events"] == before["control_events"]


@pytest.mark.parametrize(
    ("body", "shop"),
    [
        (b'{"shop_domain": "A.myshopify.com"}', "a.myshopify.com"),
        (b'{"myshopify_domain": "a.myshopify.com", "shop_domain": "a.myshopify.com"}', "a.myshopify.com"),
        (b'{"myshopify_domain": "a.myshopify.com", "shop_domain": "b.myshopify.com"}', None),
        (b'{"shop_domain": 1}', None),
        (b"[]", None),
        (b"\xff", None),
        (b'{"a":' * 100_000, None),
    ],
)
def test_which_shop_a_body_names(body, shop):
    assert shop_named_in(body) == shop


def test_a_static_token_is_probed_too(door):
    door.connect()
    request(door, "app/uninstalled")
    # Nobody answers at that address, so nothing is decided.
    [line] = door.lines("control", seconds=30)
    assert line["outcome"] == "later"
    assert door.installs.require(SHOP).status == "installed"


@pytest.mark.parametrize("body", [b"{}", b'{"shop_domain": "awkward-attic.myshopify.com"}', b"not json"])
def test_a_request_that_came_past_the_route_is_judged_again(installed, shopify, body):
    installed.door.worker.close(wait_seconds=2)
    shopify.sandbox.webhooks.hold()
    shopify.sandbox.world.shop(SHOP).uninstall()
    event = WebhookEvent(shop=SHOP, topic="shop/redact", webhook_id="w", body_sha256="0" * 64)
    assert installed.door.control_events.accept(event, body) == "new"
    assert new_worker(installed).work_once() == 1
    assert len(events(installed, "quarantined")) == 1
    assert len(objects(installed)) == 4


def test_a_reinstall_while_the_objects_are_removed_wins(installed, shopify, monkeypatch):
    shopify.sandbox.webhooks.hold()
    shopify.sandbox.world.shop(SHOP).uninstall()
    installed.door.worker.close(wait_seconds=2)
    request(installed, "shop/redact")
    store = installed.door.program.store

    def delete_and_reinstall(key, delete=store.delete):
        delete(key)
        if installed.installs.find(SHOP).status == "uninstalled":
            installed.connect(token="a new token")

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "delete", lambda self, key: delete_and_reinstall(key))
        assert new_worker(installed).work_once() == 1
    [event] = events(installed, "quarantined")
    assert event.note == "the app was installed again meanwhile"
    assert installed.installs.credential(SHOP).access_token == "a new token"
    # What was removed is published anew.
    assert installed.work().wanted > installed.work().done + 1


def test_one_requests_trouble_is_its_own(installed, shopify, monkeypatch):
    installed.browser.install(OTHER)
    installed.door.worker.close(wait_seconds=2)
    shopify.sandbox.webhooks.hold()
    for shop in (SHOP, OTHER):
        shopify.sandbox.world.shop(shop).uninstall()
        request(installed, "app/uninstalled", shop=shop)
    desk, worker = installed.door.desk, new_worker(installed)
    carry_out = desk.carry_out

    def fail_for_one(event):
        if event.shop == SHOP:
            raise ZeroDivisionError(PAYLOAD)
        return carry_out(event)

    with monkeypatch.context() as patch:
        patch.setattr(desk, "carry_out", fail_for_one)
        assert worker.work_once() == 1
    assert [event.shop for event in events(installed, "pending")] == [SHOP]
    assert installed.installs.find(OTHER).status == "uninstalled"
    notes = [line["note"] for line in installed.lines("control")]
    assert any(note.startswith("ZeroDivisionError at ") for note in notes)
    assert PAYLOAD not in str(notes)


def test_a_request_of_a_topic_that_nobody_knows_is_put_aside(installed):
    installed.door.worker.close(wait_seconds=2)
    event = WebhookEvent(shop=SHOP, topic="products/update", webhook_id="w", body_sha256="0" * 64)
    installed.door.control_events.accept(event, b"{}")
    assert new_worker(installed).work_once() == 1
    assert len(events(installed, "quarantined")) == 1


def test_a_request_that_has_to_wait_is_tried_later_and_not_at_once(installed, shopify):
    shopify.sandbox.faults.add("disconnect", times=None, operation="Scopes")
    installed.door.worker.close(wait_seconds=2)
    request(installed, "app/uninstalled")
    worker = new_worker(installed)
    [event] = events(installed, "pending")
    worker._retries[event.seq] = (float("inf"), 5.0)
    assert worker.work_once() == 0
    assert installed.door.metrics.control.total("later") == 0
