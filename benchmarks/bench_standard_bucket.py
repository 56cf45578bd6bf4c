"""A paged refresh under Shopify's standard bucket: 2,000 points, 100 a second.

Prints the share of the granted points that were used, the dearest page, and how often Shopify had to say
THROTTLED. Time is turned by the client's own waiting, so the run takes as long as the work, not as the waiting.
With --rival another client spends half of what flows back.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import chart
from machine import tell_load

sys.path.insert(0, str(Path(__file__).parents[1]))

from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.rig import TurnedClock, open_rig

TARGET_SHARE = 0.95


class RivalledClock(TurnedClock):
    """Whenever time is turned, another client spends half of the points that flowed back."""

    bucket = None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.bucket is not None and seconds > 0:
            self.bucket.take(min(self.bucket.available(), self.bucket.restore_rate * seconds / 2))


def measure(products: int, *, rival: bool) -> dict[str, float]:
    """Refresh one synthetic shop and read the sandbox's log."""
    clock = RivalledClock() if rival else TurnedClock()
    world = World(clock)
    shop = world.add(make_synthetic(clock, products=products, variants=3))
    with tempfile.TemporaryDirectory() as home, open_rig(Path(home), world, clock=clock) as rig:
        domain = rig.connect(shop)
        if rival:
            clock.bucket = shop.bucket
        began = clock.slept
        outcome = rig.publish(domain, method="paged")
        calls = rig.server.sandbox.calls.as_json(domain)
    costs = [call["requested"] for call in calls if call.get("requested") is not None]
    granted = 2000 + 100 * (clock.slept - began) * (0.5 if rival else 1)
    return {
        "products": products,
        "calls": len(calls),
        "points used": outcome.calls.points,
        "of granted": outcome.calls.points / granted,
        "dearest page": max(costs),
        "THROTTLED": outcome.calls.throttled,
        "minutes on a real shop": (clock.slept - began) / 60,
    }


def draw(rows: dict[str, dict[str, float]], note: str, path: Path) -> None:
    """Draw the share of the granted points that was used; what was granted is the floor's 100 %."""
    products = next(iter(rows.values()))["products"]
    figure, (axes,) = chart.new("How much of what Shopify grants is used?", note)
    names = [f"{name}\n{row['THROTTLED']:.0f} times THROTTLED" for name, row in rows.items()]
    used = [100 * row["of granted"] for row in rows.values()]
    series = [("granted", chart.FLOOR, [100.0] * len(rows)), ("used by a refresh of pages", chart.OURS, used)]
    chart.bars(axes, names, series, form="{:.1f}")
    chart.target(axes, 100 * TARGET_SHARE, f"target: at least {TARGET_SHARE:.0%}")
    axes.set_ylabel(f"% of the granted points ({products:,.0f} products)")
    axes.set_yticks(range(0, 101, 20))
    chart.legend(axes)
    chart.save(figure, path)


def main() -> None:
    """Print one row a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--rival", action="store_true", help="also with another client at half of the bucket")
    chart.add_option(parser)
    options = parser.parse_args()
    note = tell_load()
    rows: dict[str, dict[str, float]] = {}
    for rival in [False, True] if options.rival else [False]:
        row = rows["with a rival" if rival else "alone"] = measure(options.products, rival=rival)
        print("with a rival" if rival else "alone", end=": ")
        print(", ".join(f"{name} {value:,.3f}".rstrip("0").rstrip(".") for name, value in row.items()))
    if options.chart:
        draw(rows, note, options.chart)


if __name__ == "__main__":
    main()
