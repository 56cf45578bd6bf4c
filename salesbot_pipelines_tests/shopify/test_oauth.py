"""Signatures of callbacks, and token answers of every kind."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import (
    AccessRefused,
    InvalidShop,
    NeedsReauth,
    RequestRefused,
    ShopifyUnavailable,
    ShopNotFound,
    Throttled,
)
from salesbot_pipelines.shopify import oauth
from salesbot_pipelines.shopify.scopes import holds, missing_scopes
from salesbot_pipelines_tests.shopify.wire import SHOP, Wire

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRET, OLD_SECRET = "shpss_the_secret", "shpss_the_one_before"


def sign(params: dict[str, str], secret: str = SECRET) -> dict[str, str]:
    """Written out by hand: sorted, percent-encoded, hex."""
    message = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(params.items()))
    return {**params, "hmac": hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()}


def callback(**changes: str) -> dict[str, str]:
    params = {"code": "0907a61c", "shop": SHOP, "state": "s1", "timestamp": str(int(NOW.timestamp())), "host": "YWRt"}
    return params | changes


# The grant page


def test_the_grant_page_gets_every_value_encoded() -> None:
    url = oauth.authorize_url(
        SHOP, client_id="id&x=1", redirect_uri="https://bot.example/callback?a=b c", state="ä&scope=write_all"
    )
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", SHOP, "/admin/oauth/authorize")
    assert parse_qs(parts.query, strict_parsing=True) == {
        "client_id": ["id&x=1"],
        "scope": ["read_products,read_inventory,read_locations,read_discounts"],
        "redirect_uri": ["https://bot.example/callback?a=b c"],
        "state": ["ä&scope=write_all"],
    }


@pytest.mark.parametrize(
    "shop", ["evil.com/", "evil.com#.myshopify.com", "a.myshopify.com.evil.com", "a\n.myshopify.com", ""]
)
def test_no_secret_goes_to_a_host_that_is_no_shop(shop: str) -> None:
    wire = Wire(httpx.Response(200, json={"access_token": "t"}))
    with pytest.raises(InvalidShop):
        oauth.authorize_url(shop, client_id="i", redirect_uri="r", state="s")
    with pytest.raises(InvalidShop):
        oauth.exchange_code(wire.http, shop, client_id="i", client_secret=SECRET, code="c", now=NOW)
    assert wire.requests == []


# The callback


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_a_signed_callback_passes_with_either_secret(secret: str) -> None:
    claims = oauth.verify_callback(sign(callback(), secret), [SECRET, OLD_SECRET], NOW)
    assert (claims.shop, claims.code, claims.state) == (SHOP, "0907a61c", "s1")
    assert "0907a61c" not in repr(claims)


def test_the_documented_example_passes() -> None:
    """https://shopify.dev/docs/apps/build/authentication-authorization: the message, with a secret of our own."""
    message = "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com"
    message += "&state=0.6784241404160823&timestamp=1337178173"
    params = dict(pair.split("=") for pair in message.split("&"))
    params["hmac"] = hmac.new(b"hush", message.encode(), hashlib.sha256).hexdigest()
    claims = oauth.verify_callback(params, ["hush"], datetime.fromtimestamp(1337178173, UTC))
    assert claims.shop == "some-shop.myshopify.com"


@pytest.mark.parametrize(
    "params",
    [
        {},
        callback(),
        {**callback(), "hmac": ""},
        {**callback(), "hmac": "ü"},
        {**callback(), "hmac": "\udc80\ud800"},
        {**callback(), "\ud800": "\udc80", "hmac": "0" * 64},
        {**callback(), "hmac": "0" * 64},
        sign(callback(), "another secret"),
        {**sign(callback()), "extra": "1"},
        sign(callback()) | {"hmac": sign(callback())["hmac"].upper()},
    ],
)
def test_an_unsigned_callback_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(RequestRefused) as caught:
        oauth.verify_callback(params, [SECRET], NOW)
    assert caught.value.status == 401


def test_no_secret_signs_nothing() -> None:
    for secrets in ([], [""]):
        with pytest.raises(RequestRefused):
            oauth.verify_callback(sign(callback(), ""), secrets, NOW)


