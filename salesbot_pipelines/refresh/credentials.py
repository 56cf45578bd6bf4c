"""A shop's access token, from its install: kept alive while a refresh runs.

The pair is renewed by one process at a time and stored before its first use, so a kill at any moment
leaves a token that works. Shopify honours the former refresh token until the new access token is used:
https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/offline-access-tokens
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import httpx

from salesbot_pipelines.errors import AccessRevoked, NeedsReauth, ShopifyError
from salesbot_pipelines.settings import ShopifySettings
from salesbot_pipelines.shopify import oauth
from salesbot_pipelines.shopify.clock import Clock
from salesbot_pipelines.state.installs import Credential, Installs

RENEW_BEFORE = timedelta(minutes=5)
"""A token that ends sooner is renewed before the call: clocks differ and calls take time."""

_TURN_SECONDS = 60
_PATIENCE_SECONDS = 20.0
"""How long an answer is asked for again. With the time-outs of the last ask it stays well inside the turn: an ask
after it would end the refresh token that another process has just been given."""

_PAUSE_SECONDS = 2.0


class InstallTokens:
    """Gives the shop's access token and renews it; safe in threads and across processes."""

    def __init__(
        self,
        shop: str,
        *,
        installs: Installs,
        http: httpx.Client,
        settings: ShopifySettings,
        clock: Clock,
        holder: str,
    ) -> None:
        self._shop = shop
        self._installs = installs
        self._http = http
        self._settings = settings
        self._clock = clock
        self._holder = holder
        self._lock = threading.Lock()
        self._known: Credential | None = None

    @property
    def in_use(self) -> str | None:
        """The token that was given last; None before the first."""
        return self._known.access_token if self._known else None

    def current(self) -> str:
        """Give a token that will live for some minutes.

        Raises `NotInstalled` without an install, `NeedsReauth` when the merchant must open the app again.
        """
        with self._lock:
            known = self._known or self._installs.credential(self._shop)
            if self._is_due(known):
                known = self._renewed(None)
            self._known = known
            return known.access_token

    def renew(self, rejected: str) -> str:
        """Give another token than `rejected`, which Shopify answered with 401.

        Raises `AccessRevoked` when there is nothing to renew it with, `NeedsReauth` when renewing failed.
        """
        with self._lock:
            if self._known is None or self._known.access_token == rejected:
                self._known = self._renewed(rejected)
            return self._known.access_token

    def _is_due(self, credential: Credential) -> bool:
        if credential.kind == "client_credentials" and not credential.access_token:
            return True
        return _ends_before(credential.expires_at, self._clock.now() + RENEW_BEFORE)

    def _renewed(self, rejected: str | None) -> Credential:
        with self._installs.credential_lease(self._shop, self._holder, _TURN_SECONDS) as stored:
            if stored.access_token != rejected and not self._is_due(stored):
                return stored  # another process was faster
            fresh = self._ask_patiently(stored)
            if self._installs.store_credential(self._shop, fresh, replaces=stored.access_token):
                return fresh
        # The merchant logged in again meanwhile: that credential is newer than ours.
        return self._installs.credential(self._shop)

    def _ask_patiently(self, stored: Credential) -> Credential:
        """Ask again after what passes by itself: the former refresh token works until the new pair is used."""
        latest = self._clock.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self._ask(stored)
            except ShopifyError as error:
                if not error.retryable or self._clock.monotonic() + _PAUSE_SECONDS > latest:
                    raise
            self._clock.sleep(_PAUSE_SECONDS)

    def _ask(self, stored: Credential) -> Credential:
        settings = self._settings
        if stored.kind == "static":
            raise AccessRevoked(f"{self._shop}: Shopify no longer accepts the access token", shop=self._shop)
        if stored.kind == "client_credentials":
            pair = oauth.client_credentials(
                self._http,
                self._shop,
                shop_url=settings.shop_url,
                client_id=stored.client_id or settings.api_key,
                client_secret=stored.client_secret or settings.api_secret,
                now=self._clock.now(),
            )
        else:
            if not stored.refresh_token or _ends_before(stored.refresh_expires_at, self._clock.now()):
                raise NeedsReauth(f"{self._shop}: the refresh token has expired", shop=self._shop)
            pair = oauth.refresh_pair(
                self._http,
                self._shop,
                shop_url=settings.shop_url,
                client_id=settings.api_key,
                client_secret=settings.api_secret,
                refresh_token=stored.refresh_token,
                now=self._clock.now(),
            )
        return Credential(
            kind=stored.kind,
            access_token=pair.access_token,
            expires_at=pair.expires_at,
            refresh_token=pair.refresh_token,
            refresh_expires_at=pair.refresh_expires_at,
            client_id=stored.client_id,
            client_secret=stored.client_secret,
        )


def _ends_before(moment: datetime | None, limit: datetime) -> bool:
    return moment is not None and moment <= limit
