"""Backfills as an analyst launches them: through the running webserver and its daemon, by GraphQL and by clicking."""

from __future__ import annotations

import pytest

from salesbot_pipelines.defs.assets import ASSET_NAMES
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.defs.browser import chromium_page, graph_of, keep
from salesbot_pipelines_tests.defs.inprocess import add_shops, name_of
from salesbot_pipelines_tests.defs.running import running_dagster, until

pytestmark = pytest.mark.xdist_group("dagster_ui")

SHOPS = [name_of(number) for number in range(12)]
REVOKED, BROKEN_PAGE, WRONG_SHOP = SHOPS[1], SHOPS[6], SHOPS[7]
BAD = {
    REVOKED: "no longer accepts the access token",
    BROKEN_PAGE: "Field 'price' doesn't exist",
    WRONG_SHOP: "somebody-else.myshopify.com answered",
}


def _publish_all(rig):
    """Connect and publish every shop, so that no event waits when Dagster starts."""
    add_shops(rig, len(SHOPS))
    assert all(outcome.ok for outcome in rig.refresh(*SHOPS).values())


@pytest.fixture(scope="module")
def dagster(tmp_path_factory):
    """Dagster over twelve small shops, five shops a run; events wait, so that every run is one of a backfill."""
    home = tmp_path_factory.mktemp("ui")
    environ = {"SALESBOT_BATCH_SIZE": "5", "SALESBOT_EVENT_WAIT_SECONDS": "3600"}
    with running_dagster(home, World(), prepare=_publish_all, **environ) as running:
        until("partition of each shop, which the sensor adds", lambda: running.known() == set(SHOPS))
        yield running


@pytest.fixture
def three_bad(dagster):
    """Three of the shops bad in different ways, mended at the test's end."""
    rig = dagster.rig
    rig.world.shop(REVOKED).uninstall()
    # An error that no repetition heals, so that nobody waits.
    fault = {"code": "undefinedField", "message": "Field 'price' doesn't exist"}
    rig.server.sandbox.faults.add("errors_only", shop=BROKEN_PAGE, operation="Products", times=None, **fault)
    rig.world.shop(WRONG_SHOP).node["myshopifyDomain"] = "somebody-else.myshopify.com"
    yield
    rig.world.shop(REVOKED).install()
    rig.connect(REVOKED)
    rig.server.sandbox.faults.clear()
    rig.world.shop(WRONG_SHOP).node["myshopifyDomain"] = WRONG_SHOP


def _counts(backfill):
    """Give (targeted, materialised, failed) by asset."""
    return {
        one["assetKey"]["path"][-1]: tuple(
            one[f"numPartitions{kind}"] for kind in ("Targeted", "Materialized", "Failed")
        )
        for one in backfill["assetBackfillData"]["assetBackfillStatuses"]
    }


def test_a_backfill_shows_nine_materialised_and_three_failed_in_each_asset(dagster, three_bad):
    launched = dagster.launch(SHOPS, ASSET_NAMES)
    backfill = dagster.ended(launched)

    assert backfill["status"] == "COMPLETED_FAILED"
    assert _counts(backfill) == dict.fromkeys(ASSET_NAMES, (12, 9, 3))
    for asset, shops in dagster.partitions().items():
        assert shops == {"materialized": set(SHOPS) - set(BAD), "failed": set(BAD), "unmaterialized": set(BAD)}, asset
    runs = dagster.runs(launched)
    # Five, five and two shops; a run whose process died on a busy machine is started again by Dagster.
    assert {run["status"] for run in runs} == {"FAILURE", "SUCCESS"}
    assert len(runs) >= 3
    why = "\n".join(dagster.why(run["runId"]) for run in runs)
    for shop, reason in BAD.items():
        lines = [line for line in why.splitlines() if line.startswith(shop)]
        assert lines
        assert all(reason in line for line in lines)
    assert not any(shop in why for shop in set(SHOPS) - set(BAD))


@pytest.mark.browser
def test_an_analyst_launches_a_backfill_of_all_shops_by_clicking_and_sees_it_succeed(dagster):
    with chromium_page() as page:
        page.goto(f"{dagster.url}/locations/salesbot_pipelines/asset-groups/catalog")
        for asset in ASSET_NAMES:
            page.get_by_text(asset, exact=True).first.wait_for()
        page.get_by_role("button", name="Materialize all").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="All", exact=True).click()
        dialog.get_by_text(f"{len(SHOPS)} partitions selected").wait_for()
        keep(page, "1-which-shops")
        dialog.get_by_role("button", name="Launch backfill").click()
        dialog.wait_for(state="hidden")

        page.get_by_role("link", name="Runs").click()
        page.get_by_text("Backfills", exact=True).click()
        newest = page.locator("a[href*='/runs/b/']").first
        newest.wait_for()
        launched = newest.get_attribute("href").rpartition("/")[2].partition("?")[0]
        newest.click()
        page.get_by_text("Succeeded", exact=True).nth(1).wait_for()  # the first is the table's head
        page.locator("text=100% completed").nth(len(ASSET_NAMES) - 1).wait_for()
        keep(page, "2-backfill")

        page.goto(f"{dagster.url}/locations/salesbot_pipelines/asset-groups/catalog")
        page.locator("text=100% filled").nth(len(ASSET_NAMES) - 1).wait_for()
        keep(page, "3-catalog")
        keep(page, "asset-graph", clip=graph_of(page, ASSET_NAMES))

        page.goto(f"{dagster.url}/assets/shopify_data?view=partitions&partition={SHOPS[3]}")
        page.get_by_text("feed_uri").wait_for()
        keep(page, "4-shop")
    assert _counts(dagster.ended(launched)) == dict.fromkeys(ASSET_NAMES, (12, 12, 0))


def test_nothing_that_dagster_kept_of_good_and_bad_runs_holds_a_secret(dagster):
    home = dagster.rig.settings.home
    secrets = [shop.token for shop in dagster.rig.world] + [dagster.rig.environ["SHOPIFY_API_SECRET"]]
    files = [path for folder in ("dagster", "logs") for path in (home / folder).rglob("*") if path.is_file()]
    assert any(path.suffix == ".err" for path in files)  # what the runs wrote
    for path in files:
        content = path.read_bytes()
        assert not any(secret.encode() in content for secret in secrets), path
