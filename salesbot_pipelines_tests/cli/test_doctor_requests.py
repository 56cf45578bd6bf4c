"""The doctor tells of uninstalls and privacy requests that wait for a person."""

from __future__ import annotations

from datetime import timedelta

import pytest

from salesbot_pipelines.refresh.program import open_program
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.shopify.clock import SystemClock
from salesbot_pipelines.state.control import ControlEvents
from salesbot_pipelines.state.inbox import WebhookEvent
from salesbot_pipelines_tests.cli.command import TINY


class Earlier(SystemClock):
    """A clock two hours behind."""

    def now(self):
        return super().now() - timedelta(hours=2)


@pytest.fixture
def events(connected):
    """The requests of the program that the commands open, as they were made two hours ago."""
    opened = open_program(load_settings())
    yield ControlEvents(opened.engine, opened.keyring, Earlier())
    opened.close()


def requested(events: ControlEvents, topic: str) -> int:
    events.accept(WebhookEvent(TINY, topic, f"id of {topic}", "0" * 64), b"{}")
    return events.listed()[-1].seq


def told(connected) -> list[dict[str, str]]:
    return [check for check in connected("doctor", "--json").json() if check["name"] == "request"]


def test_one_that_was_put_aside_is_named_with_its_reason(connected, events):
    assert events.decide(requested(events, "shop/redact"), "quarantined", "Shopify still accepts our token")
    [check] = told(connected)
    assert check["level"] == "warning"
    assert check["text"].startswith(f"{TINY}: shop/redact of 20")
    assert check["text"].endswith("was put aside: Shopify still accepts our token")
    assert check["fix"] == f"if it is meant: salesbot shops remove {TINY} --purge"


def test_one_that_nobody_carries_out_is_a_failure(connected, events):
    requested(events, "app/uninstalled")
    [check] = told(connected)
    assert (check["level"], check["text"].partition(" UTC ")[2]) == ("failure", "is not carried out yet")
    assert "receiver" in check["fix"]
    assert connected("doctor").code == 1


def test_one_that_has_just_come_or_is_done_is_not_told(connected, events):
    assert events.decide(requested(events, "customers/redact"), "done", "no data of customers is held")
    opened = open_program(load_settings())
    requested(ControlEvents(opened.engine, opened.keyring), "app/uninstalled")
    opened.close()
    assert told(connected) == []
