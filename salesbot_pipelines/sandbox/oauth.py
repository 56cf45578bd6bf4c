"""OAuth on the wire: the page on which a merchant grants access, and the endpoint that gives out tokens.

The redirect back is signed as Shopify signs it: every parameter but `hmac`, sorted, percent-encoded, HMAC-SHA256 in
hex under the client secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from .admin_answers import json_answer, refuse_shop
from .broken import spoil_after, spoil_before, spoiled
from .calls import LoggedCall
from .pages import HEADERS, page
from .shop import Shop
from .tokens import Refused

if TYPE_CHECKING:
    from .sandbox import Sandbox

LOOPBACK = ("127.0.0.1", "localhost", "::1")
REFRESH = "refresh_token"
CREDENTIALS = "client_credentials"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def sign(parameters: dict[str, str], secret: str) -> str:
    """Return the `hmac` of a redirect's parameters."""
    text = urlencode(sorted((key, value) for key, value in parameters.items() if key not in ("hmac", "signature")))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _is_allowed(uri: str, allowed: tuple[str, ...] | None) -> bool:
    if allowed is not None:
        return uri in allowed
    parts = urlsplit(uri)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    )


def _complaint(text: str, status: int = 400) -> Response:
    return page("Not granted", f"<h1>Not granted</h1><p>{escape(text)}</p>", status)


class _OAuth:
    """The handlers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def _problem(self, asked: dict[str, str]) -> str | None:
        app = self.sandbox.tokens.app
        if asked.get("client_id") != app.client_id:
            return "Could not find an app with this client id."
        if not _is_allowed(asked.get("redirect_uri", ""), app.redirect_uris):
            return "The redirect_uri is not whitelisted."
        if asked.get("grant_options[]"):
            return "Only offline access is played here."
        return None

    async def authorize(self, request: Request) -> Response:
        shop = self.sandbox.world.find(request.path_params["shop"])
        if (refused := refuse_shop(shop)) is not None or shop is None:
            return refused or _complaint("No such shop.", 404)
        body = (await request.body()).decode("utf-8", "replace")
        asked = dict(parse_qsl(body)) if request.method == "POST" else dict(request.query_params)
        if (problem := self._problem(asked)) is not None:
            return _complaint(problem)
        if request.method == "POST":
            return self._granted(shop, asked)
        return self._ask(shop, asked)

    def _ask(self, shop: Shop, asked: dict[str, str]) -> Response:
        scopes = [scope for scope in asked.get("scope", "").split(",") if scope]
        fields = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(asked.get(name, ""))}">'
            for name in ("client_id", "scope", "redirect_uri", "state")
        )
        wishes = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in scopes)
        answer = page(
            f"Install at {shop.node['name']}",
            f'<section class="card"><h1>{escape(shop.node["name"])}</h1>'
            f"<p>An app asks for access:</p><ul>{wishes}</ul>"
            f'<form method="post">{fields}<button>Install app</button></form></section>',
        )
        # A browser holds the redirect after a form to form-action as well.
        parts = urlsplit(asked["redirect_uri"])
        policy = HEADERS["Content-Security-Policy"].replace(
            "form-action 'self'", f"form-action 'self' {parts.scheme}://{parts.netloc}"
        )
        answer.headers["Content-Security-Policy"] = policy
        return answer

    def _granted(self, shop: Shop, asked: dict[str, str]) -> Response:
        scopes = [scope for scope in asked.get("scope", "").split(",") if scope]
        handle = shop.domain.removesuffix(".myshopify.com")
        parameters = {
            "code": self.sandbox.tokens.issue_code(shop, scopes),
            "host": base64.b64encode(f"admin.shopify.com/store/{handle}".encode()).decode().rstrip("="),
            "shop": shop.domain,
            "timestamp": str(int(self.sandbox.clock.now().timestamp())),
        }
        if "state" in asked:
            parameters["state"] = asked["state"]
        parameters["hmac"] = sign(parameters, self.sandbox.tokens.app.client_secret)
        joint = "&" if urlsplit(asked["redirect_uri"]).query else "?"
        return RedirectResponse(f"{asked['redirect_uri']}{joint}{urlencode(parameters)}", 302)

    async def access_token(self, request: Request) -> Response:
        domain = request.path_params["shop"]
        shop = self.sandbox.world.find(domain)
        if (refused := refuse_shop(shop)) is not None or shop is None:
            return refused or json_answer({"errors": "Not Found"}, 404)
        rule, fault = await spoil_before(self.sandbox.faults, shop, "access_token")
        if rule is not None and (broken := spoiled(rule, shop)) is not None:
            return self._log(shop, broken, fault)
        try:
            asked = await _read(request)
            with shop.lock:
                answer = json_answer(self._grant(shop, asked))
        except Refused as error:
            answer = json_answer({"error": error.error, "error_description": error.description}, error.status)
        answer.headers["Cache-Control"] = "no-store"
        return self._log(shop, spoil_after(rule, answer), fault)

    def _log(self, shop: Shop, answer: Response, fault: str | None) -> Response:
        outcome = "ok" if answer.status_code == 200 else "refused"
        stamp, status = self.sandbox.stamp(), answer.status_code
        self.sandbox.calls.add(LoggedCall(stamp, shop.domain, "access_token", {}, "", status, outcome, fault=fault))
        return answer

    def _grant(self, shop: Shop, asked: dict[str, Any]) -> dict[str, Any]:
        tokens = self.sandbox.tokens
        tokens.check_client(asked.get("client_id"), asked.get("client_secret"))
        kind = asked.get("grant_type")
        if kind is None and "code" in asked:
            return tokens.exchange_code(shop, str(asked["code"]), asked.get("expiring"))
        if kind == REFRESH:
            return tokens.refresh(shop, str(asked.get("refresh_token")))
        if kind == CREDENTIALS:
            return tokens.client_credentials(shop)
        if kind == EXCHANGE:
            return tokens.exchange_token(shop, str(asked.get("subject_token")), asked.get("expiring"))
        raise Refused("unsupported_grant_type", f"There is no grant {kind!r}")


async def _read(request: Request) -> dict[str, Any]:
    body = await request.body()
    if "json" not in request.headers.get("content-type", ""):
        return dict(parse_qsl(body.decode("utf-8", "replace")))
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Refused("invalid_request", "The body is no JSON object") from error


def oauth_routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of OAuth."""
    oauth = _OAuth(sandbox)
    return [
        Route("/shops/{shop}/admin/oauth/authorize", oauth.authorize, methods=["GET", "POST"]),
        Route("/shops/{shop}/admin/oauth/access_token", oauth.access_token, methods=["POST"]),
    ]
