"""Answers that go wrong on the wire, and the wrapper that gives them a hand on the connection."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .admin_answers import json_answer
from .execute import throttled_body, too_dear_body
from .faults import Faults, Rule
from .shop import Shop
from .verbs import apply_change

_PAGE = "<!doctype html><title>502</title><h1>Bad gateway</h1><p>The proxy in front of the shop says so.</p>"
_TRANSPORT = "sandbox.transport"


def with_transport(app: ASGIApp) -> ASGIApp:
    """Wrap an application so that an answer can close its connection (uvicorn's `send` belongs to the request)."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        owner = getattr(send, "__self__", None)
        scope[_TRANSPORT] = getattr(owner, "transport", None)
        await app(scope, receive, send)

    return wrapped


async def _hang_up(scope: Scope) -> None:
    transport = scope.get(_TRANSPORT)
    if transport is None:
        raise RuntimeError("this fault needs a real connection: serve the sandbox, do not call it in-process")
    transport.close()
    await asyncio.sleep(0.01)  # let the loss arrive, or the server would answer 500 for us


class Disconnect(Response):
    """Close the connection without a byte."""

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        await _hang_up(scope)


class Truncate(Response):
    """Promise a whole body and send its first `length` bytes, or half of it."""

    def __init__(self, answer: Response, length: int | None = None) -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = answer.raw_headers
        self.length = len(answer.body) // 2 if length is None else length

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        body = bytes(self.body)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body[: self.length], "more_body": True})
        await _hang_up(scope)


def spoiled(rule: Rule, shop: Shop) -> Response | None:
    """Return the answer of a fault that needs none of the query's; None for those that spoil the true answer."""
    message = rule.message or "Something went wrong on purpose"
    simple: dict[str, Any] = {
        "throttled": lambda: json_answer(throttled_body(shop, 100)),
        "max_cost": lambda: json_answer(too_dear_body(1_242)),
        "http_429": lambda: json_answer({"errors": message}, 429, Retry_After=f"{rule.seconds:g}"),
        "status": lambda: json_answer({"errors": message}, rule.status or 500),
        "unauthorized": lambda: json_answer({"errors": "[API] Invalid API key or access token"}, 401),
        "freeze": lambda: json_answer({"errors": "Unavailable Shop"}, rule.status or 402),
        "disconnect": Disconnect,
        "html": lambda: Response(_PAGE, rule.status or 200, media_type="text/html"),
        "broken_json": lambda: Response(b'{"data": {"products": {"nodes": [', media_type="application/json"),
        "empty": lambda: Response(b"", media_type="application/json"),
        "huge": lambda: Response(b'{"pad": "' + b"x" * (32 << 20) + b'"}', media_type="application/json"),
        "invalid_grant": lambda: json_answer({"error": "invalid_grant", "error_description": message}, 400),
        "not_object": lambda: Response(b'["data", null]', media_type="application/json"),
        "redirect": lambda: Response(status_code=302, headers={"Location": rule.location}),
        "errors_only": lambda: json_answer(
            {"errors": [{"message": message, "extensions": {"code": rule.code or "INTERNAL_SERVER_ERROR"}}]}
        ),
    }
    make = simple.get(rule.action)
    answer: Response | None = make() if make else None
    return answer


def spoil_after(rule: Rule | None, answer: Response) -> Response:
    """Return what becomes of a true answer on its way."""
    if rule is not None and rule.action == "truncate":
        return Truncate(answer)
    if rule is not None and rule.action == "lost":
        return Disconnect()
    if rule is not None and rule.action == "wrong_version":
        answer.headers["X-Shopify-API-Version"] = rule.version
    return answer


async def spoil_before(faults: Faults, shop: Shop, operation: str | None) -> tuple[Rule | None, str | None]:
    """Apply what comes before the answer; return the rule that spoils it, and the names of all for the log."""
    first, rule = faults.on(shop.domain, operation)
    for early in first:
        if early.action == "slow":
            await asyncio.sleep(early.seconds)
        elif early.action == "drain":
            shop.bucket.drain()
        elif early.change is not None:
            apply_change(shop, early.change)
    if rule is not None and rule.action == "freeze":
        shop.freeze(rule.status or 402)
    names = [*(early.action for early in first), *([rule.action] if rule else [])]
    return rule, "+".join(names) or None
