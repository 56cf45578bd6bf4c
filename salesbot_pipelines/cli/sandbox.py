"""`salesbot sandbox`: the fake Shopify, for trying the program without giving anyone a token."""

from __future__ import annotations

import os
from pathlib import Path

import click
import httpx

from salesbot_pipelines.errors import SalesbotError


@click.group(invoke_without_command=True)
@click.option("--port", default=8787, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--catalog",
    "catalogs",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Shopify product export (CSV) to serve as a shop; may be given several times.",
)
@click.option("--products", type=click.IntRange(1), help="Also serve a generated shop of this many products.")
@click.pass_context
def sandbox(ctx: click.Context, port: int, catalogs: tuple[Path, ...], products: int | None) -> None:
    """Serve a small Shopify on 127.0.0.1: three invented shops, or your own product export."""
    if ctx.invoked_subcommand is not None:
        return
    from salesbot_pipelines.sandbox.csv_catalog import NotAnExport, shop_from_csv
    from salesbot_pipelines.sandbox.demo import demo_world
    from salesbot_pipelines.sandbox.sandbox import Sandbox
    from salesbot_pipelines.sandbox.server import serve
    from salesbot_pipelines.sandbox.synthetic import make_synthetic

    world = demo_world()
    for path in catalogs:
        try:
            world.add(shop_from_csv(path, world.clock))
        except NotAnExport as error:
            raise click.BadParameter(f"{path}: {error}", param_hint="--catalog") from error
    if products:
        world.add(make_synthetic(world.clock, products=products))
    serve(Sandbox(world), port=port)


@sandbox.command("set-price")
@click.argument("shop")
@click.argument("price")
@click.option("--variant", help="Id of the variant (digits or gid); the shop's first one by default.")
@click.option("--url", help="The sandbox; SALESBOT_SANDBOX_URL or http://127.0.0.1:8787 by default.")
def set_price(shop: str, price: str, variant: str | None, url: str | None) -> None:
    """Change a price in the sandbox's SHOP, which sends its webhook as Shopify would."""
    base = url or os.environ.get("SALESBOT_SANDBOX_URL") or "http://127.0.0.1:8787"
    change = {"op": "set_price", "price": price, "variant": variant}
    try:
        answer = httpx.post(f"{base}/_sandbox/shops/{shop}/change", json=change, trust_env=False, timeout=10.0)
    except httpx.HTTPError as error:
        raise SalesbotError(f"no sandbox answers at {base}", advice="start one: salesbot sandbox") from error
    if answer.status_code != 200:
        raise SalesbotError(f"the sandbox refused: {answer.text[:200]}")
    click.echo(f"{shop}: {answer.json()}")
