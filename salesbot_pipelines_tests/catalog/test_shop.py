"""The shop, its links, its locale, and its locations."""

import pytest

from salesbot_pipelines.catalog.model import Link, Location
from salesbot_pipelines.catalog.normalise import Unusable, normalise_location, normalise_shop


def raw_shop(policies=None, locales=None, **changes):
    node = {
        "id": "gid://shopify/Shop/7",
        "name": "Shop",
        "myshopifyDomain": "Shop-1.myshopify.com",
        "primaryDomain": {"url": "https://shop.example"},
        "currencyCode": "USD",
    }
    return {"shop": node | changes, "policies": policies, "locales": locales}


def test_a_bare_shop_has_every_field():
    shop = normalise_shop(raw_shop())
    assert shop.domain == "shop-1.myshopify.com"
    assert (shop.id, shop.legacy_id, shop.currency, shop.name) == ("gid://shopify/Shop/7", "7", "USD", "Shop")
    assert (shop.country, shop.locale, shop.timezone, shop.taxes_included, shop.links) == (None, None, None, None, [])


def test_every_field_of_a_shop():
    shop = normalise_shop(
        raw_shop(shopAddress={"countryCodeV2": "DE"}, ianaTimezone="Europe/Berlin", taxesIncluded=False)
    )
    assert (shop.country, shop.timezone, shop.taxes_included) == ("DE", "Europe/Berlin", False)


@pytest.mark.parametrize(
    ("domain", "url"),
    [
        ({"url": "https://shop.example/"}, "https://shop.example"),
        ({"url": "https://shop.example//"}, "https://shop.example"),
        ({"url": "https://größe.example"}, "https://gr%C3%B6%C3%9Fe.example"),
        ({"url": ""}, "https://shop-1.myshopify.com"),
        (None, "https://shop-1.myshopify.com"),
    ],
)
def test_links_can_be_appended_to_the_url(domain, url):
    assert normalise_shop(raw_shop(primaryDomain=domain)).url == url


def test_the_domain_stands_in_for_a_name():
    assert normalise_shop(raw_shop(name="")).name == "shop-1.myshopify.com"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"id": None}, "/shop"),
        ({"myshopifyDomain": None}, "/shop"),
        ({"myshopifyDomain": "shop.example"}, "/shop"),
        ({"myshopifyDomain": "shop.myshopify.com.evil.example"}, "/shop"),
        ({"myshopifyDomain": "shop.myshopify.com\n"}, "/shop"),
        ({"currencyCode": None}, "/shop/currency"),
        ({"currencyCode": ""}, "/shop/currency"),
        ({"currencyCode": "USDC"}, "/shop/currency"),
    ],
)
def test_a_shop_without_key_or_currency_is_unusable(changes, pointer):
    with pytest.raises(Unusable) as raised:
        normalise_shop(raw_shop(**changes))
    assert raised.value.pointer == pointer


@pytest.mark.parametrize("raw", [{}, {"shop": None}])
def test_no_shop_at_all_is_unusable(raw):
    with pytest.raises(Unusable):
        normalise_shop(raw)


def test_links_are_the_policies_that_have_a_page_by_type():
    policies = [
        {"type": "TERMS_OF_SERVICE", "title": "Terms", "url": "https://shop.example/t"},
        {"type": "PRIVACY_POLICY", "title": "", "url": "https://shop.example/p"},
        {"type": "REFUND_POLICY", "title": "Refunds", "url": None},
        {"type": None, "title": "?", "url": "https://shop.example/q"},
    ]
    assert normalise_shop(raw_shop(policies)).links == [
        Link(None, "privacy_policy", "https://shop.example/p"),
        Link("Terms", "terms_of_service", "https://shop.example/t"),
    ]


def test_the_locale_is_the_primary_one():
    assert normalise_shop(raw_shop(locales=[{"locale": "en"}, {"locale": "de", "primary": True}])).locale == "de"
    assert normalise_shop(raw_shop(locales=[{"locale": "en", "primary": False}])).locale is None
    assert normalise_shop(raw_shop(locales=[])).locale is None


def test_a_location_is_a_name_and_a_town():
    raw = {
        "id": "gid://shopify/Location/5",
        "name": "Quay",
        "isActive": True,
        "fulfillsOnlineOrders": False,
        "address": {"city": "Kiel", "countryCode": "DE", "address1": "Street 1", "phone": "0431"},
    }
    assert normalise_location(raw) == Location(
        active=True,
        city="Kiel",
        country="DE",
        fulfills_online_orders=False,
        id="gid://shopify/Location/5",
        legacy_id="5",
        name="Quay",
    )


def test_a_bare_location_has_every_field():
    location = normalise_location({"id": "gid://shopify/Location/5"})
    assert (location.active, location.city, location.country, location.name) == (False, None, None, "")
    assert location.fulfills_online_orders is None


def test_a_location_without_an_id_is_unusable():
    with pytest.raises(Unusable) as raised:
        normalise_location({"name": "Nowhere"})
    assert raised.value.pointer == "/locations"
