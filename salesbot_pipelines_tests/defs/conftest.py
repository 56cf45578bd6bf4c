"""Fleets of small shops, and Dagster's runs over them in this process."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from salesbot_pipelines_tests.defs.inprocess import Dagster

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Let Dagster copy a sensor: it passes its own beta parameter and warns of it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:Parameter `owners` of initializer"))


@pytest.fixture
def dagster(rig):
    """Dagster's definitions over the rig's program, on an instance in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Dagster(rig, instance)
