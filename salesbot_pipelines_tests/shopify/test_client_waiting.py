"""What passes is waited for, and what is too large is asked smaller: both with an end."""

from __future__ import annotations

import json
import random

import httpx
import pytest

from salesbot_pipelines.errors import (
    ShopifyUnavailable,
    Throttled,
)
from salesbot_pipelines.shopify.answers import AnswerTooLarge, CostTooHigh
from salesbot_pipelines.shopify.client import Limits
from salesbot_pipelines_tests.shopify.wire import (
    LIST,
    PING,
    FakeClock,
    Wire,
    client_on,
    ok,
    text,
    throttled,
)


def halve(variables):
    return {**variables, "first": variables["first"] // 2} if variables["first"] > 1 else None


# Waiting


def test_throttled_waits_until_the_points_are_there() -> None:
    clock = FakeClock()
    client = client_on(Wire(throttled(requested=500, available=100, rate=100), ok()), clock)
    client.execute(PING)
    assert clock.seconds == pytest.approx(4, abs=0.1)
    assert client.stats.throttled == 1


def test_throttled_waits_a_second_at_least() -> None:
    clock = FakeClock()
    client_on(Wire(throttled(requested=10, available=9), ok()), clock).execute(PING)
    assert 1 <= clock.seconds < 1.5


def test_endless_throttling_ends() -> None:
    clock = FakeClock()
    wire = Wire(throttled(requested=500, available=0, rate=50))
    with pytest.raises(Throttled) as caught:
        client_on(wire, clock).execute(PING)
    assert clock.seconds <= 1.5 * Limits().throttle_seconds
    assert caught.value.wait_seconds == pytest.approx(10)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("2.5", 2.5), ("0", 1), ("-3", 1), ("soon", 1), ("nan", 1), ("Wed, 25 Nov 2026 12:00:09 GMT", 9)],
)
def test_429_waits_as_told(header: str, seconds: float) -> None:
    clock = FakeClock()
    client_on(Wire(text(429, Retry_After=header), ok()), clock).execute(PING)
    assert clock.seconds == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize("header", ["86400", "1e300", "inf", "Wed, 25 Nov 2099 12:00:00 GMT"])
def test_a_retry_after_without_bounds_does_not_hold_the_run(header: str) -> None:
    clock = FakeClock()
    with pytest.raises(Throttled) as caught:
        client_on(Wire(text(429, Retry_After=header)), clock).execute(PING)
    assert clock.seconds == 0
    assert caught.value.wait_seconds == 3600


def test_back_off_is_random_capped_and_ends_at_the_deadline() -> None:
    clock = FakeClock()
    limits = Limits(deadline_seconds=60, first_backoff_seconds=1, longest_backoff_seconds=8)
    with pytest.raises(ShopifyUnavailable):
        client_on(Wire(text(500)), clock, limits=limits, chance=random.Random(5)).execute(PING)
    assert clock.seconds <= 60
    ceilings = [1, 2, 4, 8, 8, 8, 8, 8]
    assert all(slept <= most for slept, most in zip(clock.slept, ceilings, strict=False))
    assert max(clock.slept) <= 8
    assert len(set(clock.slept)) == len(clock.slept)


def test_a_call_waits_before_it_is_sent_when_the_bucket_is_low() -> None:
    clock = FakeClock()
    wire = Wire(ok(requested=300, actual=300, available=100), ok(requested=300, actual=300, available=100))
    client = client_on(wire, clock)
    client.execute(PING)
    assert clock.seconds == 0
    client.execute(PING)
    assert clock.seconds == pytest.approx(2.01, abs=0.05)
    assert client.stats.throttled == 0
    assert client.stats.waited_seconds == pytest.approx(clock.seconds)


# Too large


def too_dear(request: httpx.Request) -> httpx.Response:
    if json.loads(request.content)["variables"]["first"] <= 60:
        return ok()
    error = {
        "message": "Query cost is 1200",
        "extensions": {"code": "MAX_COST_EXCEEDED", "cost": 1200, "maxCost": 1000},
    }
    return httpx.Response(200, json={"errors": [error]})


def test_a_query_that_is_too_dear_is_asked_smaller_and_never_the_same_again() -> None:
    wire = Wire(too_dear)
    client = client_on(wire)
    client.execute(LIST, {"first": 240}, smaller=halve)
    assert [variables["first"] for variables in wire.variables] == [240, 120, 60]
    assert client.page_size(LIST) <= 60


def test_a_query_that_is_too_dear_as_it_is_is_not_repeated() -> None:
    wire = Wire(too_dear)
    with pytest.raises(CostTooHigh):
        client_on(wire).execute(LIST, {"first": 240})
    assert len(wire.requests) == 1


def test_a_page_that_times_out_again_and_again_is_made_smaller() -> None:
    """Gateways cut off heavy pages with 504 (tap-shopify PR #227)."""

    def heavy(request: httpx.Request) -> httpx.Response:
        return ok() if json.loads(request.content)["variables"]["first"] <= 50 else text(504)

    wire = Wire(heavy)
    client_on(wire).execute(LIST, {"first": 200}, smaller=halve)
    assert [variables["first"] for variables in wire.variables] == [200, 200, 100, 50]


def test_after_an_outage_pages_grow_again() -> None:
    wire = Wire(*[text(503)] * 6, ok())
    client = client_on(wire)
    client.execute(LIST, {"first": 240}, smaller=halve)
    sizes = []
    for _ in range(20):
        sizes.append(client.page_size(LIST))
        client.execute(LIST, {"first": sizes[-1]}, smaller=halve)
    assert sizes[0] < 20
    assert sizes == sorted(sizes)
    assert sizes[-1] == 250


def test_an_answer_without_end_is_cut_off() -> None:
    sent = 0

    class Endless(httpx.SyncByteStream):
        def __iter__(self):
            nonlocal sent
            while True:
                sent += 65536
                yield b" " * 65536

    wire = Wire(lambda _: httpx.Response(200, stream=Endless()))
    with pytest.raises(AnswerTooLarge):
        client_on(wire, limits=Limits(answer_bytes=1_000_000)).execute(PING)
    assert sent < 1_200_000


def test_an_answer_that_drips_is_cut_off_in_time() -> None:
    clock = FakeClock()

    class Dripping(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                clock.seconds += 10
                yield b" "

    wire = Wire(lambda _: httpx.Response(200, stream=Dripping()))
    with pytest.raises(ShopifyUnavailable):
        client_on(wire, clock).execute(PING)
    assert clock.seconds <= Limits().deadline_seconds + 70


def test_a_part_left_out_in_passing_is_asked_again_and_then_told() -> None:
    hole = [{"message": "oops", "path": ["shop"], "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]
    wire = Wire(ok({"shop": None}, errors=hole), ok())
    assert client_on(wire).execute(PING).problems == ()
    wire = Wire(ok({"shop": None}, errors=hole))
    answer = client_on(wire).execute(PING)
    assert answer.problems[0].code == "INTERNAL_SERVER_ERROR"
    assert 2 <= len(wire.requests) <= 5
