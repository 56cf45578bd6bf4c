"""What a discount gives: the five effects, and the ones that could not be read."""

from decimal import Decimal

import pytest

from salesbot_pipelines.catalog.model import (
    AppEffect,
    Buy,
    BuyXGetY,
    FixedAmount,
    Free,
    FreeShipping,
    Get,
    GetFixedAmount,
    GetPercentage,
    Items,
    Money,
    Percentage,
)
from salesbot_pipelines.catalog.normalise import Findings
from salesbot_pipelines_tests.catalog.nodes import publish_discount, sections

ALL = Items([], True, [], "all", [])


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
