"""One shop's whole refresh without Dagster, by size, beside the bare floor: download a bulk result, parse, nest.

The floor is what any program must do that gets a catalogue by bulk operations: fetch the four results, `orjson.loads`
each line, hang each child on its parent; nothing is normalised, hashed, judged, compressed or published. It is
measured in a process of its own, against the same sandbox, in the same run.

Each rate is told twice, because bulk operations take Shopify's time and nobody's work. "as waited for" is all of it,
the operations' own time in both. "without" leaves that out in both: the sandbox has run the same operations before
and they are COMPLETED at the first poll (`ready_sandbox`); the floor's clock starts when all of them are, ours runs
from its first call to its last object, so that its calls for shop, collections and discounts are still in it.
Processor time and memory of bulk are those of the runs "without". They are of the refresh and its worker process
together: the peaks are added up, and the worker's imports count as "above imports" too.

    python benchmarks/bench_refresh.py [--products 1000 10000 100000] [--variants 3] [--paged] [--chart FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import chart
from bench_memory import SHOP, sandbox
from machine import peak_of_tree, tell_load
from ready_sandbox import ready_sandbox

Method = Literal["bulk", "paged"]

TARGET_SHARE = 0.4
TARGET_PRODUCTS = 10_000


def processor_time() -> float:
    """Return the CPU seconds of this process and of its worker, once that has ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def own_peak() -> float:
    """Return the peak memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Downloaded:
    """Counts the bytes of the answers that an HTTP client gets, by what their heads say."""

    def __init__(self, http: Any) -> None:
        self.total = 0
        http.event_hooks = {"response": [self._count]}

    def _count(self, response: Any) -> None:
        self.total += int(response.headers["content-length"])


# ---- in a process of its own: the refresh ------------------------------------------------------------------


def refresh_once(url: str, way: Method) -> dict[str, Any]:
    """Connect the shop to an empty home, refresh it once, and tell what that took."""
    from salesbot_pipelines.refresh.batch import Batch
    from salesbot_pipelines.refresh.program import open_program
    from salesbot_pipelines.sandbox.shop import static_token
    from salesbot_pipelines.settings import load_settings
    from salesbot_pipelines.state.credentials import Credential

    with tempfile.TemporaryDirectory() as home:
        environ = {"SALESBOT_HOME": home, "SHOPIFY_SHOP_URL": f"{url}/shops/{{shop}}"}
        program = open_program(load_settings(environ))
        program.installs.connect(SHOP, Credential(kind="static", access_token=static_token(SHOP)))
        downloaded = Downloaded(program.http)
        cpu, imported = processor_time(), own_peak()
        with peak_of_tree(os.getpid()) as memory:
            began = time.perf_counter()
            (outcome,) = program.refresh_batch(Batch((SHOP,), "cli", method=way))
            wall = time.perf_counter() - began
        spent = processor_time()
        if outcome.error is not None:
            raise outcome.error
        if outcome.method != way:
            raise SystemExit(f"it was read otherwise: {outcome.method} instead of {way}")
        raw = sum(path.stat().st_size for path in Path(home).rglob("raw/*.gz"))
        program.close()
    return {
        "wall": wall,
        "cpu": spent - cpu,
        "peak": memory.mebibytes,
        "above": memory.mebibytes - imported,
        "phases": dict(outcome.seconds),
        "calls": outcome.calls.calls,
        "points": outcome.calls.points,
        "bucket": outcome.calls.waited_seconds,
        "downloaded": downloaded.total,
        "document": outcome.document_bytes,
        "raw": raw,
        "products": outcome.counts["products"],
    }


# ---- in a process of its own: the floor --------------------------------------------------------------------


def bare_floor(url: str) -> dict[str, Any]:
    """Run the refresh's own bulk operations, then download, parse and nest their results."""
    import httpx
    import orjson

    from salesbot_pipelines.sandbox.shop import static_token
    from salesbot_pipelines.shopify.reading.bulk_inventory import inventory_texts
    from salesbot_pipelines.shopify.reading.bulk_products import product_texts

    run = """mutation($query: String!) { bulkOperationRunQuery(query: $query) {
        bulkOperation { id } userErrors { message } } }"""
    look = "query($id: ID!) { bulkOperation(id: $id) { status url objectCount } }"
    headers = {"X-Shopify-Access-Token": static_token(SHOP)}
    texts = {**product_texts(("custom",)), **inventory_texts()}
    with httpx.Client(base_url=f"{url}/shops/{SHOP}", headers=headers, trust_env=False, timeout=120) as http:

        def ask(text: str, **variables: str) -> Any:
            answer = http.post("/admin/api/2026-10/graphql.json", json={"query": text, "variables": variables})
            return answer.json()["data"]

        downloaded = Downloaded(http)
        cpu, before = processor_time(), own_peak()
        began = time.perf_counter()
        gids = [ask(run, query=text)["bulkOperationRunQuery"]["bulkOperation"]["id"] for text in texts.values()]
        urls = []
        for gid in gids:
            while (node := ask(look, id=gid)["bulkOperation"])["status"] != "COMPLETED":
                time.sleep(0.05)
            urls.append(node["url"])
        completed = time.perf_counter()
        products = 0
        for address in urls:
            by_id: dict[str, Any] = {}
            with http.stream("GET", address) as answer:
                for line in lines_of(answer):
                    node = orjson.loads(line)
                    parent = node.get("__parentId")
                    if parent is None:
                        by_id[node["id"]] = node
                        products += node["__typename"] == "Product"
                    else:
                        by_id[node["id"]] = node
                        by_id[parent].setdefault("children", []).append(node)
        ended = time.perf_counter()
    spent, peak = processor_time(), own_peak()
    return {
        "wall": ended - began,
        "without": ended - completed,
        "cpu": spent - cpu,
        "peak": peak,
        "above": peak - before,
        "downloaded": downloaded.total,
        "products": products,
    }


