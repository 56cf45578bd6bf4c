"""Many shops in one run: the good ones are recorded, the bad ones named. Every upgrade of Dagster must keep it."""

from __future__ import annotations

import logging

import dagster as dg
import pytest

from salesbot_pipelines.defs.assets import ASSET_NAMES
from salesbot_pipelines.defs.materialisations import Report
from salesbot_pipelines.errors import StateUnavailable
from salesbot_pipelines.refresh.outcome import Outcome, Status
from salesbot_pipelines_tests.defs.inprocess import failure_text, materialised_by, name_of

REVOKED, BROKEN_PAGE, WRONG_SHOP = name_of(4), name_of(5), name_of(6)
BAD = {
    REVOKED: "no longer accepts the access token",
    BROKEN_PAGE: "INTERNAL_SERVER_ERROR",
    WRONG_SHOP: "somebody-else.myshopify.com answered",
}


@pytest.fixture
def twelve(dagster):
    """Twelve shops, three of them bad in different ways."""
    shops = dagster.fleet_of(12)
    world = dagster.rig.world
    world.shop(REVOKED).uninstall()
    dagster.rig.server.sandbox.faults.add("errors_only", shop=BROKEN_PAGE, operation="Products", times=None)
    world.shop(WRONG_SHOP).node["myshopifyDomain"] = "somebody-else.myshopify.com"
    return shops


def mend(rig):
    """Do what the failure's advice says."""
    rig.world.shop(REVOKED).install()
    rig.connect(REVOKED)
    rig.server.sandbox.faults.clear()
    rig.world.shop(WRONG_SHOP).node["myshopifyDomain"] = WRONG_SHOP


def test_nine_are_recorded_three_are_named_and_a_later_run_of_those_three_heals_them(dagster, twelve):
    result = dagster.refresh(twelve[0], twelve[-1])

    assert not result.success
    good = set(twelve) - set(BAD)
    for asset in ASSET_NAMES:
        assert dagster.recorded(asset) == good, asset
    assert materialised_by(result) == {(asset, shop) for asset in ASSET_NAMES for shop in good}
    head, *named = failure_text(result).splitlines()
    assert head == "3 of 12 shops failed:"
    assert [one.partition(": ")[0] for one in named] == sorted(BAD)
    for one, reason in zip(named, BAD.values(), strict=True):
        assert reason in one

    [step] = [event for event in result.all_events if event.is_step_failure]
    rows = step.step_failure_data.user_failure_data.metadata["failed shops"].value.splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == sorted(BAD)

    mend(dagster.rig)
    dagster.rig.server.sandbox.calls.clear()
    healed = dagster.refresh(REVOKED, WRONG_SHOP)

    assert healed.success
    assert materialised_by(healed) == {(asset, shop) for asset in ASSET_NAMES for shop in BAD}
    assert {call.shop for call in dagster.rig.server.sandbox.calls.of()} == set(BAD)
    for asset in ASSET_NAMES:
        assert dagster.recorded(asset) == set(twelve), asset


def test_a_shop_that_left_before_its_run_is_skipped_and_is_no_failure(dagster):
    shops = dagster.fleet_of(3)
    dagster.rig.program.installs.uninstall(shops[1])
    result = dagster.refresh(shops[0], shops[-1])
    assert result.success
    assert {shop for _, shop in materialised_by(result)} == {shops[0], shops[2]}


def test_a_bug_met_in_one_shop_is_that_shop_alone(dagster, monkeypatch):
    shops = dagster.fleet_of(3)
    whole = dagster.rig.program.store.put

    def put(key, *rest, **named):
        if shops[1] in key:
            raise ZeroDivisionError("shpat_canary")
        return whole(key, *rest, **named)

    monkeypatch.setattr(dagster.rig.program.store, "put", put, raising=True)
    result = dagster.refresh(shops[0], shops[-1])
    assert dagster.recorded("shopify_data") == {shops[0], shops[2]}
    assert f"{shops[1]}: unexpected ZeroDivisionError" in failure_text(result)
    assert "canary" not in failure_text(result)


