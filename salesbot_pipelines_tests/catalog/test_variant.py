"""A variant: its place among the others, its measures and its barcodes."""

import pytest

from salesbot_pipelines.catalog.model import (
    Barcode,
    Measure,
    SelectedOption,
    UnitPrice,
    Weight,
)
from salesbot_pipelines.catalog.normalise import Findings, Unusable
from salesbot_pipelines.catalog.normalise.barcode import is_gtin
from salesbot_pipelines_tests.catalog.nodes import publish, publish_variant, raw_product, raw_variant, sections


def test_variants_go_by_position_then_by_id():
    raw = raw_product(
        variants=[raw_variant(12, position=2), raw_variant(100, position=1), raw_variant(9, position=2)]
    )
    assert [variant.legacy_id for variant in publish(raw).variants] == ["100", "9", "12"]


@pytest.mark.parametrize("position", [None, 0, -3, "x", 1.5])
def test_a_position_below_one_becomes_the_rank(position):
    raw = raw_product(variants=[raw_variant(1), raw_variant(2, position=position)])
    assert [variant.position for variant in publish(raw).variants] == [1, 2]


@pytest.mark.parametrize(
    ("count", "complete"),
    [
        *(({"count": 2, "precision": "EXACT"}, True), ({"count": 2}, True), (None, True), ({"count": None}, True)),
        *(({"count": 3, "precision": "EXACT"}, False), ({"count": 1, "precision": "EXACT"}, False)),
        ({"count": 9, "precision": "AT_LEAST"}, True),
    ],
)
def test_variants_are_complete_when_shopify_counts_as_many(count, complete):
    findings = Findings()
    raw = raw_product(variants=[raw_variant(1), raw_variant(2)], variantsCount=count)
    assert publish(raw, findings=findings).variants_complete is complete
    assert sections(findings) == ([] if complete else [("/products/1/variants", "truncated")])
    if not complete:
        assert f"2 of {count['count']} variants" in findings.omissions()[0].detail


@pytest.mark.parametrize(
    "variants",
    [
        {"nodes": [raw_variant()], "pageInfo": {"hasNextPage": True}},
        {"edges": [{"node": raw_variant()}], "pageInfo": {"hasNextPage": True}},
    ],
)
def test_a_further_page_makes_variants_incomplete(variants):
    assert not publish(raw_product(variants=variants)).variants_complete


def test_an_undrained_connection_makes_variants_incomplete():
    findings = Findings()
    assert not publish(raw_product(incomplete=["variants"]), findings=findings).variants_complete
    assert "1 of more variants" in findings.omissions()[0].detail
    assert publish(raw_product(incomplete=[])).variants_complete


@pytest.mark.parametrize(
    "variants",
    [
        {"nodes": [raw_variant()], "pageInfo": {"hasNextPage": False}},
        {"nodes": [raw_variant(), None]},
        {"nodes": [raw_variant()], "pageInfo": None},
        {"edges": [{"node": raw_variant()}, None, {"node": None}]},
        [raw_variant(), None],
    ],
)
def test_every_shape_of_a_connection_is_read(variants):
    product = publish(raw_product(variants=variants))
    assert len(product.variants) == 1
    assert product.variants_complete


def test_a_variant_that_came_twice_is_published_once():
    product = publish(raw_product(variants=[raw_variant(1, title="first"), raw_variant(1, title="second")]))
    assert [variant.title for variant in product.variants] == ["first"]


@pytest.mark.parametrize(
    ("broken", "pointer"),
    [
        ({"price": None}, "/products/1/variants/2"),
        ({"price": "ten"}, "/products/1/variants/2"),
        ({"id": None}, "/products/1/variants"),
    ],
)
def test_a_variant_without_id_or_price_is_left_out_and_told(broken, pointer):
    findings = Findings()
    product = publish(raw_product(variants=[raw_variant(1), raw_variant(2, **broken)]), findings=findings)
    assert [variant.legacy_id for variant in product.variants] == ["1"]
    assert not product.variants_complete
    assert sections(findings) == [(pointer, "error"), ("/products/1/variants", "truncated")]


@pytest.mark.parametrize("variants", [None, [], {"nodes": []}, {"edges": None}, [raw_variant(price=None)], [None]])
def test_a_product_that_nothing_can_be_sold_of_is_unusable(variants):
    with pytest.raises(Unusable) as raised:
        publish(raw_product(variants=variants))
    assert raised.value.pointer == "/products/1"


