"""OAuth at Shopify: the grant page's address, the callback's signature, and the ways to a token.

The promise: the client secret goes to a host built from a validated domain and nowhere else, no redirect is
followed, no answer is echoed. The state of a login is kept and checked by the receiver; tokens are stored by `state`.
https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/authorization-code-grant
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import msgspec

from salesbot_pipelines.errors import NeedsReauth, RequestRefused, ShopifyUnavailable
from salesbot_pipelines.shopify.domain import shop_base_url

SCOPES = ("read_discounts", "read_inventory", "read_locations", "read_products")
"""What the pipeline reads with. A granted write_x holds read_x."""

CALLBACK_SECONDS = 90
"""How old a callback may be; Shopify's own library allows as much."""

_ANSWER_BYTES = 64 * 1024
_LONGEST_TOKEN = 2048


@dataclass(frozen=True)
class TokenPair:
    """What Shopify gave for a code, a refresh token or the client's own name; None where it does not expire."""

    access_token: str = field(repr=False)
    expires_at: datetime | None
    refresh_token: str | None = field(repr=False)
    refresh_expires_at: datetime | None
    scopes: tuple[str, ...]


def authorize_url(
    shop: str, *, shop_url: str, client_id: str, redirect_uri: str, state: str, scopes: Sequence[str] = SCOPES
) -> str:
    """Return the shop's grant page for an offline token, every value percent-encoded."""
    query = urlencode(
        {"client_id": client_id, "scope": ",".join(scopes), "redirect_uri": redirect_uri, "state": state},
        quote_via=quote,
        safe="",
    )
    return f"{shop_base_url(shop_url, shop)}/admin/oauth/authorize?{query}"


def missing_scopes(granted: Collection[str]) -> tuple[str, ...]:
    """Return the scopes that were needed and not granted."""
    held = {scope.replace("write_", "read_", 1) for scope in granted}
    return tuple(scope for scope in SCOPES if scope not in held)


def sign_callback(params: Mapping[str, str], secret: str) -> str:
    """Return the hex signature of a callback's parameters: sorted, percent-encoded, without `hmac`."""
    signed = sorted((name, value) for name, value in params.items() if name not in ("hmac", "signature"))
    message = urlencode(signed, quote_via=quote, safe="")
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def verify_callback(params: Mapping[str, str], secrets: Sequence[str], now: datetime) -> None:
    """Check that Shopify signed the callback, with one of the secrets, in the last 90 seconds.

    A parameter that comes twice must have been refused before: a mapping cannot show it. Raises `RequestRefused`
    with 401 for a wrong signature and 400 for a time that is not near.
    """
    given = params.get("hmac", "").encode("utf-8", "surrogatepass")
    # Every secret is tried, so that the time taken does not tell which one was right.
    matches = [hmac.compare_digest(sign_callback(params, secret).encode(), given) for secret in secrets if secret]
    if not any(matches):
        raise RequestRefused("the callback's signature is wrong", status=401)
    stamp = params.get("timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise RequestRefused("the callback has no time", status=400)
    if abs(now.timestamp() - int(stamp)) > CALLBACK_SECONDS:
        raise RequestRefused("the callback is too old", status=400)


def exchange_code(
    http: httpx.Client, shop: str, *, shop_url: str, client_id: str, client_secret: str, code: str, now: datetime
) -> TokenPair:
    """Exchange a callback's code for an expiring offline token; works where the app's tokens do not expire, too.

    Raises `RequestRefused` with 401 when Shopify does not know the code, `ShopifyUnavailable` for no usable answer.
    """
    if not 0 < len(code) <= _LONGEST_TOKEN:
        raise RequestRefused("the callback has no code", status=400)
    form = {"client_id": client_id, "client_secret": client_secret, "code": code, "expiring": "1"}
    answer = _post(http, shop, shop_url, form)
    if answer.status_code in (400, 401, 403):
        raise RequestRefused(f"{shop} does not know the code (HTTP {answer.status_code})", status=401)
    return _pair(shop, answer, now)


def refresh_pair(
    http: httpx.Client,
    shop: str,
    *,
    shop_url: str,
    client_id: str,
    client_secret: str,
    refresh_token: str,
    now: datetime,
) -> TokenPair:
    """Exchange a refresh token for a new pair; every answer brings another refresh token.

    Raises `NeedsReauth` when Shopify no longer knows it, `ShopifyUnavailable` for no usable answer.
    """
    form = {
        "client_id": client_id,
        "client_secret": client_secret,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
    }
    answer = _post(http, shop, shop_url, form)
    if answer.status_code in (400, 401, 403):
        raise NeedsReauth(f"{shop}: Shopify no longer accepts the refresh token", shop=shop)
    return _pair(shop, answer, now)


def client_credentials(
    http: httpx.Client, shop: str, *, shop_url: str, client_id: str, client_secret: str, now: datetime
) -> TokenPair:
    """Get a token for an app and a shop of one organisation; about a day, and no refresh token.

    Raises `NeedsReauth` when the app may not, `ShopifyUnavailable` for no usable answer.
    """
    form = {"client_id": client_id, "client_secret": client_secret, "grant_type": "client_credentials"}
    answer = _post(http, shop, shop_url, form)
    if answer.status_code in (400, 401, 403):
        raise NeedsReauth(f"{shop}: Shopify gives this app no token by client credentials", shop=shop)
    return _pair(shop, answer, now)


def _post(http: httpx.Client, shop: str, shop_url: str, form: Mapping[str, str]) -> httpx.Response:
    url = f"{shop_base_url(shop_url, shop)}/admin/oauth/access_token"
    try:
        with http.stream("POST", url, json=dict(form), follow_redirects=False) as answer:
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _ANSWER_BYTES:
                    raise ShopifyUnavailable(f"{shop}: the token answer is too large", shop=shop)
            status = answer.status_code
    except httpx.HTTPError as error:
        # The cause's text may quote the request; only its kind is told.
        raise ShopifyUnavailable(f"{shop}: no token answer ({type(error).__name__})", shop=shop) from None
    return httpx.Response(status, content=bytes(body))


def _pair(shop: str, answer: httpx.Response, now: datetime) -> TokenPair:
    if answer.status_code != 200:
        raise ShopifyUnavailable(f"{shop}: the token answer was HTTP {answer.status_code}", shop=shop)
    try:
        found = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict) or (access_token := _token(found.get("access_token"))) is None:
        raise ShopifyUnavailable(f"{shop}: the token answer held no token", shop=shop)
    scope = found.get("scope")
    return TokenPair(
        access_token=access_token,
        expires_at=_moment(now, found.get("expires_in")),
        refresh_token=_token(found.get("refresh_token")),
        refresh_expires_at=_moment(now, found.get("refresh_token_expires_in")),
        scopes=tuple(sorted({part.strip() for part in scope.split(",") if part.strip()}))
        if isinstance(scope, str)
        else (),
    )


def _token(value: Any) -> str | None:
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_TOKEN and value.isascii() and value.isprintable():
        return value
    return None


def _moment(now: datetime, seconds: Any) -> datetime | None:
    if isinstance(seconds, int) and not isinstance(seconds, bool) and 0 <= seconds <= 10**9:
        return now + timedelta(seconds=seconds)
    return None
