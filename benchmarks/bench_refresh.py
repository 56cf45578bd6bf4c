"""One shop's whole refresh without Dagster, by size, beside the bare floor: download a bulk result, parse, nest.

The floor is what any program must do that gets a catalogue by bulk operations: fetch the four results, `orjson.loads`
each line, hang each child on its parent; nothing is normalised, hashed, judged, compressed or published. It is
measured in a process of its own, against the same sandbox, in the same run.

    python benchmarks/bench_refresh.py [--products 1000 10000 100000] [--variants 3] [--paged]
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
from typing import Any

from bench_memory import SHOP, sandbox


def used() -> tuple[float, float]:
    """Return this process's CPU seconds and its peak memory in MiB."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


# ---- in a process of its own: the refresh ------------------------------------------------------------------


def refresh_once(url: str) -> dict[str, Any]:
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
        cpu, imported = used()
        began = time.perf_counter()
        (outcome,) = program.refresh_batch(Batch((SHOP,), "cli"))
        wall = time.perf_counter() - began
        spent, peak = used()
        if outcome.error is not None:
            raise outcome.error
        raw = sum(path.stat().st_size for path in Path(home).rglob("raw/*.gz"))
        program.close()
    return {
        "wall": wall,
        "cpu": spent - cpu,
        "peak": peak,
        "above": peak - imported,
        "phases": dict(outcome.seconds),
        "calls": outcome.calls.calls,
        "points": outcome.calls.points,
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

        cpu, before = used()
        began = time.perf_counter()
        gids = [ask(run, query=text)["bulkOperationRunQuery"]["bulkOperation"]["id"] for text in texts.values()]
        urls = []
        for gid in gids:
            while (node := ask(look, id=gid)["bulkOperation"])["status"] != "COMPLETED":
                time.sleep(0.05)
            urls.append(node["url"])
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
        wall = time.perf_counter() - began
    spent, peak = used()
    return {"wall": wall, "cpu": spent - cpu, "peak": peak, "above": peak - before, "products": products}


def lines_of(answer: Any) -> Iterator[bytes]:
    """Give the lines of a streamed answer, without making text of them."""
    rest = b""
    for chunk in answer.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


# ---- the table ---------------------------------------------------------------------------------------------


def child(task: str, url: str) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--task", task, "--url", url]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def exponent(sizes: list[int], values: list[float]) -> float:
    """Return the slope of log(value) over log(size), from the first size to the last."""
    return math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0])


def main(arguments: argparse.Namespace) -> int:
    """Measure every size and print the table."""
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {arguments.variants} variants a product")
    print("| products | way | products/s | CPU us/product | of the floor: rate, CPU | peak MiB ", end="")
    print("| above imports | document MB | raw MB | calls | points |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    found: list[dict[str, Any]] = []
    way = "pages" if arguments.paged else "bulk"
    for size in arguments.products:
        with sandbox(size, arguments.variants, bulk=not arguments.paged) as url:
            ours = child("refresh", url)
            floor = child("floor", url)
        assert floor["products"] >= ours["products"] > 0
        found.append(ours)
        rate = floor["wall"] / ours["wall"] * ours["products"] / floor["products"]
        share = floor["cpu"] / ours["cpu"] * ours["products"] / floor["products"]
        print(row(size, "floor", floor, "1"))
        print(
            f"{row(size, way, ours, f'{rate:.2f}, {share:.2f}')} {ours['document'] / 1e6:.1f} "
            f"| {ours['raw'] / 1e6:.1f} | {ours['calls']} | {ours['points']:.0f} |",
            flush=True,
        )
        print("  ", ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in ours["phases"].items()))
    if len(found) > 1:
        sizes = arguments.products
        for name in ("wall", "cpu", "peak", "above"):
            print(f"growth of {name}: size ^ {exponent(sizes, [row[name] for row in found]):.2f}")
    return 0


def row(size: int, way: str, found: dict[str, Any], share: str) -> str:
    """Return the beginning of a line of the table."""
    per = found["products"]
    return (
        f"| {size:,} | {way} | {per / found['wall']:,.0f} | {found['cpu'] / per * 1e6:.0f} | {share} "
        f"| {found['peak']:.0f} | {found['above']:.0f} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--variants", type=int, default=3)
    parser.add_argument("--paged", action="store_true", help="a shop without a bucket: read page by page")
    parser.add_argument("--task", choices=("refresh", "floor"), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        print(json.dumps((refresh_once if given.task == "refresh" else bare_floor)(given.url)))
    else:
        sys.exit(main(given))
