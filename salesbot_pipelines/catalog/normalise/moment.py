"""Times: RFC 3339 in UTC with a Z, whatever offset Shopify wrote."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

EPOCH = "1970-01-01T00:00:00Z"
"""Stands where the contract wants a time and Shopify gave none; the normaliser says so in the findings."""

_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:?[0-9]{2})",
    re.ASCII,
)


@lru_cache(maxsize=16384)
def moment(value: Any) -> str | None:
    """Return a time as `2026-01-31T09:30:00Z`, fractions kept without trailing zeros; None when it is none."""
    if not isinstance(value, str):
        return None
    match = _MOMENT.fullmatch(value)
    if match is None:
        return None
    day, time, fraction, offset = match.groups()
    try:
        # The fraction stays out: datetime keeps six digits, Shopify has sent nine.
        at = datetime.fromisoformat(f"{day}T{time}{offset.upper()}")
        if value == f"{day}T{time}Z":
            return value  # as most are written
        utc = at if offset in "Zz" else at.astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th of February; before the year 1 in UTC
        return None
    fraction = (fraction or "").rstrip("0")
    return utc.replace(tzinfo=None).isoformat() + (f".{fraction}Z" if fraction else "Z")
