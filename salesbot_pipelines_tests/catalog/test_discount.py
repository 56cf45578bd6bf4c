"""Discounts of all eight types: what they give, to what, and to whom."""

from decimal import Decimal

import pytest

from salesbot_pipelines.catalog.model import (
    AppEffect,
    Buy,
    BuyXGetY,
    CombinesWith,
    FixedAmount,
    Free,
    FreeShipping,
    Get,
    GetFixedAmount,
    GetPercentage,
    Items,
    MinimumQuantity,
    MinimumSubtotal,
    Money,
    Percentage,
)
from salesbot_pipelines.catalog.normalise import Findings, Unusable, normalise_discount
from salesbot_pipelines_tests.catalog.nodes import publish_discount, raw_discount, shop_context

TYPES = [f"{method}{kind}" for method in ("Code", "Automatic") for kind in ("Basic", "Bxgy", "FreeShipping", "App")]
ALL = Items([], True, [], "all", [])
UNREAD = Items([], False, [], "products", [])


def sections(findings):
    return [(one.section, one.reason) for one in findings.omissions()]


def product_ids(*numbers):
    return [f"gid://shopify/Product/{number}" for number in numbers]


def nodes(ids):
    return [{"id": gid} for gid in ids]


@pytest.mark.parametrize("kind", TYPES)
def test_all_eight_types_are_known(kind):
    discount = publish_discount(kind)
    assert discount.method == ("code" if kind.startswith("Code") else "automatic")
    assert discount.legacy_id == "1"
    assert (discount.items is not None) is kind.endswith("Basic")


@pytest.mark.parametrize("kind", ["CodeMystery", "", None])
def test_an_unknown_type_is_unusable_and_named(kind):
    with pytest.raises(Unusable) as raised:
        normalise_discount(
            raw_discount(kind or "Basic", __typename=kind and f"Discount{kind}"), shop_context(), Findings()
        )
    assert raised.value.pointer == "/discounts/1"
    assert "unknown type" in raised.value.detail


@pytest.mark.parametrize(
    "raw", [{}, {"id": None, "discount": {}}, {"id": "x", "discount": {"__typename": "DiscountCodeApp"}}]
)
def test_a_discount_without_an_id_is_unusable(raw):
    with pytest.raises(Unusable) as raised:
        normalise_discount(raw, shop_context(), Findings())
    assert raised.value.pointer == "/discounts"


def test_a_discount_that_was_not_read_is_unusable():
    with pytest.raises(Unusable):
        normalise_discount({"id": "gid://shopify/DiscountCodeNode/1", "discount": None}, shop_context(), Findings())


# Small fields


@pytest.mark.parametrize(
    ("given_status", "status"), [("ACTIVE", "active"), ("SCHEDULED", "scheduled"), ("EXPIRED", "expired")]
)
def test_the_status_is_shopifys(given_status, status):
    assert publish_discount(status=given_status).status == status


@pytest.mark.parametrize("status", [None, "PAUSED"])
def test_an_unknown_status_is_expired_so_that_no_bot_offers_it(status):
    findings = Findings()
    discount = publish_discount(status=status, findings=findings)
    assert discount.status == "expired"
    assert discount.codes_withheld
    assert sections(findings) == [("/discounts/1/status", "error")]


def test_fields_that_only_some_types_have():
    both = {"appliesOnOneTimePurchase": True, "appliesOnSubscription": False}
    for kind in TYPES:
        inside = kind.endswith(("Basic", "Bxgy"))
        own, gets = ({}, both) if inside else (both, {})
        discount = publish_discount(kind, **own, customerGets=gets, appliesOncePerCustomer=True, usageLimit=5)
        assert discount.applies_on_one_time_purchase is True
        assert discount.applies_on_subscription is False
        assert discount.once_per_customer is (True if kind.startswith("Code") else None)
        wrong_place = publish_discount(kind, **gets, customerGets=own)
        assert wrong_place.applies_on_one_time_purchase is None


def test_classes_dates_counts_and_combinations():
    discount = publish_discount(
        discountClasses=["SHIPPING", "ORDER", "ORDER"],
        startsAt="2026-01-01T00:00:00+02:00",
        endsAt="2026-02-01T00:00:00Z",
        asyncUsageCount=12,
        usageLimit=100,
        combinesWith={"orderDiscounts": True, "productDiscounts": False, "shippingDiscounts": True},
    )
    assert discount.classes == ["order", "shipping"]
    assert (discount.starts_at, discount.ends_at) == ("2025-12-31T22:00:00Z", "2026-02-01T00:00:00Z")
    assert (discount.usage_count, discount.usage_limit) == (12, 100)
    assert discount.combines_with == CombinesWith(order=True, product=False, shipping=True)
    assert publish_discount().combines_with == CombinesWith(order=False, product=False, shipping=False)
    assert publish_discount(combinesWith={"productDiscounts": True}).combines_with.product


