"""A process that is killed, or frozen, while its bulk operations run: the next one goes on with them."""

import os
import signal
import threading
import time

import pytest
from cryptography.fernet import Fernet

from salesbot_pipelines.refresh.guard import LEASE_SECONDS
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.refresh.adopting import NAMES, running
from salesbot_pipelines_tests.refresh.children import child
from salesbot_pipelines_tests.refresh.comparing import left_behind, torn
from salesbot_pipelines_tests.refresh.events import listen
from salesbot_pipelines_tests.refresh.kills import AheadClock
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn
from salesbot_pipelines_tests.refresh.test_one_writer import elsewhere
from salesbot_pipelines_tests.rig import open_rig

BULK = {"method": "bulk"}


@pytest.fixture
def shop(tmp_path):
    """The small shop on a clock that is ahead of every other process, its operations an hour long."""
    clock = AheadClock()
    world = World(clock)
    environ = {"SALESBOT_ENCRYPTION_KEYS": Fernet.generate_key().decode()}
    with open_rig(tmp_path / "home", world, clock=clock, environ=environ) as rig:
        yield running(rig, world.add(small_shop(clock)))


def let_run(found, refresh, seconds=30.0):
    """Let a process begin all its operations, and wait until it asks how they are."""
    sandbox = found.rig.server.sandbox
    asking = threading.Event()
    found.at_start(
        len(NAMES), lambda: sandbox.faults.add("change", operation="BulkPoll", change=lambda _: asking.set())
    )
    refresh.go()
    assert asking.wait(seconds), "the operations did not begin"
    sandbox.faults.clear()
    assert found.remembered() == set(NAMES)


def test_the_operations_of_a_killed_run_are_gone_on_with(shop):
    """What changed after they began stays pending, though the run that adopts them was told of it before."""
    turn(shop.shop, 1)
    told = listen(shop.rig, DOMAIN)
    with child(shop.rig.environ, DOMAIN, batch=BULK) as killed:
        let_run(shop, killed)
        killed.kill()
    shop.shop.set_price(shop.shop.all("products")[1]["variants"][0]["id"], "43.21")
    assert told.deliver() > 0
    shop.rig.program.clock.turn(seconds=LEASE_SECONDS + 1)

    outcome, seen = shop.next()
    assert (seen["begun"], seen["BulkCancel"], outcome.method, outcome.status) == (0, 0, "bulk", Status.PUBLISHED)
    assert outcome.adopted.startswith("inventory, products, variant_media of")
    wrong = shop.wrong()
    assert wrong
    assert all("price" in where for where in wrong), wrong
    assert shop.pending() > 0
    assert left_behind(shop.rig, DOMAIN) == torn(shop.rig, DOMAIN) == ""

    outcome, seen = shop.next()
    assert (outcome.status, outcome.adopted, seen["begun"]) == (Status.PUBLISHED, "", len(NAMES))
    assert (shop.pending(), shop.wrong()) == (0, [])


@pytest.mark.parametrize("nth", range(2, len(NAMES) + 1))
def test_a_run_that_is_killed_before_it_could_write_a_start_down(shop, nth):
    """What it had written is gone on with; the operation that nobody knows of ends by itself."""
    turn(shop.shop, 1)
    with child(shop.rig.environ, DOMAIN, batch=BULK) as killed:
        shop.at_start(nth, killed.kill)
        killed.go()
        assert killed.ends()
    shop.rig.server.sandbox.faults.clear()
    deadline = time.monotonic() + 30
    while len(shop.operations()) < nth:  # Shopify starts it though nobody hears the answer
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(shop.remembered()) == nth - 1
    shop.rig.program.clock.turn(seconds=LEASE_SECONDS + 1)
    outcome, seen = shop.next()
    assert (seen["begun"], seen["BulkCancel"]) == (len(NAMES) - nth + 1, 0)
    assert (outcome.status, outcome.method, bool(outcome.adopted)) == (Status.PUBLISHED, "bulk", True)
    assert set(shop.states().values()) == {"COMPLETED"}
    assert (shop.wrong(), shop.remembered()) == ([], set())


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_a_frozen_run_cannot_cancel_what_the_new_one_adopted(shop, place):
    turn(shop.shop, 1)
    rig = shop.rig
    environ = rig.environ if place == "here" else elsewhere(rig)
    with child(environ, DOMAIN, batch=BULK, lease_seconds=3) as old:
        let_run(shop, old)
        os.kill(old.pid, signal.SIGSTOP)
        old.wait_until_frozen()
        clock = rig.program.clock
        clock.turn(seconds=LEASE_SECONDS + 1)
        asleep, ended = clock.sleep, []

        def sleep(seconds):
            """While the new run waits for what it adopted, the old one wakes up, hears that it lost, and ends."""
            if not ended and len(rig.server.sandbox.calls.of(DOMAIN, "BulkPoll")) > len(NAMES):
                old.thaw()
                ended.append((old.hear()[:2], set(shop.states().values())))
            asleep(seconds)

        clock.sleep = sleep
        outcome, seen = shop.next()
    assert ended == [(("failed", "LeaseLost"), {"RUNNING"})]
    assert (seen["begun"], seen["BulkCancel"]) == (0, 0)
    assert outcome.adopted.startswith("inventory, products, variant_media of")
    assert set(shop.states().values()) == {"COMPLETED"}
    assert shop.wrong() == []
