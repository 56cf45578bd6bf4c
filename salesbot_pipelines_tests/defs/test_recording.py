"""What an analyst sees of a shop: metadata, versions, and the subset that is made again without Shopify."""

from __future__ import annotations

import json
import uuid

from salesbot_pipelines.defs.assets import ASSET_NAMES
from salesbot_pipelines.defs.materialisations import materialisations
from salesbot_pipelines.refresh.outcome import Outcome, Status
from salesbot_pipelines_tests.defs.inprocess import REFRESHED, failure_text, materialised_by


def test_the_last_four_assets_are_made_again_from_stored_raw_objects_without_a_call(dagster):
    shops = dagster.fleet_of(2)
    assert dagster.refresh(*shops).success
    raw_before = {shop: dagster.newest("raw_catalog", shop) for shop in shops}
    dagster.rig.server.sandbox.calls.clear()
    dagster.rig.world.shop(shops[0]).freeze(402)  # and it would not have answered

    result = dagster.refresh(*shops, assets=REFRESHED)

    assert result.success
    assert dagster.rig.server.sandbox.calls.of() == []
    assert materialised_by(result) == {(asset, shop) for asset in REFRESHED for shop in shops}
    assert {shop: dagster.newest("raw_catalog", shop) for shop in shops} == raw_before
    assert dagster.metadata("shopify_data", shops[0])["status"] == "unchanged"


def test_a_change_of_rules_reaches_the_document_without_a_call(dagster, monkeypatch):
    [shop] = dagster.fleet_of(1)
    assert dagster.refresh(shop).success
    before = dagster.rig.document(shop)
    dagster.rig.server.sandbox.calls.clear()
    monkeypatch.setattr(
        "salesbot_pipelines.refresh.normalising.is_sellable", lambda node, statuses: "0" in node["title"]
    )
    dagster.rig.puts()

    assert dagster.refresh(shop, assets=REFRESHED).success

    after = dagster.rig.document(shop)
    assert 0 < len(after["products"]) < len(before["products"])
    assert dagster.rig.server.sandbox.calls.of() == []
    assert not [key for key in dagster.rig.puts() if "/raw/" in key]
    assert dagster.metadata("products", shop)["removed"] == len(before["products"]) - len(after["products"])


def test_two_of_the_five_are_recorded_when_two_are_chosen(dagster):
    [shop] = dagster.fleet_of(1)
    dagster.rig.publish(shop)
    result = dagster.refresh(shop, assets=("products", "shopify_data"))
    assert materialised_by(result) == {("products", shop), ("shopify_data", shop)}


def test_with_nothing_stored_yet_the_advice_is_to_choose_raw_catalog_too(dagster):
    [shop] = dagster.fleet_of(1)
    result = dagster.refresh(shop, assets=REFRESHED)
    assert not result.success
    assert "materialise raw_catalog as well" in failure_text(result)


def test_an_unchanged_shop_uploads_nothing_and_is_recorded_again(dagster):
    [shop] = dagster.fleet_of(1)
    assert dagster.refresh(shop).success
    first = dagster.newest("shopify_data", shop)
    dagster.rig.puts()

    result = dagster.refresh(shop)

    assert dagster.rig.puts() == []
    assert materialised_by(result) == {(asset, shop) for asset in ASSET_NAMES}
    assert dagster.metadata("shopify_data", shop)["status"] == "unchanged"
    assert [dagster.metadata("products", shop)[name] for name in ("changed", "added", "removed")] == [0, 0, 0]
    assert dagster.newest("shopify_data", shop).tags == first.tags


def test_the_data_version_is_the_documents_revision_and_moves_with_it(dagster):
    [shop] = dagster.fleet_of(1)
    assert dagster.refresh(shop).success
    revision = dagster.rig.document(shop)["revision"]
    for asset in ASSET_NAMES:
        assert dagster.newest(asset, shop).tags["dagster/data_version"] == revision
    world = dagster.rig.world.shop(shop)
    world.set_price(world.all("products")[0]["variants"][0]["id"], "77.00")

    assert dagster.refresh(shop).success

    changed = dagster.rig.document(shop)["revision"]
    assert changed != revision
    assert dagster.newest("shopify_data", shop).tags["dagster/data_version"] == changed
    shown = dagster.metadata("products", shop)
    assert [shown[name] for name in ("changed", "added", "removed")] == [1, 0, 0]
    assert world.all("products")[0]["title"] in shown["what changed"]


