"""A product and its variants, field by field where there is a rule."""

import pytest

from salesbot_pipelines.catalog.model import (
    Barcode,
    Category,
    Measure,
    Media,
    Metafield,
    Money,
    Option,
    OptionValue,
    PriceRange,
    SelectedOption,
    Seo,
    UnitPrice,
    Weight,
)
from salesbot_pipelines.catalog.normalise import Findings, Unusable, is_sellable
from salesbot_pipelines.catalog.normalise.barcode import is_gtin
from salesbot_pipelines_tests.catalog.nodes import publish, publish_variant, raw_product, raw_variant, shop_context


def usd(amount):
    return Money(amount, "USD")


def sections(findings):
    return [(one.section, one.reason) for one in findings.omissions()]


# Which products


@pytest.mark.parametrize(
    ("status", "published", "statuses", "sellable"),
    [
        ("ACTIVE", True, ("active",), True),
        ("ACTIVE", False, ("active",), False),
        ("UNLISTED", True, ("active",), False),
        ("UNLISTED", True, ("active", "unlisted"), True),
        ("UNLISTED", False, ("active", "unlisted"), False),
        ("DRAFT", False, ("active",), False),
        ("DRAFT", False, ("active", "draft"), True),
        ("ARCHIVED", True, ("archived",), True),
        ("ARCHIVED", False, ("archived",), True),
        (None, True, ("active",), False),
        ("SOMETHING", True, ("active", "draft"), False),
    ],
)
def test_is_sellable_by_status_and_publication(status, published, statuses, sellable):
    raw = {"status": status, "publishedAt": "2026-01-01T00:00:00Z" if published else None}
    assert is_sellable(raw, statuses) is sellable


# The product


def test_a_bare_product_has_every_field():
    product = publish(
        {"id": "gid://shopify/Product/7", "variants": [{"id": "gid://shopify/ProductVariant/8", "price": "1"}]}
    )
    assert product.title == product.handle == product.content_hash == ""
    assert product.status == "draft"
    assert product.url is None
    assert product.variants[0].url is None
    assert product.tags == product.media == product.metadata == product.options == product.categories == []
    assert product.vendor is product.product_type is product.published_at is product.list_price_range is None
    assert product.seo == Seo(None, None)
    assert product.gift_card is False
    assert product.variants_complete


@pytest.mark.parametrize(
    "gid", [None, "", "7", "gid://shopify/Product/", "gid://other/Product/7", "gid://shopify/Product/7\n", 7]
)
def test_a_product_without_an_id_is_unusable(gid):
    with pytest.raises(Unusable) as raised:
        publish(raw_product(id=gid, title="Lost one"))
    assert raised.value.pointer == "/products"
    assert "Lost one" in str(raised.value)
    assert raised.value.omission().reason == "error"


def test_18_digit_ids_stay_text():
    product = publish(raw_product(788032119674292922))
    assert product.id == "gid://shopify/Product/788032119674292922"
    assert product.legacy_id == "788032119674292922"


def test_empty_text_is_null():
    product = publish(raw_product(vendor="", productType="", seo={"title": "", "description": "d"}))
    assert (product.vendor, product.product_type, product.seo) == (None, None, Seo("d", None))


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"onlineStoreUrl": "https://a.example/products/x"}, "https://a.example/products/x"),
        ({"onlineStoreUrl": None}, "https://shop.example/products/shirt"),
        ({"onlineStoreUrl": "", "handle": "größe/1"}, "https://shop.example/products/gr%C3%B6%C3%9Fe%2F1"),
        ({"onlineStoreUrl": "https://a.example/ü b"}, "https://a.example/%C3%BC%20b"),
        ({"onlineStoreUrl": "https://a.example/%C3%BC"}, "https://a.example/%C3%BC"),
        ({"handle": ""}, None),
        ({"publishedAt": None, "onlineStoreUrl": "https://a.example/products/x"}, None),
    ],
)
def test_the_url_is_shopifys_or_made_of_the_handle_and_null_when_unpublished(changes, url):
    product = publish(raw_product(**changes))
    assert product.url == url
    assert product.variants[0].url == (f"{url}?variant=1" if url else None)


