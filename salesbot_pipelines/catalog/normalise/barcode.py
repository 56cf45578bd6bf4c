"""Barcodes, with the check digit that tells a GTIN from any other text."""

from __future__ import annotations

import re

from salesbot_pipelines.catalog.model import Barcode
from salesbot_pipelines.catalog.normalise.context import Raw

_ZERO = ord("0")
_GTIN = re.compile("[0-9]{8}|[0-9]{12,14}", re.ASCII)


def normalise_barcodes(raw: Raw) -> list[Barcode]:
    """Return a variant's barcodes: `barcode`, and `barcodes` where Shopify already sends a list of texts."""
    one, more = raw.get("barcode"), raw.get("barcodes")
    values = dict.fromkeys((one, *more)) if more else (one,)
    return [Barcode("GTIN" if is_gtin(value) else "OTHER", value) for value in values if value]


def is_gtin(value: str) -> bool:
    """Say whether a text is a GTIN: 8, 12, 13 or 14 digits, the last one right by GS1's weights 3 and 1."""
    if not _GTIN.fullmatch(value):
        return False
    digits = value.encode("ascii")
    ones, threes = digits[-1::-2], digits[-2::-2]
    return (sum(ones) + 3 * sum(threes) - _ZERO * (len(ones) + 3 * len(threes))) % 10 == 0
