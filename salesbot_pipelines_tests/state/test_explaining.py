"""Which events could explain a change: named products only, or anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import Engine

from salesbot_pipelines.state.clock import read_clock
from salesbot_pipelines.state.explaining import events_since
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines.state.transactions import reading
from salesbot_pipelines_tests.state.conftest import TurnableClock

SHOP, OTHER = "one.myshopify.com", "two.myshopify.com"
ONE, TWO = "gid://shopify/Product/1", "gid://shopify/Product/2"
Tell = Callable[..., None]


def moment(engine: Engine, clock: TurnableClock) -> datetime:
    """The present by the database's own clock."""
    with reading(engine) as connection:
        return read_clock(connection, clock)


@pytest.fixture
def tell(engine: Engine, clock: TurnableClock, connect: Callable[..., None]) -> Tell:
    connect(SHOP, OTHER)
    numbers = iter(range(100))

    def accept(topic: str, resource_id: str | None = None, shop: str = SHOP) -> None:
        event = WebhookEvent(shop, topic, f"w{next(numbers)}", "0" * 64, resource_id=resource_id)
        assert Inbox(engine, clock).accept([event]) == ["new"]

    return accept


def test_product_events_explain_the_products_they_name(engine: Engine, clock: TurnableClock, tell: Tell) -> None:
    since = moment(engine, clock)
    tell("products/update", ONE)
    tell("products/update", ONE)
    tell("products/update", TWO, OTHER)
    seen = events_since(engine, SHOP, since)
    assert seen.explains(ONE)
    assert not seen.explains(TWO)


@pytest.mark.parametrize(("topic", "gid"), [("inventory_levels/update", ONE), ("products/update", None)])
def test_any_other_event_may_explain_any_product(
    engine: Engine, clock: TurnableClock, tell: Tell, topic: str, gid: str | None
) -> None:
    since = moment(engine, clock)
    tell("products/update", ONE)
    tell(topic, gid)
    assert events_since(engine, SHOP, since).explains(TWO)


def test_earlier_events_explain_nothing(
    engine: Engine, clock: TurnableClock, tell: Tell, turn: Callable[[float], None]
) -> None:
    tell("products/update", ONE)
    turn(60)
    since = moment(engine, clock)
    tell("products/update", TWO)
    seen = events_since(engine, SHOP, since)
    assert seen.explains(TWO)
    assert not seen.explains(ONE)
