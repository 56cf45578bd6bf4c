"""A clock that only moves when somebody waits, and a wire that answers what a test has laid out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from salesbot_pipelines.shopify.client import AdminClient, Limits
from salesbot_pipelines.shopify.queries import Query
from salesbot_pipelines.shopify.tokens import StaticToken

SHOP = "velo.myshopify.com"
VERSION = "2026-10"
TOKEN = "shpat_secret_of_the_test"
PING = Query("ping", "query Ping { shop { id } }")
LIST = Query("list", "query List($first: Int!) { products(first: $first) { nodes { id } pageInfo { hasNextPage } } }")


class FakeClock:
    """Starts at a fixed date; `sleep` is the only thing that lets time pass."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 25, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += max(0.0, seconds)


def cost(requested: float = 10, actual: float = 5, available: float = 1990, maximum: float = 2000, rate: float = 100):
    return {
        "requestedQueryCost": requested,
        "actualQueryCost": actual,
        "throttleStatus": {"maximumAvailable": maximum, "currentlyAvailable": available, "restoreRate": rate},
    }


def ok(data: Any = None, *, errors: Any = None, version: str = VERSION, **figures: float) -> httpx.Response:
    body: dict[str, Any] = {
        "data": {"shop": {"id": "1"}} if data is None else data,
        "extensions": {"cost": cost(**figures)},
    }
    if errors is not None:
        body["errors"] = errors
    return httpx.Response(200, headers={"X-Shopify-API-Version": version}, json=body)


def throttled(requested: float = 500, available: float = 100, rate: float = 100) -> httpx.Response:
    body = {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {"cost": cost(requested=requested, available=available, rate=rate)},
    }
    body["extensions"]["cost"]["actualQueryCost"] = None
    return httpx.Response(200, headers={"X-Shopify-API-Version": VERSION}, json=body)


Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Wire:
    """Answers requests one after the other from a script; the last step repeats for ever."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []
        self.http = httpx.Client(transport=httpx.MockTransport(self._answer), trust_env=False)

    @property
    def variables(self) -> list[dict[str, Any]]:
        return [json.loads(request.content)["variables"] for request in self.requests]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        if callable(step):
            return step(request)
        # A response can be read once; a repeated step needs a fresh one.
        return httpx.Response(step.status_code, headers=step.headers, content=step.read())


def client_on(wire: Wire, clock: FakeClock | None = None, **more: Any) -> AdminClient:
    tokens = more.pop("tokens", StaticToken(TOKEN))
    limits = more.pop("limits", Limits())
    return AdminClient(
        SHOP, tokens, wire.http, api_version=VERSION, clock=clock or FakeClock(), limits=limits, **more
    )


def text(status: int, body: str = "", **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}, text=body)
