"""An empty folder to run commands in, and a real sandbox to run them on."""

from __future__ import annotations

import os

import pytest

from salesbot_pipelines.sandbox.server import SandboxServer
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines.settings import VARIABLES
from salesbot_pipelines_tests.cli.command import SMALL, TINY, Cli


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """The command in an empty folder, with none of our variables set."""
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES:
        os.environ.pop(variable.name, None)
    return Cli(monkeypatch, capsys, tmp_path)


@pytest.fixture
def sandbox():
    """Two small shops on loopback."""
    world = World()
    world.add(make_synthetic(world.clock, TINY, products=2, variants=1, collections=1))
    world.add(make_synthetic(world.clock, SMALL, products=5, variants=2, collections=1))
    with SandboxServer(world) as server:
        yield server.sandbox, server


@pytest.fixture
def connected(cli, sandbox):
    """The command with both shops connected."""
    world, server = sandbox[0].world, sandbox[1]
    cli.set(SHOPIFY_SHOP_URL=server.shop_url)
    for shop in (TINY, SMALL):
        assert cli("shops", "add", shop, "--token-stdin", stdin=world.shop(shop).token).code == 0
    return cli
