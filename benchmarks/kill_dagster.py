"""Kill Dagster's daemon, and runs at work, while events come: is every event followed by a refresh?

Small shops change their prices without a pause; each change is told to the inbox as a webhook would, and counts as
acknowledged once its transaction is through. Meanwhile the daemon and running runs are ended with SIGKILL, in turn,
at random moments; the daemon is started again as a service manager would. Then everything is left alone. In the end
each acknowledged event must be stored once, no shop may want anything, and each document must have the last price.

    python benchmarks/kill_dagster.py [--shops 20] [--kills 10] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import httpx
from fleet_rig import RunningDagster, Shops, connected, dagster, environment, sandbox, until
from sqlalchemy import func, select

from salesbot_pipelines.refresh.program import Program
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.state.inbox import Inbox, WebhookEvent
from salesbot_pipelines.state.tables import inbox

_BETWEEN_KILLS = (3.0, 9.0)
_QUIET_SECONDS = 900.0  # a killed run's lease lasts two minutes, and its retry waits


class Changes(threading.Thread):
    """Changes prices and tells of it, until it is stopped."""

    def __init__(self, program: Program, shops: Shops, chance: random.Random) -> None:
        super().__init__(name="changes")
        self._inbox = Inbox(program.engine, program.clock)
        self._shops = shops
        self._chance = chance
        self._over = threading.Event()
        self.prices: dict[str, str] = {}
        self.acknowledged: Counter[str] = Counter()

    def run(self) -> None:
        """Change one shop after the other."""
        names = sorted(self._shops.tokens)
        with httpx.Client(trust_env=False, timeout=30) as http:
            while not self._over.wait(0.2):
                shop, price = self._chance.choice(names), f"{self._chance.randrange(100, 99_999) / 100:.2f}"
                self._shops.change_price(http, shop, price)
                self.prices[shop] = price
                event = WebhookEvent(shop, "products/update", str(uuid.uuid4()), "0" * 64)
                assert self._inbox.accept([event]) == ["new"]
                self.acknowledged[shop] += 1

    def stop(self) -> None:
        """Let it end after the change it is at."""
        self._over.set()
        self.join()


def kill_in_turn(running: RunningDagster, program: Program, kills: int, chance: random.Random) -> Counter[str]:
    """End a run that holds a shop, and the daemon, in turn; give how often each was."""

    def killed_at_work() -> bool:
        return any(status.lease_owner for status in program.work.statuses()) and running.kill_run()

    done: Counter[str] = Counter()
    for number in range(kills):
        time.sleep(chance.uniform(*_BETWEEN_KILLS))
        if number % 2:
            running.kill_daemon()
            done["daemon"] += 1
        else:
            until("a run at work", killed_at_work, seconds=_QUIET_SECONDS, poll_seconds=0.01)
            done["run"] += 1
        print(f"  killed: {dict(done)}", file=sys.stderr, flush=True)
    return done


def wrong_prices(program: Program, prices: dict[str, str]) -> list[str]:
    """Give the shops whose document does not hold the price that was set last."""
    wrong = []
    for install in program.installs.connected():
        document = json.loads(program.store.read(ShopKeys(install.owner, install.shop).document))
        found = [product["variants"][0]["price"]["amount"] for product in document["products"]]
        if install.shop in prices and prices[install.shop] not in found:
            wrong.append(install.shop)
    return wrong


def quiet(program: Program) -> bool:
    """Say whether no shop wants anything and nobody is at one."""
    return all(status.wanted == status.done and status.lease_owner is None for status in program.work.statuses())


def main(arguments: argparse.Namespace) -> int:
    """Do it, and print what came of it."""
    chance = random.Random(arguments.seed)
    print(f"load average {os.getloadavg()[0]:.1f} at the start, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, sandbox(arguments.shops) as shops:
        home = Path(folder) / "home"
        environ = environment(home, shops, SALESBOT_EVENT_WAIT_SECONDS="1")
        with connected(environ, shops) as program, dagster(home, environ) as running:
            until("every shop published once", lambda: quiet(program), seconds=300)
            changes = Changes(program, shops, chance)
            changes.start()
            killed = kill_in_turn(running, program, arguments.kills, chance)
            changes.stop()
            held = sum(status.lease_owner is not None for status in program.work.statuses())
            began = time.monotonic()
            until("every event followed by a refresh", lambda: quiet(program), seconds=_QUIET_SECONDS)
            seconds = time.monotonic() - began
            with program.engine.connect() as connection:
                stored = connection.execute(
                    select(func.count()).where(inbox.c.topic == "products/update")
                ).scalar_one()
                apart = connection.execute(select(func.count(inbox.c.webhook_id.distinct()))).scalar_one()
            wrong = wrong_prices(program, changes.prices)
    told = changes.acknowledged.total()
    print(f"when the last event had come, {held} shops were held by runs, living or dead")
    print(
        f"{killed['run']} runs and {killed['daemon']} daemons killed while {told} events came to {len(shops.tokens)} "
        f"shops: lost {told - apart}, doubled {stored - apart}, followed by no refresh 0, documents without the last "
        f"price {len(wrong)}; at rest {seconds:.0f} s after the last event"
    )
    return 1 if wrong or told != apart or stored != apart else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shops", type=int, default=20)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(parser.parse_args()))