def test_a_variants_url_joins_an_existing_query():
    variant = publish_variant(onlineStoreUrl="https://a.example/p?x=1")
    assert variant.url == "https://a.example/p?x=1&variant=1"


def test_tags_are_unique_and_sorted_by_code_point():
    assert publish(raw_product(tags=["b", "ä", "B", "b", "", "a"])).tags == ["B", "a", "b", "ä"]


def test_categories_are_shopifys_path():
    raw = raw_product(category={"id": "gid://shopify/TaxonomyCategory/aa", "fullName": "A > B"})
    assert publish(raw).categories == [Category("gid://shopify/TaxonomyCategory/aa", "shopify", "A > B")]
    assert publish(raw_product(category={"id": "x", "fullName": ""})).categories == []


def test_collection_ids_are_unique_and_sorted_as_numbers():
    ids = [f"gid://shopify/Collection/{number}" for number in (10, 9, 100, 9)]
    assert publish(raw_product(), collection_ids=[*ids, "nonsense"]).collection_ids == [ids[1], ids[0], ids[2]]


@pytest.mark.parametrize("status", [None, "SUSPENDED"])
def test_an_unknown_status_is_published_as_draft_and_told(status):
    findings = Findings()
    assert publish(raw_product(status=status), findings=findings).status == "draft"
    assert sections(findings) == [("/products/1/status", "error")]


def test_times_stand_in_for_one_another_and_an_absent_one_is_told():
    findings = Findings()
    product = publish(raw_product(createdAt=None), findings=findings)
    assert product.created_at == product.updated_at == "2026-01-02T00:00:00Z"
    product = publish(raw_product(updatedAt=None), findings=findings)
    assert product.updated_at == product.created_at == "2026-01-01T00:00:00Z"
    assert findings.total == 0
    product = publish(raw_product(createdAt=None, updatedAt=None), findings=findings)
    assert product.updated_at == product.created_at == "1970-01-01T00:00:00Z"
    assert sections(findings) == [("/products/1/updated_at", "error")]
    variant = publish_variant(raw_variant(createdAt=None, updatedAt=None))
    assert variant.created_at == variant.updated_at == "1970-01-01T00:00:00Z"
    assert publish_variant(raw_variant(createdAt=None)).created_at == "2026-01-02T00:00:00Z"
    assert publish_variant(raw_variant(updatedAt=None)).updated_at == "2026-01-01T00:00:00Z"


# Prices


def test_ranges_are_over_all_variants():
    raw = raw_product(
        variants=[
            raw_variant(1, price="10.00"),
            raw_variant(2, price="9.5", compareAtPrice="12.00"),
            raw_variant(3, price="100.00"),
        ]
    )
    product = publish(raw)
    assert product.price_range == PriceRange(max=usd("100.00"), min=usd("9.50"))
    assert product.list_price_range == PriceRange(max=usd("100.00"), min=usd("10.00"))


def test_prices_compare_as_numbers():
    product = publish(raw_product(variants=[raw_variant(1, price="9.00"), raw_variant(2, price="10.00")]))
    assert product.price_range == PriceRange(max=usd("10.00"), min=usd("9.00"))


@pytest.mark.parametrize(
    ("compare_at", "list_price"),
    [
        *(("10.01", "10.01"), ("10.00", None), ("10.0", None), ("9.99", None), (None, None), ("", None), ("x", None)),
        ("1E+2", "100.00"),
    ],
)
def test_list_price_only_above_the_price(compare_at, list_price):
    product = publish(raw_product(variants=[raw_variant(price="10.00", compareAtPrice=compare_at)]))
    assert product.variants[0].list_price == (usd(list_price) if list_price else None)
    assert (product.list_price_range is None) is (list_price is None)


def test_prices_are_in_the_shops_currency():
    assert publish_variant(shop=shop_context(currency="JPY")).price == Money("10", "JPY")


# Variants


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


# Options, pictures, metafields


