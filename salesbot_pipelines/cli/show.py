"""`salesbot show SHOP`: what is published, how old it is, what it lacks."""

from __future__ import annotations

import json

import click
import msgspec

from salesbot_pipelines.cli.console import age, out, program, size
from salesbot_pipelines.errors import ObjectMissing
from salesbot_pipelines.refresh.fleet import fleet_rows
from salesbot_pipelines.shopify.domain import parse_shop
from salesbot_pipelines.spaces.keys import ShopKeys


@click.command()
@click.argument("shop")
@click.option("--json", "as_json", is_flag=True, help="The manifest and the shop's state as JSON.")
def show(shop: str, as_json: bool) -> None:
    """Show SHOP's published document: its manifest, counts, age and omissions."""
    name = parse_shop(shop)
    with program() as opened:
        install = opened.installs.require(name)
        rows = fleet_rows(opened.installs, opened.work, opened.store, now=opened.clock.now(), only=name)
        row = rows[0]
        uri = opened.store.uri(ShopKeys(install.owner, install.shop).document)
    manifest = row.manifest
    if as_json:
        state = dict(zip(type(row).COLUMNS, row.shown(), strict=True))
        built = msgspec.to_builtins(manifest) if manifest else None
        click.echo(json.dumps({"shop": name, "owner": install.owner, "state": state, "uri": uri, "manifest": built}))
        return
    if manifest is None:
        raise ObjectMissing(f"{name}: nothing is published yet", advice=f"run `salesbot refresh {name}`")
    counts = ", ".join(f"{count:,} {noun}" for noun, count in manifest.counts.items())
    lines = [
        ("document", uri),
        ("size", size(manifest.bytes)),
        ("holds", counts),
        ("read", f"{age(row.hours)} ago, Admin API {manifest.source.api_version}, {manifest.source.method}"),
        ("fetched at", manifest.fetched_at),
        ("revision", manifest.revision),
        ("sha256", manifest.sha256),
        ("state", row.status + (f", last error: {row.last_error}" if row.last_error else "")),
        ("complete", "yes" if manifest.source.complete else "no, it lacks:"),
    ]
    for title, text in lines:
        out.print(f"[bold]{title:<11}[/]", end="")
        out.print(text, markup=False)
    for omission in manifest.source.omissions:
        detail = f": {omission.detail}" if omission.detail else ""
        out.print(f"  {omission.section} ({omission.reason}){detail}", markup=False)