def test_the_metadata_are_counts_sizes_times_and_links(dagster):
    [shop] = dagster.fleet_of(1)
    assert dagster.refresh(shop).success
    rig, keys = dagster.rig, dagster.rig.keys(shop)
    document, manifest = rig.document(shop), rig.manifest(shop)

    raw = dagster.metadata("raw_catalog", shop)
    assert raw["calls"] == len(rig.server.sandbox.calls.of(shop))
    assert raw["points"] > 0
    assert raw["throttled"] == 0

    products = dagster.metadata("products", shop)
    assert list(products)[:5] == ["products", "variants", "changed", "added", "removed"]
    assert products["products"] == products["dagster/partition_row_count"] == len(document["products"]) == 3
    assert products["variants"] == 6
    assert products["added"] == 3
    assert products["uri"] == rig.program.store.uri(keys.products)

    for asset, key in (("discounts", keys.discounts), ("collections", keys.collections)):
        shown = dagster.metadata(asset, shop)
        assert shown[asset] == shown["dagster/partition_row_count"] == len(document[asset])
        assert shown["uri"] == rig.program.store.uri(key)

    feed = dagster.metadata("shopify_data", shop)
    assert list(feed)[:5] == ["products", "variants", "bytes", "omissions", "fetched_at"]
    assert feed["bytes"] == len(rig.document_bytes(shop)) == manifest["bytes"]
    assert feed["feed_uri"] == rig.program.store.uri(keys.document)
    assert feed["manifest_uri"] == rig.program.store.uri(keys.manifest)
    assert feed["revision"] == document["revision"]
    assert feed["trigger"] == "manual"
    assert {"fetch_seconds", "normalise_seconds", "publish_seconds"} <= set(feed)
    assert feed["omissions"] == len(document["source"]["omissions"])
    assert all(
        omission["section"].replace("_", "\\_") in feed["what is missing"]
        for omission in document["source"]["omissions"]
    )
    assert feed["fetched_at"] == rig.program.clock.start.timestamp()


def test_a_title_cannot_break_the_table_of_changes_or_become_markup(dagster):
    [shop] = dagster.fleet_of(1)
    title = "a|b <script>alert(1)</script> [x](javascript:1) `c` \n| new | row |"
    dagster.rig.world.shop(shop).create_product(title)
    assert dagster.refresh(shop).success
    table = dagster.metadata("products", shop)["what changed"]
    assert len(table.splitlines()) == 2 + 4
    assert "<script" not in table
    assert "[x]" not in table.replace("\\[x\\]", "")


def test_the_trigger_says_what_asked_for_the_run(dagster):
    [shop] = dagster.fleet_of(1)
    for tags, trigger in (
        ({}, "manual"),
        ({"dagster/backfill": "abcdefgh"}, "backfill"),
        ({"dagster/schedule_name": "daily_refresh"}, "schedule"),
    ):
        dagster.run("refresh_catalog", shop=shop, tags=tags)
        assert dagster.metadata("shopify_data", shop)["trigger"] == trigger


def test_due_shops_are_recorded_in_the_same_five_assets(dagster):
    shops = dagster.fleet_of(3)
    dagster.rig.world.shop(shops[2]).uninstall()
    config = {"ops": {"refresh_due_shops": {"config": {"shops": shops}}}}
    result = dagster.run("refresh_due", run_config=config)
    assert not result.success
    assert shops[2] in failure_text(result)
    for asset in ASSET_NAMES:
        assert dagster.recorded(asset) == set(shops[:2]), asset
    assert dagster.metadata("shopify_data", shops[0])["trigger"] == "webhook"
    assert json.loads(dagster.rig.document_bytes(shops[0]))["source"]["trigger"] == "webhook"
    status = dagster.rig.program.work.status(shops[0])
    assert status.wanted == status.done


def test_what_was_gone_on_with_stands_in_the_metadata():
    how = {"shop": "one.myshopify.com", "status": Status.PUBLISHED, "trigger": "webhook", "owner": str(uuid.uuid4())}
    told = "products of 2026-11-25 02:00:00 UTC"
    with_it, without = (
        {
            str(made.asset_key.to_user_string()): made.metadata
            for made in materialisations(Outcome(**how, **more), ASSET_NAMES)
        }
        for more in ({"adopted": told}, {})
    )
    assert with_it["raw_catalog"]["adopted"].value == told
    assert "adopted" not in without["raw_catalog"]
