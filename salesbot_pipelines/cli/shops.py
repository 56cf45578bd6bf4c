"""`salesbot shops add | list | remove`: connect without a browser, look, disconnect."""

from __future__ import annotations

import json
import sys
import uuid

import click
from rich.table import Table

from salesbot_pipelines.cli.console import age, err, out, program
from salesbot_pipelines.errors import NotInstalled
from salesbot_pipelines.shopify.domain import parse_shop
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.state.installs import Credential


@click.group()
def shops() -> None:
    """Connect, list and disconnect shops."""


@shops.command()
@click.argument("shop")
@click.option("--token-stdin", is_flag=True, help="Read an access token (shpat_...) from standard input.")
@click.option("--client-credentials", is_flag=True, help="Use the app's own client id and secret (own organisation).")
@click.option("--owner", metavar="UUID", help="The owner's uuid; a new one by default, kept on reinstall.")
def add(shop: str, token_stdin: bool, client_credentials: bool, owner: str | None) -> None:
    """Connect SHOP without a browser.

    The token never stands on the command line, where other users of the machine could read it.
    """
    name = parse_shop(shop)
    if token_stdin == client_credentials:
        raise click.UsageError("choose one of --token-stdin and --client-credentials")
    if owner is not None:
        try:
            owner = str(uuid.UUID(owner))
        except ValueError:
            raise click.BadParameter(f"{owner!r} is not a UUID", param_hint="--owner") from None
    with program() as opened:
        if client_credentials:
            opened.settings.require_app_keys()
            credential = Credential(kind="client_credentials", access_token="")
        else:
            token = _token()
            credential = Credential(kind="static", access_token=token)
        install = opened.installs.connect(name, credential, owner=owner, scopes=())
    out.print(f"connected {install.shop}, owner {install.owner}; next: salesbot refresh {install.shop}")


def _token() -> str:
    if sys.stdin.isatty():
        token: str = click.prompt("Access token", hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    token = token.strip()
    if not token or not token.isascii() or any(mark.isspace() for mark in token):
        raise click.UsageError("standard input held no access token")
    return token


@shops.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_command(as_json: bool) -> None:
    """List the connected shops with their state."""
    with program() as opened:
        rows = opened.fleet()
    if as_json:
        fields = (*type(rows[0]).COLUMNS, "owner", "reauth_reason") if rows else ()
        click.echo(json.dumps([dict(zip(fields, [*r.shown(), r.owner, r.reauth_reason], strict=True)) for r in rows]))
        return
    if not rows:
        err.print("no shop is connected yet: `salesbot shops add SHOP`")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("shop", "status", "age", "products", "omissions", "owner", "note"):
        table.add_column(name, justify="right" if name in ("age", "products", "omissions") else "left")
    for row in rows:
        note = row.reauth_reason or (f"parked: {row.last_error}" if row.parked else row.last_error)
        products = f"{row.manifest.counts.get('products', 0):,}" if row.manifest else ""
        status = "parked" if row.parked else row.status
        table.add_row(row.shop, status, age(row.hours), products, str(row.omissions), row.owner, note[:100])
    out.print(table)


@shops.command()
@click.argument("shop")
@click.option("--purge", is_flag=True, help="Also delete every object of the shop and its owner's link to it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(shop: str, purge: bool, yes: bool) -> None:
    """Disconnect SHOP: its credential is deleted, its document stays unless --purge."""
    name = parse_shop(shop)
    with program() as opened:
        install = opened.installs.find(name)
        if install is None:
            raise NotInstalled(f"{name} is not connected", advice="see `salesbot shops list`")
        if purge and not yes:
            click.confirm(f"Delete every object of {name}?", abort=True, err=True)
        opened.installs.uninstall(name)
        if purge:
            keys = ShopKeys(install.owner, install.shop)
            deleted = 0
            for key in list(opened.store.list(keys.prefix)):
                opened.store.delete(key)
                deleted += 1
            opened.installs.forget(name)
            out.print(f"disconnected {name} and deleted {deleted} objects")
            return
    out.print(f"disconnected {name}; its document stays until `salesbot shops remove {name} --purge`")
