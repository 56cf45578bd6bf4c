"""What a discount gives: one of the contract's five effects, from Shopify's eight types.

The promise: terms that were not read are never made up. They become the effect `app`, of which a reader may tell
the title and the dates and nothing else, and the findings name the discount.
"""

from __future__ import annotations

from typing import Any

from salesbot_pipelines.catalog.model import (
    AppEffect,
    Buy,
    BuyXGetY,
    Effect,
    FixedAmount,
    Free,
    FreeShipping,
    Get,
    GetEffect,
    GetFixedAmount,
    GetPercentage,
    Items,
    Percentage,
)
from salesbot_pipelines.catalog.normalise.context import Raw, ShopContext
from salesbot_pipelines.catalog.normalise.findings import Findings
from salesbot_pipelines.catalog.normalise.money import money, money_v2, percent_text
from salesbot_pipelines.catalog.normalise.raw import integer, text

UNREADABLE = AppEffect(app_title=None)


def basic_effect(raw: Raw, context: ShopContext, pointer: str, findings: Findings) -> Effect:
    """Return what a Basic discount takes off: a percentage, or an amount."""
    value = (raw.get("customerGets") or {}).get("value") or {}
    percent = percent_text(value.get("percentage"))
    if percent is not None:
        return Percentage(percent)
    amount = money_v2(value.get("amount"), context.currency)
    if amount is not None:
        return FixedAmount(amount, value.get("appliesOnEachItem") is True)
    return _unreadable(pointer, findings)


def free_shipping_effect(raw: Raw, context: ShopContext, pointer: str, findings: Findings) -> Effect:
    """Return where shipping is free, and up to which rate.

    An empty list of countries is "restricted, not given": recorded discounts sent `[]` beside a summary that named
    countries. Only DiscountCountryAll is everywhere.
    """
    countries = _countries(raw.get("destinationSelection"), pointer, findings)
    limit = raw.get("maximumShippingPrice")
    maximum = money_v2(limit, context.currency)
    if limit is not None and maximum is None:
        return _unreadable(pointer, findings)
    return FreeShipping(countries=countries, maximum_shipping_price=maximum)


def _countries(destination: Any, pointer: str, findings: Findings) -> list[str] | None:
    raw = destination or {}
    if raw.get("__typename") == "DiscountCountryAll" or raw.get("allCountries") is True:
        return None
    countries = raw.get("countries")
    if countries is None:
        findings.add(f"{pointer}/effect/countries", "error", "the countries were not read")
    return sorted({country for country in countries or () if country})


def buy_x_get_y_effect(
    raw: Raw, context: ShopContext, pointer: str, findings: Findings, *, bought: Items, got: Items
) -> Effect:
    """Return what must be bought and what is then got; quantities come as text ("3")."""
    buys = (raw.get("customerBuys") or {}).get("value") or {}
    gets = (raw.get("customerGets") or {}).get("value") or {}
    effect = _get_effect(gets.get("effect") or gets, context)
    if effect is None:
        return _unreadable(pointer, findings)
    quantity, amount = integer(buys.get("quantity")), None
    if quantity is None:
        # DiscountPurchaseAmount.amount is a bare decimal: it is in the shop's currency.
        amount = money(buys.get("amount"), context.currency)
        if amount is None:
            findings.add(f"{pointer}/effect/buy", "error", "neither the quantity nor the amount to buy was read")
    return BuyXGetY(
        buy=Buy(amount=amount, items=bought, quantity=quantity),
        get=Get(effect=effect, items=got, quantity=integer((gets.get("quantity") or {}).get("quantity"))),
        uses_per_order_limit=integer(raw.get("usesPerOrderLimit")),
    )


def _get_effect(raw: Raw, context: ShopContext) -> GetEffect | None:
    percent = percent_text(raw.get("percentage"))
    if percent is not None:
        return Free() if percent == "100" else GetPercentage(percent)
    amount = money_v2(raw.get("amount"), context.currency)
    return None if amount is None else GetFixedAmount(amount)


def app_effect(raw: Raw) -> Effect:
    """Return the name of the app's discount; its terms are computed by code and cannot be read."""
    return AppEffect(app_title=text((raw.get("appDiscountType") or {}).get("title")))


def _unreadable(pointer: str, findings: Findings) -> Effect:
    findings.add(f"{pointer}/effect", "error", "its terms could not be read")
    return UNREADABLE
