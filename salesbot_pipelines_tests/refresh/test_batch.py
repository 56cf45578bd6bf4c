"""Many shops in one run: each in its own box, several at once, none held up by another."""

import threading
import time

import pytest

from salesbot_pipelines.errors import LeaseLost, ShopifyUnavailable
from salesbot_pipelines.refresh.batch import Batch, run_batch
from salesbot_pipelines.refresh.outcome import Outcome, Status
from salesbot_pipelines_tests.refresh.small_shop import small_shop, turn
from salesbot_pipelines_tests.rig import TurnedClock, open_rig

SHOPS = tuple(f"shop-{n}.myshopify.com" for n in range(6))


class GateClock(TurnedClock):
    """Nobody's sleep ends before the gate is open; then time is turned as ever."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()

    def sleep(self, seconds):
        assert self.gate.wait(30), "the shops that wait hold up the others"
        super().sleep(seconds)


def done(shop):
    return Outcome(shop=shop, status=Status.PUBLISHED, trigger="manual")


def batch(*shops):
    return Batch(shops=shops or SHOPS, trigger="manual")


def test_one_shops_trouble_is_its_own():
    def refresh(shop, _report, _stop):
        if shop == SHOPS[1]:
            raise ShopifyUnavailable("away", shop=shop)
        if shop == SHOPS[2]:
            raise ZeroDivisionError
        return done(shop)

    outcomes = {outcome.shop: outcome for outcome in run_batch(batch(), refresh, at_once=3)}
    assert set(outcomes) == set(SHOPS)
    assert str(outcomes[SHOPS[1]].error) == "away"
    assert "unexpected ZeroDivisionError" in outcomes[SHOPS[2]].error.public_text
    assert [shop for shop in SHOPS if not outcomes[shop].ok] == list(SHOPS[1:3])


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (3, 3), (50, 6)])
def test_so_many_at_once_and_no_more(at_once, most):
    lock, inside, seen = threading.Lock(), [0], []
    full = threading.Barrier(most, timeout=10)

    def refresh(shop, _report, _stop):
        with lock:
            inside[0] += 1
            seen.append(inside[0])
        full.wait()
        with lock:
            inside[0] -= 1
        return done(shop)

    assert len(list(run_batch(batch(), refresh, at_once=at_once))) == len(SHOPS)
    assert max(seen) <= most


def test_whoever_takes_no_more_outcomes_ends_the_rest():
    begun, ended = [], []

    def refresh(shop, _report, stop):
        begun.append(shop)
        if shop != SHOPS[0]:
            while not stop.is_set():  # at work, and so without giving its slot to others
                time.sleep(0.002)
            ended.append(shop)
            raise LeaseLost(f"{shop}: the refresh was asked to stop")
        return done(shop)

    outcomes = run_batch(batch(), refresh, at_once=2)
    assert next(outcomes).shop == SHOPS[0]
    outcomes.close()
    assert set(ended) == set(begun) - {SHOPS[0]}
    assert len(begun) <= 3, "those that had not begun do not begin"


@pytest.mark.parametrize("waits", ["by the clock", "for a lease"])
def test_shops_that_wait_hold_up_nobody(waits):
    """With two at once, the first three wait until all others are done."""
    slow, quick = SHOPS[:3], SHOPS[3:]
    clock = GateClock()

    def refresh(shop, _report, slot):
        if shop in slow and waits == "by the clock":
            slot.clock(clock).sleep(1)
        while shop in slow and not clock.gate.is_set():
            slot.wait(0.01)
        return done(shop)

    ended = []
    for outcome in run_batch(batch(), refresh, at_once=2):
        ended.append(outcome.shop)
        if set(quick) <= set(ended):
            clock.gate.set()
    assert set(ended[:3]) == set(quick)
    assert set(ended[3:]) == set(slow)


def test_a_shop_that_gives_no_sign_is_no_longer_counted_and_one_that_does_is():
    hung, busy = SHOPS[:2]
    others_done, inside = threading.Event(), []

    def refresh(shop, report, _slot):
        if shop == hung:
            assert others_done.wait(30)
        while shop == busy and not others_done.is_set():
            report("products", 1, None)
            time.sleep(0.002)
        inside.append(shop)
        assert len(inside) == 1 or shop in (hung, busy), "the one that gets on keeps its slot"
        inside.remove(shop)
        return done(shop)

    ended = []
    for outcome in run_batch(batch(), refresh, at_once=2, silent_seconds=1.0):
        ended.append(outcome.shop)
        if set(SHOPS[2:]) <= set(ended):
            others_done.set()
    assert ended[:4] == list(SHOPS[2:]), "one after the other, in their order"


def test_one_that_comes_back_goes_before_those_that_have_not_begun():
    began = []
    come_back = threading.Event()

    class Clock(GateClock):
        def sleep(self, seconds):
            come_back.wait(30)

    def refresh(shop, _report, slot):
        began.append(shop)
        if shop == SHOPS[0]:
            slot.clock(Clock()).sleep(1)
            began.append("back")
        elif shop == SHOPS[1]:
            come_back.set()
            deadline = time.monotonic() + 30
            while not slot._slots._returning:  # until the first one stands in the line
                assert time.monotonic() < deadline
                time.sleep(0.002)
        return done(shop)

    list(run_batch(batch(*SHOPS[:4]), refresh, at_once=1))
    assert began == [SHOPS[0], SHOPS[1], "back", SHOPS[2], SHOPS[3]]


def test_shops_without_points_hold_up_no_other_through_the_whole_program(tmp_path, world):
    """Three of six shops have an empty bucket, two are refreshed at once, and time stands until the rest are done."""
    clock = GateClock()
    world.clock = clock
    with open_rig(tmp_path / "home", world, clock=clock, environ={"SALESBOT_CONCURRENT_SHOPS": "2"}) as rig:
        for shop in SHOPS:
            world.add(small_shop(clock, shop)).bucket.unlimited = shop in SHOPS[3:]
            rig.connect(shop)
        for shop in SHOPS[:3]:
            world.shop(shop).bucket.drain()
        ended = []
        for outcome in rig.program.refresh_batch(batch()):
            assert outcome.error is None
            ended.append(outcome.shop)
            if set(SHOPS[3:]) <= set(ended):
                clock.gate.set()
    assert set(ended[:3]) == set(SHOPS[3:])
    assert set(ended) == set(SHOPS)
    assert clock.slept > 0


def test_shops_that_failed_last_time_are_taken_last(tmp_path, world, clock):
    with open_rig(tmp_path / "home", world, clock=clock, environ={"SALESBOT_CONCURRENT_SHOPS": "1"}) as rig:
        for shop in SHOPS:
            rig.connect(world.add(small_shop(clock, shop)))
        rig.server.sandbox.faults.add("status", shop=SHOPS[1], status=404, times=None)
        assert not rig.refresh(SHOPS[1])[SHOPS[1]].ok
        rig.server.sandbox.faults.clear()
        order = [SHOPS[0], *SHOPS[2:], SHOPS[1]]
        assert [outcome.shop for outcome in rig.program.refresh_batch(batch())] == order
        assert [outcome.shop for outcome in rig.program.refresh_batch(batch())] == list(SHOPS)


def test_progress_is_told_for_each_shop_and_seldom():
    told = []

    def refresh(shop, report, _stop):
        for number in range(100):
            report("products", number, 100)
        return done(shop)

    list(run_batch(batch(SHOPS[0]), refresh, at_once=1, progress=lambda *what: told.append(what), report_seconds=0))
    assert told[0] == (SHOPS[0], "products", 0, 100)
    assert len(told) == 100
    told.clear()
    list(run_batch(batch(SHOPS[0]), refresh, at_once=1, progress=lambda *what: told.append(what), report_seconds=60))
    list(run_batch(batch(SHOPS[0]), refresh, at_once=1))
    assert told == []


def test_a_shop_that_fails_holds_up_none_of_the_others_through_the_whole_program(rig, world, clock):
    for shop in SHOPS:
        world.add(small_shop(clock, shop)).bucket.unlimited = True
        rig.connect(shop)
    rig.refresh(*SHOPS)
    for shop in SHOPS:
        turn(world.shop(shop), 1)
    world.shop(SHOPS[0]).freeze(402)
    rig.server.sandbox.faults.add("status", shop=SHOPS[1], status=404, times=None)
    rig.server.sandbox.faults.add(
        "partial", shop=SHOPS[2], operation="Products", path="products", times=None, code="X"
    )
    outcomes = rig.refresh(*SHOPS)
    assert [shop for shop in SHOPS if not outcomes[shop].ok] == list(SHOPS[:3])
    for shop in SHOPS[3:]:
        assert rig.document(shop)["shop"]["name"] == "Small 1"
    for shop in SHOPS[:3]:
        assert rig.document(shop)["shop"]["domain"] == shop
        assert rig.document(shop)["shop"]["name"] != "Small 1"
