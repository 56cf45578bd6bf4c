"""From a changed price at Shopify to the published document: webhook, inbox, sensor, run, refresh, store.

Runs `salesbot demo` in an empty folder, changes one price at a time in its sandbox and waits until the document in
the local store shows it. The floor of the same run is `salesbot refresh` alone, without webhook and Dagster.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import chart
import httpx
from machine import tell_load

TARGET_MEDIAN, TARGET_P95 = 8.0, 12.0
"""Seconds, on an idle system."""

SHOP = "tiny-teapots.myshopify.com"
SALESBOT = [sys.executable, "-m", "salesbot_pipelines"]


def read_env(path: Path) -> dict[str, str]:
    """Read the variables that the demo wrote down."""
    lines = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
    return {name: value.strip("'") for name, _, value in lines}


def price_of(home: Path) -> str:
    """Read the first variant's price from the published document."""
    found = next(iter(home.glob(f"objects/users/*/shopify/{SHOP}/shopify_data.json")))
    return json.loads(found.read_bytes())["products"][0]["variants"][0]["price"]["amount"]


def wait_until(price: str, home: Path, seconds: float = 120.0) -> float:
    """Wait until the document shows the price; give the seconds it took."""
    began = time.perf_counter()
    while price_of(home) != price:
        if time.perf_counter() - began > seconds:
            raise SystemExit(f"the document did not follow within {seconds:.0f} s")
        time.sleep(0.02)
    return time.perf_counter() - began


def draw(seconds: list[float], floor: float, note: str, path: Path) -> None:
    """Draw which share of the changes was published after how many seconds."""
    figure, (axes,) = chart.new("How long until a changed price is published?", note)
    axes.axvline(floor, color=chart.FLOOR, linewidth=1.6, label=f"floor: the refresh command alone, {floor:.1f} s")
    chart.shares(axes, seconds, color=chart.OURS, label=f"webhook to published ({len(seconds)} changes)")
    chart.target(
        axes, TARGET_MEDIAN, f"target: half within {TARGET_MEDIAN:.0f} s, 95 % within {TARGET_P95:.0f} s", across="x"
    )
    axes.axvline(TARGET_P95, color=chart.TARGET, linestyle="--", linewidth=1.6)
    for at, share in ((TARGET_MEDIAN, 50), (TARGET_P95, 95)):
        axes.plot(at, share, marker="s", color=chart.TARGET)
        axes.annotate(f"{share} %", (at, share), xytext=(6, -4), textcoords="offset points", color=chart.TARGET)
    axes.set(xlabel="seconds since the change", ylabel="% of the changes published")
    axes.set_xlim(0, 1.15 * max(TARGET_P95, *seconds))
    chart.legend(axes)
    chart.save(figure, path)


def main() -> None:
    """Print the distribution."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--event-wait", default="2", help="SALESBOT_EVENT_WAIT_SECONDS")
    chart.add_option(parser)
    options = parser.parse_args()
    note = f"{tell_load()}, event wait {options.event_wait} s"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".salesbot"
        environ = {**os.environ, "SALESBOT_EVENT_WAIT_SECONDS": options.event_wait}
        demo = subprocess.Popen([*SALESBOT, "demo"], cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)
        try:
            for line in demo.stdout:
                if "Ctrl-C" in line:
                    break
            variables = {**os.environ, **read_env(home / "demo.env")}
            product = json.loads(
                next(home.glob(f"objects/users/*/shopify/{SHOP}/products.jsonl")).read_text().splitlines()[0]
            )
            change = f"{variables['SALESBOT_SANDBOX_URL']}/_sandbox/shops/{SHOP}/change"
            seconds = []
            for nth in range(options.times):
                price = f"{50 + nth}.25"
                arguments = {"variant": product["variants"][0]["id"], "price": price}
                httpx.post(
                    change, json={"verb": "set_price", "arguments": arguments}, trust_env=False
                ).raise_for_status()
                seconds.append(wait_until(price, home))
                time.sleep(0.37)  # so that the ticks are met at different moments
            began = time.perf_counter()
            subprocess.run([*SALESBOT, "refresh", SHOP], env=variables, cwd=folder, check=True, capture_output=True)
            floor = time.perf_counter() - began
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    median = statistics.median(ordered)
    print(
        f"webhook to published, {len(ordered)} times: median {median:.1f} s, p95 {p95:.1f} s, max {ordered[-1]:.1f} s"
    )
    print(f"floor, `salesbot refresh` alone: {floor:.1f} s; median is {median / floor:.1f} x the floor")
    print(f"event wait {options.event_wait} s")
    if options.chart:
        draw(seconds, floor, note, options.chart)


if __name__ == "__main__":
    main()
