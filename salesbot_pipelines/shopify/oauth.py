"""OAuth with a shop: the grant page's address, the callback's proof, and tokens for codes, refresh tokens or
credentials.

The promise: a secret or code goes to the host of a validated shop alone and along no redirect; an answer is
bounded, its form checked, and never echoed. State and cookies are the receiver's affair, storing tokens is the
caller's. https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import httpx
import msgspec

from salesbot_pipelines.errors import (
    AccessRefused,
    NeedsReauth,
    RequestRefused,
    ShopifyError,
    ShopifyUnavailable,
    ShopNotFound,
    ShopPaused,
    Throttled,
)
from salesbot_pipelines.shopify.domain import parse_shop, shop_base_url
from salesbot_pipelines.shopify.scopes import NEEDED, missing_scopes

__all__ = [
    "Callback",
    "TokenPair",
    "authorize_url",
    "client_credentials",
    "exchange_code",
    "missing_scopes",
    "refresh_pair",
    "verify_callback",
]

CALLBACK_SECONDS = 90
"""Shopify's own library refuses a callback whose timestamp is further off than this."""

_LARGEST_ANSWER = 64 * 1024
_TIMEOUT = httpx.Timeout(connect=5.0, read=15.0, write=10.0, pool=10.0)
_TOKEN = re.compile(r"[\x21-\x7e]{1,512}")
_LONGEST_LIFE_SECONDS = 10 * 366 * 86_400


@dataclass(frozen=True)
class TokenPair:
    """An access token and what goes with it; times are UTC, None for never. Tokens stay out of `repr`."""

    access_token: str = field(repr=False)
    expires_at: datetime | None
    refresh_token: str | None = field(repr=False)
    refresh_expires_at: datetime | None
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Callback:
    """A callback that Shopify signed a moment ago; whether `state` is ours is not known here."""

    shop: str
    code: str = field(repr=False)
    state: str = field(repr=False)


class _Granted(msgspec.Struct):
    access_token: str
    scope: str = ""
    expires_in: int | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None


class _Refusal(msgspec.Struct):
    error: str = ""


_granted = msgspec.json.Decoder(_Granted).decode
_refused = msgspec.json.Decoder(_Refusal).decode


def authorize_url(
    shop: str,
    *,
    client_id: str,
    redirect_uri: str,
    state: str,
    scopes: Iterable[str] = NEEDED,
    shop_url: str = "https://{shop}",
) -> str:
    """Return the address of the shop's grant page for an offline token, every value percent-encoded.

    Raises `InvalidShop`. No `grant_options[]` means an offline token.
    """
    query = {"client_id": client_id, "scope": ",".join(scopes), "redirect_uri": redirect_uri, "state": state}
    return f"{shop_base_url(shop_url, shop)}/admin/oauth/authorize?{urlencode(query, quote_via=quote, safe='')}"


def verify_callback(
    params: Mapping[str, str] | Sequence[tuple[str, str]], secrets: Iterable[str], now: datetime
) -> Callback:
    """Return the callback's claims once its signature and age are proved; raise `RequestRefused` otherwise.

    The signature is the hex HMAC-SHA256, with the client secret, of all other parameters sorted and percent-encoded.
    A doubled parameter is refused: the two sides of a proxy could each believe another one. Raises `InvalidShop`.
    """
    pairs = list(params.items()) if isinstance(params, Mapping) else list(params)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise RequestRefused("a parameter of the callback comes twice", status=400)
    if not _is_signed(values, secrets):
        raise RequestRefused("the callback's signature is missing or wrong", status=401)
    stated = values.get("timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", stated) or abs(int(stated) - now.timestamp()) > CALLBACK_SECONDS:
        raise RequestRefused("the callback is too old, or has no time", status=401)
    return Callback(parse_shop(values.get("shop", "")), values.get("code", ""), values.get("state", ""))


def _is_signed(values: Mapping[str, str], secrets: Iterable[str]) -> bool:
    given = values.get("hmac", "").encode("utf-8", "surrogatepass")
    signed = sorted((name, value) for name, value in values.items() if name not in ("hmac", "signature"))
    message = urlencode(signed, quote_via=quote, safe="", errors="surrogatepass").encode("ascii")
    matches = False
    for secret in secrets:
        if secret:
            expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode("ascii")
            matches |= hmac.compare_digest(expected, given)
    return matches


def exchange_code(
    http: httpx.Client,
    shop: str,
    *,
    client_id: str,
    client_secret: str,
    code: str,
    now: datetime,
    shop_url: str = "https://{shop}",
) -> TokenPair:
    """Return the tokens for the code of a callback; asks for one that expires, takes one that does not.

    A code works once, so a failed exchange is not repeated. Raises `NeedsReauth` when the code is refused,
    `ShopifyUnavailable` when no fit answer came.
    """
    body = {"client_id": client_id, "client_secret": client_secret, "code": code, "expiring": "1"}
    return _ask(http, shop, shop_url, body, now)


