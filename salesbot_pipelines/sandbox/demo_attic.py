"""Demo shop: Awkward Attic, one of every trap. Prices in Kuwaiti dinar (three decimals), ids of 18 digits."""

from __future__ import annotations

from .build_collections import add_collection, has_tag, is_by
from .build_discounts import (
    add_discount,
    all_items,
    amount_off,
    at_least_bought,
    at_least_spent,
    in_collections,
    on_quantity,
    percent,
    purchase,
    quantity,
    some_customers,
    some_markets,
    some_segments,
    these,
)
from .build_parts import image
from .build_shop import add_locale, add_location, add_policy, open_shop
from .clock import Clock
from .demo_attic_goods import add_attic_goods
from .shop import Shop

DOMAIN = "awkward-attic.myshopify.com"
FIRST_NUMBER = 788_032_119_674_292_922  # as long as the ids of Shopify's own samples; no float64 holds it


def awkward_attic(clock: Clock) -> Shop:
    """Return the shop."""
    shop = open_shop(
        DOMAIN,
        clock,
        name="Awkward Attic & Söhne <Ltd>",
        currency="KWD",
        country=None,
        timezone="Asia/Kuwait",
        taxes_included=True,
        first_number=FIRST_NUMBER,
    )
    attic = add_location(shop, "Attic", city="Kuwait City", country="KW")
    cellar = add_location(shop, "Cellar", city=None, country=None, online=False)
    closed = add_location(shop, "Barn (closed)", city="Jahra", country="KW", active=False)
    add_location(shop, "Print on demand", legacy=True, country=None)
    numbers = add_attic_goods(shop, attic, cellar, closed)
    collections = _collections(shop, numbers)
    _discounts(shop, numbers, collections)
    add_policy(shop, "TERMS_OF_SERVICE", "Terms <b>of</b> service", "<style>p{}</style><p>None &amp; all.</p>")
    add_locale(shop, "ar", "Arabic")
    add_locale(shop, "ja", "Japanese", published=False)
    return shop


def _collections(shop: Shop, numbers: dict[str, int]) -> dict[str, int]:
    everything = list(numbers.values())
    result = {"all": add_collection(shop, "Everything", everything, html="<style>x{}</style><p>All of it.</p>")}
    result["backwards"] = add_collection(
        shop,
        "Backwards",
        everything[::-1],
        sort="MANUAL",
        image=image(
            8_900,
            "https://cdn.shopify.com/s/files/1/0700/0001/collections/back.jpg",
            alt=None,
            width=None,
            height=None,
        ),
    )
    result["empty"] = add_collection(shop, "Empty shelf", [])
    result["unpublished"] = add_collection(
        shop, "Mixed company", [numbers["draft"], numbers["unpublished"], numbers["mirror"], numbers["archived"]]
    )
    result["tagged"] = add_collection(shop, "Oak", rule=has_tag("Oak"))
    result["nameless"] = add_collection(
        shop, "By nobody", rule=is_by(""), condition="ProductVendor", target="VARIANTS"
    )
    result["parents"] = add_collection(
        shop, "Of collections", [numbers["chest"], numbers["mirror"]], collections=[result["tagged"], result["empty"]]
    )
    result["cjk"] = add_collection(shop, "茶", [numbers["cjk"]], handle="茶")
    return result


def _discounts(shop: Shop, numbers: dict[str, int], collections: dict[str, int]) -> None:
    everything = list(numbers.values())
    knobs = shop.products.get(numbers["many_variants"])
    assert knobs is not None
    variants = [int(variant["legacyResourceId"]) for variant in knobs["variants"][:60]]
    add = add_discount
    add(shop, "CodeBasic", "One in eight", codes=["EIGHTH"], value=percent(0.125), items=these(everything, variants))
    add(
        shop,
        "CodeBasic",
        "A hundred and twenty codes",
        codes=[f"ATTIC-{n:03d}" for n in range(120)],
        usageLimit=1,
        value=amount_off(shop, "1.250", each=True),
        minimumRequirement=at_least_bought(3),
    )
    add(
        shop,
        "CodeBasic",
        "For Ada alone",
        codes=["ADA-ONLY"],
        context=some_customers(),
        value=percent(0.9),
        appliesOncePerCustomer=True,
    )
    add(shop, "CodeBasic", "For regulars", codes=["REGULARS"], context=some_segments(), value=percent(0.2))
    add(
        shop,
        "CodeBasic",
        "In two markets",
        codes=["MARKETS"],
        context=some_markets(2),
        value=percent(1.0),
        items=in_collections([collections["all"]]),
    )
    add(
        shop,
        "CodeBasic",
        "Last year's",
        codes=["OLD"],
        status="EXPIRED",
        startsAt="2025-01-01T00:00:00Z",
        endsAt="2025-12-31T23:59:59Z",
    )
    add(
        shop,
        "CodeBxgy",
        "Two knobs, one mirror",
        codes=["KNOBS"],
        buys=(these([numbers["many_variants"]], variants[:30]), quantity(2)),
        items=these([numbers["mirror"]]),
        value=on_quantity(1, percent(1.0)),
        usesPerOrderLimit=2,
    )
    add(
        shop,
        "CodeFreeShipping",
        "Ship to nowhere said",
        codes=["SHIP"],
        maximumShippingPrice={"__typename": "MoneyV2", "amount": "3.0", "currencyCode": "KWD"},
        destinationSelection={"__typename": "DiscountCountries", "countries": [], "includeRestOfWorld": False},
    )
    add(shop, "CodeApp", "Whatever the app says", codes=["APP"], recurringCycleLimit=3)
    add(
        shop,
        "AutomaticBasic",
        "Spring, later",
        status="SCHEDULED",
        startsAt="2027-03-01T00:00:00Z",
        endsAt="2027-03-31T00:00:00Z",
        items=all_items(),
        value=amount_off(shop, "5"),
        minimumRequirement=at_least_spent(shop, "40.5"),
    )
    add(
        shop,
        "AutomaticBxgy",
        "Spend, then save",
        buys=(in_collections([collections["tagged"], collections["empty"]]), purchase("50.0")),
        items=in_collections([collections["backwards"]]),
        value=on_quantity(3, amount_off(shop, "0.250")),
    )
    add(
        shop,
        "AutomaticFreeShipping",
        "Free in the Gulf",
        recurringCycleLimit=0,
        destinationSelection={
            "__typename": "DiscountCountries",
            "countries": ["KW", "SA", "AE"],
            "includeRestOfWorld": False,
        },
    )
    add(shop, "AutomaticApp", "The app again", discountClasses=["ORDER", "PRODUCT", "SHIPPING"])
