"""`salesbot demo`: the whole program on this machine with no account; `salesbot dev`: Dagster on your own `.env`.

The sandbox plays Shopify, a local folder plays Spaces (or the Space that SPACES_* name), and everything between
is the program itself: the same receiver, refresh and Dagster project that run in production.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from salesbot_pipelines.cli.console import err, out
from salesbot_pipelines.cli.dagster_home import start_dagster, write_dagster_home
from salesbot_pipelines.cli.install import install_through_browser_routes
from salesbot_pipelines.cli.processes import Children, ended_by_signals, free_port, python
from salesbot_pipelines.cli.refresh import print_outcomes, refresh_with_bars
from salesbot_pipelines.refresh.fleet import ShopRow
from salesbot_pipelines.refresh.outcome import Outcome, Status
from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.settings import load_settings

SHOPS = ("tiny-teapots.myshopify.com", "awkward-attic.myshopify.com", "large-lamps.myshopify.com")

_APP = {"SHOPIFY_API_KEY": "sandbox-client-id", "SHOPIFY_API_SECRET": "sandbox-client-secret"}
"""The app's names inside the sandbox; they open nothing anywhere else."""

_FIRST_REFRESH_SECONDS = 180


@dataclass(frozen=True)
class _Ports:
    sandbox: int
    receiver: int
    ui: int
    code: int


@click.command()
@click.option("--once", is_flag=True, help="End after the refresh, with 0 or 1, without Dagster's UI.")
def demo(once: bool) -> int:
    """Run the whole program with no account: sandbox, install, refresh, Dagster's UI.

    Installs three invented shops through the real OAuth route, refreshes them, and prints a table and URLs.
    """
    ports = _Ports(free_port(8787), free_port(8788), free_port(3000), free_port(3001))
    environ = _demo_environment(ports)
    home = Path(environ["SALESBOT_HOME"])
    with ended_by_signals(), Children(home / "logs", environ) as children, _variables(environ):
        err.print("starting the sandbox (plays Shopify) and the receiver ...")
        children.start("sandbox", python("salesbot_pipelines", "sandbox", "--port", str(ports.sandbox)))
        children.wait_for("sandbox", f"http://127.0.0.1:{ports.sandbox}/", seconds=60)
        opened = open_program(load_settings())
        try:
            children.start("receiver", python("salesbot_pipelines", "receiver", "--port", str(ports.receiver)))
            children.wait_for("receiver", f"http://127.0.0.1:{ports.receiver}/healthz", seconds=60)
            for shop in SHOPS:
                install_through_browser_routes(shop, receiver=f"http://127.0.0.1:{ports.receiver}")
                err.print(f"installed {shop}")
            if once:
                return _refresh_here(opened)
            return _stay(opened, children, home, ports)
        finally:
            opened.close()


def _refresh_here(opened: Program) -> int:
    outcomes = refresh_with_bars(opened, SHOPS)
    print_outcomes(outcomes)
    out.print(f"\nDocuments lie in {opened.store.url}:", markup=False)
    for outcome in outcomes:
        out.print(f"  {outcome.document_uri}", markup=False)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _stay(opened: Program, children: Children, home: Path, ports: _Ports) -> int:
    err.print("starting Dagster; its sensors refresh the shops by themselves ...")
    start_dagster(children, home / "dagster", ui=ports.ui, code=ports.code)
    outcomes = _wait_for_first_refresh(opened, children)
    print_outcomes(outcomes)
    env_file = home / "demo.env"
    out.print(
        f"""
Dagster's UI     {_ui(ports)}
the sandbox      http://127.0.0.1:{ports.sandbox}/        change a price there and watch the document follow
a status page    http://127.0.0.1:{ports.receiver}/shopify/{SHOPS[0]}/login
documents        {opened.store.url}
logs             {home / "logs"}

In another terminal: set -a; . {env_file}; set +a
  salesbot show {SHOPS[0]}
  salesbot sandbox set-price {SHOPS[0]} 12.34
Ctrl-C ends everything.""",
        markup=False,
    )
    return _follow(opened, children)


def _ui(ports: _Ports) -> str:
    """Give the address of the page that shows the five assets."""
    return f"http://127.0.0.1:{ports.ui}/locations/salesbot_pipelines/asset-groups/catalog"


