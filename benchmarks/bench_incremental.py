"""What an event costs: a refresh of what 1, 10 or 100 changed products name, beside reading the whole shop.

A synthetic shop with a standard bucket, in a sandbox process of its own. Prices are changed there, and the events
that Shopify would send are put into the inbox as the receiver does it; the refresh then takes the way of every event.
The reference is the full read by pages. It comes last, because it must find nothing that the incremental ones had
missed; the other full read is by bulk operations.

Seconds are those of the refresh, with what the bucket and the sandbox's answers let it wait; each refresh begins with
a full bucket. Processor seconds are those of this program alone.

    python benchmarks/bench_incremental.py [--products 10000] [--variants 3] [--changed 1 10 100] [--chart FILE]
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import sys
import tempfile
import time
import uuid
from pathlib import Path

import chart
import httpx
from bench_memory import SHOP, sandbox
from machine import tell_load

from salesbot_pipelines.receiver.webhooks import resource_of
from salesbot_pipelines.refresh.batch import Batch, ReadMethod
from salesbot_pipelines.refresh.outcome import Outcome
from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.sandbox.shop import static_token
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.state.credentials import Credential
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent

BUCKET_POINTS, RESTORE_RATE = 2000, 100  # the sandbox's standard bucket, a second
TOPIC = "products/update"


@dataclasses.dataclass(frozen=True)
class Cost:
    """One refresh: calls, points, wall and processor seconds."""

    calls: float
    points: float
    seconds: float
    cpu: float

    def of(self, whole: Cost) -> Cost:
        """Return each as a share of another refresh's."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(whole), strict=True)
        return Cost(*(mine / its for mine, its in pairs))


def refresh(program: Program, trigger: str, method: ReadMethod, wanted: str, *, full: bool) -> tuple[Cost, Outcome]:
    """Refresh the shop and insist on how it was read."""
    began, cpu = time.perf_counter(), time.process_time()
    (outcome,) = program.refresh_batch(Batch((SHOP,), trigger, method=method, full=full))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if outcome.error is not None:
        raise outcome.error
    if outcome.method != wanted:
        raise SystemExit(f"it was read otherwise: {outcome.method} instead of {wanted}, {outcome.full_because}")
    return Cost(outcome.calls.calls, outcome.calls.points, seconds, cpu), outcome


def refill(points: float) -> None:
    """Wait until the shop's bucket is full again, after so many points were spent."""
    time.sleep(min(points, BUCKET_POINTS) / RESTORE_RATE)


def change(program: Program, http: httpx.Client, lines: list[str], price: str) -> None:
    """Give the first variant of each of these products another price, and bring the shop's events to the inbox."""
    events = []
    for product in map(json.loads, lines):
        arguments = {"variant": product["variants"][0]["id"], "price": price}
        answer = http.post(f"/_sandbox/shops/{SHOP}/change", json={"verb": "set_price", "arguments": arguments})
        answer.raise_for_status()
        body = json.dumps({"id": int(product["legacy_id"]), "admin_graphql_api_id": product["id"]}).encode()
        digest, resource = hashlib.sha256(body).hexdigest(), resource_of(TOPIC, body)
        events.append(WebhookEvent(SHOP, TOPIC, str(uuid.uuid4()), digest, resource_id=resource))
    assert set(Inbox(program.engine, program.clock).accept(events)) == {"new"}


def measure(program: Program, url: str, sizes: list[int], home: Path) -> dict[str, Cost]:
    """Read the shop in every way; the full read by pages is the last."""
    costs: dict[str, Cost] = {}
    for _ in range(2):  # the first warms what is loaded on first use
        costs["all, by bulk"], _ = refresh(program, "manual", "bulk", "bulk", full=True)
        refill(costs["all, by bulk"].points)
    lines = next(home.rglob("products.jsonl")).read_text().splitlines()
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
        for nth, count in enumerate(sizes):
            change(program, http, spread(lines, count), f"{901 + nth}.25")
            cost, outcome = refresh(program, "webhook", "auto", "incremental", full=False)
            if outcome.changes is None or outcome.changes.changed != count:
                raise SystemExit(f"of {count} changed products it found {outcome.changes}")
            costs[f"{count:,} changed"] = cost
            refill(cost.points)
    cost, outcome = refresh(program, "manual", "paged", "paged", full=True)
    if outcome.changes is None or outcome.changes.total:
        raise SystemExit(f"the incremental refreshes had missed {outcome.changes}")
    return {"all, by pages": cost, **costs}


def spread(lines: list[str], count: int) -> list[str]:
    """Choose so many lines, evenly over all."""
    return [lines[nth * len(lines) // count] for nth in range(count)]


def tell(costs: dict[str, Cost]) -> None:
    """Print the table: each figure, and its share of the full read by pages."""
    whole = costs["all, by pages"]
    print("| read | calls | of pages | points | of pages | s | of pages | processor s | of pages |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, cost in costs.items():
        ratio = cost.of(whole)
        print(
            f"| {name} | {cost.calls:,} | {ratio.calls:.3f} | {cost.points:,.0f} | {ratio.points:.3f} "
            f"| {cost.seconds:.2f} | {ratio.seconds:.3f} | {cost.cpu:.2f} | {ratio.cpu:.3f} |"
        )


def draw(costs: dict[str, Cost], products: int, note: str, path: Path) -> None:
    """Draw all figures as shares of the full read by pages, on a logarithmic axis."""
    figure, (axes,) = chart.new("What does an event cost beside reading everything?", note)
    whole = costs["all, by pages"]
    ratios = {name: cost.of(whole) for name, cost in costs.items() if cost is not whole}
    series = [
        ("calls", chart.OURS, [ratio.calls for ratio in ratios.values()]),
        ("points", chart.ALSO_OURS, [ratio.points for ratio in ratios.values()]),
        ("seconds", chart.THIRD, [ratio.seconds for ratio in ratios.values()]),
        ("processor seconds", chart.FOURTH, [ratio.cpu for ratio in ratios.values()]),
    ]
    axes.set_yscale("log")
    chart.bars(axes, list(ratios), series, form="{:.2g}")
    axes.axhline(1.0, color=chart.FLOOR, linewidth=1.6, label="all, by pages", zorder=3)
    axes.set(xlabel="what was read", ylabel=f"share of reading all {products:,} products by pages")
    low = min(min(values) for _, _, values in series)
    axes.set_ylim(10 ** math.floor(math.log10(low)), 2)
    axes.yaxis.set_major_formatter("{x:g}")
    chart.legend(axes, columns=3)
    chart.save(figure, path)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--variants", type=int, default=3)
    parser.add_argument("--changed", type=int, nargs="+", default=[1, 10, 100])
    chart.add_option(parser)
    options = parser.parse_args()
    note = tell_load()
    with sandbox(options.products, options.variants, bulk=True) as url, tempfile.TemporaryDirectory() as home:
        environ = {"SALESBOT_HOME": home, "SHOPIFY_SHOP_URL": f"{url}/shops/{{shop}}"}
        program = open_program(load_settings(environ))
        try:
            program.installs.connect(SHOP, Credential(kind="static", access_token=static_token(SHOP)))
            costs = measure(program, url, options.changed, Path(home))
        finally:
            program.close()
    tell(costs)
    if options.chart:
        draw(costs, options.products, note, options.chart)


if __name__ == "__main__":
    sys.exit(main())
