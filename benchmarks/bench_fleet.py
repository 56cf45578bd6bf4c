"""Fleets of small shops through Dagster, on SQLite, by its real daemon and code server.

The day: the schedule's tick cuts all shops into batches, the queue starts two runs at a time. The floor of the same
run is the same refreshes by `run_batch` in a plain process; what is above it is Dagster's share, in processor seconds
a shop, of all processes that take part (the sandbox is none of them).

With --kill one run of so many shops is killed half way, and Dagster starts it again: no shop that was done may be
read twice. With --due so many shops are marked by events in one moment; the sensor, the queue and the runs do the
rest, and the seconds count until the last document is published.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import chart
import httpx
from machine import tell_load

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet_rig import RunningDagster, connected, dagster, environment, sandbox, until

from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TARGET_CPU = 0.15
TARGET_SHOPS = 1000
"""From this size on a fleet is judged: in a smaller one what Dagster's processes cost by themselves weighs more."""

TARGET_DUE_SECONDS = 60.0
_NO_EVENTS = {"SALESBOT_EVENT_WAIT_SECONDS": "3600"}
_PATIENCE_SECONDS = 3600.0


@dataclasses.dataclass(frozen=True)
class Day:
    """One scheduled day of a fleet. Processor and wall time in seconds."""

    shops: int
    runs: int
    wall: float
    cpu: float
    floor_wall: float
    floor_cpu: float

    @property
    def overhead(self) -> float:
        """Processor seconds a shop beyond the refreshes themselves."""
        return (self.cpu - self.floor_cpu) / self.shops

    def row(self) -> str:
        """Give the table's row."""
        cells = (
            f"{self.shops:,}",
            f"{self.runs}",
            f"{60 * self.shops / self.wall:,.0f}",
            f"{60 * self.shops / self.floor_wall:,.0f}",
            f"{self.floor_wall / self.wall:.2f}",
            f"{self.cpu / self.shops:.3f}",
            f"{self.floor_cpu / self.shops:.3f}",
            f"{self.overhead:.3f}",
        )
        return "| " + " | ".join(cells) + " |"


