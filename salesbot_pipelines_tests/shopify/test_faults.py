"""Every fault of the wire, at every call: the same catalogue comes out, or a typed error."""

from __future__ import annotations

import pytest

from salesbot_pipelines.errors import (
    AccessRevoked,
    QueryRejected,
    ShopifyUnavailable,
    ShopNotFound,
    ShopPaused,
    WrongApiVersion,
)
from salesbot_pipelines.sandbox.build_collections import add_collection
from salesbot_pipelines.sandbox.build_discounts import add_discount
from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.cost import Bucket
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines.shopify.effort import Limits
from salesbot_pipelines_tests.shopify.bench import Bench, number_in, told, truth

PASSING = ["throttled", "http_429", "disconnect", "truncate", "html", "broken_json", "not_object", "drain", "empty"]


def small_shop(bench: Bench) -> Shop:
    shop = bench.open()
    place = number_in(shop.all("locations")[0]["id"])
    for n in range(5):
        product = add_product(shop, f"P{n}", [NewVariant("1.00", stock={place: n})])
        add_collection(shop, f"C{n}", [number_in(product["id"])])
        add_discount(shop, "CodeBasic", f"D{n}", codes=[f"D{n}"])
    return shop


@pytest.mark.parametrize("action", PASSING)
def test_a_fault_at_any_call_changes_nothing(bench: Bench, action: str) -> None:
    """Each action is tried at every third call, and all actions together at every call."""
    shop = small_shop(bench)
    bench.read(shop, page=3)
    calls = len(bench.calls.of(shop.domain))
    for nth in range(1 + PASSING.index(action) % 3, calls + 1, 3):
        bench.faults.clear()
        bench.faults.add(action, shop=shop.domain, nth=nth, times=2)
        snapshot, sink = bench.read(shop, page=3)
        assert told(sink.settled(snapshot)) == truth(shop)
        assert snapshot.omissions == ()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_server_error_passes(bench: Bench, status: int) -> None:
    shop = small_shop(bench)
    bench.faults.add("status", status=status, nth=4, times=4)
    snapshot, sink = bench.read(shop)
    assert told(sink.settled(snapshot)) == truth(shop)


def test_a_page_that_is_too_dear_is_made_smaller(bench: Bench) -> None:
    shop = small_shop(bench)
    bench.faults.add("max_cost", operation="Products", times=3)
    snapshot, sink = bench.read(shop)
    assert told(sink.settled(snapshot)) == truth(shop)
    sizes = [call.variables["first"] for call in bench.calls.of(shop.domain, "Products")]
    assert sizes[:4] == [250, 125, 62, 31]


def test_ids_that_are_too_many_at_once_are_halved(bench: Bench) -> None:
    shop = small_shop(bench)
    bench.faults.add("max_cost", operation="VariantExtras", times=2)
    snapshot, sink = bench.read(shop)
    assert told(sink.settled(snapshot)) == truth(shop)
    asked = [len(call.variables["ids"]) for call in bench.calls.of(shop.domain, "VariantExtras")]
    assert asked == [5, 2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("action", "how", "error"),
    [
        ("unauthorized", {}, AccessRevoked),
        ("freeze", {}, ShopPaused),
        ("status", {"status": 423}, ShopPaused),
        ("status", {"status": 404}, ShopNotFound),
        ("redirect", {}, ShopNotFound),
        ("wrong_version", {}, WrongApiVersion),
        ("disconnect", {"times": None}, ShopifyUnavailable),
        ("html", {"times": None}, ShopifyUnavailable),
        (
            "errors_only",
            {"message": "Field 'x' doesn't exist on type 'QueryRoot'", "code": "undefinedField"},
            QueryRejected,
        ),
    ],
)
def test_a_fault_that_does_not_pass_ends_the_reading_with_its_name(
    bench: Bench, action: str, how: dict, error
) -> None:
    shop = small_shop(bench)
    bench.faults.add(action, operation="Collections", **{"times": None, **how})
    with pytest.raises(error) as caught:
        bench.read(shop, limits=Limits(deadline_seconds=30))
    assert caught.value.shop == shop.domain
    assert shop.token not in str(caught.value)


def test_a_token_that_expires_on_the_way_is_renewed_and_the_reading_goes_on(bench: Bench) -> None:
    shop = small_shop(bench)

    class Tokens:
        renewed = 0

        def current(self) -> str:
            return shop.token if self.renewed else "shpat_expired"

        def renew(self, rejected: str) -> str:
            assert rejected == "shpat_expired"
            self.renewed += 1
            return shop.token

    tokens = Tokens()
    snapshot, sink = bench.read(shop, tokens=tokens)
    assert told(sink.settled(snapshot)) == truth(shop)
    assert tokens.renewed == 1


def test_an_answer_of_many_megabytes_is_not_held(bench: Bench) -> None:
    shop = small_shop(bench)
    bench.faults.add("huge", operation="Products", times=1)
    snapshot, sink = bench.read(shop, limits=Limits(answer_bytes=1_000_000))
    assert told(sink.settled(snapshot)) == truth(shop)


def test_all_points_are_used_and_no_call_is_throttled(bench: Bench) -> None:
    """Half the standard bucket, in the sandbox's own accounting and the test's time."""
    bucket = Bucket(bench.clock, 1000, 50)
    shop = bench.world.add(make_synthetic(bench.clock, "wide.myshopify.com", products=500, bucket=bucket))
    began = bench.clock.seconds
    snapshot, _ = bench.read(shop)
    granted = 1000 + 50 * (bench.clock.seconds - began)
    assert snapshot.counts_read["variants"] == 1500
    assert bench.clock.seconds - began > 5
    assert snapshot.stats.throttled == 0
    assert not any(call.outcome == "throttled" for call in bench.calls.of(shop.domain))
    assert granted - snapshot.stats.points_actual <= 100, (
        "what is left in the bucket at the end is all that was not used"
    )
    assert max(call.requested for call in bench.calls.of(shop.domain)) <= 920
