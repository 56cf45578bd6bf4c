"""A product and its variants, field by field where there is a rule."""

import pytest

from salesbot_pipelines.catalog.model import (
    Category,
    Money,
    PriceRange,
    Seo,
)
from salesbot_pipelines.catalog.normalise import Findings, Unusable, is_sellable
from salesbot_pipelines_tests.catalog.nodes import (
    publish,
    publish_variant,
    raw_product,
    raw_variant,
    sections,
    shop_context,
)


def usd(amount):
    return Money(amount, "USD")


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


@pytest.mark.parametrize(("given", "published"), [(True, True), (False, False), (None, False)])
def test_gift_cards(given, published):
    assert publish(raw_product(isGiftCard=given)).gift_card is published


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
