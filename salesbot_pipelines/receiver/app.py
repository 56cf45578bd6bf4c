"""The application: which address does what, one answer for every failure, one log line for every request.

The outermost callable is plain ASGI. It checks the method against the route, times the request, turns any
error into the answer of `refusals`, and writes the line. Webhooks go straight from here to `webhooks`, for
they are nearly all of the traffic; everything else goes through Starlette.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salesbot_pipelines.errors import SalesbotError
from salesbot_pipelines.receiver.door import Door
from salesbot_pipelines.receiver.health import Health
from salesbot_pipelines.receiver.install import InstallRoutes
from salesbot_pipelines.receiver.journal import where
from salesbot_pipelines.receiver.limits import HEAD_FIELDS, URL_BYTES, ClientGone
from salesbot_pipelines.receiver.pages import HSTS, SECURITY_HEADERS, asset, refusal_response
from salesbot_pipelines.receiver.refusals import Refusal, refusal_for, refusal_with
from salesbot_pipelines.receiver.status import StatusRoute
from salesbot_pipelines.receiver.webhooks import WebhookRoute

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Line = dict[str, Any]

LINE = "salesbot.line"
"""Where a request's scope keeps its log line, for routes to add an outcome to."""

_WEBHOOK = "/shopify/webhook"
_GET = ("GET",)
_READ = ("GET", "HEAD")
_ROUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    _WEBHOOK: ("webhook", ("POST",)),
    "/shopify/callback": ("callback", _GET),
    "/shopify/status": ("status", _READ),
    "/shopify/style.css": ("asset", _READ),
    "/shopify/icon.svg": ("asset", _READ),
    "/healthz": ("healthz", _READ),
    "/readyz": ("readyz", _READ),
    "/metrics": ("metrics", _READ),
}


class Application:
    """The ASGI application of one door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._webhooks = WebhookRoute(door)
        self._pages = _pages(door)
        self._headers = [*SECURITY_HEADERS, HSTS] if door.is_https else SECURITY_HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        route, methods = _route_of(scope["path"])
        line: Line = {"time": None, "event": "request", "method": scope["method"][:16], "route": route, "status": 0}
        scope[LINE] = line
        try:
            unfit = _unfit(scope, methods)
            if unfit is not None:
                await self._refuse(unfit, scope, receive, send, line, methods)
            elif route == "webhook":
                status, headers, body = await self._webhooks.answer(scope["headers"], receive, line)
                await self._send(send, line, status, headers, body)
            else:
                await self._pages(scope, receive, self._with_headers(send, line))
        except ClientGone:
            line["outcome"] = "client_gone"
        except Exception as error:  # noqa: BLE001 - the last line of defence: a status, a log line, no trace
            await self._fail(error, scope, receive, send, line)
        finally:
            self._finish(line, route, time.perf_counter() - started)

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, send: Send, line: Line) -> None:
        refusal = refusal_for(error)
        line.setdefault("outcome", refusal.outcome)
        line["error"] = str(error)[:300] if isinstance(error, SalesbotError) else where(error)
        if not line["status"]:
            await self._refuse(refusal, scope, receive, send, line)

    async def _refuse(
        self,
        refusal: Refusal,
        scope: Scope,
        receive: Receive,
        send: Send,
        line: Line,
        methods: tuple[str, ...] = (),
    ) -> None:
        line.setdefault("outcome", refusal.outcome)
        headers = refusal.headers
        if refusal.status == 405:
            headers = [*headers, (b"allow", ", ".join(methods).encode())]
        if line["route"] == "webhook":
            # The rest of a request that was refused early is not worth reading.
            await self._send(send, line, refusal.status, [*headers, (b"connection", b"close")], b"")
            return
        response = refusal_response(Request(scope), refusal)
        response.raw_headers.extend(headers[len(refusal.headers) :])
        await response(scope, receive, self._with_headers(send, line))

    async def _send(
        self, send: Send, line: Line, status: int, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        line["status"] = status
        # The answer to a webhook is empty and read by a program: the pages' headers would only cost time.
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
        await send({"type": "http.response.body", "body": body})

    def _with_headers(self, send: Send, line: Line) -> Send:
        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                line["status"] = message["status"]
                own = {name for name, _ in message["headers"]}
                missing = [header for header in self._headers if header[0] not in own]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        return wrapped

    def _finish(self, line: Line, route: str, seconds: float) -> None:
        line["time"] = datetime.now(UTC)
        line.setdefault("outcome", "ok")
        line["ms"] = round(seconds * 1000, 2)
        metrics = self._door.metrics
        metrics.requests.add(route, str(line["status"]))
        metrics.seconds.observe(seconds, route)
        if route == "webhook":
            metrics.webhooks.add(line.get("outcome", "error"))
        self._door.journal.put(line)


def _route_of(path: str) -> tuple[str, tuple[str, ...]]:
    known = _ROUTES.get(path)
    if known is not None:
        return known
    if path.startswith("/shopify/") and path.endswith("/login") and path.count("/") == 3:
        return "login", _GET
    return "unknown", ()


def _unfit(scope: Scope, methods: tuple[str, ...]) -> Refusal | None:
    """Judge what can be judged before anything is read."""
    if not methods:
        return refusal_with(404)
    if scope["method"] not in methods:
        return refusal_with(405)
    headers = scope["headers"]
    if len(headers) > HEAD_FIELDS or len(scope["query_string"]) + len(scope["path"]) > URL_BYTES:
        return refusal_with(431)
    if sum(name == b"host" for name, _ in headers) > 1:
        return refusal_with(400)
    return None


def _pages(door: Door) -> Starlette:
    install, status, health = InstallRoutes(door), StatusRoute(door), Health(door)
    return Starlette(
        routes=[
            Route("/shopify/callback", install.callback),
            Route("/shopify/status", status.show),
            Route("/shopify/style.css", _style),
            Route("/shopify/icon.svg", _icon),
            Route("/shopify/{shop_name}/login", install.login),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
        ],
        exception_handlers={SalesbotError: _refused, HTTPException: _http_refused, Exception: _refused},
    )


async def _refused(request: Request, error: Exception) -> Response:
    refusal = refusal_for(error)
    line = request.scope[LINE]
    line.setdefault("outcome", refusal.outcome)
    line["error"] = str(error)[:300] if isinstance(error, SalesbotError) else where(error)
    return refusal_response(request, refusal)


async def _http_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = refusal_with(error.status_code)
    request.scope[LINE].setdefault("outcome", refusal.outcome)
    return refusal_response(request, refusal)


async def _style(_request: Request) -> Response:
    return _asset("style.css", "text/css; charset=utf-8")


async def _icon(_request: Request) -> Response:
    return _asset("icon.svg", "image/svg+xml")


def _asset(name: str, content_type: str) -> Response:
    return Response(asset(name), headers={"content-type": content_type, "cache-control": "public, max-age=3600"})