def test_another_time_stands_in_for_updated_at():
    assert publish_discount().updated_at == "2026-01-02T00:00:00Z"
    assert publish_discount(updatedAt=None, createdAt="2026-03-01T00:00:00Z").updated_at == "2026-03-01T00:00:00Z"
    assert publish_discount(updatedAt=None).updated_at == "2026-01-01T00:00:00Z"
    findings = Findings()
    assert publish_discount(updatedAt=None, startsAt=None, findings=findings).updated_at == "1970-01-01T00:00:00Z"
    assert sections(findings) == [("/discounts/1/updated_at", "error")]


@pytest.mark.parametrize(
    ("context", "audience"),
    [
        ({"__typename": "DiscountBuyerSelectionAll"}, "all"),
        ({"__typename": "DiscountCustomers"}, "restricted"),
        ({"__typename": "DiscountCustomerSegments"}, "restricted"),
        ({"__typename": "DiscountMarkets", "marketsCount": 2}, "restricted"),
        ({}, "restricted"),
        (None, "restricted"),
    ],
)
def test_only_a_discount_for_all_buyers_is_for_all(context, audience):
    assert publish_discount(context=context).audience == audience


@pytest.mark.parametrize(
    ("requirement", "minimum"),
    [
        (
            {"greaterThanOrEqualToSubtotal": {"amount": "40.0", "currencyCode": "CAD"}},
            MinimumSubtotal(Money("40.00", "CAD")),
        ),
        ({"greaterThanOrEqualToQuantity": "3"}, MinimumQuantity(3)),
        ({"greaterThanOrEqualToQuantity": 3}, MinimumQuantity(3)),
        (None, None),
    ],
)
def test_the_minimum_is_a_sum_or_a_quantity(requirement, minimum):
    findings = Findings()
    assert publish_discount(minimumRequirement=requirement, findings=findings).minimum == minimum
    assert findings.total == 0


@pytest.mark.parametrize(
    "requirement", [{"__typename": "DiscountMinimumSubtotal"}, {"greaterThanOrEqualToQuantity": "many"}]
)
def test_a_minimum_that_cannot_be_read_is_told(requirement):
    findings = Findings()
    assert publish_discount(minimumRequirement=requirement, findings=findings).minimum is None
    assert sections(findings) == [("/discounts/1/minimum", "error")]


# Basic


@pytest.mark.parametrize(
    ("value", "effect"),
    [
        ({"percentage": 0.1}, Percentage("10")),
        ({"percentage": Decimal("0.125")}, Percentage("12.5")),
        ({"percentage": 1}, Percentage("100")),
        (
            {"amount": {"amount": "5.0", "currencyCode": "EUR"}, "appliesOnEachItem": True},
            FixedAmount(Money("5.00", "EUR"), True),
        ),
        ({"amount": {"amount": "5.0", "currencyCode": None}}, FixedAmount(Money("5.00", "USD"), False)),
    ],
)
def test_basic_effects(value, effect):
    for kind in ("CodeBasic", "AutomaticBasic"):
        gets = {"items": {"__typename": "AllDiscountItems"}, "value": value}
        assert publish_discount(kind, customerGets=gets).effect == effect


@pytest.mark.parametrize(
    "gets", [None, {}, {"value": None}, {"value": {"percentage": -0.1}}, {"value": {"quantity": {"quantity": "1"}}}]
)
def test_terms_that_cannot_be_read_are_told_and_never_made_up(gets):
    findings = Findings()
    gets = None if gets is None else gets | {"items": {"allItems": True}}
    assert publish_discount(customerGets=gets, findings=findings).effect == AppEffect(None)
    assert ("/discounts/1/effect", "error") in sections(findings)


# Items


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


# Buy X get Y


@pytest.mark.parametrize(
    ("value", "quantity", "amount"),
    [
        ({"quantity": "3"}, 3, None),
        ({"quantity": 3}, 3, None),
        ({"amount": "150.0"}, None, Money("150.00", "USD")),  # bare: the shop's currency
        ({"amount": Decimal("150")}, None, Money("150.00", "USD")),
    ],
)
def test_what_must_be_bought(value, quantity, amount):
    everything = {"__typename": "AllDiscountItems"}
    gets = {"items": everything, "value": {"quantity": {"quantity": "1"}, "effect": {"percentage": 0.5}}}
    for kind in ("CodeBxgy", "AutomaticBxgy"):
        findings = Findings()
        discount = publish_discount(
            kind,
            customerBuys={"items": everything, "value": value},
            customerGets=gets,
            usesPerOrderLimit=2,
            findings=findings,
        )
        assert discount.effect == BuyXGetY(Buy(amount, ALL, quantity), Get(GetPercentage("50"), ALL, 1), 2)
        assert discount.items is None
        assert findings.total == 0


