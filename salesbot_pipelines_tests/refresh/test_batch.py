"""Many shops in one run: each in its own box, several at once, none held up by another."""

import threading

import pytest

from salesbot_pipelines.errors import LeaseLost, ShopifyUnavailable
from salesbot_pipelines.refresh.batch import Batch, run_batch
from salesbot_pipelines.refresh.outcome import Outcome, Status
from salesbot_pipelines_tests.refresh.small_shop import small_shop, turn

SHOPS = tuple(f"shop-{n}.myshopify.com" for n in range(6))


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
            assert stop.wait(10)
            ended.append(shop)
            raise LeaseLost(f"{shop}: the refresh was asked to stop")
        return done(shop)

    outcomes = run_batch(batch(), refresh, at_once=2)
    assert next(outcomes).shop == SHOPS[0]
    outcomes.close()
    assert set(ended) == set(begun) - {SHOPS[0]}
    assert len(begun) <= 3, "those that had not begun do not begin"


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
