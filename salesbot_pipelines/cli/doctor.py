"""`salesbot doctor`: every dependency checked, one line with a fix each."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta

import click

from salesbot_pipelines.cli.console import age, out
from salesbot_pipelines.errors import SalesbotError
from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.settings import API_VERSION, Settings, load_settings
from salesbot_pipelines.spaces.probe import probe
from salesbot_pipelines.state.control import ControlEvents

_REQUESTS_TAKE = timedelta(hours=1)
"""A running receiver carries a request out in seconds, or says in its log why it cannot."""


@dataclass(frozen=True)
class Check:
    """One line of the doctor's: `level` is ok, warning or failure."""

    name: str
    level: str
    text: str
    fix: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def doctor(as_json: bool) -> int:
    """Check settings, database, keys, object store and shops; end with 1 if anything is broken."""
    checks = list(_checks())
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks]))
    else:
        for check in checks:
            mark = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]"}.get(check.level, "[red]broken [/]")
            out.print(f"{mark} {check.name:<12}", end=" ")
            out.print(check.text + (f"  ->  {check.fix}" if check.fix else ""), markup=False)
    return 1 if any(check.level == "failure" for check in checks) else 0


def _checks() -> Iterator[Check]:
    yield _packages()
    try:
        settings = load_settings()
    except SalesbotError as error:
        yield Check("settings", "failure", str(error), error.advice)
        return
    yield from _settings(settings)
    try:
        opened = open_program(settings)
    except SalesbotError as error:
        yield Check("database", "failure", str(error), error.advice)
        return
    try:
        yield Check("database", "ok", f"{opened.engine.url.render_as_string(hide_password=True)}, schema up to date")
        yield Check("keys", "ok", "stored credentials can be read")
        for finding in probe(opened.store).findings:
            yield Check(f"store {finding.name}", finding.level, finding.text, finding.fix)
        yield from _shops(opened)
        yield from _requests(opened)
    finally:
        opened.close()


def _packages() -> Check:
    family = {name: importlib.metadata.version(name) for name in ("dagster", "dagster-webserver")}
    text = f"Python {sys.version.split()[0]}, " + ", ".join(f"{name} {v}" for name, v in family.items())
    if len(set(family.values())) > 1:
        return Check("packages", "failure", text, "install the Dagster family in one release: make test installs it")
    return Check("packages", "ok", text)


def _settings(settings: Settings) -> Iterator[Check]:
    yield Check("settings", "ok", f"home {settings.home}, schedule {settings.schedule} UTC")
    yield from _optional("app", settings.require_app, "installs and webhooks can be served")
    if settings.shopify.api_version != API_VERSION:
        fix = f"remove SHOPIFY_API_VERSION to use {API_VERSION}"
        yield Check("api version", "warning", f"{settings.shopify.api_version} is not the one built for", fix)


def _optional(name: str, require: Callable[[], None], good: str) -> Iterator[Check]:
    try:
        require()
        yield Check(name, "ok", good)
    except SalesbotError as error:
        yield Check(name, "warning", f"no install link, no webhooks: {error}", error.advice)


def _shops(opened: Program) -> Iterator[Check]:
    rows = opened.fleet()
    if not rows:
        yield Check("shops", "warning", "no shop is connected yet", "salesbot shops add SHOP")
    for row in rows:
        if row.status == "needs_reauth":
            yield Check("shop", "failure", f"{row.shop}: {row.reauth_reason}", "the merchant opens the app once more")
        elif row.parked:
            yield Check("shop", "failure", f"{row.shop} is parked: {row.last_error}", f"salesbot replay {row.shop}")
        elif not row.is_fresh:
            text = f"{row.shop}: last read {age(row.hours)}" + ("" if row.hours is None else " ago")
            yield Check("shop", "warning", text, f"salesbot refresh {row.shop}")
        else:
            yield Check("shop", "ok", f"{row.shop}: read {age(row.hours)} ago")


def _requests(opened: Program) -> Iterator[Check]:
    """Name the uninstalls and privacy requests that were put aside, or that nobody carries out."""
    late = opened.clock.now() - _REQUESTS_TAKE
    for event in ControlEvents(opened.engine, opened.keyring).listed():
        what = f"{event.shop}: {event.topic} of {event.received_at:%Y-%m-%d %H:%M} UTC"
        if event.state == "quarantined":
            fix = f"if it is meant: salesbot shops remove {event.shop} --purge"
            yield Check("request", "warning", f"{what} was put aside: {event.note}", fix)
        elif event.state != "done" and event.received_at < late:
            text = f"{what} is not carried out yet" + (f": {event.note}" if event.note else "")
            yield Check("request", "failure", text, "see that `salesbot receiver` runs, and what it logs")