def _wait_for_first_refresh(opened: Program, children: Children) -> list[Outcome]:
    """Wait until every demo shop is published, saying so of each; give what is there when the time is over."""
    deadline = time.monotonic() + _FIRST_REFRESH_SECONDS
    published: set[str] = set()
    while len(published) < len(SHOPS) and time.monotonic() < deadline:
        children.check()
        for row in _demo_rows(opened):
            if row.published and row.done >= row.wanted and row.shop not in published:
                published.add(row.shop)
                err.print(f"published {row.shop}", markup=False)
        time.sleep(0.5)
    for shop in set(SHOPS) - published:
        err.print(f"{shop} is not published yet: see its runs in Dagster's UI", markup=False, style="red")
    return [
        Outcome(
            shop=row.shop,
            status=Status.PUBLISHED,
            trigger=row.manifest.source.trigger,
            counts=row.manifest.counts,
            document_bytes=row.manifest.bytes,
            omissions=tuple(row.manifest.source.omissions),
        )
        for row in _demo_rows(opened)
        if row.manifest is not None
    ]


def _demo_rows(opened: Program) -> list[ShopRow]:
    return [row for row in opened.fleet() if row.shop in SHOPS]


def _follow(opened: Program, children: Children) -> int:
    """Print a line whenever a shop's document changes, until Ctrl-C."""
    revisions = {row.shop: row.manifest.revision if row.manifest else "" for row in opened.fleet()}
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            children.check()
            time.sleep(1)
            for row in opened.fleet():
                revision = row.manifest.revision if row.manifest else ""
                if revision != revisions.get(row.shop):
                    revisions[row.shop] = revision
                    out.print(f"{row.shop}: published {revision[:19]}", markup=False)
    err.print("\nending everything ...")
    return 0


@click.command()
def dev() -> int:
    """Run Dagster's webserver and daemon on your own settings (.env), until Ctrl-C."""
    settings = load_settings()
    ports = _Ports(0, 0, free_port(3000), free_port(3001))
    home = settings.home
    environ = {**os.environ, "DAGSTER_HOME": str(write_dagster_home(home / "dagster")), **_QUIET}
    open_program(settings).close()  # says at once what is not right
    with ended_by_signals(), Children(home / "logs", environ) as children:
        start_dagster(children, home / "dagster", ui=ports.ui, code=ports.code)
        out.print(f"Dagster's UI  {_ui(ports)}\nlogs          {home / 'logs'}\nCtrl-C ends it.", markup=False)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                children.check()
                time.sleep(1)
    return 0


_QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
}


def _demo_environment(ports: _Ports) -> dict[str, str]:
    home = _demo_home()
    receiver = f"http://127.0.0.1:{ports.receiver}"
    demo_only = {
        **_APP,
        "SHOPIFY_REDIRECT_URI": f"{receiver}/shopify/callback",
        "SHOPIFY_WEBHOOK_ADDRESS": f"{receiver}/shopify/webhook",
        "SHOPIFY_SHOP_URL": f"http://127.0.0.1:{ports.sandbox}/shops/{{shop}}",
        "SALESBOT_HOME": str(home),
        "DAGSTER_HOME": str(write_dagster_home(home / "dagster")),
        "SALESBOT_SANDBOX_URL": f"http://127.0.0.1:{ports.sandbox}",
        # Whatever database the settings name, invented shops do not belong in it.
        "SALESBOT_DATABASE_URL": "",
        "SALESBOT_ENCRYPTION_KEYS": "",
    }
    lines = [f"{name}='{value}'" for name, value in demo_only.items()]
    (home / "demo.env").write_text("\n".join(lines) + "\n")
    return {**os.environ, **_QUIET, **demo_only}


def _demo_home() -> Path:
    """Give SALESBOT_HOME, or a folder in it when real shops are connected there: the two never mix."""
    home = load_settings().home.absolute()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (home / "state.db").exists() and not (home / "demo.env").exists():
        home = home / "demo"
        home.mkdir(exist_ok=True, mode=0o700)
    return home


@contextlib.contextmanager
def _variables(environ: dict[str, str]) -> Iterator[None]:
    """Give this process the demo's variables."""
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
