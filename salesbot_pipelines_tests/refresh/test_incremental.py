"""A refresh that reads only what events named: few calls, and the document of a full read."""

from __future__ import annotations

from collections import Counter

import pytest

from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines_tests.refresh.comparing import differences, torn
from salesbot_pipelines_tests.refresh.events import listen

LARGE = "large.myshopify.com"


@pytest.fixture
def large(rig, world, clock):
    """A shop that is worth it, refreshed once in full; what it tells is listened to."""
    shop = world.add(make_synthetic(clock, LARGE, products=300, variants=2))
    rig.connect(shop)
    rig.publish(LARGE)
    clock.turn(minutes=5)
    return listen(rig, LARGE)


def read_in_full(rig):
    """Read the shop in full, publish it whatever lies there, and give the document."""
    rig.publish(LARGE, full=True)
    return rig.document(LARGE)


def due(rig):
    """Refresh the shop as its events ask for it; give the outcome and the calls by operation."""
    calls = rig.server.sandbox.calls
    calls.clear()
    outcome = rig.publish(LARGE, trigger="webhook")
    return outcome, Counter(call.operation for call in calls.of(LARGE))


def published(document):
    return {key: document[key] for key in ("shop", "locations", "products", "collections", "discounts", "revision")}


def test_a_changed_price_costs_few_calls(rig, world, large):
    shop = world.shop(LARGE)
    variant = shop.all("products")[123]["variants"][1]["id"]
    shop.set_price(variant, "43.21")
    assert large.deliver() == 1
    outcome, calls = due(rig)
    assert (outcome.method, outcome.full_because, outcome.status) == ("incremental", "", Status.PUBLISHED)
    assert "Products" not in calls
    assert "Inventory" not in calls
    assert calls["ProductsById"] == 1
    assert sum(calls.values()) <= 20, calls
    found = rig.document(LARGE)
    assert found["source"]["method"] == "paged"
    assert found["source"]["trigger"] == "webhook"
    assert torn(rig, LARGE) == ""
    status = rig.program.work.status(LARGE)
    assert (status.wanted, status.state) == (status.done, "clean")
    right = read_in_full(rig)
    assert not list(differences(published(right), published(found)))
