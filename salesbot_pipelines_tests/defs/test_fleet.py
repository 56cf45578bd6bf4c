"""`fleet`: one table of all shops, its totals over time, and checks that name the shops in trouble."""

from __future__ import annotations

import dagster as dg
import pytest

from salesbot_pipelines.state.retries import RetryRules
from salesbot_pipelines_tests.defs.inprocess import name_of

FRESH, FROZEN, DEAD, PARKED, LACKING = (name_of(number) for number in range(5))


def _look(dagster):
    """Run the fleet's job; give its metadata and its checks by name."""
    result = dagster.run("look_at_fleet")
    assert result.success
    [materialised] = result.get_asset_materialization_events()
    metadata = {name: value.value for name, value in materialised.materialization.metadata.items()}
    return metadata, {one.check_name: one for one in result.get_asset_check_evaluations()}


def _named(check):
    return check.metadata["named"].value


def test_a_fleet_in_order_passes_every_check_and_shows_its_totals(dagster):
    shops = dagster.fleet_of(3)
    dagster.rig.refresh(*shops)
    metadata, checks = _look(dagster)
    assert {name: check.passed for name, check in checks.items()} == dict.fromkeys(
        ("fresh", "complete", "none_parked", "none_needing_login"), True
    )
    numbers = {name: value for name, value in metadata.items() if name != "table"}
    # Only numbers are plotted over time.
    assert all(isinstance(value, int | float) for value in numbers.values())
    assert numbers["shops"] == numbers["published"] == 3
    assert numbers["products"] == 9
    assert numbers["variants"] == 18
    assert numbers["megabytes"] == round(sum(len(dagster.rig.document_bytes(shop)) for shop in shops) / 1e6, 3)
    assert numbers["failing"] == numbers["parked"] == numbers["needs_reauth"] == numbers["with_omissions"] == 0
    for shop in shops:
        assert shop in metadata["table"]


def test_each_check_fails_with_the_names_of_its_shops_and_the_reason(dagster):
    shops = dagster.fleet_of(5)
    rig, world = dagster.rig, dagster.rig.world
    rig.refresh(FROZEN)
    rig.program.clock.turn(hours=27)
    world.shop(FROZEN).freeze(402)
    world.shop(PARKED).freeze(402)
    world.shop(LACKING).grant([scope for scope in world.shop(LACKING).scopes if "discounts" not in scope])
    rig.program.installs.mark_needs_reauth(DEAD, "the refresh token is dead")
    rig.refresh(FRESH, FROZEN, LACKING)
    for _ in range(RetryRules().park_after):
        rig.refresh(PARKED)

    metadata, checks = _look(dagster)

    assert {name for name, check in checks.items() if check.passed} == set()
    assert checks["complete"].severity is dg.AssetCheckSeverity.WARN
    assert checks["fresh"].severity is dg.AssetCheckSeverity.ERROR
    assert _named(checks["fresh"]).splitlines() == [
        f"- {FROZEN}: last read 27.0 hours ago",
        f"- {DEAD}: never read",
        f"- {PARKED}: never read",
    ]
    assert _named(checks["complete"]).startswith(f"- {LACKING}: discounts (")
    assert len(_named(checks["complete"]).splitlines()) == 1
    assert _named(checks["none_parked"]).startswith(f"- {PARKED}: ")
    assert "402" in _named(checks["none_parked"]) or "frozen" in _named(checks["none_parked"]).lower()
    assert _named(checks["none_needing_login"]) == f"- {DEAD}: the refresh token is dead"
    assert checks["fresh"].metadata["shops"].value == 3
    assert metadata["needs_reauth"] == metadata["parked"] == metadata["with_omissions"] == 1
    assert metadata["failing"] == 2
    assert metadata["oldest_hours"] == pytest.approx(27, abs=0.1)
    rows = [line for line in metadata["table"].splitlines() if "myshopify" in line]
    assert len(rows) == len(shops)
    # Those never read first, then the oldest.
    assert [row.split("|")[1].strip() for row in rows][:3] == [DEAD, PARKED, FROZEN]


def test_an_empty_fleet_is_a_table_of_nothing_and_no_failure(dagster):
    metadata, checks = _look(dagster)
    assert metadata["shops"] == 0
    assert metadata["table"] == "no shop yet"
    assert all(check.passed for check in checks.values())


def test_a_long_list_is_cut_in_the_check_and_counted_whole(dagster):
    shops = dagster.fleet_of(60)
    _, checks = _look(dagster)
    assert checks["fresh"].metadata["shops"].value == len(shops) == 60
    assert len(_named(checks["fresh"]).splitlines()) == 51
    assert _named(checks["fresh"]).endswith("and 10 more")
