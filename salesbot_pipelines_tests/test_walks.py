"""The two walks, end to end over real HTTP: a product from Shopify to the store, and what a change does to it."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from salesbot_pipelines.catalog.schema import document_schema
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.demo import demo_world
from salesbot_pipelines.sandbox.demo_attic import awkward_attic
from salesbot_pipelines.sandbox.demo_teapots import tiny_teapots
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines_tests.needs import need_material

TEAPOTS = "tiny-teapots.myshopify.com"
ATTIC = "awkward-attic.myshopify.com"


@pytest.fixture
def teapots(rig, world, clock):
    """Tiny Teapots, connected."""
    return rig.connect(world.add(tiny_teapots(clock)))


@pytest.fixture(scope="module")
def validator():
    return Draft202012Validator(document_schema())


def test_a_first_refresh_publishes_everything_and_the_manifest_last(rig, teapots, validator):
    outcome = rig.publish(teapots)
    keys = rig.keys(teapots)
    assert outcome.status is Status.PUBLISHED
    written = rig.puts()
    assert written[-2:] == [keys.document, keys.manifest]
    assert set(written) >= {keys.products, keys.discounts, keys.collections, keys.raw("products"), keys.raw("shop")}
    document = rig.document(teapots)
    validator.validate(document)
    assert document["source"]["counts"] == outcome.counts
    assert len(document["products"]) == outcome.counts["products"] == 8


@pytest.mark.parametrize("shop", ["tiny-teapots", "awkward-attic"])
def test_the_manifest_and_the_line_files_agree_with_the_document(rig, world, clock, shop):
    for made in demo_world(clock):
        world.add(made)
    domain = rig.connect(f"{shop}.myshopify.com")
    rig.publish(domain)
    keys, document, manifest = rig.keys(domain), rig.document(domain), rig.manifest(domain)
    for name in ("products", "discounts", "collections"):
        lines = rig.program.store.read(getattr(keys, name)).splitlines()
        assert [json.loads(line) for line in lines] == document[name]
    assert manifest["revision"] == document["revision"]
    assert manifest["bytes"] == len(rig.document_bytes(domain))
    assert manifest["sha256"] == rig.program.store.head(keys.document).sha256
    for entry in [*manifest["objects"].values(), *manifest["raw"].values()]:
        assert rig.program.store.head(entry["key"]).sha256 == entry["sha256"]


def test_an_unchanged_shop_is_not_uploaded_again(rig, teapots):
    first = rig.publish(teapots)
    before = rig.document_bytes(teapots)
    rig.puts()
    second = rig.publish(teapots)
    assert second.status is Status.UNCHANGED
    assert rig.puts() == []
    assert second.revision == first.revision
    assert rig.document_bytes(teapots) == before


def test_full_publishes_even_when_nothing_changed(rig, teapots):
    rig.publish(teapots)
    rig.puts()
    assert rig.publish(teapots, full=True).status is Status.PUBLISHED
    assert rig.keys(teapots).document in rig.puts()


def test_one_changed_price_changes_that_product_and_the_revision_alone(rig, teapots, world, clock):
    rig.publish(teapots)
    before = rig.document(teapots)
    target = before["products"][2]
    clock.turn(minutes=5)
    world.shop(teapots).set_price(target["variants"][0]["id"], "77.70")
    outcome = rig.publish(teapots)
    after = rig.document(teapots)
    assert outcome.status is Status.PUBLISHED
    assert (outcome.changes.added, outcome.changes.changed, outcome.changes.removed) == (0, 1, 0)
    assert outcome.changes.samples[0].legacy_id == target["legacy_id"]
    assert after["revision"] != before["revision"]
    changed = [
        new["id"] for old, new in zip(before["products"], after["products"], strict=True)
        if old["content_hash"] != new["content_hash"]
    ]  # fmt: skip
    assert changed == [target["id"]]
    new = after["products"][2]
    assert new["variants"][0]["price"]["amount"] == "77.70"
    for name in ("shop", "locations", "collections", "discounts"):
        assert after[name] == before[name]
    others = [i for i in range(len(before["products"])) if i != 2]
    assert [after["products"][i] for i in others] == [before["products"][i] for i in others]


def test_a_deleted_product_disappears_everywhere(rig, teapots, world):
    rig.publish(teapots)
    before = rig.document(teapots)
    gone = next(product for product in before["products"] if product["collection_ids"])
    world.shop(teapots).delete_product(gone["id"])
    rig.publish(teapots)
    text = rig.document_bytes(teapots).decode()
    assert gone["id"] not in text
    assert gone["content_hash"] not in text


def test_normalising_again_from_stored_objects_calls_shopify_not_once(rig, teapots):
    rig.publish(teapots)
    before = rig.document(teapots)
    rig.server.sandbox.calls.clear()
    outcome = rig.publish(teapots, from_raw=True, full=True)
    assert outcome.status is Status.PUBLISHED
    assert rig.server.sandbox.calls.as_json() == []
    after = rig.document(teapots)
    assert after["revision"] == before["revision"]
    assert after["source"]["fetched_at"] == before["source"]["fetched_at"]


def test_normalising_again_needs_stored_objects(rig, teapots):
    outcome = rig.refresh(teapots, from_raw=True)[teapots]
    assert outcome.status is Status.FAILED
    assert "nothing is published yet" in outcome.error.public_text


def test_a_shop_that_is_not_connected_is_skipped(rig, world, clock):
    world.add(tiny_teapots(clock))
    assert rig.refresh(TEAPOTS)[TEAPOTS].status is Status.SKIPPED


def test_an_awkward_shop_validates_and_names_only_what_was_not_asked(rig, world, clock, validator):
    domain = rig.connect(world.add(awkward_attic(clock)))
    rig.publish(domain)
    document = rig.document(domain)
    validator.validate(document)
    assert {omission["reason"] for omission in document["source"]["omissions"]} <= {"not_requested"}
    assert {product["status"] for product in document["products"]} == {"active"}
    published = {product["id"] for product in document["products"]}
    for collection in document["collections"]:
        assert set(collection["product_ids"]) <= published


def test_a_large_shop_under_the_standard_bucket(rig, world, clock):
    """No page over 1,000 points, no THROTTLED, and the points that flow back are used.

    benchmarks/bench_standard_bucket.py does the same with 10,000 products.
    """
    shop = world.add(make_synthetic(clock, products=1_500, variants=3))
    domain = rig.connect(shop)
    outcome = rig.publish(domain, method="paged")
    assert outcome.counts["products"] == sum(1 for line in rig.document(domain)["products"])
    calls = rig.server.sandbox.calls.as_json(domain)
    costs = [call["requested"] for call in calls if call.get("requested") is not None]
    assert max(costs) <= 1000
    assert outcome.calls.throttled == 0
    assert all(call["outcome"] != "throttled" for call in calls)
    granted = 2000 + 100 * clock.slept
    assert outcome.calls.points / granted >= 0.90


DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
EXPORTS = sorted(DATA.glob("*.csv")) or [DATA / "export.csv"]


@pytest.mark.shared
@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.stem)
def test_a_real_export_comes_out_exactly(rig, world, clock, validator, path):
    need_material(path, "a real shop's product export (CSV, of Shopify's admin)")
    from salesbot_pipelines.sandbox.csv_catalog import shop_from_csv
    from salesbot_pipelines_tests.exports import expected_of_export

    domain = rig.connect(world.add(shop_from_csv(path, clock)))
    rig.publish(domain)
    document = rig.document(domain)
    validator.validate(document)
    assert shown(document) == expected_of_export(path)


def shown(document):
    """Give what an export holds of each product, from the document."""
    return {
        product["handle"]: {
            "title": product["title"],
            "variants": [
                {
                    "options": {o["name"]: o["label"] for o in variant["options"]},
                    "sku": variant["sku"],
                    "price": variant["price"]["amount"],
                    "list_price": variant["list_price"] and variant["list_price"]["amount"],
                    "tracked": variant["inventory"]["tracked"],
                    "available": variant["inventory"]["available"],
                    "policy": variant["inventory"]["policy"],
                }
                for variant in product["variants"]
            ],
        }
        for product in document["products"]
    }
