"""The shop itself, with the pages of its policies."""

from __future__ import annotations

import re
from typing import Any

from salesbot_pipelines.catalog.model import Link, Shop
from salesbot_pipelines.catalog.normalise.context import Raw
from salesbot_pipelines.catalog.normalise.currencies import is_currency
from salesbot_pipelines.catalog.normalise.findings import Unusable
from salesbot_pipelines.catalog.normalise.raw import flag, key_of, lower, text, uri

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com", re.ASCII)


def normalise_shop(raw: Raw) -> Shop:
    """Return {"shop": node, "policies": [...] or None, "locales": [...] or None} as it is published.

    `Unusable` says that id, permanent domain or currency is missing: without them no price and no key is known.
    """
    node = raw.get("shop") or {}
    key, domain, currency = key_of(node), lower(node.get("myshopifyDomain")), node.get("currencyCode")
    if key is None or domain is None or not _DOMAIN.fullmatch(domain):
        raise Unusable("/shop", f"Shopify gave no id, or no permanent domain: {domain!r}")
    if currency is None or not is_currency(currency):
        raise Unusable("/shop/currency", f"{currency!r} is no ISO 4217 currency: no price could be told")
    gid, digits = key
    url = uri((node.get("primaryDomain") or {}).get("url")) or f"https://{domain}"
    return Shop(
        country=text((node.get("shopAddress") or {}).get("countryCodeV2")),
        currency=currency,
        domain=domain,
        id=gid,
        legacy_id=digits,
        links=_links(raw.get("policies")),
        locale=_primary_locale(raw.get("locales")),
        name=node.get("name") or domain,
        taxes_included=flag(node.get("taxesIncluded")),
        timezone=text(node.get("ianaTimezone")),
        url=url.rstrip("/"),
    )


def _links(policies: Any) -> list[Link]:
    """Return the policies that have a page, by type."""
    found = [
        Link(title=text(policy.get("title")), type=kind, url=url)
        for policy in policies or ()
        if (kind := lower(policy.get("type"))) and (url := uri(policy.get("url")))
    ]
    return sorted(found, key=lambda link: (link.type, link.url))


def _primary_locale(locales: Any) -> str | None:
    return next((text(locale.get("locale")) for locale in locales or () if locale.get("primary") is True), None)
