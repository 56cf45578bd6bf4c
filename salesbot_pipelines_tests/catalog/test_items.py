"""What a discount applies to; what was not read is never everything."""

import pytest

from salesbot_pipelines.catalog.model import Items
from salesbot_pipelines.catalog.normalise import Findings, normalise_discount
from salesbot_pipelines_tests.catalog.nodes import publish_discount, raw_discount, sections, shop_context

ALL = Items([], True, [], "all", [])
UNREAD = Items([], False, [], "products", [])


def product_ids(*numbers):
    return [f"gid://shopify/Product/{number}" for number in numbers]


def nodes(ids):
    return [{"id": gid} for gid in ids]


def test_items_of_every_scope():
    def of(items):
        return publish_discount(customerGets={"items": items, "value": {"percentage": 0.1}}).items

    assert of({"__typename": "AllDiscountItems"}) == ALL
    assert of({"allItems": True}) == ALL
    collections = [f"gid://shopify/Collection/{number}" for number in (10, 9)]
    assert of({"collections": nodes(collections)}) == Items(collections[::-1], True, [], "collections", [])
    variants = ["gid://shopify/ProductVariant/5"]
    assert of({"products": nodes(product_ids(30, 4, 4)), "productVariants": nodes(variants)}) == Items(
        [], True, product_ids(4, 30), "products", variants
    )
    assert of({"products": product_ids(2, 1), "productVariants": []}).product_ids == product_ids(1, 2)


def test_items_hold_published_products_only():
    shop = shop_context(is_published=product_ids(1).__contains__)
    items = {
        "products": nodes(product_ids(1, 2)),
        "productVariants": [
            {"id": "gid://shopify/ProductVariant/1", "product": {"id": product_ids(1)[0]}},
            {"id": "gid://shopify/ProductVariant/2", "product": {"id": product_ids(2)[0]}},
            {"id": "gid://shopify/ProductVariant/3"},
            "gid://shopify/ProductVariant/4",
        ],
    }
    published = publish_discount(customerGets={"items": items, "value": {"percentage": 0.1}}, shop=shop).items
    assert published.product_ids == product_ids(1)
    assert published.variant_ids == [f"gid://shopify/ProductVariant/{number}" for number in (1, 3, 4)]
    assert published.complete


@pytest.mark.parametrize("items", [None, {}, {"__typename": "DiscountProducts"}, {"allItems": False}])
def test_items_that_were_not_read_are_not_all(items):
    findings = Findings()
    published = publish_discount(customerGets={"items": items, "value": {"percentage": 0.1}}, findings=findings).items
    assert published == UNREAD
    assert sections(findings) == [("/discounts/1/items", "truncated")]


@pytest.mark.parametrize(
    "items",
    [
        {"products": nodes(product_ids(1)), "productVariants": None},
        {"products": {"nodes": nodes(product_ids(1)), "pageInfo": {"hasNextPage": True}}, "productVariants": []},
        {"products": [], "productVariants": {"nodes": [], "pageInfo": {"hasNextPage": True}}},
        {"collections": {"nodes": [], "pageInfo": {"hasNextPage": True}}},
        {"collections": [], "incomplete": ["collections"]},
    ],
)
def test_items_with_a_further_page_are_incomplete(items):
    findings = Findings()
    discount = publish_discount(customerGets={"items": items, "value": {"percentage": 0.1}}, findings=findings)
    assert not discount.items.complete
    assert findings.total == 1


def test_the_omission_tells_how_many_items_were_read():
    items = {
        "products": nodes(product_ids(1, 2)),
        "productVariants": ["gid://shopify/ProductVariant/1"],
        "incomplete": ["products"],
    }
    findings = Findings()
    publish_discount(customerGets={"items": items, "value": {"percentage": 0.1}}, findings=findings)
    assert findings.omissions()[0].detail == "3 of its items were read, and there are more"


@pytest.mark.parametrize(
    ("undrained", "bought_complete", "got_complete"),
    [
        ([], True, True),
        (["codes"], True, True),
        (["items"], False, False),
        (["discount"], False, False),
        (["customerBuys.items"], False, True),
        (["customerGets.items.products"], True, False),
        (["customerBuys.items.collections", "customerGets.items.productVariants"], False, False),
    ],
)
@pytest.mark.parametrize("place", ["node", "discount"])
def test_undrained_items_are_told_apart_by_their_side(undrained, bought_complete, got_complete, place):
    some = {"products": nodes(product_ids(1)), "productVariants": []}
    raw = raw_discount(
        "AutomaticBxgy",
        customerBuys={"items": some, "value": {"quantity": "1"}},
        customerGets={"items": some, "value": {"quantity": {"quantity": "1"}, "effect": {"percentage": 1}}},
    )
    (raw if place == "node" else raw["discount"])["incomplete"] = undrained
    findings = Findings()
    effect = normalise_discount(raw, shop_context(), findings).effect
    assert (effect.buy.items.complete, effect.get.items.complete) == (bought_complete, got_complete)
    pointers = [one.section for one in findings.omissions()]
    assert ("/discounts/1/effect/buy/items" in pointers) is not bought_complete
    assert ("/discounts/1/effect/get/items" in pointers) is not got_complete


def test_undrained_items_of_a_basic_discount():
    raw = raw_discount(customerGets={"items": {"collections": []}, "value": {"percentage": 0.1}}) | {
        "incomplete": ["collections"]
    }
    assert not normalise_discount(raw, shop_context(), Findings()).items.complete
