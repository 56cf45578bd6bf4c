"""Who may call: authorization codes, access tokens, refresh tokens, and how long each of them lives.

The rules are Shopify's: a code is used once; an expiring offline token comes with a refresh token, which is replaced
at each use; the one before stays good until its replacement is used, so that an answer lost on the way is no loss.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock
from .shop import Shop

DAY = 86_400


@dataclass(frozen=True)
class AppCredentials:
    """The app this sandbox knows. Nothing here is secret: it opens invented shops on this machine only."""

    client_id: str = "sandbox-client-id"
    client_secret: str = field(default="sandbox-client-secret", repr=False)
    redirect_uris: tuple[str, ...] | None = None  # None: any https address, and http on loopback


@dataclass
class TokenRules:
    """How long things live, in seconds, and what is refused."""

    access_seconds: float = 3_600
    refresh_seconds: float = 90 * DAY
    retry_seconds: float = 30 * DAY
    code_seconds: float = 60
    client_credentials_seconds: float = 86_399
    require_expiring: bool = False
    grant_only: Sequence[str] | None = None  # what the merchant grants, whatever the app asks for


class Refused(Exception):
    """A grant that is not given: status, error and description of the answer."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


@dataclass
class _Code:
    shop: str
    scopes: list[str]
    ends_at: float


@dataclass
class _Access:
    shop: str
    ends_at: float | None
    revoked: bool = False


@dataclass
class _Refresh:
    shop: str
    ends_at: float
    replacement: str | None = None
    former: str | None = None
    dead: bool = False


def _is_true(value: Any) -> bool:
    return str(value).lower() in ("1", "true")


class TokenDesk:
    """Gives out tokens and knows which are good."""

    def __init__(self, clock: Clock, app: AppCredentials, rules: TokenRules) -> None:
        self.clock, self.app, self.rules = clock, app, rules
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Refresh] = {}

    # -- calls ------------------------------------------------------------------------------------------------

    def refusal(self, shop: Shop, token: str) -> tuple[int, str] | None:
        """Return status and text of the answer to a token that does not open the shop now; None when it does."""
        wrong = (401, "[API] Invalid API key or access token (unrecognized login or wrong password)")
        if not token or not shop.is_installed:
            return wrong
        if hmac.compare_digest(token.encode(), shop.token.encode()):
            return self._refuse_lasting() if shop.takes_static_token else wrong
        known = self._access.get(token)
        if known is None or known.shop != shop.domain or known.revoked:
            return wrong
        if known.ends_at is None:
            return self._refuse_lasting()
        return None if self.clock.monotonic() < known.ends_at else wrong

    def _refuse_lasting(self) -> tuple[int, str] | None:
        return (
            (403, "[API] Non-expiring access tokens are no longer accepted") if self.rules.require_expiring else None
        )

    def expire_access(self, shop: str) -> None:
        """End every access token of a shop now; refresh tokens stay."""
        for known in self._access.values():
            known.revoked |= known.shop == shop

    def expire_refresh(self, shop: str) -> None:
        """End every refresh token of a shop now."""
        for known in self._refresh.values():
            known.dead |= known.shop == shop

    def forget(self, shop: str) -> None:
        """End everything of a shop, as an uninstall does."""
        self.expire_access(shop)
        self.expire_refresh(shop)

    # -- grants -----------------------------------------------------------------------------------------------

    def check_client(self, client_id: Any, client_secret: Any) -> None:
        """Raise Refused unless these are the app's credentials."""
        good = hmac.compare_digest(str(client_id).encode(), self.app.client_id.encode())
        good &= hmac.compare_digest(str(client_secret).encode(), self.app.client_secret.encode())
        if not good:
            raise Refused("invalid_client", "Client authentication failed", 401)

    def issue_code(self, shop: Shop, scopes: Sequence[str]) -> str:
        """Return the code of a grant the merchant has just given."""
        code = secrets.token_hex(16)
        granted = list(self.rules.grant_only if self.rules.grant_only is not None else scopes)
        self._codes[code] = _Code(shop.domain, granted, self.clock.monotonic() + self.rules.code_seconds)
        return code

    def exchange_code(self, shop: Shop, code: str, expiring: Any) -> dict[str, Any]:
        """Return the answer to a code; the app is installed from then on."""
        known = self._codes.pop(code, None)
        if known is None or known.shop != shop.domain or self.clock.monotonic() > known.ends_at:
            raise Refused("invalid_request", "The authorization code was not found or was already used")
        shop.install(known.scopes)
        if _is_true(expiring):
            self.expire_refresh(shop.domain)
            return self._pair(shop)
        return {"access_token": self._new_access(shop, None), "scope": ",".join(shop.scopes)}

    def refresh(self, shop: Shop, token: str) -> dict[str, Any]:
        """Return the answer to a refresh token: a new pair."""
        known, now = self._refresh.get(token), self.clock.monotonic()
        if known is None or known.shop != shop.domain or known.dead or now > known.ends_at or not shop.is_installed:
            raise Refused("invalid_grant", "The refresh token is invalid, expired or revoked")
        if known.former is not None:
            self._refresh[known.former].dead = True
            known.former = None
        if known.replacement is not None:
            # A retry: the answer before was lost, so nobody holds what it said.
            self._refresh[known.replacement].dead = True
        else:
            known.ends_at = min(known.ends_at, now + self.rules.retry_seconds)
        pair = self._pair(shop, former=token)
        known.replacement = pair["refresh_token"]
        return pair

    def exchange_token(self, shop: Shop, token: str, expiring: Any) -> dict[str, Any]:
        """Return a pair for a token that does not expire; that one is dead afterwards."""
        known = self._access.get(token)
        if known is None or known.shop != shop.domain or known.revoked or known.ends_at is not None:
            raise Refused("invalid_subject_token", "The subject token is no lasting offline token of this shop")
        if not _is_true(expiring):
            raise Refused("invalid_request", "expiring must be 1")
        known.revoked = True
        return self._pair(shop)

    def client_credentials(self, shop: Shop) -> dict[str, Any]:
        """Return a token of about a day, without a refresh token."""
        if not shop.is_installed:
            raise Refused("app_not_installed", "The app is not installed on this shop")
        seconds = self.rules.client_credentials_seconds
        return {
            "access_token": self._new_access(shop, seconds),
            "scope": ",".join(shop.scopes),
            "expires_in": int(seconds),
        }

    def _new_access(self, shop: Shop, seconds: float | None) -> str:
        token = f"shpat_{secrets.token_hex(16)}"
        self._access[token] = _Access(shop.domain, None if seconds is None else self.clock.monotonic() + seconds)
        return token

    def _pair(self, shop: Shop, *, former: str | None = None) -> dict[str, Any]:
        token = f"shprt_{secrets.token_hex(16)}"
        rules = self.rules
        self._refresh[token] = _Refresh(shop.domain, self.clock.monotonic() + rules.refresh_seconds, former=former)
        return {
            "access_token": self._new_access(shop, rules.access_seconds),
            "scope": ",".join(shop.scopes),
            "expires_in": int(rules.access_seconds),
            "refresh_token": token,
            "refresh_token_expires_in": int(rules.refresh_seconds),
        }
