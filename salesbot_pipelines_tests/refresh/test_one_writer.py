"""Two refreshes of one shop, in two processes: one works, the other is told; an old one that wakes up is refused."""

import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from salesbot_pipelines.refresh.guard import LEASE_SECONDS
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.refresh.children import At, child
from salesbot_pipelines_tests.refresh.comparing import left_behind, torn
from salesbot_pipelines_tests.refresh.kills import AheadClock
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, small_shop, turn
from salesbot_pipelines_tests.rig import open_rig

DOCUMENT = At("put", 10)
MANIFEST = At("put", 11)


class SteppedClock:
    """The machine's time, wrong by so many hours; it can be handed to another process."""

    def __init__(self, hours: float) -> None:
        self.hours = hours

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=self.hours)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


@pytest.fixture
def ahead(tmp_path):
    """The small shop, published once, and a clock that can be turned ahead of every other process."""
    clock = AheadClock()
    world = World(clock)
    shop = world.add(small_shop(clock))
    shop.bucket.unlimited = True
    environ = {"SALESBOT_ENCRYPTION_KEYS": Fernet.generate_key().decode()}
    with open_rig(tmp_path / "home", world, clock=clock, environ=environ) as rig:
        rig.connect(shop)
        turn(shop, 0)
        rig.publish(DOMAIN)
        yield rig


def elsewhere(rig):
    """Give the variables of a second machine: the same database and store, and a work folder of its own.

    On one machine the one that takes over clears the old one's files away, and that alone would stop it.
    """
    home = rig.settings.home
    other = home.with_name("elsewhere")
    other.mkdir()
    (other / "objects").symlink_to(home / "objects")
    return {
        **rig.environ,
        "SALESBOT_HOME": str(other),
        "SALESBOT_DATABASE_URL": f"sqlite:///{home / 'state.db'}",
    }


def frozen(rig, at, **how):
    return child(elsewhere(rig), DOMAIN, at=at, sign=signal.SIGSTOP, tell=True, **how)


def freeze(refresh):
    refresh.go()
    assert refresh.hear()[0] == "at"
    refresh.wait_until_frozen()