HEAD = (
    "| shops | runs | shops/min | floor: shops/min | of the floor | CPU s/shop | floor: CPU s/shop | overhead |\n"
    "|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def plain_refreshes(batch_size: int) -> None:
    """Refresh every connected shop in batches and print wall and processor seconds: the floor's process."""
    program = open_program(load_settings())
    shops = program.connected_shops()
    began, cpu = time.monotonic(), sum(os.times()[:4])
    for start in range(0, len(shops), batch_size):
        batch = Batch(shops=tuple(shops[start : start + batch_size]), trigger="schedule", run_id=str(uuid.uuid4()))
        for outcome in program.refresh_batch(batch):
            if outcome.error is not None:
                raise outcome.error
    print(json.dumps([time.monotonic() - began, sum(os.times()[:4]) - cpu]))
    program.close()


def floor(environ: dict[str, str]) -> tuple[float, float]:
    """Run that in a process of its own."""
    command = [sys.executable, __file__, "--plain"]
    told = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
    wall, cpu = json.loads(told)
    return wall, cpu


def daily(count: int, folder: Path) -> Day:
    """Let the schedule refresh a fleet that has never been published; measure the same without Dagster first."""
    with sandbox(count) as shops:
        plain = environment(folder / "plain", shops, **_NO_EVENTS)
        with connected(plain, shops):
            floor_wall, floor_cpu = floor(plain)
        tick = (datetime.now(UTC) + timedelta(seconds=75 + count / 50)).replace(second=0, microsecond=0)
        environ = environment(folder / "fleet", shops, SALESBOT_SCHEDULE=f"{tick:%M %H} * * *", **_NO_EVENTS)
        with connected(environ, shops) as program, dagster(folder / "fleet", environ) as running:
            until("partitions of all shops", lambda: len(running.known()) == count, seconds=120)
            if datetime.now(UTC) > tick:
                raise SystemExit("the partitions came after the schedule's moment: the machine is too busy")
            time.sleep((tick - datetime.now(UTC)).total_seconds())
            began, cpu = time.monotonic(), running.cpu_seconds()
            until("all runs done", lambda: _is_done(running, count, program), seconds=_PATIENCE_SECONDS)
            wall, cpu = time.monotonic() - began, running.cpu_seconds() - cpu
            runs = running.runs("refresh_catalog")
    return Day(count, len(runs), wall, cpu, floor_wall, floor_cpu)


def _is_done(running: RunningDagster, count: int, program: Program) -> bool:
    runs = running.runs("refresh_catalog")
    if any(one.dagster_run.status.value == "FAILURE" for one in runs):
        raise SystemExit("a run failed")
    if len(runs) * program.settings.batch_size < count or not all(one.dagster_run.is_finished for one in runs):
        return False
    return all(status.last_published_at is not None for status in program.work.statuses())


def draw(days: list[Day], waited: list[float], note: str, path: Path) -> None:
    """Draw processor seconds a shop by size of fleet, and after what time the due shops were published."""
    wanted = [bool(days), bool(waited)]
    question = (
        "What does Dagster add to the refreshes of a fleet?" if days else "When are shops due at once published?"
    )
    figure, panels = chart.new(question, note, panels=sum(wanted))
    if days:
        _draw_days(panels[0], days)
    if waited:
        axes = panels[-1]
        chart.shares(axes, waited, color=chart.OURS, label=f"{len(waited):,} shops due at once")
        chart.target(axes, TARGET_DUE_SECONDS, f"target: all within {TARGET_DUE_SECONDS:.0f} s", across="x")
        axes.set(xlabel="seconds since the events", ylabel="% of the shops published")
        axes.set_xlim(0, 1.1 * max(TARGET_DUE_SECONDS, *waited))
        chart.legend(axes)
    chart.save(figure, path)


def _draw_days(axes: Axes, days: list[Day]) -> None:
    names = [f"{day.shops:,}" for day in days]
    floors = [day.floor_cpu / day.shops for day in days]
    axes.bar(names, floors, 0.5, color=chart.FLOOR, label="floor: the refreshes in a plain process")
    drawn = axes.bar(
        names, [day.overhead for day in days], 0.5, bottom=floors, color=chart.OURS, label="Dagster's share"
    )
    axes.bar_label(drawn, [f"{day.overhead:.3f}" for day in days], label_type="center", color="white")
    for place, floor_cpu in enumerate(floors):
        label = f"target at {TARGET_SHOPS:,} shops: at most {TARGET_CPU} above the floor" if place == 0 else None
        axes.hlines(
            floor_cpu + TARGET_CPU, place - 0.35, place + 0.35, colors=chart.TARGET, linestyles="--", label=label
        )
    axes.set(
        xlabel="shops in the fleet, one scheduled day",
        ylabel="processor seconds a shop",
        xlim=(-0.7, len(days) - 0.3),
    )
    chart.legend(axes)


def killed(count: int, folder: Path) -> int:
    """Kill the day's one run half way; give how many of the shops that were done were read again."""
    with sandbox(count) as shops:
        tick = (datetime.now(UTC) + timedelta(seconds=85)).replace(second=0, microsecond=0)
        more = {"SALESBOT_SCHEDULE": f"{tick:%M %H} * * *", "SALESBOT_BATCH_SIZE": str(count), **_NO_EVENTS}
        environ = environment(folder / "kill", shops, **more)
        with connected(environ, shops) as program, dagster(folder / "kill", environ) as running:
            until("half of the shops done", lambda: 2 * len(_read(program)) >= count, seconds=300, poll_seconds=0.02)
            running.kill_run()
            began, done = time.monotonic(), _read(program)
            until("all shops done", lambda: _ended_well(running, program, count), seconds=600)
            seconds, reads = time.monotonic() - began, shops.reads()
            ends = sorted(one.dagster_run.status.value for one in running.runs("refresh_catalog"))
    again = sum(reads[shop] > 1 for shop in done)
    print(
        f"a run of {count} shops killed when {len(done)} were done: whole after {seconds:.0f} s more; runs "
        f"{' and '.join(ends)}; read again: {again} of those {len(done)}, {sum(reads.values()) - count} in all"
    )
    return again


def _read(program: Program) -> set[str]:
    return {status.shop for status in program.work.statuses() if status.last_fetched_at is not None}


def _ended_well(running: RunningDagster, program: Program, count: int) -> bool:
    ends = {one.dagster_run.status.value for one in running.runs("refresh_catalog")}
    return ends == {"FAILURE", "SUCCESS"} and len(_read(program)) == count


def due(count: int, folder: Path) -> list[float]:
    """Change a price in every shop, mark all by events in one transaction; give the seconds to each document."""
    with sandbox(count + 1) as shops:
        environ = environment(folder / "due", shops)
        with connected(environ, shops) as program:
            floor(environ)
            with dagster(folder / "due", environ) as running:
                until("partitions of all shops", lambda: len(running.known()) == count + 1, seconds=120)
                first, *others = shops.tokens
                with httpx.Client(trust_env=False, timeout=30) as http:
                    for shop in shops.tokens:
                        shops.change_price(http, shop, "71.25")
                _mark(program, [first])  # the daemon is awake when the others come
                until("the first shop published", lambda: not _waiting(program), seconds=120)
                seconds = _published_after(program, others)
    seconds.sort()
    half, most = seconds[len(seconds) // 2], seconds[round(0.95 * (len(seconds) - 1))]
    print(
        f"{count} shops due at once: half published after {half:.1f} s, 95 % after {most:.1f} s, "
        f"the last after {seconds[-1]:.1f} s ({seconds[-1] / TARGET_DUE_SECONDS:.2f} of the target of "
        f"{TARGET_DUE_SECONDS:.0f} s)"
    )
    return seconds


def _published_after(program: Program, shops: list[str]) -> list[float]:
    """Mark the shops and give, for each, the seconds until its new document was published."""
    moment = datetime.now(UTC)
    _mark(program, shops)
    until("all shops published", lambda: not _waiting(program), seconds=_PATIENCE_SECONDS)
    published = {status.shop: status.last_published_at for status in program.work.statuses()}
    seconds = [(at - moment).total_seconds() for shop in shops if (at := published[shop]) is not None]
    if len(seconds) < len(shops) or min(seconds) < 0:
        raise SystemExit("a changed shop was not published")
    return seconds


def _mark(program: Program, shops: list[str]) -> None:
    resource = "gid://shopify/Product/1"
    events = [
        WebhookEvent(shop, "products/update", str(uuid.uuid4()), "0" * 64, resource_id=resource) for shop in shops
    ]
    accepted = Inbox(program.engine, program.clock).accept(events)
    assert set(accepted) == {"new"}


def _waiting(program: Program) -> int:
    return sum(status.wanted > status.done for status in program.work.statuses())


def main() -> int:
    """Print one row a fleet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shops", type=int, nargs="+", default=[], help="sizes of fleets for the daily refresh")
    parser.add_argument("--due", type=int, help="so many shops due at once by events")
    parser.add_argument("--kill", type=int, help="shops in a run that is killed half way")
    chart.add_option(parser)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        plain_refreshes(load_settings().batch_size)
        return 0
    note = tell_load()
    bad = 0
    days: list[Day] = []
    waited: list[float] = []
    fleets = options.shops or ([] if options.due or options.kill else [100])
    if fleets:
        print(HEAD, flush=True)
    for count in fleets:
        with tempfile.TemporaryDirectory() as folder:
            days.append(daily(count, Path(folder)))
        print(days[-1].row(), flush=True)
        bad += days[-1].shops >= TARGET_SHOPS and days[-1].overhead > TARGET_CPU
    if options.kill:
        with tempfile.TemporaryDirectory() as folder:
            bad += killed(options.kill, Path(folder))
    if options.due:
        with tempfile.TemporaryDirectory() as folder:
            waited = due(options.due, Path(folder))
        bad += waited[-1] > TARGET_DUE_SECONDS
    if options.chart:
        if not days and not waited:
            raise SystemExit("a killed run has no chart: ask for --shops or --due too")
        draw(days, waited, note, options.chart)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
