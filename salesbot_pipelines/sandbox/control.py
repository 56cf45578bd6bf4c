"""The control plane `/_sandbox/...`: what a test or a person does to the world from outside, in JSON.

GET    /_sandbox/shops                 the shops, their static tokens and counts
GET    /_sandbox/calls[?shop=]         the log of calls;           DELETE empties it
GET    /_sandbox/faults                the rules in force;         POST adds one, DELETE[?id=] lifts them
GET    /_sandbox/deliveries[?shop=]    the log of webhook deliveries
POST   /_sandbox/shops/{shop}/webhook  {"topic": "shop/redact", "payload": {...}} (without a payload: the usual one)
POST   /_sandbox/shops/{shop}/change   {"verb": "set_price", "arguments": {"variant": ..., "price": "9.00"}}
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .admin_answers import json_answer
from .faults import Rule
from .verbs import BadChange, apply_change
from .world import UnknownShop

if TYPE_CHECKING:
    from .sandbox import Sandbox


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; raises BadChange."""
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise BadChange(str(error)) from error


def describe_shop(sandbox: Sandbox, domain: str) -> dict[str, Any]:
    """Return what the index page and the control plane tell about a shop; its static token is no secret."""
    shop = sandbox.world.shop(domain)
    with shop.lock:
        counts = shop.counts()
    return {
        "shop": domain,
        "name": shop.node["name"],
        "token": shop.token,
        "scopes": list(shop.scopes),
        "currency": shop.currency,
        "counts": counts,
        "bucket": shop.bucket.throttle_status(),
        "status": shop.frozen_status or 200,
    }


def _describe_rule(rule: Rule) -> dict[str, Any]:
    told = asdict(rule)
    told["change"] = rule.change if isinstance(rule.change, dict) else rule.change and "a function"
    return told


class _Control:
    """The handlers of the control plane."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def shops(self, _request: Request) -> Response:
        return json_answer({"shops": [describe_shop(self.sandbox, shop.domain) for shop in self.sandbox.world]})

    async def calls(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.sandbox.calls.clear()
        return json_answer({"calls": self.sandbox.calls.as_json(request.query_params.get("shop"))})

    async def faults(self, request: Request) -> Response:
        faults = self.sandbox.faults
        if request.method == "DELETE":
            wanted = request.query_params.get("id")
            faults.remove(int(wanted)) if wanted and wanted.isdigit() else faults.clear()
        if request.method == "POST":
            try:
                rule = faults.add(**await read_object(request))
            except (TypeError, ValueError) as error:
                return json_answer({"error": str(error)}, 400)
            return json_answer(_describe_rule(rule), 201)
        return json_answer({"faults": [_describe_rule(rule) for rule in faults.all()]})

    async def change(self, request: Request) -> Response:
        try:
            shop = self.sandbox.world.shop(request.path_params["shop"])
            apply_change(shop, await read_object(request))
        except UnknownShop as error:
            return json_answer({"error": f"no shop {error}"}, 404)
        except BadChange as error:
            return json_answer({"error": str(error)}, 400)
        return json_answer({"changed": shop.domain, "at": self.sandbox.stamp()})

    async def deliveries(self, request: Request) -> Response:
        found = self.sandbox.webhooks.log(request.query_params.get("shop"))
        return json_answer({"deliveries": [delivery.as_json() for delivery in found]})

    async def webhook(self, request: Request) -> Response:
        try:
            shop = self.sandbox.world.shop(request.path_params["shop"])
            asked = await read_object(request)
            self.sandbox.webhooks.send(shop, str(asked.get("topic")), asked.get("payload"))
        except UnknownShop as error:
            return json_answer({"error": f"no shop {error}"}, 404)
        except (BadChange, LookupError) as error:
            return json_answer({"error": str(error)}, 400)
        return json_answer({"sent": asked["topic"]}, 202)


def control_routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of the control plane."""
    control = _Control(sandbox)
    return [
        Route("/_sandbox/shops", control.shops, methods=["GET"]),
        Route("/_sandbox/calls", control.calls, methods=["GET", "DELETE"]),
        Route("/_sandbox/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/deliveries", control.deliveries, methods=["GET"]),
        Route("/_sandbox/shops/{shop}/webhook", control.webhook, methods=["POST"]),
        Route("/_sandbox/shops/{shop}/change", control.change, methods=["POST"]),
    ]