def lines_of(answer: Any) -> Iterator[bytes]:
    """Give the lines of a streamed answer, without making text of them."""
    rest = b""
    for chunk in answer.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


# ---- the table ---------------------------------------------------------------------------------------------


def child(task: str, url: str, way: Method = "bulk") -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--task", task, "--url", url, "--way", way]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def by_bulk(size: int, variants: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure the refresh and the floor with operations that must be waited for, then with ready ones."""
    with ready_sandbox(size, variants) as url:
        floor_waited = child("floor", url)
    with ready_sandbox(size, variants) as url:
        # A refresh comes first, for it runs an operation that the floor does not need: the members of collections.
        waited = child("refresh", url)
        ours, floor = child("refresh", url), child("floor", url)
    ours |= {"without": ours["wall"], "wall": waited["wall"], "phases as waited for": waited["phases"]}
    return ours, floor | {"wall": floor_waited["wall"]}


def by_pages(size: int, variants: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure the refresh by pages of a shop that never throttles, and the floor by bulk beside it."""
    with sandbox(size, variants, bulk=False) as url:
        return child("refresh", url, "paged"), child("floor", url)


def share(ours: dict[str, Any], floor: dict[str, Any], name: str) -> float | None:
    """Return our products a second (of wall or processor time) as a share of the floor's; None if not measured."""
    if name not in ours:
        return None
    return floor[name] / floor["products"] * ours["products"] / ours[name]


def exponent(sizes: list[int], values: list[float]) -> float:
    """Return the slope of log(value) over log(size), from the first size to the last."""
    return math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0])


HEAD = (
    "| products | way | products/s as waited for | of the floor | products/s without operations | of the floor "
    "| CPU us/product | of the floor | peak MiB | above imports | downloaded MB | document MB | raw MB | calls "
    "| points |"
)


