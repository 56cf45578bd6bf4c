"""Peak memory of `salesbot refresh` by the size of the catalogue.

Synthetic shops are served by a sandbox in a process of its own; each refresh runs in another one, whose peak
resident memory the system tells. The ratio to the smallest shop is the figure that counts: the promise is that it
stays near 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import chart
from machine import peak_of_tree, tell_load

from salesbot_pipelines.sandbox.shop import static_token

SHOP = "synthetic.myshopify.com"
RUNS: tuple[tuple[str, tuple[str, ...]], ...] = (("first", ()), ("unchanged", ()), ("full", ("--full",)))
TARGET_RATIO = 1.2
"""What the largest may need of the smallest, between shops that fill every buffer: from some 3,000 products on."""


@dataclass(frozen=True)
class Peak:
    """A refresh and its worker: their peaks of resident memory in MiB, processor time and wall time in seconds."""

    mebibytes: float
    processor: float
    wall: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--variants", type=int, default=3)
    parser.add_argument("--first", action="store_true", help="only the first refresh of each shop")
    parser.add_argument("--bulk", action="store_true", help="a standard bucket: read by bulk operations")
    parser.add_argument("--limit", type=float, default=TARGET_RATIO, help="the largest ratio that is well")
    chart.add_option(parser)
    arguments = parser.parse_args()
    note = tell_load()
    peaks: dict[str, list[float]] = {}
    print("| products | refresh | MiB | ratio | processor s | wall s |")
    print("|---|---|---|---|---|---|")
    first: dict[str, float] = {}
    worst = 0.0
    for products in arguments.products:
        with tempfile.TemporaryDirectory() as home, sandbox(products, arguments.variants, bulk=arguments.bulk) as url:
            environ = {**os.environ, "SALESBOT_HOME": home, "SHOPIFY_SHOP_URL": f"{url}/shops/{{shop}}"}
            run(environ, "shops", "add", SHOP, "--token-stdin", said=static_token(SHOP))
            for name, options in RUNS[: 1 if arguments.first else None]:
                peak = run(environ, "refresh", SHOP, *options)
                ratio = peak.mebibytes / first.setdefault(name, peak.mebibytes)
                worst = max(worst, ratio)
                peaks.setdefault(name, []).append(peak.mebibytes)
                print(
                    f"| {products:,} | {name} | {peak.mebibytes:.0f} | {ratio:.2f} "
                    f"| {peak.processor:.1f} | {peak.wall:.1f} |",
                    flush=True,
                )
            if list((Path(home) / "work").iterdir()):
                print("a work folder was left behind")
                return 1
    if arguments.chart:
        draw(arguments.products, peaks, note, arguments.chart)
    return 0 if worst <= arguments.limit else 1


def draw(sizes: list[int], peaks: dict[str, list[float]], note: str, path: Path) -> None:
    """Draw the peaks and their ratios to those of the smallest shop, by size."""
    figure, (memory, ratio) = chart.new("Does memory grow with the catalogue?", note, panels=2)
    names = [f"{size:,}" for size in sizes]
    colours = (chart.OURS, chart.THIRD, chart.FOURTH)
    series = [
        (f"{name} refresh", colour, found) for (name, found), colour in zip(peaks.items(), colours, strict=False)
    ]
    chart.bars(memory, names, series, form="{:.0f}")
    memory.set(xlabel="products", ylabel="peak resident memory, MiB")
    chart.legend(memory)
    chart.bars(ratio, names, [(name, colour, [one / found[0] for one in found]) for name, colour, found in series])
    ratio.axhline(1.0, color=chart.FLOOR, linewidth=1.6, label="floor: the smallest shop", zorder=3)
    chart.target(ratio, TARGET_RATIO, f"target: at most {TARGET_RATIO}")
    ratio.set(xlabel="products", ylabel="ratio to the smallest shop")
    chart.legend(ratio)
    chart.save(figure, path)


@contextmanager
def sandbox(products: int, variants: int, *, bulk: bool) -> Iterator[str]:
    """Serve a synthetic shop; give the address. One that never throttles is read page by page."""
    options = ["--synthetic", str(products), "--variants", str(variants), *([] if bulk else ["--unlimited"])]
    with subprocess.Popen(
        [sys.executable, "-m", "salesbot_pipelines.sandbox", *options], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def run(environ: Mapping[str, str], *words: str, said: str = "") -> Peak:
    """Run a command of `salesbot` and measure it; its end must be good."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "salesbot_pipelines", *words],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    with peak_of_tree(process.pid) as peak:
        process.stdin.write(said)
        process.stdin.close()
        errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise SystemExit(errors)
    return Peak(peak.mebibytes, usage.ru_utime + usage.ru_stime, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
