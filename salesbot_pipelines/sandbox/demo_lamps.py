"""Demo shop: Large Lamps, about two thousand generated products of three variants each."""

from __future__ import annotations

from .build_shop import add_policy
from .clock import Clock
from .shop import Shop
from .synthetic import make_synthetic

DOMAIN = "large-lamps.myshopify.com"


def large_lamps(clock: Clock) -> Shop:
    """Return the shop."""
    shop = make_synthetic(
        clock,
        DOMAIN,
        products=2_000,
        locations=2,
        images=2,
        collections=12,
        discounts=3,
        name="Large Lamps",
        host="largelamps.example",
    )
    add_policy(shop, "REFUND_POLICY", "Refunds", "<p>Sixty days. Bulbs excluded.</p>")
    return shop