def test_the_second_is_told_who_holds_the_shop_and_until_when(ahead):
    turn(ahead.world.shop(DOMAIN), 1)
    before = ahead.document_bytes(DOMAIN)
    with frozen(ahead, At("call", 3)) as first:
        freeze(first)
        second = subprocess.run(
            [sys.executable, "-m", "salesbot_pipelines", "refresh", DOMAIN],
            env={**os.environ, **ahead.environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 1
        said = " ".join(second.stderr.split())
        told = re.search(rf"{DOMAIN} is held by \S+:{first.pid} run child-\d* until (\S+ \S+) UTC", said)
        assert told, said
        until = datetime.fromisoformat(f"{told[1]}+00:00")
        assert 0 < (until - datetime.now(UTC)).total_seconds() <= LEASE_SECONDS
        assert "Traceback" not in said
        assert ahead.document_bytes(DOMAIN) == before
        first.thaw()
        assert first.hear()[0] == "published"
    assert ahead.document(DOMAIN)["shop"]["name"] == "Small 1"
    assert left_behind(ahead, DOMAIN) == ""


@pytest.mark.parametrize("at", [At("call", 2), At("call", 15), At("put", 1), DOCUMENT, MANIFEST], ids=str)
def test_one_that_was_frozen_until_another_took_over_is_refused(ahead, at):
    turn(ahead.world.shop(DOMAIN), 1)
    with frozen(ahead, at) as old:
        freeze(old)
        turn(ahead.world.shop(DOMAIN), 0)
        ahead.world.shop(DOMAIN).update_shop(name="The newest")
        ahead.program.clock.turn(seconds=LEASE_SECONDS + 1)
        ahead.publish(DOMAIN)
        newest = ahead.document_bytes(DOMAIN)
        old.thaw()
        assert old.hear()[:2] == ("failed", "LeaseLost")
    assert ahead.document_bytes(DOMAIN) == newest
    assert ahead.document(DOMAIN)["shop"]["name"] == "The newest"
    assert left_behind(ahead, DOMAIN) == ""
    assert torn(ahead, DOMAIN) == ""
    assert ahead.program.work.status(DOMAIN).last_error is None, "the old one notes nothing against the shop"


def test_the_new_one_does_not_skip_its_upload_or_the_old_one_would_overwrite_it(ahead):
    """Nothing has changed, and the old one writes the document all the same, for it was told to.

    Were the new one to write nothing, as it may when nothing changed, the frozen write would find what it saw.
    """
    with frozen(ahead, At("put", 1), batch={"full": True}) as old:
        freeze(old)
        ahead.program.clock.turn(seconds=LEASE_SECONDS + 1)
        assert ahead.publish(DOMAIN).status is Status.PUBLISHED
        newest = ahead.document_bytes(DOMAIN)
        old.thaw()
        assert old.hear()[:2] == ("failed", "LeaseLost")
    assert ahead.document_bytes(DOMAIN) == newest
    assert torn(ahead, DOMAIN) == ""
    assert ahead.publish(DOMAIN).status is Status.UNCHANGED


def test_a_shop_that_turned_back_is_not_overwritten_by_what_it_was_meanwhile(ahead):
    turn(ahead.world.shop(DOMAIN), 1)
    with frozen(ahead, DOCUMENT) as old:
        freeze(old)
        turn(ahead.world.shop(DOMAIN), 0)
        ahead.program.clock.turn(seconds=LEASE_SECONDS + 1)
        assert ahead.publish(DOMAIN).status is Status.PUBLISHED
        old.thaw()
        assert old.hear()[:2] == ("failed", "LeaseLost")
    assert ahead.document(DOMAIN)["shop"]["name"] == "Small 0"
    assert torn(ahead, DOMAIN) == ""


def test_a_frozen_write_of_a_line_file_is_mended_by_the_next_refresh(ahead):
    """Such a file has the same ETag whenever it has the same content; the document never has.

    It takes a change that leaves no time in the products, and its very reverse: a location's name, here.
    """
    (location, *_) = ahead.world.shop(DOMAIN).all("locations")
    before, location["name"] = location["name"], "Renamed"
    with frozen(ahead, At("put", 2)) as old:
        freeze(old)
        location["name"] = before
        ahead.program.clock.turn(seconds=LEASE_SECONDS + 1)
        ahead.publish(DOMAIN)
        newest = ahead.document_bytes(DOMAIN)
        old.thaw()
        assert old.hear()[:2] == ("failed", "LeaseLost")
    assert ahead.document_bytes(DOMAIN) == newest
    assert "products.jsonl is not what the manifest names" in torn(ahead, DOMAIN)
    assert ahead.publish(DOMAIN).status is Status.PUBLISHED
    assert torn(ahead, DOMAIN) == ""


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_a_clock_that_is_wrong_lets_no_old_one_through(ahead, hours):
    """The clock of the old one's machine is stepped; what counts is who took the shop last."""
    turn(ahead.world.shop(DOMAIN), 1)
    with frozen(ahead, DOCUMENT, clock=SteppedClock(hours)) as old:
        freeze(old)
        turn(ahead.world.shop(DOMAIN), 0)
        ahead.program.clock.turn(hours=max(0, hours) if hours < 5 else 0, seconds=LEASE_SECONDS + 1)
        ahead.publish(DOMAIN)
        newest = ahead.document_bytes(DOMAIN)
        old.thaw()
        assert old.hear()[:2] == ("failed", "LeaseLost")
    assert ahead.document_bytes(DOMAIN) == newest
    assert torn(ahead, DOMAIN) == ""


def test_on_one_machine_the_old_ones_files_are_gone_too(ahead):
    turn(ahead.world.shop(DOMAIN), 1)
    with child(ahead.environ, DOMAIN, at=DOCUMENT, sign=signal.SIGSTOP, tell=True) as old:
        freeze(old)
        turn(ahead.world.shop(DOMAIN), 0)
        ahead.program.clock.turn(seconds=LEASE_SECONDS + 1)
        ahead.publish(DOMAIN)
        assert left_behind(ahead, DOMAIN) == ""
        old.thaw()
        assert old.hear()[:2] == ("failed", "LeaseLost")
    assert ahead.document(DOMAIN)["shop"]["name"] == "Small 0"
    assert left_behind(ahead, DOMAIN) == ""


def test_one_that_was_frozen_while_nobody_came_goes_on(ahead):
    turn(ahead.world.shop(DOMAIN), 1)
    with frozen(ahead, DOCUMENT) as old:
        freeze(old)
        old.thaw()
        assert old.hear()[0] == "published"
    assert ahead.document(DOMAIN)["shop"]["name"] == "Small 1"


def test_many_at_once_and_one_publishes(ahead):
    turn(ahead.world.shop(DOMAIN), 1)
    first = child(ahead.environ, DOMAIN)
    second = child(elsewhere(ahead), DOMAIN)
    with first as one, second as other:
        one.go()
        other.go()
        ends = sorted(said[0] if said[0] != "failed" else said[1] for said in (one.hear(), other.hear()))
    assert ends in (["LeaseHeld", "published"], ["published", "unchanged"])
    assert torn(ahead, DOMAIN) == ""


def test_waiting_for_shopify_keeps_the_lease(rig, world, clock):
    """One call may be repeated for longer than a lease lasts; nobody takes the shop over meanwhile."""
    shop = world.add(small_shop(clock))
    rig.connect(shop)
    rig.publish(DOMAIN)
    rig.server.sandbox.faults.add("http_429", operation="Products", times=3, seconds=250)
    asleep = clock.sleep
    left = []

    def sleep(seconds):
        asleep(seconds)
        left.append((rig.program.work.status(DOMAIN).lease_until - clock.now()).total_seconds())

    clock.sleep = sleep
    assert rig.publish(DOMAIN).status is Status.UNCHANGED
    assert clock.slept > 4 * LEASE_SECONDS
    assert min(left) > 0
