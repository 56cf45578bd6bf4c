"""The world of the demo: three invented shops, and fleets of small ones for load."""

from __future__ import annotations

from .clock import Clock
from .demo_attic import awkward_attic
from .demo_lamps import large_lamps
from .demo_teapots import tiny_teapots
from .synthetic import make_synthetic
from .world import World


def demo_world(clock: Clock | None = None) -> World:
    """Return a world with Tiny Teapots, Awkward Attic and Large Lamps."""
    world = World(clock)
    for build in (tiny_teapots, awkward_attic, large_lamps):
        world.add(build(world.clock))
    return world


def add_fleet(
    world: World, shops: int, *, products: int = 20, variants: int = 2, unlimited: bool = True
) -> list[str]:
    """Add `shops` small shops `fleet-0000.myshopify.com`, ...; return their domains."""
    domains = []
    for n in range(shops):
        domain = f"fleet-{n:04d}.myshopify.com"
        shop = make_synthetic(world.clock, domain, products=products, variants=variants, collections=1, discounts=1)
        shop.bucket.unlimited = unlimited
        world.add(shop)
        domains.append(domain)
    return domains
