"""Uninstalls and privacy requests: believed only when Shopify says so itself, then carried out to the end."""

from __future__ import annotations

import pytest

from salesbot_pipelines_tests.receiver.deciding import CUSTOMER, decided, events, objects, put_objects, request
from salesbot_pipelines_tests.receiver.harness import OTHER, PAYLOAD, SHOP


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
    put_objects(installed, OTHER)
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
