"""What only the daily refresh does: mend the subscriptions, and measure what no event told of."""

import pytest

from salesbot_pipelines.sandbox.demo_teapots import tiny_teapots
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines_tests.rig import open_rig

ADDRESS = "https://salesbot.example.com/shopify/webhook"


@pytest.fixture
def rig(tmp_path, world, clock):
    with open_rig(tmp_path / "home", world, clock=clock, environ={"SHOPIFY_WEBHOOK_ADDRESS": ADDRESS}) as opened:
        yield opened


@pytest.fixture
def teapots(rig, world, clock):
    return rig.connect(world.add(tiny_teapots(clock)))


def _event(rig, shop, topic, resource):
    event = WebhookEvent(shop, topic, f"id-{topic}-{resource}", "0" * 64, resource_id=resource)
    assert Inbox(rig.program.engine, rig.program.clock).accept([event]) == ["new"]


def test_a_daily_refresh_subscribes_and_finds_it_right_the_next_day(rig, teapots):
    first = rig.publish(teapots, trigger="schedule")
    assert "created" in first.subscriptions
    second = rig.publish(teapots, trigger="schedule")
    assert "kept" in second.subscriptions
    assert "created" not in second.subscriptions
    assert rig.publish(teapots, trigger="webhook").subscriptions == ""


def test_a_change_without_an_event_is_drift(rig, teapots, world, clock):
    first = rig.publish(teapots, trigger="schedule")
    assert first.drift is None
    products = [product["id"] for product in rig.document(teapots)["products"]]
    variants = [product["variants"][0]["id"] for product in rig.document(teapots)["products"]]
    clock.turn(hours=1)
    for variant in variants[:3]:
        world.shop(teapots).set_price(variant, "3.33")
    _event(rig, teapots, "products/update", products[0])
    clock.turn(hours=23)
    outcome = rig.publish(teapots, trigger="schedule")
    assert outcome.changes.changed == 3
    assert outcome.drift == 2


def test_an_event_that_may_explain_any_product_explains_all(rig, teapots, world, clock):
    rig.publish(teapots, trigger="schedule")
    clock.turn(hours=1)
    world.shop(teapots).set_price(rig.document(teapots)["products"][0]["variants"][0]["id"], "3.33")
    _event(rig, teapots, "inventory_levels/update", None)
    assert rig.publish(teapots, trigger="schedule").drift == 0


def test_refused_subscriptions_do_not_fail_the_refresh(rig, teapots, caplog):
    rig.server.sandbox.faults.add(operation="WebhookSubscriptions", action="status", status=403)
    outcome = rig.publish(teapots, trigger="schedule")
    assert outcome.subscriptions.startswith("not looked at")
