"""What several files of this room start from."""

from __future__ import annotations

import pytest

from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines_tests.refresh.events import listen
from salesbot_pipelines_tests.refresh.large_shop import LARGE
from salesbot_pipelines_tests.refresh.small_shop import small_shop, turn


@pytest.fixture
def shop(rig, world, clock):
    """The small shop, connected, in its first state."""
    made = world.add(small_shop(clock))
    made.bucket.unlimited = True
    rig.connect(made)
    turn(made, 0)
    return made


@pytest.fixture
def large(rig, world, clock):
    """A shop that is worth it, refreshed once in full; what it tells is listened to."""
    shop = world.add(make_synthetic(clock, LARGE, products=300, variants=2))
    rig.connect(shop)
    rig.publish(LARGE)
    clock.turn(minutes=5)
    return listen(rig, LARGE)
