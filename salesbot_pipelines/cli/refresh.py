"""`salesbot refresh` and `salesbot replay`: now, without Dagster, by the same code."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from salesbot_pipelines.cli.console import err, out, program, size
from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines.refresh.outcome import Outcome, Status
from salesbot_pipelines.refresh.program import Program
from salesbot_pipelines.shopify.domain import parse_shop

_COLOURS = {Status.PUBLISHED: "green", Status.UNCHANGED: "cyan", Status.FAILED: "red"}


@click.command()
@click.argument("shops", nargs=-1, metavar="SHOP...")
@click.option("--all", "every", is_flag=True, help="Every connected shop.")
@click.option("--full", is_flag=True, help="Read everything and publish even when nothing changed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a shop on standard output.")
def refresh(shops: tuple[str, ...], every: bool, full: bool, as_json: bool) -> int:
    """Fetch, normalise and publish SHOP's catalogue now.

    Ends with 1 if any shop failed, naming it; all others are refreshed.
    """
    if every == bool(shops):
        raise click.UsageError("give shops, or --all")
    wanted = tuple(dict.fromkeys(parse_shop(shop) for shop in shops))
    with program() as opened:
        names = tuple(opened.connected_shops()) if every else wanted
        for name in wanted:
            opened.installs.require(name)
        if not names:
            err.print("no shop is connected yet: `salesbot shops add SHOP`")
            return 0
        outcomes = refresh_with_bars(opened, names, full=full)
    if as_json:
        for outcome in outcomes:
            click.echo(json.dumps(_as_json(outcome)))
    else:
        print_outcomes(outcomes)
    return 1 if any(not outcome.ok for outcome in outcomes) else 0


@click.command()
@click.argument("shop")
def replay(shop: str) -> None:
    """Give a parked SHOP another chance: its failures are forgotten and it is due at once.

    For a shop that is not parked this asks the running Dagster for one more refresh.
    """
    name = parse_shop(shop)
    with program() as opened:
        opened.installs.require(name)
        opened.work.replay(name)
        opened.work.want(name)
    out.print(f"{name} is due: the next tick of the sensor webhook_events refreshes it")


def refresh_with_bars(
    opened: Program, shops: tuple[str, ...], *, full: bool = False, trigger: str = "manual"
) -> list[Outcome]:
    """Refresh the shops with one progress bar each, and give the outcomes in the order of the shops."""
    batch = Batch(shops=shops, trigger=trigger, run_id=str(uuid.uuid4()), full=full)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[shop]}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    outcomes = []
    with Progress(*columns, console=err, transient=True) as bars:
        report = _bars(bars)
        for outcome in opened.refresh_batch(batch, progress=report, report_seconds=0.1):
            outcomes.append(outcome)
            report(outcome.shop, "done", 1, 1)
    return sorted(outcomes, key=lambda outcome: shops.index(outcome.shop))


def _bars(bars: Progress) -> Callable[[str, str, int, int | None], None]:
    tasks: dict[str, object] = {}

    def report(shop: str, stage: str, done: int, total: int | None) -> None:
        if shop not in tasks:
            tasks[shop] = bars.add_task(stage, shop=shop, total=total)
        bars.update(tasks[shop], description=stage, completed=done, total=total)  # type: ignore[arg-type]

    return report


def print_outcomes(outcomes: list[Outcome]) -> None:
    """Print one line a shop, and below it what is missing or failed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("shop")
    table.add_column("status")
    timed = any(outcome.seconds for outcome in outcomes)  # not when another process did the work
    for name in (*_COUNTED, "size", *(["seconds"] if timed else [])):
        table.add_column(name, justify="right")
    for outcome in outcomes:
        colour = _COLOURS.get(outcome.status, "default")
        counts = [f"{outcome.counts[name]:,}" if name in outcome.counts else "" for name in _COUNTED]
        table.add_row(
            outcome.shop,
            f"[{colour}]{outcome.status.value}[/]",
            *counts,
            size(outcome.document_bytes) if outcome.document_bytes else "",
            *([f"{outcome.total_seconds:.1f}" if outcome.seconds else ""] if timed else []),
        )
    out.print(table)
    for outcome in outcomes:
        # What nobody asked for is no news at every refresh; `salesbot show` lists it.
        for omission in [o for o in outcome.omissions if o.reason != "not_requested"][:5]:
            detail = f": {omission.detail}" if omission.detail else ""
            out.print(f"  {outcome.shop} lacks {omission.section} ({omission.reason}){detail}", markup=False)
        if outcome.error is not None:
            err.print(f"failed: {outcome.error.public_text}", markup=False, style="red")


_COUNTED = ("products", "variants", "collections", "discounts")


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "shop": outcome.shop,
        "status": outcome.status.value,
        "revision": outcome.revision or None,
        "counts": dict(outcome.counts),
        "bytes": outcome.document_bytes,
        "uri": outcome.document_uri or None,
        "omissions": [{"section": o.section, "reason": o.reason, "detail": o.detail} for o in outcome.omissions],
        "method": outcome.method or None,
        "full_because": outcome.full_because or None,
        "adopted": outcome.adopted or None,
        "calls": outcome.calls.calls,
        "points": outcome.calls.points,
        "throttled": outcome.calls.throttled,
        "seconds": {phase: round(seconds, 3) for phase, seconds in outcome.seconds.items()},
        "error": outcome.error.public_text if outcome.error else None,
    }
