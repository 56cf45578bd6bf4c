"""Uninstalls and privacy requests: believed only when Shopify says so itself, then carried out to the end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from salesbot_pipelines.errors import StoreUnavailable
from salesbot_pipelines.receiver.control import shop_named_in
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines_tests.receiver.harness import OTHER, PAYLOAD, SHOP
from salesbot_pipelines_tests.receiver.test_install import Browser

CUSTOMER = {"customer": {"id": 41, "email": "ada@customers.example"}, "orders_to_redact": [101]}


@pytest.fixture
def installed(connected_door):
    """A receiver with one shop installed through its own routes, and a published object of it."""
    browser = Browser(connected_door)
    browser.install()
    publish(connected_door)
    connected_door.browser = browser
    return connected_door


def publish(door, shop: str = SHOP) -> None:
    install = door.installs.require(shop)
    keys = ShopKeys(install.owner, shop)
    for key in (keys.document, keys.manifest, keys.products, keys.raw("products")):
        door.door.program.store.put(key, b"{}", content_type="application/json")


def objects(door) -> list[str]:
    return list(door.door.program.store.list("users/"))


def request(door, topic: str, body=None, shop: str = SHOP):
    fields = {"shop_domain": shop, "shop_id": 1, "title": PAYLOAD, **(body or {})}
    if topic == "app/uninstalled":
        fields = {"myshopify_domain": shop, "id": 1, "title": PAYLOAD}
    answer = door.post(fields, topic=topic, shop=shop)
    assert (answer.status_code, answer.content) == (200, b"")


def events(door, state=None):
    return door.door.control_events.listed(state)


def decided(door, state: str, count: int = 1):
    return door.wait_until(lambda: len(found := events(door, state)) >= count and found)


def test_uninstall_reinstall_and_redaction_from_end_to_end(installed, shopify):
    door, owner = installed, installed.installs.require(SHOP).owner
    shop = shopify.sandbox.world.shop(SHOP)
    # The merchant uninstalls: Shopify kills the token and says so.
    shop.uninstall()
    assert shopify.sandbox.webhooks.flush()
    [event] = decided(door, "done")
    assert event.topic == "app/uninstalled"
    assert door.installs.find(SHOP).status == "uninstalled"
    row = str(door.rows("installs", "sessions", "oauth_states"))
    assert "gAAAA" not in row  # no ciphertext
    assert door.rows("sessions")["sessions"] == []
    assert len(objects(door)) == 4  # the document stays
    assert door.post().status_code == 200  # a late event does no harm
    assert door.rows("inbox")["inbox"] == []
    # It comes back: the same owner.
    door.browser.install()
    assert door.installs.require(SHOP).owner == owner
    # And goes again; two days later Shopify asks to forget it.
    shop.uninstall()
    assert shopify.sandbox.webhooks.flush()
    decided(door, "done", 2)
    shopify.sandbox.webhooks.send(shop, "customers/data_request")
    shopify.sandbox.webhooks.send(shop, "customers/redact")
    assert shopify.sandbox.webhooks.flush()
    decided(door, "done", 4)
    shopify.sandbox.webhooks.send(shop, "shop/redact")
    assert shopify.sandbox.webhooks.flush()
    door.wait_until(lambda: not events(door))
    assert objects(door) == []
    rows = door.rows()
    assert len(rows["audit"]) == 1
    assert SHOP in str(rows.pop("audit"))
    assert SHOP not in str(rows)
    assert owner not in str(rows)
    log = door.log.getvalue().decode()
    assert "ada@customers.example" not in log


def test_an_uninstall_that_shopify_does_not_confirm_is_put_aside(installed):
    request(installed, "app/uninstalled")
    [event] = decided(installed, "quarantined")
    assert "still accepts" in event.note
    assert installed.installs.require(SHOP).status == "installed"
    assert installed.installs.credential(SHOP).access_token
    assert len(objects(installed)) == 4
    [line] = installed.lines("control")
    assert (line["level"], line["outcome"], line["shop"]) == ("error", "quarantined", SHOP)
    assert installed.door.metrics.control.total("quarantined") == 1


def test_a_redaction_that_shopify_does_not_confirm_is_put_aside(installed):
    request(installed, "shop/redact")
    decided(installed, "quarantined")
    assert installed.installs.require(SHOP).status == "installed"
    assert len(objects(installed)) == 4


def test_a_token_that_merely_ran_out_confirms_nothing(installed, shopify):
    shopify.sandbox.tokens.expire_access(SHOP)
    request(installed, "app/uninstalled")
    decided(installed, "quarantined")
    assert installed.installs.require(SHOP).status == "installed"


@pytest.mark.parametrize("topic", ["customers/redact", "customers/data_request"])
def test_requests_about_customers_are_taken_and_noted(installed, topic):
    request(installed, topic, CUSTOMER)
    [event] = decided(installed, "done")
    assert "no data of customers" in event.note
    assert installed.installs.require(SHOP).status == "installed"
    assert "ada@customers" not in str(installed.rows())


def test_a_waiting_requests_body_is_encrypted(installed):
    installed.door.worker.ask_to_stop()
    request(installed, "shop/redact", CUSTOMER)
    assert len(events(installed, "pending")) == 1
    assert "ada@customers" not in str(installed.rows())
    assert PAYLOAD not in str(installed.rows())


def test_the_same_request_twice_is_one(installed):
    installed.door.worker.ask_to_stop()
    for _ in range(3):
        assert installed.post({"shop_domain": SHOP}, topic="shop/redact", webhook_id="same").status_code == 200
    assert len(events(installed)) == 1


def test_a_redaction_without_an_uninstall_before_it(installed, shopify):
    shopify.sandbox.webhooks.hold()  # the uninstall is still on its way
    shopify.sandbox.world.shop(SHOP).uninstall()
    request(installed, "shop/redact")
    installed.wait_until(lambda: not events(installed))
    assert objects(installed) == []
    assert installed.installs.find(SHOP) is None
    # When it arrives at last, nobody knows the shop any more.
    shopify.sandbox.webhooks.hold(held=False)
    assert shopify.sandbox.webhooks.flush()
    assert events(installed) == []


def test_other_shops_are_left_alone(installed, shopify):
    installed.browser.install(OTHER)
    publish(installed, OTHER)
    before = [key for key in objects(installed) if OTHER in key]
    shopify.sandbox.webhooks.hold()
    shopify.sandbox.world.shop(SHOP).uninstall()
    request(installed, "shop/redact")
    installed.wait_until(lambda: not events(installed))
    assert objects(installed) == before
    assert installed.installs.require(OTHER).status == "installed"


def test_a_late_uninstall_after_a_reinstall_is_ignored(installed):
    installed.door.worker.ask_to_stop()
    request(installed, "app/uninstalled")
    [event] = events(installed, "pending")
    installed.connect(token="a new token")
    decision = installed.door.desk.carry_out(event)
    assert (decision.verdict, decision.note) == ("done", "it came before the present install")
    assert installed.installs.require(SHOP).status == "installed"


def test_a_reinstall_during_the_probe_wins(installed, shopify, monkeypatch):
    installed.door.worker.ask_to_stop()
    shopify.sandbox.webhooks.hold()
    shopify.sandbox.world.shop(SHOP).uninstall()
    request(installed, "app/uninstalled")
    desk = installed.door.desk
    probe = desk._is_refused

    def probe_and_reinstall(shop):
        refused = probe(shop)
        installed.connect(token="a new token")
        return refused

    monkeypatch.setattr(desk, "_is_refused", probe_and_reinstall)
    [event] = events(installed, "pending")
    assert desk.carry_out(event).verdict == "quarantined"
    assert installed.installs.credential(SHOP).access_token == "a new token"


@pytest.mark.parametrize("action", ["disconnect", "status", "html", "slow"])
def test_no_answer_from_shopify_decides_nothing(installed, shopify, action, monkeypatch):
    monkeypatch.setattr("salesbot_pipelines.receiver.control._PROBE_LIMITS", _short())
    more = {"slow": {"seconds": 3.0}, "status": {"status": 503}}.get(action, {})
    shopify.sandbox.faults.add(action, times=None, **more)
    installed.door.worker.ask_to_stop()
    request(installed, "app/uninstalled")
    installed.door.worker.close(wait_seconds=2)
    worker = _worker(installed)
    assert worker.work_once() == 0
    assert len(events(installed, "pending")) == 1
    assert installed.installs.require(SHOP).status == "installed"
    shopify.sandbox.faults.clear()
    worker._retries.clear()
    assert worker.work_once() == 1
    assert len(events(installed, "quarantined")) == 1


def _short():
    from salesbot_pipelines.shopify.effort import Limits

    return Limits(deadline_seconds=0.5, throttle_seconds=0.5, answer_seconds=0.5, answer_bytes=100_000)


def _worker(door):
    from salesbot_pipelines.receiver.control import ControlWorker

    return ControlWorker(door.door.desk, metrics=door.door.metrics, journal=door.door.journal)


def test_a_store_that_fails_is_tried_again_and_the_rows_stay_until_then(installed, shopify, monkeypatch):
    shopify.sandbox.webhooks.hold()
    shopify.sandbox.world.shop(SHOP).uninstall()
    installed.door.worker.close(wait_seconds=2)
    request(installed, "shop/redact")
    worker, store = _worker(installed), installed.door.program.store
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
    worker = _worker(installed)
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
    assert _worker(installed).work_once() == 3
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
