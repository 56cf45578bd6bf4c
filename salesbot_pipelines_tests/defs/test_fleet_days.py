"""Days of a fleet: failures in the middle of many shops, and a run that is killed half way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from contextlib import contextmanager

import dagster as dg
import pytest

from salesbot_pipelines.cli.dagster_home import write_dagster_home
from salesbot_pipelines.cli.processes import python
from salesbot_pipelines.defs.assets import ASSET_NAMES, SCHEDULED_AT
from salesbot_pipelines.defs.schedules import RANGE_END, RANGE_START
from salesbot_pipelines.defs.sensors import webhook_events
from salesbot_pipelines.refresh.guard import LEASE_SECONDS
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.defs.inprocess import Dagster, failure_text, materialised_by
from salesbot_pipelines_tests.refresh.kills import AheadClock
from salesbot_pipelines_tests.rig import open_rig

SHOPS, RUNS = 60, 3
TROUBLES = (
    {"action": "status", "status": 404},
    {"action": "status", "status": 503},
    {"action": "errors_only", "operation": "Products"},
    {"action": "html"},
    {"action": "broken_json"},
)


def _plant(dagster, shops):
    """Let ten of the shops fail, some of them in each run and each trouble twice; give them."""
    bad = shops[2 :: len(shops) // 10][:10]
    for number, shop in enumerate(bad):
        dagster.rig.server.sandbox.faults.add(shop=shop, times=None, **TROUBLES[number % len(TROUBLES)])
    return bad


def _day(dagster, shops, moment):
    """Run what the schedule asks for, a batch after the other; give the results."""
    size = len(shops) // RUNS
    batches = [shops[start : start + size] for start in range(0, len(shops), size)]
    return [dagster.refresh(batch[0], batch[-1], **{SCHEDULED_AT: moment}) for batch in batches]


def test_ten_of_sixty_fail_by_name_and_are_tried_again_by_themselves(dagster):
    shops = dagster.fleet_of(SHOPS)
    rig, clock = dagster.rig, dagster.rig.program.clock
    bad = _plant(dagster, shops)

    results = _day(dagster, shops, clock.now().isoformat())

    good = set(shops) - set(bad)
    for asset in ASSET_NAMES:
        assert dagster.recorded(asset) == good, asset
    named = [line.split()[0].rstrip(":") for result in results for line in failure_text(result).splitlines()[1:]]
    assert named == bad
    statuses = {status.shop: status for status in rig.program.work.statuses()}
    assert {shop for shop, status in statuses.items() if status.attempts == 1 and status.last_error} == set(bad)
    assert all(statuses[shop].wanted == statuses[shop].done for shop in good)

    rig.server.sandbox.faults.clear()
    rig.server.sandbox.calls.clear()
    clock.turn(hours=2)  # beyond every back-off
    with dg.build_sensor_context(
        instance=dagster.instance, resources={"program": rig.program}, definitions=dagster.definitions
    ) as context:
        [request] = webhook_events.evaluate_tick(context).run_requests
    again = dagster.run("refresh_due", run_config=request.run_config, tags=dict(request.tags))

    assert again.success
    assert materialised_by(again) == {(asset, shop) for asset in ASSET_NAMES for shop in bad}
    assert {call.shop for call in rig.server.sandbox.calls.of()} == set(bad)
    for asset in ASSET_NAMES:
        assert dagster.recorded(asset) == set(shops), asset
    for shop in bad:
        status = rig.program.work.status(shop)
        assert (status.attempts, status.last_error, status.wanted - status.done) == (0, None, 0)


@pytest.fixture
def on_disk(tmp_path):
    """Dagster on an instance that outlives its runs, and a program whose leases can be let run out."""
    home, clock = tmp_path / "home", AheadClock()
    with open_rig(home, World(clock), clock=clock, environ={"SALESBOT_CONCURRENT_SHOPS": "2"}) as rig:
        folder = write_dagster_home(home / "dagster")
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            yield Dagster(rig, instance)


@contextmanager
def _run_in_a_process(dagster, tags):
    """Start the catalogue's job in a process of its own, which opens the program from its environment."""
    environ = {
        **os.environ,
        **dagster.rig.environ,
        "DAGSTER_HOME": dagster.instance.root_directory,
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    command = python("dagster", "job", "execute", "-m", "salesbot_pipelines.definitions", "-j", "refresh_catalog")
    log = dagster.rig.settings.home / "run.log"
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "--tags", json.dumps(tags)], env=environ, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_a_run_that_was_killed_half_way_repeats_no_shop_that_was_done(on_disk):
    shops = on_disk.fleet_of(16)
    rig, calls = on_disk.rig, on_disk.rig.server.sandbox.calls
    tags = {RANGE_START: shops[0], RANGE_END: shops[-1], SCHEDULED_AT: rig.program.clock.now().isoformat()}

    with _run_in_a_process(on_disk, tags) as process:
        # The ninth shop that asks for its products is in the midst of it, and the one beside it too.
        rig.server.sandbox.faults.add(
            "change", operation="Products", nth=9, change=lambda _: process.send_signal(signal.SIGKILL)
        )
        assert process.wait(120) == -signal.SIGKILL

    statuses = {status.shop: status for status in rig.program.work.statuses()}
    done = {shop for shop, status in statuses.items() if status.last_fetched_at is not None}
    begun = {call.shop for call in calls.of()}
    assert done < begun < set(shops)
    assert len(done) >= len(shops) // 4
    calls.clear()

    rig.program.clock.turn(seconds=LEASE_SECONDS + 1)
    again = on_disk.run("refresh_catalog", shops=shops, tags=tags)

    assert again.success
    times = Counter(call.shop for call in calls.of(operation="Preflight"))
    assert times == dict.fromkeys(set(shops) - done, 1)
    assert {call.shop for call in calls.of()} == set(shops) - done
    for asset in ASSET_NAMES:
        assert on_disk.recorded(asset) == set(shops), asset
    shown = {shop: on_disk.metadata("shopify_data", shop)["status"] for shop in shops}
    assert {shop for shop, status in shown.items() if status == "fresh"} == done
    assert {status.wanted - status.done for status in rig.program.work.statuses()} == {0}