def test_small_fields_of_a_variant():
    raw = raw_variant(
        title="M / Blue",
        sku="S-1",
        taxable=False,
        selectedOptions=[{"name": "Size", "value": "M"}, {"name": "Colour", "value": ""}],
        inventoryItem={"id": "gid://shopify/InventoryItem/1", "requiresShipping": True},
    )
    variant = publish_variant(raw)
    assert (variant.title, variant.sku, variant.taxable, variant.requires_shipping) == (
        "M / Blue",
        "S-1",
        False,
        True,
    )
    assert variant.options == [SelectedOption("M", "Size"), SelectedOption("", "Colour")]
    bare = publish_variant({"id": "gid://shopify/ProductVariant/1", "price": "1", "sku": ""})
    assert (bare.sku, bare.taxable, bare.requires_shipping, bare.options) == (None, None, None, [])


@pytest.mark.parametrize(
    ("weight", "published"),
    [
        ({"unit": "KILOGRAMS", "value": 0.5}, Weight("kg", "0.5")),
        ({"unit": "GRAMS", "value": 500}, Weight("g", "500")),
        ({"unit": "OUNCES", "value": "1.10"}, Weight("oz", "1.1")),
        ({"unit": "POUNDS", "value": 0.0}, Weight("lb", "0")),
        ({"unit": "STONES", "value": 1}, None),
        ({"unit": "GRAMS", "value": None}, None),
        (None, None),
    ],
)
def test_weights_are_decimal_strings(weight, published):
    raw = raw_variant(inventoryItem={"id": "gid://shopify/InventoryItem/1", "measurement": {"weight": weight}})
    assert publish_variant(raw).weight == published
    assert publish_variant(raw_variant(inventoryItem={"measurement": None})).weight is None


def test_unit_price_is_money_plus_measures():
    raw = raw_variant(
        unitPrice={"amount": "13.3", "currencyCode": "CAD"},
        unitPriceMeasurement={
            "measuredType": "VOLUME",
            "quantityUnit": "ML",
            "quantityValue": 750.0,
            "referenceUnit": "L",
            "referenceValue": 1,
        },
    )
    assert publish_variant(raw).unit_price == UnitPrice("13.30", "CAD", Measure("ml", "750"), Measure("l", "1"))


def test_unit_price_without_its_measures_or_with_unknown_units():
    raw = raw_variant(unitPrice={"amount": "1.0", "currencyCode": None})
    assert publish_variant(raw).unit_price == UnitPrice("1.00", "USD", None, None)
    raw["unitPriceMeasurement"] = {
        "quantityUnit": "UNKNOWN",
        "quantityValue": 2,
        "referenceUnit": None,
        "referenceValue": 1,
    }
    assert publish_variant(raw).unit_price == UnitPrice("1.00", "USD", Measure(None, "2"), Measure(None, "1"))
    assert publish_variant(raw_variant(unitPrice=None)).unit_price is None


# Barcodes


@pytest.mark.parametrize(
    "value",
    ["4006381333931", "0012345678905", "036000291452", "96385074", "10012345678902", "5901234123457", "73513537"],
)
def test_gtins_are_known_by_their_check_digit(value):
    assert is_gtin(value)
    for other in "0123456789":
        assert is_gtin(value[:-1] + other) is (other == value[-1])


@pytest.mark.parametrize(
    "value", ["", "0", "963850744", "4006381333931 ", "ABC85074", "４００６３８１３３３９３１", "0" * 11, "0" * 15]
)
def test_other_texts_are_no_gtins(value):
    assert not is_gtin(value)


def test_barcodes_old_and_new():
    assert publish_variant(raw_variant(barcode="96385074")).barcodes == [Barcode("GTIN", "96385074")]
    assert publish_variant(raw_variant(barcode="SHELF 7")).barcodes == [Barcode("OTHER", "SHELF 7")]
    assert publish_variant(raw_variant(barcode="")).barcodes == []
    assert publish_variant(raw_variant(barcode=None, barcodes=[])).barcodes == []
    both = publish_variant(raw_variant(barcode="A", barcodes=["A", "B", "", None])).barcodes
    assert both == [Barcode("OTHER", "A"), Barcode("OTHER", "B")]
