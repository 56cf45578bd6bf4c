"""`python -m salesbot_pipelines.sandbox`: the sandbox in a process of its own, to measure or to look around."""

from __future__ import annotations

import argparse
from pathlib import Path

from .csv_catalog import shop_from_csv
from .demo import add_fleet, demo_world
from .sandbox import Sandbox
from .server import serve
from .synthetic import make_synthetic


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="sandbox", description="A small Shopify on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--catalog", type=Path, action="append", default=[], help="a Shopify product export (CSV)")
    parser.add_argument("--synthetic", type=int, default=0, metavar="PRODUCTS", help="add synthetic.myshopify.com")
    parser.add_argument("--variants", type=int, default=3, help="variants of a synthetic product")
    parser.add_argument("--fleet", type=int, default=0, metavar="SHOPS", help="add fleet-0000.myshopify.com, ...")
    parser.add_argument("--unlimited", action="store_true", help="never throttle")
    parser.add_argument("--remember", type=int, default=0, metavar="MEGABYTES", help="keep answers as bytes")
    options = parser.parse_args()
    world = demo_world()
    for path in options.catalog:
        world.add(shop_from_csv(path, world.clock))
    if options.synthetic:
        world.add(make_synthetic(world.clock, products=options.synthetic, variants=options.variants))
    add_fleet(world, options.fleet)
    for shop in world:
        shop.bucket.unlimited |= options.unlimited
    serve(Sandbox(world, remember_bytes=options.remember << 20), port=options.port)


if __name__ == "__main__":
    main()