@pytest.mark.parametrize(
    ("effect", "published"),
    [
        ({"percentage": 1}, Free()),
        ({"percentage": Decimal("1.0")}, Free()),
        ({"percentage": 0.25}, GetPercentage("25")),
        (
            {"amount": {"amount": "2", "currencyCode": "USD"}, "appliesOnEachItem": True},
            GetFixedAmount(Money("2.00", "USD")),
        ),
    ],
)
def test_what_is_then_got(effect, published):
    everything = {"__typename": "AllDiscountItems"}
    buys = {"items": everything, "value": {"quantity": "1"}}
    discount = publish_discount(
        "AutomaticBxgy",
        customerBuys=buys,
        customerGets={"items": everything, "value": {"quantity": {"quantity": "2"}, "effect": effect}},
    )
    assert discount.effect.get == Get(published, ALL, 2)
    bare = publish_discount("AutomaticBxgy", customerBuys=buys, customerGets={"items": everything, "value": effect})
    assert bare.effect.get == Get(published, ALL, None)


def test_half_read_bxgy_discounts_are_told():
    findings = Findings()
    everything = {"__typename": "AllDiscountItems"}
    gets = {"items": everything, "value": {"effect": {"percentage": 0.5}}}
    discount = publish_discount("CodeBxgy", customerBuys={"items": everything}, customerGets=gets, findings=findings)
    assert discount.effect.buy == Buy(None, ALL, None)
    assert sections(findings) == [("/discounts/1/effect/buy", "error")]
    findings = Findings()
    discount = publish_discount("CodeBxgy", findings=findings)
    assert discount.effect == AppEffect(None)
    assert [pointer for pointer, _ in sections(findings)] == [
        "/discounts/1/effect/buy/items",
        "/discounts/1/effect/get/items",
        "/discounts/1/effect",
    ]


# Free shipping and apps


@pytest.mark.parametrize(
    ("destination", "countries"),
    [
        ({"__typename": "DiscountCountryAll", "allCountries": True}, None),
        ({"allCountries": True}, None),
        (
            {"__typename": "DiscountCountries", "countries": ["DE", "AT", "DE"], "includeRestOfWorld": True},
            ["AT", "DE"],
        ),
        ({"__typename": "DiscountCountries", "countries": []}, []),  # restricted, not given: never everywhere
    ],
)
def test_free_shipping_is_everywhere_only_when_shopify_says_so(destination, countries):
    findings = Findings()
    discount = publish_discount("CodeFreeShipping", destinationSelection=destination, findings=findings)
    assert discount.effect == FreeShipping(countries, None)
    assert findings.total == 0


@pytest.mark.parametrize("destination", [None, {"__typename": "DiscountCountries"}, {"allCountries": False}])
def test_countries_that_were_not_read_are_told(destination):
    findings = Findings()
    discount = publish_discount("AutomaticFreeShipping", destinationSelection=destination, findings=findings)
    assert discount.effect == FreeShipping([], None)
    assert sections(findings) == [("/discounts/1/effect/countries", "error")]


def test_free_shipping_up_to_a_rate():
    maximum = {"amount": "30.0", "currencyCode": "CAD"}
    everywhere = {"allCountries": True}
    discount = publish_discount("CodeFreeShipping", maximumShippingPrice=maximum, destinationSelection=everywhere)
    assert discount.effect == FreeShipping(None, Money("30.00", "CAD"))
    findings = Findings()
    discount = publish_discount(
        "CodeFreeShipping", maximumShippingPrice={"amount": None}, destinationSelection=everywhere, findings=findings
    )
    assert discount.effect == AppEffect(None)  # a limit that is unknown must not read as no limit
    assert sections(findings) == [("/discounts/1/effect", "error")]


def test_apps_say_their_name_alone():
    assert publish_discount("CodeApp", appDiscountType={"title": "Tiers"}, summary=None).effect == AppEffect("Tiers")
    assert publish_discount("AutomaticApp", appDiscountType={"title": ""}).effect == AppEffect(None)
    assert publish_discount("AutomaticApp").effect == AppEffect(None)
    assert publish_discount("AutomaticApp", summary=None).summary is None