def refresh_pair(
    http: httpx.Client,
    shop: str,
    *,
    client_id: str,
    client_secret: str,
    refresh_token: str,
    now: datetime,
    shop_url: str = "https://{shop}",
) -> TokenPair:
    """Return a new pair for a refresh token; store it before it is used.

    The old refresh token stays good until the new pair is used (since 2026-08-28), so an answer that was lost may be
    asked for again. Raises `NeedsReauth` when the refresh token is dead.
    """
    body = {
        "client_id": client_id,
        "client_secret": client_secret,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
    }
    return _ask(http, shop, shop_url, body, now)


def client_credentials(
    http: httpx.Client,
    shop: str,
    *,
    client_id: str,
    client_secret: str,
    now: datetime,
    shop_url: str = "https://{shop}",
) -> TokenPair:
    """Return an access token (about a day, no refresh token) of an own app on a shop of the own organisation."""
    body = {"client_id": client_id, "client_secret": client_secret, "grant_type": "client_credentials"}
    return _ask(http, shop, shop_url, body, now)


def _ask(http: httpx.Client, shop: str, shop_url: str, body: Mapping[str, str], now: datetime) -> TokenPair:
    domain = parse_shop(shop)
    url = f"{shop_base_url(shop_url, domain)}/admin/oauth/access_token"
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    answer = bytearray()
    try:
        with http.stream(
            "POST",
            url,
            content=msgspec.json.encode(body),
            headers=headers,
            follow_redirects=False,
            timeout=_TIMEOUT,
        ) as response:
            for chunk in response.iter_bytes():
                answer += chunk
                if len(answer) > _LARGEST_ANSWER:
                    raise ShopifyUnavailable(f"{domain}: the token answer is too large", shop=domain)
            status = response.status_code
    except httpx.RequestError as error:
        raise ShopifyUnavailable(f"{domain} could not be reached: {type(error).__name__}", shop=domain) from None
    if status != 200:
        raise _refusal(domain, status, bytes(answer))
    return _pair(domain, bytes(answer), now)


def _pair(shop: str, answer: bytes, now: datetime) -> TokenPair:
    try:
        granted = _granted(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # The cause is dropped: its text may quote the answer.
        raise ShopifyUnavailable(f"{shop}: the token answer has not the form of one", shop=shop) from None
    tokens = [granted.access_token, *([granted.refresh_token] if granted.refresh_token else [])]
    if not all(_TOKEN.fullmatch(token) for token in tokens):
        raise ShopifyUnavailable(f"{shop}: the token answer holds no usable token", shop=shop)
    return TokenPair(
        access_token=granted.access_token,
        expires_at=_after(now, granted.expires_in),
        refresh_token=granted.refresh_token or None,
        refresh_expires_at=_after(now, granted.refresh_token_expires_in) if granted.refresh_token else None,
        scopes=tuple(scope for scope in re.split(r"[,\s]+", granted.scope) if scope),
    )


def _after(now: datetime, seconds: int | None) -> datetime | None:
    return (
        None
        if seconds is None
        else now.astimezone(UTC) + timedelta(seconds=max(0, min(seconds, _LONGEST_LIFE_SECONDS)))
    )


def _refusal(shop: str, status: int, answer: bytes) -> ShopifyError:
    try:
        reason = _refused(answer).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        reason = ""
    if status == 429:
        return Throttled(f"{shop} answered 429 to a token request", wait_seconds=5.0, shop=shop)
    if status >= 500 or status == 408:
        return ShopifyUnavailable(f"{shop} answered {status} to a token request", shop=shop)
    if reason in ("invalid_client", "application_cannot_be_found", "unauthorized_client") or status == 403:
        return AccessRefused(
            f"{shop} does not know this app by its client id and secret",
            shop=shop,
            advice="check SHOPIFY_API_KEY and SHOPIFY_API_SECRET",
        )
    if status in (402, 423):
        return ShopPaused(f"{shop} answered {status} to a token request", shop=shop)
    if status == 404 or 300 <= status < 400:
        return ShopNotFound(f"{shop} answered {status} to a token request", shop=shop)
    if status in (400, 401):
        # invalid_grant, invalid_request: the code or refresh token is used, too old, or another app's.
        return NeedsReauth(f"{shop} did not accept the code or refresh token", shop=shop)
    return ShopifyUnavailable(f"{shop} answered {status} to a token request", shop=shop)
