"""From "install" to connected, against the sandbox: the way there, the way back, and every wrong turn."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.shopify.scopes import NEEDED
from salesbot_pipelines_tests.receiver.harness import API_SECRET, OTHER, SHOP, THIRD, callback_query

JSON = {"accept": "application/json"}
LOGIN, SESSION = "__Host-salesbot_login", "__Host-salesbot_session"


class Browser:
    """Keeps cookies as a browser does, also on loopback without TLS."""

    def __init__(self, door) -> None:
        self.door = door
        self.cookies: dict[str, str] = {}
        self.seen: list[httpx.Response] = []

    def get(self, url: str, **headers: str) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.door.http.get(url, headers={"accept": "text/html", "cookie": cookie, **headers})
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        self.seen.append(answer)
        return answer

    def begin(self, shop: str = SHOP) -> str:
        """Start to log in; return the address of the grant page."""
        answer = self.get(f"/shopify/{shop}/login")
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def grant(self, address: str) -> str:
        """Press the button on Shopify's page; return the callback's address, path and query only."""
        query = urlsplit(address).query
        answer = httpx.post(address, data=dict(parse_qsl(query)), trust_env=False, verify=False)
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["location"])
        return f"{back.path}?{back.query}"

    def install(self, shop: str = SHOP, **headers: str) -> httpx.Response:
        return self.get(self.grant(self.begin(shop)), **headers)


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


# ---- wrong turns: nothing is asked of Shopify, nothing is stored ------------------------------------------


def assert_refused(door, shopify, answer, *statuses):
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert door.rows("installs", "sessions", "shop_work") == {"installs": [], "sessions": [], "shop_work": []}
    assert exchanges(shopify) == []


def test_a_state_is_good_once(connected_door, browser, shopify):
    back = browser.grant(browser.begin())
    login = dict(browser.cookies)
    assert browser.get(back).status_code == 303
    before = connected_door.rows()
    browser.cookies |= login
    assert browser.get(back).status_code == 401
    assert connected_door.rows() == before
    assert len(exchanges(shopify)) == 1


def test_a_state_from_another_browser(connected_door, browser, shopify):
    back = browser.grant(browser.begin())
    assert_refused(connected_door, shopify, Browser(connected_door).get(back), 401)
    other = Browser(connected_door)
    other.begin()
    assert_refused(connected_door, shopify, other.get(back), 401)
    # It has been seen by somebody else, so it is gone for its owner as well.
    assert_refused(connected_door, shopify, browser.get(back), 401)


def test_a_state_that_is_too_old(connected_door, browser, shopify):
    address = browser.begin()
    connected_door.clock.shift = shopify.sandbox.clock.now() - connected_door.clock.now() + timedelta(seconds=601)
    query = dict(parse_qsl(urlsplit(browser.grant(address)).query))
    query.pop("hmac")
    query["timestamp"] = str(int(connected_door.clock.now().timestamp()))
    assert_refused(connected_door, shopify, browser.get(f"/shopify/callback?{callback_query(**query)}"), 401)


def test_a_state_of_another_shop(connected_door, browser, shopify):
    query = dict(parse_qsl(urlsplit(browser.grant(browser.begin())).query))
    query.pop("hmac")
    query["shop"] = OTHER
    assert_refused(connected_door, shopify, browser.get(f"/shopify/callback?{callback_query(**query)}"), 401)


def test_no_state_and_no_code(connected_door, browser, shopify):
    query = dict(parse_qsl(urlsplit(browser.grant(browser.begin())).query))
    query.pop("hmac")
    for name in ("state", "code"):
        left = {key: value for key, value in query.items() if key != name}
        assert_refused(connected_door, shopify, browser.get(f"/shopify/callback?{callback_query(**left)}"), 400, 401)


@pytest.mark.parametrize("seconds", [-91, 91, 86_400, 10**10])
def test_a_callback_from_another_time(connected_door, browser, shopify, seconds):
    query = dict(parse_qsl(urlsplit(browser.grant(browser.begin())).query))
    query.pop("hmac")
    query["timestamp"] = str(int(query["timestamp"]) + seconds)
    assert_refused(connected_door, shopify, browser.get(f"/shopify/callback?{callback_query(**query)}"), 401)


@pytest.mark.parametrize("stamp", ["", "abc", "1e9", "-5", "١٢٣", "9" * 400])
def test_a_time_that_is_none(connected_door, browser, shopify, stamp):
    query = callback_query(shop=SHOP, code="c", state="s", timestamp=stamp)
    assert_refused(connected_door, shopify, browser.get(f"/shopify/callback?{query}"), 401)


def test_any_changed_character_of_a_callback(connected_door, browser, shopify):
    back = browser.grant(browser.begin())
    start = back.index("?") + 1

    @settings(max_examples=60, deadline=None)
    @given(position=st.integers(start, len(back) - 1), replacement=st.sampled_from("0aZ&=%+"))
    def change(position, replacement):
        changed = back[:position] + replacement + back[position + 1 :]
        assume(sorted(parse_qsl(urlsplit(changed).query)) != sorted(parse_qsl(urlsplit(back).query)))
        assert_refused(connected_door, shopify, browser.get(changed), 400, 401)

    change()
    assert browser.get(back).status_code == 303


def test_a_parameter_that_comes_twice(connected_door, browser, shopify):
    back = browser.grant(browser.begin())
    for more in (f"&shop={OTHER}", f"&shop={SHOP}", "&code=other", "&hmac=x", "&state=x"):
        assert_refused(connected_door, shopify, browser.get(back + more), 400)
    # And in front, where other parsers look.
    assert_refused(connected_door, shopify, browser.get(back.replace("?", f"?shop={OTHER}&")), 400)


@pytest.mark.parametrize(
    "action", ["redirect", "html", "empty", "huge", "broken_json", "not_object", "status", "disconnect", "http_429"]
)
def test_a_token_answer_that_is_none(connected_door, browser, shopify, action):
    more = {"location": f"{connected_door.url}/healthz"} if action == "redirect" else {}
    status = {"status": 500} if action == "status" else {}
    shopify.sandbox.faults.add(action, operation="access_token", times=None, **more, **status)
    back = browser.grant(browser.begin())
    answer = browser.get(back)
    assert answer.status_code == (503 if action == "http_429" else 502)
    assert "set-cookie" not in answer.headers
    assert "proxy" not in answer.text.lower()
    assert connected_door.rows("installs", "sessions") == {"installs": [], "sessions": []}
    assert len(exchanges(shopify)) <= 1
    assert "healthz" not in [line["route"] for line in connected_door.lines()]
    # Nothing is half done: the next try goes through.
    shopify.sandbox.faults.clear()
    assert browser.install().status_code == 303


def test_a_code_that_shopify_does_not_know(connected_door, browser):
    query = dict(parse_qsl(urlsplit(browser.grant(browser.begin())).query))
    query.pop("hmac")
    query["code"] = "unknown"
    answer = browser.get(f"/shopify/callback?{callback_query(**query)}", **JSON)
    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "message"}
    assert connected_door.rows("installs")["installs"] == []


def test_subscriptions_that_fail_do_not_undo_the_install(connected_door, browser, shopify):
    shopify.sandbox.faults.add("errors_only", operation="WebhookSubscriptions", times=None)
    told = browser.install(**JSON).json()
    assert (told["status"], told["webhooks"]) == ("installed", {"status": "failed"})
    answer = browser.install()
    assert (answer.status_code, answer.headers["location"]) == (303, "/shopify/status?notice=webhooks")
    assert "instant updates" in browser.get(answer.headers["location"]).text.lower()
    [*_, line] = connected_door.lines("subscriptions")
    assert line["shop"] == SHOP
    assert API_SECRET not in json.dumps(line)


@pytest.mark.parametrize("spoil", [lambda v: "", lambda v: "x", lambda v: "a.b", lambda v: v[:-1], lambda v: v + "x"])
def test_a_login_cookie_that_we_did_not_set(connected_door, browser, shopify, spoil):
    back = browser.grant(browser.begin())
    browser.cookies[LOGIN] = spoil(browser.cookies[LOGIN])
    assert_refused(connected_door, shopify, browser.get(back), 401)
