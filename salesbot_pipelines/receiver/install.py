"""From "install" to connected: the way to Shopify's grant page, and the way back.

On the way back nothing is asked or stored before everything was checked that can be checked here, in this
order: the shop, each parameter once, Shopify's signature and its time, the state, which is good once, for ten
minutes, for this shop and this browser. Then comes one call outward, to a host built from the checked shop,
and one transaction. What fails after that (subscriptions, a permission not given) is shown and mended later;
it does not undo the install. No answer holds a token, a code or anything that Shopify said.
https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/authorization-code-grant
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import anyio
import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from salesbot_pipelines.errors import RequestRefused, SalesbotError
from salesbot_pipelines.receiver.cookies import LOGIN, SESSION, new_token
from salesbot_pipelines.receiver.door import Door
from salesbot_pipelines.receiver.pages import wants_json
from salesbot_pipelines.receiver.status import WEBHOOKS_NOTICE
from salesbot_pipelines.refresh.credentials import InstallTokens
from salesbot_pipelines.shopify import oauth
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.domain import parse_shop
from salesbot_pipelines.shopify.effort import Limits
from salesbot_pipelines.shopify.scopes import missing_scopes
from salesbot_pipelines.shopify.webhooks import reconcile_subscriptions
from salesbot_pipelines.state.installs import Credential, Install

_MOST_PARAMETERS = 30
_LONGEST_STATE = 200


_SUBSCRIBE_SECONDS = 10.0
"""How long a browser waits for the subscriptions; they go on behind its back."""

_SUBSCRIBE_LIMITS = Limits(deadline_seconds=6.0, throttle_seconds=6.0, answer_seconds=6.0, answer_bytes=1024 * 1024)


@dataclass(frozen=True)
class Connected:
    """A shop that has just been connected, and the token of its browser's new session."""

    install: Install
    session: str = field(repr=False)


class InstallRoutes:
    """`GET /shopify/{shop_name}/login` and `GET /shopify/callback`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def login(self, request: Request) -> Response:
        """Send the browser to the shop's grant page, with a state that is good for it alone."""
        shop = parse_shop(request.path_params["shop_name"])
        door, settings = self._door, self._door.settings.shopify
        # A browser that opens two windows keeps one name, so that both come back.
        browser = door.cookies.read(LOGIN, request.cookies) or new_token()
        state = await run_in_threadpool(door.states.begin, shop, browser)
        url = oauth.authorize_url(
            shop,
            shop_url=settings.shop_url,
            client_id=settings.api_key,
            redirect_uri=settings.redirect_uri,
            state=state,
        )
        response = RedirectResponse(url, status_code=302)
        response.headers.append("set-cookie", door.cookies.set(LOGIN, browser))
        return response

    async def callback(self, request: Request) -> Response:
        """Check what Shopify's redirect brought, connect the shop, and show how it stands."""
        claims = self._checked(request.scope["query_string"])
        browser = self._door.cookies.read(LOGIN, request.cookies)
        session = self._door.cookies.read(SESSION, request.cookies)
        connected = await run_in_threadpool(self._connect, claims, browser, session)
        webhooks = await self._subscribe_in_time(connected.install)
        response = self._answer(request, connected.install, webhooks)
        response.headers.append("set-cookie", self._door.cookies.set(SESSION, connected.session))
        response.headers.append("set-cookie", self._door.cookies.clear(LOGIN))
        return response

    def _checked(self, query: bytes) -> oauth.Callback:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        if len(pairs) > _MOST_PARAMETERS:
            raise RequestRefused("there are too many parameters", status=400)
        for name, value in pairs:
            if name == "shop":
                parse_shop(value)
        claims = oauth.verify_callback(pairs, self._door.secrets, self._door.program.clock.now())
        if not claims.code or not 0 < len(claims.state) <= _LONGEST_STATE:
            raise RequestRefused("the callback has no code or no state", status=400)
        return claims

    def _connect(self, claims: oauth.Callback, browser: str | None, session_token: str | None) -> Connected:
        door, program, shop = self._door, self._door.program, claims.shop
        if browser is None or not door.states.consume(claims.state, shop=shop, browser=browser):
            raise RequestRefused("the state is not known, used, too old, or another browser's", status=401)
        pair = oauth.exchange_code(
            program.http,
            shop,
            shop_url=door.settings.shopify.shop_url,
            client_id=door.settings.shopify.api_key,
            client_secret=door.settings.shopify.api_secret,
            code=claims.code,
            now=program.clock.now(),
        )
        credential = Credential(
            kind="pair" if pair.refresh_token else "static",
            access_token=pair.access_token,
            expires_at=pair.expires_at,
            refresh_token=pair.refresh_token,
            refresh_expires_at=pair.refresh_expires_at,
        )
        install = program.installs.connect(shop, credential, owner=self._owner(session_token), scopes=pair.scopes)
        missing = missing_scopes(pair.scopes)
        if missing:
            program.installs.mark_needs_reauth(shop, f"permissions were not given: {', '.join(missing)}")
            install = program.installs.require(shop)
        session = door.sessions.begin(shop, install.owner, lifetime_seconds=SESSION.seconds)
        if session_token is not None:
            door.sessions.end(session_token)
        return Connected(install, session)

    def _owner(self, session_token: str | None) -> str | None:
        """Lend the owner of a session that is still valid to the same person's next shop."""
        session = self._door.sessions.find(session_token) if session_token else None
        return session.owner if session else None

    async def _subscribe_in_time(self, install: Install) -> dict[str, str | int]:
        """Subscribe the webhooks and say what came of it; the daily refresh sees to what did not."""
        if install.status == "installed":
            with anyio.move_on_after(_SUBSCRIBE_SECONDS):
                return await anyio.to_thread.run_sync(self._subscribe, install.shop, abandon_on_cancel=True)
        return {"status": "failed"}

    def _subscribe(self, shop: str) -> dict[str, str | int]:
        program, settings = self._door.program, self._door.settings.shopify
        tokens = InstallTokens(
            shop,
            installs=program.installs,
            http=program.http,
            settings=settings,
            clock=program.clock,
            holder="receiver",
        )
        client = AdminClient(
            shop,
            tokens,
            program.http,
            api_version=settings.api_version,
            shop_url=settings.shop_url,
            clock=program.clock,
            limits=_SUBSCRIBE_LIMITS,
        )
        try:
            done = reconcile_subscriptions(client, settings.webhook_address)
        except SalesbotError as error:
            self._door.journal.note("subscriptions", level="warning", shop=shop, error=error.public_text[:300])
            return {"status": "failed"}
        counts = {name: len(getattr(done, name)) for name in ("created", "updated", "removed", "kept", "refused")}
        if done.refused:
            self._door.journal.note("subscriptions", level="warning", shop=shop, refused=sorted(done.refused))
        return {"status": "incomplete" if done.refused else "subscribed", **counts}

    def _answer(self, request: Request, install: Install, webhooks: dict[str, str | int]) -> Response:
        if wants_json(request):
            return JSONResponse(
                {"user_uuid": install.owner, "shop": install.shop, "status": install.status, "webhooks": webhooks}
            )
        # Where a login has to be repeated anyway, that is what the page says.
        to_tell = install.status == "installed" and webhooks["status"] != "subscribed"
        return RedirectResponse(f"/shopify/status{f'?notice={WEBHOOKS_NOTICE}' if to_tell else ''}", status_code=303)
