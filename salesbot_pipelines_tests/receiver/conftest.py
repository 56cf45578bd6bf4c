"""Receivers to test: one shared by tests that leave nothing behind, one of its own for the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from salesbot_pipelines.sandbox.sandbox import Sandbox
from salesbot_pipelines.sandbox.server import SandboxServer
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.receiver.browsing import Browser
from salesbot_pipelines_tests.receiver.deciding import put_objects
from salesbot_pipelines_tests.receiver.harness import API_SECRET, OTHER, PAYLOAD, SHOP, THIRD, Receiver, receiver
from salesbot_pipelines_tests.receiver.place import Site


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver with a database of its own and no Shopify: calls outward end at a closed port."""
    with receiver(tmp_path / "home", SHOPIFY_SHOP_URL="http://127.0.0.1:9/shops/{shop}") as running:
        yield running


@pytest.fixture(scope="module")
def quiet_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver that many tests share: none of them may leave anything behind."""
    home = tmp_path_factory.mktemp("quiet") / "home"
    with receiver(home, SHOPIFY_SHOP_URL="http://127.0.0.1:9/shops/{shop}") as running:
        running.connect()
        yield running


@pytest.fixture
def shopify() -> Iterator[SandboxServer]:
    """A sandbox with three shops, none of which has installed the app yet."""
    sandbox = Sandbox(World())
    for domain in (SHOP, OTHER, THIRD):
        sandbox.world.add(make_synthetic(sandbox.clock, domain, products=4, variants=2)).uninstall()
    with SandboxServer(sandbox) as server:
        yield server


@pytest.fixture
def connected_door(tmp_path: Path, shopify: SandboxServer) -> Iterator[Receiver]:
    """A receiver that reaches the sandbox."""
    with receiver(tmp_path / "home", SHOPIFY_SHOP_URL=shopify.shop_url) as running:
        shopify.sandbox.webhooks.rules.app_uri = f"{running.url}/shopify/webhook"
        yield running


@pytest.fixture
def installed(connected_door: Receiver) -> Receiver:
    """A receiver with one shop installed through its own routes, and published objects of it."""
    connected_door.browser = Browser(connected_door)
    connected_door.browser.install()
    put_objects(connected_door)
    return connected_door


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A home with three shops for receivers in processes of their own."""
    return Site(tmp_path / "home", tmp_path / "log")


@pytest.fixture
def nothing_is_left(quiet_door):
    """Every test here ends with the rows it began with, without a call outward, and with a log that is silent
    about what came."""
    before, written = quiet_door.rows(), len(quiet_door.log.getvalue())
    outward: list[str] = []
    http = quiet_door.door.program.http
    http.event_hooks = {"request": [lambda request: outward.append(str(request.url))]}
    yield
    http.event_hooks = {}
    assert outward == []
    assert quiet_door.rows() == before
    quiet_door.door.journal.flush()
    log = quiet_door.log.getvalue()[written:].decode()
    assert PAYLOAD not in log
    assert API_SECRET not in log
    assert "Traceback" not in log
    assert '"status":500' not in log
