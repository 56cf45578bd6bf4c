"""The daily refresh: batches by range in the order of connecting; and the hourly look at the fleet."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest

from salesbot_pipelines.definitions import build_definitions
from salesbot_pipelines.defs.schedules import RANGE_END, RANGE_START
from salesbot_pipelines_tests.defs.inprocess import name_of

TICK = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)


@pytest.fixture
def instance():
    with dg.instance_for_test() as opened:
        yield opened


def _tick(instance, shops, batch_size, *, at=TICK):
    """Evaluate the schedule as the daemon does."""
    definitions = build_definitions(environ={"SALESBOT_BATCH_SIZE": str(batch_size)})
    if shops:
        instance.add_dynamic_partitions("shops", shops)
    repository = definitions.get_repository_def()
    with dg.build_schedule_context(
        instance=instance, scheduled_execution_time=at, repository_def=repository
    ) as context:
        return repository.get_schedule_def("daily_refresh").evaluate_tick(context)


def test_shops_are_cut_into_ranges_in_the_order_in_which_they_were_connected(instance):
    # The order of names is not the order of connecting.
    shops = [name_of(number) for number in (7, 3, 9, 0, 5, 2, 8)]
    requests = _tick(instance, shops, 3).run_requests
    ranges = [(request.tags[RANGE_START], request.tags[RANGE_END]) for request in requests]
    assert ranges == [(shops[0], shops[2]), (shops[3], shops[5]), (shops[6], shops[6])]
    assert len({request.run_key for request in requests}) == 3
    assert {request.tags["salesbot/scheduled_at"] for request in requests} == {"2026-11-25T02:00:00+00:00"}


def test_run_keys_carry_the_scheduled_day_so_that_a_tick_that_is_resumed_asks_once(instance):
    first = _tick(instance, [name_of(0), name_of(1)], 1)
    again = _tick(instance, [], 1)
    tomorrow = _tick(instance, [], 1, at=TICK.replace(day=26))
    keys = [[request.run_key for request in tick.run_requests] for tick in (first, again, tomorrow)]
    assert keys[0] == keys[1]
    assert not set(keys[0]) & set(keys[2])


def test_an_empty_fleet_is_said_and_asks_for_nothing(instance):
    tick = _tick(instance, [], 50)
    assert tick.run_requests == []
    assert tick.skip_message == "no shop is connected yet"


def test_a_batch_that_the_schedule_asked_for_refreshes_exactly_its_range(dagster):
    shops = dagster.fleet_of(4)
    with dg.instance_for_test() as instance:
        [_, second] = _tick(instance, shops, 2).run_requests
    result = dagster.run("refresh_catalog", tags=dict(second.tags))
    assert result.success
    assert dagster.recorded("shopify_data") == set(shops[2:])
    assert dagster.metadata("shopify_data", shops[2])["trigger"] == "schedule"


def test_both_schedules_run_by_default_on_the_settings_cron_line():
    repository = build_definitions(environ={"SALESBOT_SCHEDULE": "30 4 * * *"}).get_repository_def()
    daily, hourly = (repository.get_schedule_def(name) for name in ("daily_refresh", "hourly_fleet"))
    assert (daily.cron_schedule, daily.execution_timezone) == ("30 4 * * *", "UTC")
    assert daily.default_status is hourly.default_status is dg.DefaultScheduleStatus.RUNNING
    assert hourly.job_name == "look_at_fleet"
