"""From "install" to connected, against the sandbox: the way there, the way back, and every wrong turn."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from salesbot_pipelines.shopify.scopes import NEEDED
from salesbot_pipelines_tests.receiver.browsing import JSON, LOGIN, SESSION, Browser
from salesbot_pipelines_tests.receiver.harness import API_SECRET, OTHER, SHOP, THIRD


@pytest.fixture
def browser(connected_door) -> Browser:
    return Browser(connected_door)


def exchanges(shopify) -> list:
    return shopify.sandbox.calls.of(operation="access_token")


def test_login_leads_to_the_shops_grant_page(door):
    browser = Browser(door)
    address = urlsplit(browser.begin())
    query = parse_qs(address.query, strict_parsing=True)
    assert f"/shops/{SHOP}/admin/oauth/authorize" in address.path
    assert query["client_id"] == ["sandbox-client-id"]
    assert set(query["scope"][0].split(",")) == set(NEEDED)
    assert query["redirect_uri"] == [door.door.settings.shopify.redirect_uri]
    assert len(query["state"][0]) >= 43
    [cookie] = browser.seen[0].headers.get_list("set-cookie")
    assert cookie.startswith(LOGIN)
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert query["state"][0] not in str(door.rows())


def test_an_install_in_a_browser(connected_door, browser):
    answer = browser.install()
    assert answer.status_code == 303
    assert answer.headers["location"] == "/shopify/status"
    assert set(browser.cookies) == {SESSION}
    page = browser.get("/shopify/status")
    assert page.status_code == 200
    assert SHOP in page.text
    install = connected_door.installs.require(SHOP)
    assert (install.status, install.kind) == ("installed", "pair")
    assert set(install.scopes) == set(NEEDED)
    assert connected_door.work().wanted == 1
    assert [due.shop for due in connected_door.door.program.work.due(5)] == [SHOP]


def test_an_install_by_a_program(connected_door, browser, shopify):
    answer = browser.install(**JSON)
    assert answer.status_code == 200
    told = answer.json()
    assert set(told) == {"user_uuid", "shop", "status", "webhooks"}
    assert (told["shop"], told["status"]) == (SHOP, "installed")
    assert told["user_uuid"] == connected_door.installs.require(SHOP).owner
    assert told["webhooks"]["status"] == "subscribed"
    assert told["webhooks"]["created"] > 15
    subscribed = shopify.sandbox.world.shop(SHOP).all("subscriptions")
    assert {subscription["uri"] for subscription in subscribed} == {f"{connected_door.url}/shopify/webhook"}
    assert len(subscribed) == told["webhooks"]["created"]


def test_a_change_in_the_shop_then_arrives_by_itself(connected_door, browser, shopify):
    browser.install()
    wanted = connected_door.work().wanted
    shop = shopify.sandbox.world.shop(SHOP)
    product = shop.all("products")[0]
    shop.update_product(product["id"], title="Another title")
    assert shopify.sandbox.webhooks.flush()
    assert connected_door.work().wanted > wanted
    assert "products/update" in str(connected_door.rows("inbox"))


def test_no_answer_and_no_log_holds_a_secret(connected_door, browser, shopify):
    browser.install(**JSON)
    browser.install()
    browser.get("/shopify/status")
    credential = connected_door.installs.credential(SHOP)
    answers = "".join(f"{answer.headers}{answer.text}" for answer in browser.seen)
    connected_door.lines()
    log = connected_door.log.getvalue().decode()
    rows = str(connected_door.rows())
    codes = re.findall(r"code=([0-9a-f]{32})", str([answer.request.url for answer in browser.seen]))
    assert len(codes) == 2
    for secret in (credential.access_token, credential.refresh_token, API_SECRET, *codes):
        assert secret not in answers
        assert secret not in log
        assert secret not in rows
    assert "Traceback" not in log
    assert browser.cookies[SESSION].split(".")[0] not in log + rows


def test_installing_twice_keeps_the_owner_and_replaces_the_token(connected_door, browser):
    browser.install()
    first, token = connected_door.installs.require(SHOP), connected_door.installs.credential(SHOP).access_token
    stranger = Browser(connected_door)
    stranger.install()
    second = connected_door.installs.require(SHOP)
    assert second.owner == first.owner
    assert connected_door.installs.credential(SHOP).access_token != token
    assert connected_door.work().wanted == 2


def test_a_session_lends_its_owner_to_the_next_shop_and_a_stranger_gets_another(connected_door, browser):
    browser.install()
    browser.install(OTHER)
    Browser(connected_door).install(THIRD)
    owners = [connected_door.installs.require(shop).owner for shop in (SHOP, OTHER, THIRD)]
    assert owners[0] == owners[1] != owners[2]


def test_a_session_shows_its_own_shop_only_and_ends_with_the_next_login(connected_door, browser):
    browser.install()
    before = dict(browser.cookies)
    browser.install(OTHER)
    assert OTHER in browser.get("/shopify/status").text
    browser.cookies = before
    assert browser.get("/shopify/status").status_code == 401


def test_fewer_permissions_than_needed(connected_door, browser, shopify):
    shopify.sandbox.tokens.rules.grant_only = ["read_products"]
    told = browser.install(**JSON).json()
    assert told["status"] == "needs_reauth"
    install = connected_door.installs.require(SHOP)
    assert "read_inventory" in (install.reauth_reason or "")
    page = browser.get("/shopify/status").text
    assert "log in again" in page.lower()
    assert f"/shopify/{SHOP}/login" in page
    shopify.sandbox.tokens.rules.grant_only = None
    assert browser.install(**JSON).json()["status"] == "installed"


def test_an_app_whose_tokens_do_not_expire(connected_door, browser, shopify, monkeypatch):
    monkeypatch.setattr("salesbot_pipelines.sandbox.tokens._is_true", lambda _value: False)
    assert browser.install(**JSON).json()["status"] == "installed"
    install = connected_door.installs.require(SHOP)
    assert (install.kind, install.access_expires_at) == ("static", None)
