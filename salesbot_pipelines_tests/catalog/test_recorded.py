"""Recorded answers of Shopify, which lie beside the checkout and may not be copied into it."""

import json
from pathlib import Path

import jsonschema
import pytest

from salesbot_pipelines.catalog.hashing import canonical_json, seal_product
from salesbot_pipelines.catalog.model import AppEffect, BuyXGetY, FreeShipping, Percentage
from salesbot_pipelines.catalog.normalise import Findings, Unusable, normalise_discount
from salesbot_pipelines.catalog.schema import document_schema
from salesbot_pipelines_tests.catalog.documents import read_json
from salesbot_pipelines_tests.catalog.nodes import publish, raw_product, raw_variant, shop_context

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "recorded"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not RECORDED.is_dir(), reason="answers recorded at Shopify are not part of this project"),
]


def fits(name, line):
    jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": document_schema()["$defs"]}).validate(
        json.loads(line)
    )


def published_discounts():
    for name, node in read_json(RECORDED / "discounts_one_per_type.json").items():
        owner = "DiscountCodeNode" if "Code" in name else "DiscountAutomaticNode"
        findings = Findings()
        raw = {"id": f"gid://shopify/{owner}/1663219138866", "discount": node}
        yield name, normalise_discount(raw, shop_context(currency="CAD"), findings), findings


def test_every_recorded_discount_is_published():
    found = {name: (discount, findings) for name, discount, findings in published_discounts()}
    assert len(found) == 8
    for discount, _ in found.values():
        fits("discount", canonical_json(discount))
    assert found["DiscountCodeBasic"][0].effect == Percentage("10")
    assert len(found["DiscountCodeBasic"][0].codes) == 3
    assert isinstance(found["DiscountAutomaticBxgy"][0].effect, BuyXGetY)
    assert found["DiscountAutomaticBxgy"][0].effect.buy.quantity == 3
    assert isinstance(found["DiscountCodeFreeShipping"][0].effect, FreeShipping)
    assert found["DiscountCodeFreeShipping"][0].effect.countries == []  # while its summary names two
    assert found["DiscountCodeApp"][0].effect == AppEffect("conformance-discount")
    assert found["DiscountCodeApp"][0].codes_withheld  # its context was not selected


def test_what_the_recordings_did_not_select_is_told():
    found = {
        name: [one.section.rpartition("/")[2] for one in findings.omissions()]
        for name, _, findings in published_discounts()
    }
    assert found["DiscountCodeBxgy"] == ["status", "codes", "effect", "updated_at"]
    assert found["DiscountAutomaticApp"] == found["DiscountCodeApp"] == ["updated_at"]
    assert found["DiscountAutomaticBxgy"] == found["DiscountCodeBasic"] == found["DiscountAutomaticBasic"] == []


def test_recorded_bulk_lines_become_a_product_once_the_price_is_known():
    lines = [json.loads(line) for line in (RECORDED / "bulk_products_children.jsonl").read_text().splitlines()]
    product, variant, media, metafield = lines
    raw = product | {"variants": [variant], "media": [media], "metafields": [metafield]}
    with pytest.raises(Unusable, match="price"):
        publish(raw)
    whole = raw_product() | raw | {"variants": [raw_variant() | variant]}
    published = publish(whole)
    fits("product", seal_product(published))
    assert published.title.startswith("Bulk root count")
    assert published.media == []  # the line had no picture's URL
    assert published.metadata[0].type == "unknown"
    assert published.variants[0].sku.startswith("bulk-variant")
