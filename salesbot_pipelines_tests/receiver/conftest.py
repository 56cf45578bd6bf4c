"""Receivers to test: one shared by tests that leave nothing behind, one of its own for the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from salesbot_pipelines.sandbox.sandbox import Sandbox
from salesbot_pipelines.sandbox.server import SandboxServer
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.receiver.harness import OTHER, SHOP, THIRD, Receiver, receiver


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
