"""Fleets of small shops, and Dagster's runs over them in this process."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from salesbot_pipelines_tests.defs.inprocess import Dagster

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config, items):
    """Let Dagster copy a sensor, which warns of a beta parameter of its own, and keep groups on one worker."""
    grouped = config.getoption("loadgroup", False)
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:Parameter `owners` of initializer"))
        group = item.get_closest_marker("xdist_group")
        if grouped and group is not None and hasattr(item, "_id"):
            # pytest-xdist 3.8 writes the group where pytest 9.2 no longer looks (its issue 1386): without this
            # each worker would start a Dagster of its own.
            item._id = type(item._id).parse(f"{item.nodeid}@{group.args[0]}")


@pytest.fixture
def dagster(rig):
    """Dagster's definitions over the rig's program, on an instance in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Dagster(rig, instance)