def main(arguments: argparse.Namespace) -> int:
    """Measure every size and print the table."""
    note = tell_load()
    print(f"{arguments.variants} variants a product")
    print(HEAD)
    print("|---:|---" + "|---:" * (HEAD.count("|") - 3) + "|")
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for size in arguments.products:
        ours, floor = (by_pages if arguments.paged else by_bulk)(size, arguments.variants)
        assert floor["products"] >= ours["products"] > 0
        found.append((ours, floor))
        print(row(size, "floor", floor, floor), "– | – | – | – |")
        print(
            f"{row(size, 'pages' if arguments.paged else 'bulk', ours, floor)} {ours['document'] / 1e6:.1f} "
            f"| {ours['raw'] / 1e6:.1f} | {ours['calls']} | {ours['points']:.0f} |",
            flush=True,
        )
        for name in ("phases as waited for", "phases"):
            if name in ours:
                print(f"  {name}:", ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in ours[name].items()))
        if ours["bucket"] >= 0.1:
            print(f"  {ours['bucket']:.1f} s of it waiting for points")
    if len(found) > 1:
        for name in ("wall", "cpu", "peak", "above"):
            values = [ours[name] for ours, _ in found]
            print(f"growth of {name}: size ^ {exponent(arguments.products, values):.2f}")
    if arguments.chart:
        draw(arguments.products, found, note, arguments.chart)
    return 0


def row(size: int, way: str, found: dict[str, Any], floor: dict[str, Any]) -> str:
    """Return the beginning of a line of the table."""
    per = found["products"]
    cells = [f"{size:,}", way]
    for name in ("wall", "without"):
        of_floor = share(found, floor, name)
        cells += ["–", "–"] if of_floor is None else [f"{per / found[name]:,.0f}", f"{of_floor:.2f}"]
    cells += [f"{found['cpu'] / per * 1e6:.0f}", f"{share(found, floor, 'cpu'):.2f}"]
    cells += [f"{found['peak']:.0f}", f"{found['above']:.0f}", f"{found['downloaded'] / 1e6:.1f}"]
    return "| " + " | ".join(cells) + " |"


def draw(sizes: list[int], found: list[tuple[dict[str, Any], dict[str, Any]]], note: str, path: Path) -> None:
    """Draw rates beside the floor's, and as shares of it, by size."""
    figure, (rates, of_floor) = chart.new("How near is one shop's refresh to the bare floor?", note, panels=2)
    names = [f"{size:,}" for size in sizes]
    ways = [("wall", "as waited for", 0), ("without", "without operations", 1)]
    if "without" not in found[0][0]:
        ways = ways[:1]
    looks = ((chart.FLOOR, chart.OURS), (chart.FLOOR_TOO, chart.ALSO_OURS))
    series = []
    for name, text, nth in ways:
        for which, whose in ((1, "floor"), (0, "ours")):
            values = [pair[which]["products"] / pair[which][name] for pair in found]
            series.append((f"{whose}, {text}", looks[nth][1 - which], values))
    chart.bars(rates, names, series, form="{:,.0f}")
    rates.set(xlabel="products in the shop", ylabel="products a second")
    chart.legend(rates)
    series = [(text, looks[nth][1], [share(*pair, name) for pair in found]) for name, text, nth in ways]
    series.append(("processor time", chart.THIRD, [share(*pair, "cpu") for pair in found]))
    chart.bars(of_floor, names, series)
    chart.target(of_floor, TARGET_SHARE, f"target at {TARGET_PRODUCTS:,} products: at least {TARGET_SHARE}")
    of_floor.set(xlabel="products in the shop", ylabel="share of the floor (1 is the floor itself)")
    of_floor.axhline(1.0, color=chart.FLOOR, linewidth=1.6, label="floor", zorder=3)
    chart.legend(of_floor)
    chart.save(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--variants", type=int, default=3)
    parser.add_argument("--paged", action="store_true", help="a shop without a bucket: read page by page")
    chart.add_option(parser)
    parser.add_argument("--task", choices=("refresh", "floor"), help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=("bulk", "paged"), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        print(json.dumps(refresh_once(given.url, given.way) if given.task == "refresh" else bare_floor(given.url)))
    else:
        sys.exit(main(given))
