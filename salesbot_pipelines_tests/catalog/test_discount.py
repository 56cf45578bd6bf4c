"""Discounts of all eight types: what they give, to what, and to whom."""

import pytest

from salesbot_pipelines.catalog.model import (
    CombinesWith,
    MinimumQuantity,
    MinimumSubtotal,
    Money,
)
from salesbot_pipelines.catalog.normalise import Findings, Unusable, normalise_discount
from salesbot_pipelines_tests.catalog.nodes import publish_discount, raw_discount, sections, shop_context

TYPES = [f"{method}{kind}" for method in ("Code", "Automatic") for kind in ("Basic", "Bxgy", "FreeShipping", "App")]


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
