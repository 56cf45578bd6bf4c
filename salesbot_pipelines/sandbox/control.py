"""The control plane `/_sandbox/...`: what a test or a person does to the world from outside, in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .admin import json_answer

if TYPE_CHECKING:
    from .sandbox import Sandbox


def control_routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of the control plane."""

    async def shops(_request: Request) -> Response:
        return json_answer({"shops": [describe_shop(sandbox, shop.domain) for shop in sandbox.world]})

    async def read_calls(request: Request) -> Response:
        return json_answer({"calls": sandbox.calls.as_json(request.query_params.get("shop"))})

    async def clear_calls(_request: Request) -> Response:
        sandbox.calls.clear()
        return json_answer({"calls": []})

    return [
        Route("/_sandbox/shops", shops, methods=["GET"]),
        Route("/_sandbox/calls", read_calls, methods=["GET"]),
        Route("/_sandbox/calls", clear_calls, methods=["DELETE"]),
    ]


def describe_shop(sandbox: Sandbox, domain: str) -> dict[str, Any]:
    """Return what the index page and the control plane tell about a shop; its static token is no secret."""
    shop = sandbox.world.shop(domain)
    with sandbox.world.lock:
        counts = shop.counts()
    return {
        "shop": domain,
        "name": shop.node["name"],
        "token": shop.token,
        "scopes": list(shop.scopes),
        "currency": shop.currency,
        "counts": counts,
        "bucket": shop.bucket.throttle_status(),
    }