def test_a_doubled_parameter_is_refused_although_it_is_signed() -> None:
    pairs = [*sign(callback()).items(), ("shop", "other.myshopify.com")]
    with pytest.raises(RequestRefused) as caught:
        oauth.verify_callback(pairs, [SECRET], NOW)
    assert caught.value.status == 400


@pytest.mark.parametrize("seconds", [-91, 91, 86400, -86400])
def test_an_old_callback_is_refused(seconds: int) -> None:
    stamp = str(int((NOW + timedelta(seconds=seconds)).timestamp()))
    with pytest.raises(RequestRefused):
        oauth.verify_callback(sign(callback(timestamp=stamp)), [SECRET], NOW)


@pytest.mark.parametrize("stamp", ["", "now", "1e9", "-1", "9" * 40, "１２３"])
def test_a_timestamp_that_is_none_is_refused_and_breaks_nothing(stamp: str) -> None:
    with pytest.raises(RequestRefused):
        oauth.verify_callback(sign(callback(timestamp=stamp)), [SECRET], NOW)


def test_the_shop_of_a_signed_callback_is_matched_whole() -> None:
    with pytest.raises(InvalidShop):
        oauth.verify_callback(sign(callback(shop="a.myshopify.com.evil.com")), [SECRET], NOW)


text = st.text(max_size=20)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(text.filter(lambda k: k not in ("hmac", "signature")), text, max_size=5), st.data())
def test_any_change_of_any_parameter_breaks_the_signature(extra: dict[str, str], data) -> None:
    good = sign({**extra, **callback()})
    assert oauth.verify_callback(good, [SECRET], NOW).shop == SHOP
    name = data.draw(st.sampled_from(sorted(good)))
    value = data.draw(text)
    assume(value != good[name])
    with pytest.raises(RequestRefused):
        oauth.verify_callback({**good, name: value}, [SECRET], NOW)
    fewer = {k: v for k, v in good.items() if k != name}
    with pytest.raises(RequestRefused):
        oauth.verify_callback(fewer, [SECRET], NOW)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=10), st.text(max_size=10)), max_size=6))