def test_options_go_by_position():
    raw = raw_product(
        options=[
            {
                "name": "Colour",
                "position": 2,
                "optionValues": [{"id": "gid://shopify/ProductOptionValue/1", "name": "Red"}],
            },
            {"name": "Size", "position": 1, "values": ["S", "M"]},
            {"name": None, "position": 0},
        ]
    )
    assert publish(raw).options == [
        Option("Size", 1, [OptionValue(None, "S"), OptionValue(None, "M")]),
        Option("Colour", 2, [OptionValue("gid://shopify/ProductOptionValue/1", "Red")]),
        Option("", 3, []),
    ]


@pytest.mark.parametrize(
    ("node", "media"),
    [
        (
            {
                "mediaContentType": "IMAGE",
                "alt": "A",
                "image": {"url": "https://c.example/1.jpg", "width": 1, "height": 2},
            },
            Media("A", 2, "image", "https://c.example/1.jpg", 1),
        ),
        (
            {"__typename": "MediaImage", "image": None, "preview": {"image": {"url": "https://c.example/p.jpg"}}},
            Media(None, None, "image", "https://c.example/p.jpg", None),
        ),
        (
            {"mediaContentType": "VIDEO", "preview": {"image": {"url": "https://c.example/v.jpg", "altText": "V"}}},
            Media("V", None, "video", "https://c.example/v.jpg", None),
        ),
        (
            {"__typename": "Model3d", "preview": {"image": {"url": "https://c.example/m.jpg"}}},
            Media(None, None, "model_3d", "https://c.example/m.jpg", None),
        ),
        (
            {"mediaContentType": "EXTERNAL_VIDEO", "preview": {"image": {"url": "https://c.example/e.jpg"}}},
            Media(None, None, "external_video", "https://c.example/e.jpg", None),
        ),
        (
            {"alt": "unknown kind", "preview": {"image": {"url": "https://c.example/ä.jpg"}}},
            Media("unknown kind", None, "image", "https://c.example/%C3%A4.jpg", None),
        ),
        ({"mediaContentType": "IMAGE", "image": {"url": None}, "preview": None}, None),
        ({"mediaContentType": "VIDEO", "preview": {"image": None}}, None),
    ],
)
def test_media_have_a_picture_or_are_left_out(node, media):
    findings = Findings()
    expected = [media] if media else []
    assert publish(raw_product(media=[node]), findings=findings).media == expected
    assert publish_variant(raw_variant(media={"nodes": [node]}), findings=findings).media == expected
    assert findings.total == 0


def test_media_keep_the_shops_order():
    nodes = [{"image": {"url": f"https://c.example/{name}"}} for name in "ba"]
    assert [one.url[-1] for one in publish(raw_product(media=nodes)).media] == ["b", "a"]


def test_metafields_go_by_namespace_and_key():
    def node(namespace, key, value="v", kind="t"):
        return {"namespace": namespace, "key": key, "value": value, "type": kind}

    raw = raw_product(
        metafields=[
            *(node("custom", "z"), node("app", "b"), node("custom", "a", value=""), node("custom", "n", kind=None)),
            *(node(None, "x"), node("custom", None), node("custom", "gone", value=None)),
        ]
    )
    assert publish(raw).metadata == [
        Metafield("b", "app", "t", "v"),
        Metafield("a", "custom", "t", ""),
        Metafield("n", "custom", "unknown", "v"),
        Metafield("z", "custom", "t", "v"),
    ]


@pytest.mark.parametrize("name", ["media", "metafields"])
def test_connections_read_in_part_are_told(name):
    findings = Findings()
    publish(raw_product(**{name: [], "incomplete": [name]}), findings=findings)
    publish_variant(raw_variant(**{name: {"nodes": [], "pageInfo": {"hasNextPage": True}}}), findings=findings)
    assert sections(findings) == [
        (f"/products/1/{name}", "truncated"),
        (f"/products/1/variants/1/{name}", "truncated"),
    ]


@pytest.mark.parametrize("name", ["media", "metafields"])
def test_connections_that_were_not_asked_for_are_empty_without_a_word(name):
    findings = Findings()
    publish(raw_product(**{name: None}), findings=findings)
    assert findings.total == 0
