"""Fixtures that every room may use."""

from __future__ import annotations

import os

import pytest

from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.rig import TurnedClock, open_rig


@pytest.fixture(autouse=True)
def _own_environment():
    """Give each test an environment of its own: `.env` files, the demo and monkeypatch all write into it.

    Being the first to be made it is the last to be undone, after monkeypatch has put back what it found.
    """
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def clock():
    """A time that stands still until somebody sleeps."""
    return TurnedClock()


@pytest.fixture
def world(clock):
    """An empty world of shops on that time."""
    return World(clock)


@pytest.fixture
def rig(tmp_path, world, clock):
    """The whole program over that world: SQLite and a local folder in a temporary home."""
    with open_rig(tmp_path / "home", world, clock=clock) as opened:
        yield opened
