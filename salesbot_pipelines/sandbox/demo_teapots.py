"""Demo shop: Tiny Teapots, eight products and everything in order. The shop to look at first."""

from __future__ import annotations

from .build_collections import add_collection, has_tag
from .build_discounts import add_discount, at_least_spent, percent, these
from .build_parts import media_image, metafield
from .build_products import NewVariant, add_product
from .build_shop import add_locale, add_location, add_policy, open_shop
from .clock import Clock
from .shop import Shop

DOMAIN = "tiny-teapots.myshopify.com"
_PICTURES = "https://cdn.shopify.com/s/files/1/0600/0001/files"

# title, type, tags, html, [(option values, price, compare-at, stock at the shop, stock at the kiln)]
_GOODS = (
    (
        "Thimble Teapot",
        "Teapot",
        ("teapot", "porcelain", "gift"),
        "<p>Holds exactly one cup, and is proud of it.</p><ul><li>180 ml</li><li>Porcelain, hand glazed</li></ul>",
        (("Moss", "24.00", None, 12, 30), ("Chalk", "24.00", "29.00", 0, 4), ("Ink", "26.50", None, 3, 0)),
    ),
    (
        "Picnic Teapot",
        "Teapot",
        ("teapot", "outdoor"),
        "<p>Enamel over steel. Survives a drop on grass &amp; most stones.</p>",
        (("Red", "32.00", None, 9, 0), ("Cream", "32.00", None, 5, 12)),
    ),
    (
        "Grandmother's Pot, Smaller",
        "Teapot",
        ("teapot", "porcelain"),
        "<p>The shape everyone remembers, at two thirds of the size.</p>",
        (("Default Title", "58.00", None, 2, 1),),
    ),
    (
        "Cosy for Thimble",
        "Accessory",
        ("cosy", "gift"),
        "<p>Knitted wool.<br>Wash by hand; it holds grudges.</p>",
        (("Small", "14.00", None, 40, 0), ("Medium", "15.00", None, 0, 0)),
    ),
    (
        "Morning Blend",
        "Tea",
        ("tea", "black"),
        "<p>Assam and a little Keemun. Brew for three minutes.</p>",
        (("50 g", "6.50", None, 100, 200), ("250 g", "24.00", "26.00", 44, 80)),
    ),
    (
        "Quiet Evening",
        "Tea",
        ("tea", "herbal", "gift"),
        "<p>Chamomile, lemon verbena, fennel. No caffeine.</p>",
        (("50 g", "7.20", None, 31, 10),),
    ),
    (
        "Saucer, Slightly Too Large",
        "Accessory",
        ("porcelain",),
        "<p>Room for two biscuits.</p>",
        (("Default Title", "9.00", None, 25, 0),),
    ),
    (
        "Travel Tin",
        "Accessory",
        ("outdoor", "gift"),
        "<p>Keeps 80 g of leaves dry. Lid sits tight.</p>",
        (("Default Title", "11.90", None, 0, 0),),
    ),
)


def tiny_teapots(clock: Clock) -> Shop:
    """Return the shop."""
    shop = open_shop(
        DOMAIN,
        clock,
        name="Tiny Teapots",
        currency="GBP",
        country="GB",
        timezone="Europe/London",
        host="tinyteapots.example",
    )
    counter = add_location(shop, "Shop counter", city="Bath", country="GB")
    kiln = add_location(shop, "The kiln", city="Stoke-on-Trent", country="GB")
    numbers = []
    for place, (title, kind, tags, html, rows) in enumerate(_GOODS):
        plain = rows[0][0] == "Default Title"
        variants = [
            NewVariant(
                price,
                () if plain else (value,),
                sku=f"TT-{place + 1:02d}-{n}",
                barcode=f"50123450{place}{n}005" if kind == "Tea" else None,
                compare_at=compare_at,
                stock={counter: here, kiln: there},
                weight=(0.05 * (n + 1), "KILOGRAMS") if kind == "Tea" else (0.4, "KILOGRAMS"),
                unit=("WEIGHT", "G", float(value.split()[0]), 100, "G") if kind == "Tea" else None,
            )
            for n, (value, price, compare_at, here, there) in enumerate(rows)
        ]
        option = {"Tea": "Amount", "Teapot": "Glaze"}.get(kind, "Size")
        picture = f"{_PICTURES}/{title.split()[0].lower().strip(',')}"
        product = add_product(
            shop,
            title,
            variants,
            options=() if plain else (option,),
            html=html,
            productType=kind,
            vendor="Tiny Teapots",
            tags=sorted(tags),
            media=[media_image(900_000 + place * 10 + n, f"{picture}-{n + 1}.jpg", alt=title) for n in range(2)],
            metafields=[
                metafield(910_000 + place, "custom", "care", "single_line_text_field", "Rinse, do not scrub.")
            ],
            seo=(None, f"{title} from Tiny Teapots"),
        )
        numbers.append(int(product["legacyResourceId"]))
    add_collection(
        shop, "Front window", [numbers[2], numbers[0], numbers[4]], html="<p>What we would buy ourselves.</p>"
    )
    add_collection(shop, "Gifts", rule=has_tag("gift"))
    add_collection(shop, "Teas", rule=has_tag("tea"), sort="ALPHA_ASC")
    add_discount(shop, "CodeBasic", "Ten off teapots", codes=["POUR10"], items=these(numbers[:3]), value=percent(0.1))
    add_discount(
        shop, "AutomaticFreeShipping", "Free post above forty", minimumRequirement=at_least_spent(shop, "40.00")
    )
    add_policy(shop, "REFUND_POLICY", "Refunds", "<p>Thirty days, unbroken or broken by us.</p>")
    add_policy(shop, "SHIPPING_POLICY", "Shipping", "<p>Two days within the country.</p>")
    add_policy(shop, "PRIVACY_POLICY", "Privacy", "<p>We keep what the parcel needs.</p>")
    add_locale(shop, "cy", "Welsh")
    return shop