def test_a_run_of_one_shop_takes_the_same_way(dagster):
    good, bad = dagster.fleet_of(2)
    dagster.rig.world.shop(bad).freeze(402)
    assert materialised_by(dagster.run("refresh_catalog", shop=good)) == {(asset, good) for asset in ASSET_NAMES}
    failed = dagster.run("refresh_catalog", shop=bad)
    assert not failed.success
    assert materialised_by(failed) == set()
    assert bad in failure_text(failed)


def test_a_scheduled_run_that_died_leaves_out_the_shops_that_are_done_when_it_is_started_again(dagster):
    shops = dagster.fleet_of(4)
    moment = dagster.rig.program.clock.now().isoformat()
    # What the dead run had finished: two shops.
    done = dagster.rig.refresh(*shops[:2], trigger="schedule")
    dagster.rig.server.sandbox.calls.clear()
    dagster.rig.puts()

    again = dagster.refresh(*shops, **{"salesbot/scheduled_at": moment})

    assert again.success
    assert {call.shop for call in dagster.rig.server.sandbox.calls.of()} == set(shops[2:])
    assert not [key for key in dagster.rig.puts() if shops[0] in key or shops[1] in key]
    for asset in ASSET_NAMES:
        assert dagster.recorded(asset) == set(shops), asset
    assert dagster.metadata("shopify_data", shops[0])["status"] == "fresh"
    assert dagster.metadata("shopify_data", shops[2])["status"] == "published"
    assert dagster.newest("shopify_data", shops[0]).tags["dagster/data_version"] == done[shops[0]].revision

    dagster.rig.program.clock.turn(days=1)
    tomorrow = dagster.rig.program.clock.now().isoformat()
    dagster.rig.server.sandbox.calls.clear()
    assert dagster.refresh(*shops, **{"salesbot/scheduled_at": tomorrow}).success
    assert {call.shop for call in dagster.rig.server.sandbox.calls.of()} == set(shops)


def test_a_shop_that_an_event_touched_since_is_not_left_out(dagster):
    [shop] = dagster.fleet_of(1)
    moment = dagster.rig.program.clock.now().isoformat()
    dagster.rig.publish(shop, trigger="schedule")
    dagster.rig.program.work.want(shop)
    dagster.rig.server.sandbox.calls.clear()
    dagster.run("refresh_catalog", shop=shop, tags={"salesbot/scheduled_at": moment})
    assert dagster.rig.server.sandbox.calls.of(shop)


def test_dagster_does_not_repeat_the_op_because_that_would_repeat_every_shop():
    log = logging.getLogger("report")
    report = Report(log, total=2)
    report.note(
        Outcome(shop=name_of(0), status=Status.FAILED, trigger="manual", error=StateUnavailable("database is locked"))
    )
    with pytest.raises(dg.Failure) as caught:
        report.close()
    assert caught.value.allow_retries is False
    # Not every reason names its shop by itself.
    assert f"{name_of(0)}: database is locked" in caught.value.description


def test_a_run_says_how_far_it_is_and_names_each_shop_in_few_messages(caplog):
    caplog.set_level(logging.INFO)
    report = Report(logging.getLogger("report"), total=50)
    for number in range(50):
        bad = number == 17
        status, error = (Status.FAILED, StateUnavailable("away")) if bad else (Status.UNCHANGED, None)
        report.note(Outcome(shop=name_of(number), status=status, trigger="schedule", error=error))
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert errors == [f"[{name_of(17)}] failed: {StateUnavailable('away').public_text}"]
    heads = [message.splitlines()[0] for message in told]
    # The failure is among the second ten and takes no place among their lines.
    assert heads == [
        "10 of 50 shops done",
        *(f"{done} of 50 shops done, 1 failed" for done in (21, 31, 41, 50)),
    ]
    lines = [line for message in told for line in message.splitlines()[1:]]
    assert lines == [f"[{name_of(number)}] unchanged: nothing to do in 0.0 s" for number in range(50) if number != 17]


def test_a_range_that_holds_no_shop_is_a_failure_and_no_quiet_success():
    with pytest.raises(dg.Failure, match="given no shop"):
        Report(logging.getLogger("report"), total=0).close()
