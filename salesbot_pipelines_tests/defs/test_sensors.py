"""What happens by itself: events become runs, installs become partitions, refreshes become a look at the fleet."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from hypothesis import given
from hypothesis import strategies as st

from salesbot_pipelines.definitions import build_definitions
from salesbot_pipelines.defs.sensors import (
    RESERVED_SECONDS,
    fleet_after_refresh,
    installed_shops,
    partition_changes,
    webhook_events,
)
from salesbot_pipelines_tests.defs.inprocess import Dagster, add_shops, name_of
from salesbot_pipelines_tests.rig import open_rig

BURST_SECONDS = 3  # longer than an event waits for others of its burst


def _evaluate(sensor, dagster):
    """Evaluate a sensor as the daemon does."""
    resources = {"program": dagster.rig.program} if sensor is not fleet_after_refresh else {}
    with dg.build_sensor_context(
        instance=dagster.instance, resources=resources, definitions=dagster.definitions
    ) as context:
        return sensor.evaluate_tick(context)


def _config(shops):
    return {"ops": {"refresh_due_shops": {"config": {"shops": shops}}}}


def _asked(tick):
    """Give the shops of each run that a tick of `webhook_events` asked for."""
    return [request.run_config["ops"]["refresh_due_shops"]["config"]["shops"] for request in tick.run_requests]


class TestWebhookEvents:
    def test_a_due_shop_is_asked_for_once_and_again_when_its_run_never_came(self, dagster):
        shops = add_shops(dagster.rig, 2)
        clock = dagster.rig.program.clock
        assert _evaluate(webhook_events, dagster).skip_message == "no event waits"  # the burst is not over
        clock.turn(seconds=BURST_SECONDS)

        first = _evaluate(webhook_events, dagster)
        assert _asked(first) == [shops]
        assert first.run_requests[0].tags["dagster/priority"] == "10"
        assert _asked(_evaluate(webhook_events, dagster)) == []
        clock.turn(seconds=RESERVED_SECONDS - 1)
        assert _asked(_evaluate(webhook_events, dagster)) == []
        clock.turn(seconds=2)
        again = _evaluate(webhook_events, dagster)
        assert _asked(again) == [shops]
        # Dagster skips a run key that it has seen, even of a run that failed.
        assert again.run_requests[0].run_key != first.run_requests[0].run_key

    def test_the_run_that_was_asked_for_does_it_and_nothing_is_due_any_more(self, dagster):
        shops = add_shops(dagster.rig, 2)
        dagster.rig.program.clock.turn(seconds=BURST_SECONDS)
        [request] = _evaluate(webhook_events, dagster).run_requests
        assert dagster.run("refresh_due", run_config=request.run_config, tags=dict(request.tags)).success
        dagster.rig.program.clock.turn(seconds=2 * RESERVED_SECONDS)
        assert _evaluate(webhook_events, dagster).skip_message == "no event waits"
        assert dagster.recorded("shopify_data") == set(shops)

    def test_a_burst_is_one_refresh_and_an_event_during_it_makes_the_shop_due_again(self, dagster):
        [shop] = add_shops(dagster.rig, 1)
        program = dagster.rig.program
        for _ in range(20):
            program.work.want(shop)
        program.clock.turn(seconds=BURST_SECONDS)
        [request] = _evaluate(webhook_events, dagster).run_requests
        dagster.rig.server.sandbox.faults.add(
            "change", operation="Products", change=lambda _: program.work.want(shop)
        )
        assert dagster.run("refresh_due", run_config=request.run_config).success

        program.clock.turn(seconds=BURST_SECONDS)
        assert _asked(_evaluate(webhook_events, dagster)) == [[shop]]

    def test_shops_whose_run_still_waits_in_the_queue_are_not_asked_for_again(self, dagster):
        shops = add_shops(dagster.rig, 3)
        program = dagster.rig.program
        program.clock.turn(seconds=BURST_SECONDS)
        assert _asked(_evaluate(webhook_events, dagster)) == [shops]
        queued = dagster.leave("refresh_due", DagsterRunStatus.QUEUED, run_config=_config(shops[:2]))
        program.clock.turn(seconds=RESERVED_SECONDS + 1)
        assert _asked(_evaluate(webhook_events, dagster)) == [[shops[2]]]
        program.clock.turn(seconds=RESERVED_SECONDS + 1)
        dagster.instance.report_run_canceled(queued)
        assert _asked(_evaluate(webhook_events, dagster)) == [shops]

    def test_due_shops_are_cut_into_batches_and_those_that_wait_longest_come_first(self, tmp_path, world, clock):
        with (
            open_rig(tmp_path / "home", world, clock=clock, environ={"SALESBOT_BATCH_SIZE": "2"}) as rig,
            dg.instance_for_test() as instance,
        ):
            shops = add_shops(rig, 5)
            for shop in shops:
                rig.publish(shop)
            order = [shops[number] for number in (3, 1, 4, 0, 2)]
            for shop in order:
                rig.program.work.want(shop)
                clock.turn(seconds=1)
            clock.turn(seconds=BURST_SECONDS)
            assert _asked(_evaluate(webhook_events, Dagster(rig, instance))) == [order[:2], order[2:4], order[4:]]

    def test_a_shop_that_needs_a_login_or_is_parked_is_not_asked_for(self, dagster):
        shops = add_shops(dagster.rig, 3)
        dagster.rig.program.installs.mark_needs_reauth(shops[0], "the token is dead")
        dagster.rig.program.installs.uninstall(shops[1])
        dagster.rig.program.clock.turn(seconds=BURST_SECONDS)
        assert _asked(_evaluate(webhook_events, dagster)) == [[shops[2]]]


NAMES = st.lists(st.integers(0, 30).map(name_of), unique=True, max_size=15)


@given(connected=NAMES, known=NAMES)
def test_adding_and_removing_make_the_partitions_equal_to_the_connected_shops(connected, known):
    added, removed = partition_changes(connected, known)
    assert {*known, *added} - set(removed) == set(connected)
    assert not set(added) & set(known)
    assert set(removed) <= set(known) - set(connected)
    assert added == [shop for shop in connected if shop in added]


class TestInstalledShops:
    def _changes(self, dagster):
        """Evaluate a tick and do what it asks, as the daemon does; give (added, removed)."""
        changes = {"Add": [], "Delete": []}
        for request in _evaluate(installed_shops, dagster).dynamic_partitions_requests or []:
            kind = "Add" if isinstance(request, dg.AddDynamicPartitionsRequest) else "Delete"
            changes[kind] += request.partition_keys
            if kind == "Add":
                dagster.instance.add_dynamic_partitions("shops", request.partition_keys)
            else:
                for key in request.partition_keys:
                    dagster.instance.delete_dynamic_partition("shops", key)
        return changes["Add"], changes["Delete"]

    def test_a_new_shop_is_added_at_once_in_the_order_of_connecting(self, dagster):
        shops = add_shops(dagster.rig, 3)
        assert self._changes(dagster) == (shops, [])
        assert self._changes(dagster) == ([], [])
        assert list(dagster.instance.get_dynamic_partitions("shops")) == shops

    @pytest.mark.parametrize("status", [DagsterRunStatus.QUEUED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED])
    def test_a_shop_that_left_is_removed_only_while_no_run_can_name_it(self, dagster, status):
        shops = add_shops(dagster.rig, 3)
        self._changes(dagster)
        run = dagster.leave("refresh_catalog", status)
        dagster.rig.program.installs.uninstall(shops[1])
        assert self._changes(dagster) == ([], [])
        # A new one need not wait.
        [late] = add_shops(dagster.rig, 1, first=3)
        assert self._changes(dagster) == ([late], [])
        dagster.instance.report_run_canceled(run)
        assert self._changes(dagster) == ([], [shops[1]])
        assert shops[1] not in dagster.instance.get_dynamic_partitions("shops")

    def test_a_purged_shop_goes_too(self, dagster):
        shops = add_shops(dagster.rig, 2)
        self._changes(dagster)
        dagster.rig.program.installs.uninstall(shops[0])
        dagster.rig.program.installs.forget(shops[0])
        assert self._changes(dagster) == ([], [shops[0]])

    def test_a_shop_that_needs_a_login_stays(self, dagster):
        shops = add_shops(dagster.rig, 2)
        self._changes(dagster)
        dagster.rig.program.installs.mark_needs_reauth(shops[0], "the token is dead")
        assert self._changes(dagster) == ([], [])


class TestFleetAfterRefresh:
    def _asks(self, dagster):
        return bool(_evaluate(fleet_after_refresh, dagster).run_requests)

    def test_it_is_looked_at_once_after_the_last_run_of_a_refresh_good_or_bad(self, dagster):
        shops = dagster.fleet_of(2)
        assert not self._asks(dagster)  # nothing has been refreshed
        assert dagster.refresh(*shops).success
        assert self._asks(dagster)
        assert dagster.run("look_at_fleet").success
        assert not self._asks(dagster)

        dagster.rig.world.shop(shops[0]).freeze()
        other = dagster.leave("refresh_catalog", DagsterRunStatus.QUEUED)
        assert not dagster.refresh(*shops).success
        assert not self._asks(dagster)  # the other batch is not done
        dagster.instance.report_run_failed(other)
        assert self._asks(dagster)
        assert dagster.run("look_at_fleet").success
        assert not self._asks(dagster)

    def test_runs_that_events_began_make_the_first_look_and_leave_the_others_to_the_hour(self, dagster):
        shops = dagster.fleet_of(1)
        config = _config(shops)
        assert dagster.run("refresh_due", run_config=config).success
        assert self._asks(dagster)
        assert dagster.run("look_at_fleet").success
        assert dagster.run("refresh_due", run_config=config).success
        assert not self._asks(dagster)


def test_every_sensor_runs_by_default():
    repository = build_definitions(environ={}).get_repository_def()
    assert {sensor.name: sensor.default_status for sensor in repository.sensor_defs} == dict.fromkeys(
        ("webhook_events", "installed_shops", "fleet_after_refresh"), dg.DefaultSensorStatus.RUNNING
    )
