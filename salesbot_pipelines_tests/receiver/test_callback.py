"""Callbacks that are not what they claim: nothing is asked of Shopify, nothing is stored."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from salesbot_pipelines_tests.receiver.browsing import JSON, LOGIN, Browser
from salesbot_pipelines_tests.receiver.harness import API_SECRET, OTHER, SHOP, callback_query


@pytest.fixture
def browser(connected_door) -> Browser:
    return Browser(connected_door)


def exchanges(shopify) -> list:
    return shopify.sandbox.calls.of(operation="access_token")


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


@pytest.mark.parametrize("seconds", [-91, 150, 86_400, 10**10])
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
