"""A location: a name and a town, never a street or a telephone number."""

from __future__ import annotations

from salesbot_pipelines.catalog.model import Location
from salesbot_pipelines.catalog.normalise.context import Raw
from salesbot_pipelines.catalog.normalise.findings import Unusable
from salesbot_pipelines.catalog.normalise.raw import flag, key_of, text


def normalise_location(raw: Raw) -> Location:
    """Return a raw location as it is published; `Unusable` says that it has no id."""
    key = key_of(raw)
    if key is None:
        raise Unusable("/locations", f"a location has no Shopify id: {raw.get('name')!r}")
    gid, digits = key
    address = raw.get("address") or {}
    return Location(
        active=raw.get("isActive") is True,
        city=text(address.get("city")),
        country=text(address.get("countryCode")),
        fulfills_online_orders=flag(raw.get("fulfillsOnlineOrders")),
        id=gid,
        legacy_id=digits,
        name=raw.get("name") or "",
    )
