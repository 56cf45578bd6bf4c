"""A clock that only moves when it is told to, a small world, and a way to ask it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from salesbot_pipelines.sandbox.sandbox import Sandbox
from salesbot_pipelines.sandbox.server import SandboxServer
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines.sandbox.world import World


class StoppedClock:
    """Time stands still until `advance`."""

    def __init__(self):
        self.moment, self.seconds = datetime(2026, 11, 23, 12, 0, tzinfo=UTC), 1_000.0

    def now(self):
        return self.moment

    def monotonic(self):
        return self.seconds

    def advance(self, seconds):
        self.moment += timedelta(seconds=seconds)
        self.seconds += seconds


class Client:
    """Asks one shop of a served sandbox over a real socket."""

    def __init__(self, server, shop, http):
        self.server, self.shop, self.http = server, shop, http
        self.address = server.shop_url.format(shop=shop.domain)
        self.token = shop.token

    def post(self, query, variables=None, *, version="2026-10", token=None, **more):
        return self.http.post(
            f"{self.address}/admin/api/{version}/graphql.json",
            json={"query": query, "variables": variables or {}, **more},
            headers={"X-Shopify-Access-Token": self.token if token is None else token},
        )

    def ask(self, query, variables=None, **more):
        answer = self.post(query, variables, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def data(self, query, variables=None):
        body = self.ask(query, variables)
        assert "errors" not in body, body["errors"]
        return body["data"]


@pytest.fixture
def clock():
    return StoppedClock()


@pytest.fixture
def sandbox(clock):
    world = World(clock)
    world.add(make_synthetic(clock, "small.myshopify.com", products=30, collections=2))
    return Sandbox(world)


@pytest.fixture
def shop(sandbox):
    return sandbox.world.shop("small.myshopify.com")


@pytest.fixture
def server(sandbox):
    with SandboxServer(sandbox) as running:
        yield running


@pytest.fixture
def http():
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield client


@pytest.fixture
def connect(http):
    """Make a client of any shop of any served sandbox."""
    return lambda server, shop: Client(server, shop, http)


@pytest.fixture
def client(connect, server, shop):
    return connect(server, shop)
