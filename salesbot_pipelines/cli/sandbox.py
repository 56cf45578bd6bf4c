"""`salesbot sandbox`: the fake Shopify, for trying the program without giving anyone a token."""

from __future__ import annotations

import os
from pathlib import Path

import click
import httpx

from salesbot_pipelines.errors import SalesbotError
from salesbot_pipelines.settings import API_VERSION


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
    served = []
    for path in catalogs:
        try:
            served.append((path, world.add(shop_from_csv(path, world.clock))))
        except NotAnExport as error:
            raise click.BadParameter(f"{path}: {error}", param_hint="--catalog") from error
    if products:
        world.add(make_synthetic(world.clock, products=products))
    # A shop on Shopify's largest plan: waiting for points would be most of what a first look at the demo shows.
    lamps = world.shop("large-lamps.myshopify.com").bucket
    lamps.maximum, lamps.restore_rate = 40_000, 2_000
    lamps.give_back(lamps.maximum)
    for path, shop in served:
        click.echo(
            f"{shop.domain} serves {path}. Connect it in another terminal:\n"
            f"  export SHOPIFY_SHOP_URL='http://127.0.0.1:{port}/shops/{{shop}}'\n"
            f"  echo {shop.token} | salesbot shops add {shop.domain} --token-stdin && salesbot refresh {shop.domain}"
        )
    serve(Sandbox(world), port=port)


@sandbox.command("set-price")
@click.argument("shop")
@click.argument("price")
@click.option("--variant", help="Id of the variant (digits or gid); the shop's first one by default.")
@click.option("--url", help="The sandbox; SALESBOT_SANDBOX_URL or http://127.0.0.1:8787 by default.")
def set_price(shop: str, price: str, variant: str | None, url: str | None) -> None:
    """Change a price in the sandbox's SHOP, which sends its webhook as Shopify would."""
    base = url or os.environ.get("SALESBOT_SANDBOX_URL") or "http://127.0.0.1:8787"
    with httpx.Client(base_url=base, trust_env=False, timeout=10.0) as http:
        try:
            chosen = variant or _first_variant(http, shop)
            change = {"verb": "set_price", "arguments": {"variant": chosen, "price": price}}
            answer = http.post(f"/_sandbox/shops/{shop}/change", json=change)
        except httpx.HTTPError as error:
            raise SalesbotError(f"no sandbox answers at {base}", advice="start one: salesbot sandbox") from error
    if answer.status_code != 200:
        raise SalesbotError(f"the sandbox refused: {answer.json().get('error', answer.status_code)}")
    click.echo(f"{shop}: variant {chosen} now costs {price}")


def _first_variant(http: httpx.Client, shop: str) -> str:
    known = {one["shop"]: one["token"] for one in http.get("/_sandbox/shops").json()["shops"]}
    if shop not in known:
        raise SalesbotError(f"the sandbox has no shop {shop}", advice=f"it has {', '.join(known)}")
    query = {"query": "{ products(first: 1) { nodes { variants(first: 1) { nodes { id } } } } }"}
    headers = {"X-Shopify-Access-Token": known[shop]}
    answer = http.post(f"/shops/{shop}/admin/api/{API_VERSION}/graphql.json", json=query, headers=headers).json()
    first: str = answer["data"]["products"]["nodes"][0]["variants"]["nodes"][0]["id"]
    return first
