"""Money, percentages and measures: from every spelling Shopify has for a number to the contract's one.

Shopify writes "10.00" and "10.0" for the same price in the same answer, bare prices without a currency, fractions for
percentages, and floats for measures. All go through Decimal, exactly; nothing is rounded, and no float is published.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from salesbot_pipelines.catalog.model import Money
from salesbot_pipelines.catalog.normalise.currencies import exponent_of, is_currency

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_USUAL = re.compile(r"(?:0|[1-9][0-9]{0,14})\.[0-9]{2}", re.ASCII)
"""How Shopify writes most prices, which is how those of most currencies are published."""
_HIGHEST, _LOWEST = 60, -64
"""Powers of ten beyond which a digit is of no price or measure: "1e4000" would fill the file."""
_LONGEST = 130
"""Characters of a number whose digits lie between the two."""

Priced = tuple[Decimal, Money]
"""Money with its amount as a number, to compare by."""


def number(value: Any) -> Decimal | None:
    """Return a finite number of sensible size from text, Decimal, int or float; None for anything else."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) >= 10**_LONGEST:
            return None  # Python refuses to spell very long whole numbers
        value = str(value)
    if not isinstance(value, str) or len(value) > _LONGEST or not _NUMBER.fullmatch(value):
        return None
    found = Decimal(value)
    if found.is_zero():
        return Decimal(0)
    exponent = found.as_tuple().exponent
    assert isinstance(exponent, int)  # the pattern lets no NaN or infinity pass
    return found if found.adjusted() <= _HIGHEST and exponent >= _LOWEST else None


def decimal_text(value: Any) -> str | None:
    """Return a number as a decimal string without exponent or trailing zeros: 0.50 -> 0.5, 1E+2 -> 100."""
    found = number(value)
    if found is None:
        return None
    plain = format(found, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def percent_text(fraction: Any) -> str | None:
    """Return the percentage of a fraction: 0.1 -> 10, 0.125 -> 12.5, 1 -> 100; None below zero."""
    found = number(fraction)
    if found is None or found < 0:
        return None
    sign, digits, exponent = found.as_tuple()
    assert isinstance(exponent, int)
    # Built from its parts, because a multiplication would round to the context's precision.
    return decimal_text(Decimal((sign, digits, exponent + 2)))


@lru_cache(maxsize=16384)
def priced(amount: str | None, currency: str) -> Priced | None:
    """Return money and its number, from text, padded to the currency's exponent; None when either is none.

    Cached, for a shop repeats its prices: the same text gives the same instance.
    """
    if not is_currency(currency):
        return None
    if isinstance(amount, str) and _USUAL.fullmatch(amount) and exponent_of(currency) == 2:
        return Decimal(amount), Money(amount, currency)
    found = number(amount)
    if found is None:
        return None
    plain = decimal_text(found)
    assert plain is not None
    whole, _, fraction = plain.partition(".")
    fraction = fraction.ljust(exponent_of(currency), "0")
    return found, Money(f"{whole}.{fraction}" if fraction else whole, currency)


def money(amount: Any, currency: Any) -> Money | None:
    """Return an amount in major units as Money; None when the amount or the currency cannot be read."""
    if not isinstance(amount, str):
        plain = number(amount)
        if plain is None:
            return None
        amount = str(plain)
    found = priced(amount, currency) if isinstance(currency, str) else None
    return found[1] if found else None


def money_v2(raw: Any, shop_currency: str) -> Money | None:
    """Return Shopify's MoneyV2 {amount currencyCode} as Money, in the shop's currency where none is given."""
    if not isinstance(raw, dict):
        return None
    return money(raw.get("amount"), raw.get("currencyCode") or shop_currency)