def test_whatever_comes_is_refused_and_not_crashed_on(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(RequestRefused):
        oauth.verify_callback(pairs, [SECRET], NOW)


def test_a_value_cannot_pose_as_two_parameters() -> None:
    """Without encoding, `a=1&b=2` as one value would sign like two parameters."""
    signed = sign(callback(state="x&host=evil"))["hmac"]
    with pytest.raises(RequestRefused):
        oauth.verify_callback({**callback(state="x", host="evil"), "hmac": signed}, [SECRET], NOW)


# Tokens

PAIR = {
    "access_token": "shpat_new",
    "scope": "read_products,write_inventory",
    "expires_in": 3600,
    "refresh_token": "shprt_new",
    "refresh_token_expires_in": 7776000,
}


def exchange(wire: Wire) -> oauth.TokenPair:
    return oauth.exchange_code(wire.http, SHOP, client_id="id", client_secret=SECRET, code="c0de", now=NOW)


def refresh(wire: Wire) -> oauth.TokenPair:
    return oauth.refresh_pair(
        wire.http, SHOP, client_id="id", client_secret=SECRET, refresh_token="shprt_old", now=NOW
    )


def test_a_code_is_exchanged_for_an_expiring_pair() -> None:
    wire = Wire(httpx.Response(200, json=PAIR))
    pair = exchange(wire)
    assert pair == oauth.TokenPair(
        "shpat_new",
        NOW + timedelta(hours=1),
        "shprt_new",
        NOW + timedelta(days=90),
        ("read_products", "write_inventory"),
    )
    (request,) = wire.requests
    assert str(request.url) == f"https://{SHOP}/admin/oauth/access_token"
    assert json.loads(request.content) == {
        "client_id": "id",
        "client_secret": SECRET,
        "code": "c0de",
        "expiring": "1",
    }


def test_a_token_without_an_expiry_works_too() -> None:
    pair = exchange(Wire(httpx.Response(200, json={"access_token": "shpat_x", "scope": "read_products"})))
    assert (pair.expires_at, pair.refresh_token, pair.refresh_expires_at) == (None, None, None)


def test_a_refresh_asks_with_the_old_refresh_token() -> None:
    wire = Wire(httpx.Response(200, json=PAIR))
    assert refresh(wire).refresh_token == "shprt_new"
    assert json.loads(wire.requests[0].content) == {
        "client_id": "id",
        "client_secret": SECRET,
        "grant_type": "refresh_token",
        "refresh_token": "shprt_old",
    }


def test_client_credentials_give_a_token_for_a_day() -> None:
    wire = Wire(httpx.Response(200, json={"access_token": "shpat_cc", "scope": "", "expires_in": 86399}))
    pair = oauth.client_credentials(wire.http, SHOP, client_id="id", client_secret=SECRET, now=NOW)
    assert pair.expires_at == NOW + timedelta(seconds=86399)
    assert pair.scopes == ()
    assert json.loads(wire.requests[0].content)["grant_type"] == "client_credentials"


def test_nothing_printable_holds_a_token() -> None:
    pair = exchange(Wire(httpx.Response(200, json=PAIR)))
    assert "shpat_new" not in repr(pair) + str(pair)
    assert "shprt_new" not in repr(pair) + str(pair)


CANARY = "shpat_canary_in_the_answer"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(400, json={"error": "invalid_grant", "error_description": CANARY}), NeedsReauth),
        (httpx.Response(400, json={"error": "invalid_request", "error_description": CANARY}), NeedsReauth),
        (httpx.Response(401, text=CANARY), NeedsReauth),
        (httpx.Response(401, json={"error": "invalid_client"}), AccessRefused),
        (httpx.Response(403, text=CANARY), AccessRefused),
        (httpx.Response(404), ShopNotFound),
        (httpx.Response(302, headers={"Location": f"https://evil.example/{CANARY}"}), ShopNotFound),
        (httpx.Response(429), Throttled),
        (httpx.Response(500, text=CANARY), ShopifyUnavailable),
        (httpx.Response(418, text=CANARY), ShopifyUnavailable),
        (httpx.Response(200, text=f"<html>{CANARY}</html>"), ShopifyUnavailable),
        (httpx.Response(200, json={"access_token": None, "x": CANARY}), ShopifyUnavailable),
        (httpx.Response(200, json={"access_token": ""}), ShopifyUnavailable),
        (httpx.Response(200, json={"access_token": f"{CANARY}\nX: y"}), ShopifyUnavailable),
        (httpx.Response(200, json=[CANARY]), ShopifyUnavailable),
        (httpx.Response(200, json={"scope": CANARY}), ShopifyUnavailable),
        (httpx.Response(200, json={"access_token": CANARY, "expires_in": "soon"}), ShopifyUnavailable),
        (httpx.Response(200, content=b"\xff" + CANARY.encode()), ShopifyUnavailable),
        (httpx.Response(200, text=" " * 100_000 + CANARY), ShopifyUnavailable),
        (httpx.Response(200), ShopifyUnavailable),
        (httpx.ConnectTimeout(CANARY), ShopifyUnavailable),
    ],
)
def test_every_other_answer_is_an_error_that_tells_nothing(response, error) -> None:
    for ask in (exchange, refresh):
        wire = Wire(response)
        with pytest.raises(error) as caught:
            ask(wire)
        shown = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
        assert CANARY not in shown
        assert SECRET not in shown
        assert len(wire.requests) == 1, "a code works once; and a redirect is not followed"


def test_a_lifetime_without_bounds_does_not_overflow() -> None:
    pair = exchange(Wire(httpx.Response(200, json={**PAIR, "expires_in": 10**15, "refresh_token_expires_in": -5})))
    assert pair.expires_at is not None
    assert pair.refresh_expires_at == NOW


# Scopes


def test_write_holds_read_and_what_is_missing_is_named() -> None:
    assert holds(["write_products"], "read_products")
    assert not holds(["read_products"], "write_products")
    assert missing_scopes(["write_products", "read_locations", "read_orders"]) == ["read_inventory", "read_discounts"]
    assert oauth.missing_scopes(["read_products", "read_inventory", "read_locations", "read_discounts"]) == []
