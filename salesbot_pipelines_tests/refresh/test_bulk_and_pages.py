"""Bulk operations and pages: two ways to read, one catalogue."""

import pytest

from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.demo_attic import awkward_attic
from salesbot_pipelines.sandbox.faults import ACTIONS
from salesbot_pipelines.sandbox.synthetic import make_synthetic


@pytest.fixture
def attic(rig, world, clock):
    return rig.connect(world.add(awkward_attic(clock)))


def test_both_ways_give_the_same_revision_and_the_same_objects(rig, attic):
    paged = rig.publish(attic, method="paged")
    pages = rig.document(attic)
    bulk = rig.publish(attic, method="bulk", full=True)
    lines = rig.document(attic)
    assert lines["source"]["method"] == "bulk"
    assert bulk.revision == paged.revision
    for name in ("products", "collections", "discounts", "locations", "shop"):
        assert lines[name] == pages[name]


@pytest.mark.parametrize("fault", sorted(action for action in ACTIONS if action.startswith("bulk_")))
def test_whatever_is_wrong_with_a_bulk_operation_the_revision_is_right(rig, attic, fault):
    right = rig.publish(attic, method="paged").revision
    rig.server.sandbox.faults.add(fault, shop=attic, times=None)
    outcome = rig.publish(attic, method="bulk", full=True)
    assert outcome.revision == right


def test_the_measured_cost_decides(rig, world, clock):
    """A shop that would take minutes by pages is read by bulk; a small one is not."""
    small = rig.connect(world.add(make_synthetic(clock, "small.myshopify.com", products=60, variants=2)))
    large = rig.connect(world.add(make_synthetic(clock, "large.myshopify.com", products=4_000, variants=1)))
    world.shop(large).bucket.restore_rate = 20
    rig.publish(small)
    outcome = rig.publish(large)
    assert outcome.status is Status.PUBLISHED
    assert rig.document(small)["source"]["method"] == "paged"
    assert rig.document(large)["source"]["method"] == "bulk"
