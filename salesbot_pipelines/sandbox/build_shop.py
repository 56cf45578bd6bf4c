"""Builds the parts of a shop that are not its goods: the shop itself, locations, policies, locales."""

from __future__ import annotations

from typing import Any

from .build_parts import BORN
from .clock import Clock
from .ids import gid
from .shop import Shop
from .tables import Node


def open_shop(
    domain: str,
    clock: Clock,
    *,
    name: str | None = None,
    currency: str = "USD",
    country: str | None = "US",
    timezone: str = "America/New_York",
    host: str | None = None,
    taxes_included: bool = False,
    **settings: Any,
) -> Shop:
    """Return a shop without goods; `settings` go to Shop."""
    handle = domain.removesuffix(".myshopify.com")
    name = name or handle.replace("-", " ").title()
    host = host or domain
    number = 60_000_000_000 + sum(map(ord, domain))
    node: Node = {
        "__typename": "Shop",
        "id": gid("Shop", number),
        "name": name,
        "description": None,
        "email": f"owner@{handle}.example",
        "contactEmail": f"hello@{handle}.example",
        "myshopifyDomain": domain,
        "url": f"https://{host}",
        "primaryDomain": {
            "__typename": "Domain",
            "id": gid("Domain", number),
            "host": host,
            "url": f"https://{host}",
            "sslEnabled": True,
        },
        "currencyCode": currency,
        "enabledPresentmentCurrencies": [currency],
        "ianaTimezone": timezone,
        "timezoneOffset": "-0500",
        "taxesIncluded": taxes_included,
        "taxShipping": False,
        "weightUnit": "KILOGRAMS",
        "unitSystem": "METRIC_SYSTEM",
        "createdAt": BORN,
        "updatedAt": BORN,
        "shopAddress": _address(number, country),
        "billingAddress": _address(number, country),
        "plan": {
            "__typename": "ShopPlan",
            "publicDisplayName": "Development",
            "partnerDevelopment": True,
            "shopifyPlus": False,
        },
    }
    shop = Shop(domain, node, clock, **settings)
    shop.locales = [
        {"__typename": "ShopLocale", "locale": "en", "name": "English", "primary": True, "published": True}
    ]
    return shop


def _address(number: int, country: str | None) -> Node:
    empty = dict.fromkeys(("address1", "address2", "city", "company", "country", "province", "provinceCode", "zip"))
    return {"__typename": "ShopAddress", "id": gid("ShopAddress", number), "countryCodeV2": country, **empty}


def add_location(
    shop: Shop,
    name: str,
    *,
    city: str | None = None,
    country: str | None = "US",
    active: bool = True,
    legacy: bool = False,
    online: bool = True,
    number: int | None = None,
) -> int:
    """Add a place where stock is kept; return its number."""
    number = number or shop.next_number()
    rest = ("address1", "address2", "country", "province", "provinceCode", "zip", "phone", "latitude", "longitude")
    address: Node = {"__typename": "LocationAddress", "city": city, "countryCode": country, **dict.fromkeys(rest)}
    address["formatted"] = [text for text in (city, country) if text]
    shop.locations.put(
        number,
        {
            "__typename": "Location",
            "id": gid("Location", number),
            "legacyResourceId": str(number),
            "name": name,
            "address": address,
            "isActive": active,
            "isFulfillmentService": legacy,
            "fulfillsOnlineOrders": online and active,
            "shipsInventory": active,
            "hasActiveInventory": active,
            "createdAt": BORN,
            "updatedAt": BORN,
            "deactivatedAt": None if active else BORN,
        },
    )
    return number


def add_policy(shop: Shop, kind: str, title: str, body: str) -> None:
    """Add a legal text; `kind` is a ShopPolicyType."""
    number = shop.next_number()
    shop.policies.append(
        {
            "__typename": "ShopPolicy",
            "id": gid("ShopPolicy", number),
            "type": kind,
            "title": title,
            "body": body,
            "url": f"https://{shop.domain}/policies/{kind.lower().replace('_', '-')}",
            "createdAt": BORN,
            "updatedAt": BORN,
        }
    )


def add_locale(shop: Shop, locale: str, name: str, *, published: bool = True) -> None:
    """Add a language beside the primary one."""
    shop.locales.append(
        {"__typename": "ShopLocale", "locale": locale, "name": name, "primary": False, "published": published}
    )
