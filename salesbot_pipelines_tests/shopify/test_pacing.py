"""The bucket is drunk to the last drop and never asked for more than it holds."""

from __future__ import annotations

import json
import random
import threading

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import ShopifyUnavailable
from salesbot_pipelines.shopify import cost, queries
from salesbot_pipelines.shopify.cost import CostBook, estimate, size
from salesbot_pipelines.shopify.pacing import Bucket, Pacer
from salesbot_pipelines_tests.shopify.wire import LIST, VERSION, FakeClock, Wire, client_on, throttled
from salesbot_pipelines_tests.shopify.wire import cost as cost_extension


class Shop:
    """A leaky bucket in the time of the test's clock; `foreign` spends from it whenever time has passed."""

    def __init__(self, clock: FakeClock, *, maximum=2000.0, rate=100.0, latency=0.15, foreign=None) -> None:
        self.clock, self.maximum, self.rate, self.latency, self.foreign = clock, maximum, rate, latency, foreign
        self.available, self.seen = maximum, 0.0
        self.spent = self.spilled = 0.0
        self.throttled = self.calls = 0

    def _refill(self) -> None:
        now = self.clock.seconds
        full = self.available + (now - self.seen) * self.rate
        if self.foreign is not None:
            full -= self.foreign(self.seen, now)
        self.spilled += max(0.0, full - self.maximum)
        self.available, self.seen = max(0.0, min(self.maximum, full)), now

    def answer(self, request: httpx.Request) -> httpx.Response:
        first = json.loads(request.content)["variables"]["first"]
        requested, actual = 2 + size(first) * 76.0, 2 + size(first) * 37.0
        self.clock.seconds += self.latency
        self.calls += 1
        self._refill()
        if requested > self.available:
            self.throttled += 1
            return throttled(requested=requested, available=int(self.available), rate=self.rate)
        self.available -= actual
        self.spent += actual
        self.clock.seconds += self.latency
        figures = cost_extension(requested, actual, int(self.available), self.maximum, self.rate)
        body = {"data": {"products": {"nodes": []}}, "extensions": {"cost": figures}}
        return httpx.Response(200, headers={"X-Shopify-API-Version": VERSION}, json=body)


def read_pages(shop: Shop, pages: int):
    client = client_on(Wire(shop.answer), shop.clock)
    for _ in range(pages):
        client.execute(LIST, {"first": client.page_size(LIST)})
    return client


def test_every_point_is_used_and_nothing_is_throttled() -> None:
    """A 10,000-product reading under the standard bucket: 40 pages of 250."""
    clock = FakeClock()
    shop = Shop(clock)
    client = read_pages(shop, 40)
    granted = 2000 + 100 * clock.seconds
    assert shop.throttled == 0
    assert client.stats.throttled == 0
    assert shop.spent / granted >= 0.95
    assert shop.spilled < 100


@pytest.mark.parametrize("points", [1999.5, 2000, 2001, 5000])
def test_a_call_dearer_than_the_bucket_goes_out_when_the_bucket_is_full(points: float) -> None:
    """Shopify itself refuses it then; waiting for more points than the bucket holds would never end."""
    clock = FakeClock()
    pacer = Pacer(clock)
    pacer.settle(pacer.reserve(10), Bucket(2000, 500, 100))
    pacer.settle(pacer.reserve(points), None)
    assert clock.seconds == pytest.approx(15, abs=0.1)


@pytest.mark.parametrize(("maximum", "rate"), [(1000, 50), (4000, 200), (20000, 1000), (40000, 2000), (900, 100)])
def test_any_bucket_is_read_off_the_answers(maximum: float, rate: float) -> None:
    shop = Shop(FakeClock(), maximum=maximum, rate=rate)
    read_pages(shop, 30)
    assert shop.throttled == 0


def steady(rate: float):
    return lambda since, now: (now - since) * rate


def bursts(every: float, points: float):
    return lambda since, now: (int(now / every) - int(since / every)) * points


@pytest.mark.parametrize(
    "foreign", [steady(50), steady(20), steady(80), bursts(10, 500), bursts(1, 50), bursts(37, 1000)]
)
def test_another_client_on_the_same_bucket_is_met_with_few_refusals(foreign) -> None:
    clock = FakeClock()
    shop = Shop(clock, foreign=foreign)
    client = read_pages(shop, 60)
    assert client.stats.throttled <= 9, "of 60 pages"
    left_to_us = 2000 + 100 * clock.seconds - foreign(0, clock.seconds)
    assert shop.spent / left_to_us >= 0.93


def test_a_bucket_that_is_emptied_once_is_trusted_again() -> None:
    clock = FakeClock()
    shop = Shop(clock, foreign=lambda since, now: 1500.0 if since < 20 <= now else 0.0)
    read_pages(shop, 80)
    assert shop.spent / (500 + 100 * clock.seconds) >= 0.95


def test_an_answer_without_prices_does_not_stop_the_reading() -> None:
    clock = FakeClock()
    body = {"data": {"products": {"nodes": []}}}
    client = client_on(Wire(httpx.Response(200, json=body)), clock)
    for _ in range(5):
        client.execute(LIST, {"first": 250})
    assert clock.seconds == 0


def test_a_call_dearer_than_the_bucket_goes_out_at_a_full_one() -> None:
    """It never gets enough points: Shopify itself has to say so."""
    clock = FakeClock()
    pacer = Pacer(clock)
    pacer.settle(pacer.reserve(10), Bucket(2000, 100, 100))
    pacer.reserve(5000)
    assert clock.seconds == pytest.approx(19, abs=0.1)


def test_a_failed_call_gives_its_reservation_back() -> None:
    clock = FakeClock()
    shop = Shop(clock)
    trouble = iter([True, True, False] * 20)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503) if next(trouble) else shop.answer(request)

    client = client_on(Wire(answer), clock, chance=random.Random(1))
    for _ in range(3):
        client.execute(LIST, {"first": 250})
    assert client._pacer._in_flight == 0
    with pytest.raises(ShopifyUnavailable):
        client_on(Wire(httpx.Response(503)), clock).execute(LIST, {"first": 1})


def test_threads_that_share_a_shop_share_its_bucket() -> None:
    """Ten at once ask for 500 points each of a bucket of 2,000: only four may go at once."""
    clock, lock, most, now = FakeClock(), threading.Lock(), 0, 0
    pacer = Pacer(clock)
    pacer.settle(pacer.reserve(10), Bucket(2000, 2000, 1_000_000))
    gate = threading.Event()

    class Holding(FakeClock):
        def sleep(self, seconds: float) -> None:
            gate.wait(0.01)

    pacer._clock = Holding()

    def call() -> None:
        nonlocal most, now
        turn = pacer.reserve(480)
        with lock:
            now += 1
            most = max(most, now)
        gate.wait(0.03)
        with lock:
            now -= 1
        pacer.settle(turn, Bucket(2000, 2000, 1_000_000), charged=0)

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 4


# Prices


@pytest.mark.parametrize(
    ("count", "charged"), [(1, 1), (2, 1), (5, 3), (10, 4), (20, 5), (25, 6), (50, 7), (100, 9), (250, 11)]
)
def test_the_fitted_size_of_a_connection(count: int, charged: int) -> None:
    assert size(count) == charged


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("{ shop { id name } }", 1),
        ("{ shop { primaryDomain { url } } }", 2),
        ("{ productsCount { count } discountNodesCount { count } }", 20),
        ("{ products(first: 10) { nodes { id } pageInfo { hasNextPage } } }", 6),
        ("{ products(first: 250) { edges { node { id priceRange { min { amount currencyCode } } } } } }", 2 + 11 * 2),
        ("{ nodes(ids: []) { id ... on Product { seo { title } } ... on Collection { id } } }", 2),
        ("mutation M { webhookSubscriptionDelete(id: 1) { userErrors { message } } }", 10),
    ],
)
def test_the_fitted_price_of_a_query(text: str, points: float) -> None:
    assert estimate(queries.Query("x", text), {}) == points


def test_a_first_guess_is_corrected_by_the_first_answer_for_all_sizes() -> None:
    book = CostBook()
    before = book.expected(LIST, {"first": 250})
    book.learn(LIST, {"first": 50}, 10 * estimate(LIST, {"first": 50}))
    assert book.expected(LIST, {"first": 50}) == 10 * estimate(LIST, {"first": 50})
    assert book.expected(LIST, {"first": 250}) == 10 * before


@settings(max_examples=50, deadline=None)
@given(st.floats(1, 60), st.floats(300, 5000))
def test_the_page_is_the_largest_that_fits(factor: float, bucket: float) -> None:
    book = CostBook()
    book.learn(LIST, {"first": 20}, factor * estimate(LIST, {"first": 20}))
    page = book.page_size(LIST, {}, bucket)
    limit = min(920, 0.9 * bucket)
    assert 1 <= page <= 250
    assert book.expected(LIST, {"first": page}) <= limit or page == 1
    larger = [n for n in cost._WORTHWHILE if n > page]
    assert all(book.expected(LIST, {"first": n}) > limit for n in larger)


def test_heavy_objects_make_small_pages() -> None:
    book = CostBook()
    book.weigh(LIST, 50_000_000, 250)
    assert book.page_size(LIST, {}, 2000) <= 42


@pytest.mark.parametrize("namespaces", [("custom",), ("custom", "specs"), ("a", "b", "c", "d")])
def test_the_first_page_of_products_is_large_and_affordable(namespaces: tuple[str, ...]) -> None:
    query = queries.load_for("products", namespaces)
    nested = {"variantsFirst": 50, "mediaFirst": 10, "metafieldsFirst": 20}
    page = CostBook().page_size(query, nested, float("inf"))
    assert page >= 90
    assert estimate(query, {**nested, "first": page}) < 1000


@pytest.mark.parametrize("name", queries.names())
def test_no_query_costs_more_than_one_may(name: str) -> None:
    wanted = {"first": 250, "variantsFirst": 50, "mediaFirst": 10, "metafieldsFirst": 20, "levelsFirst": 10}
    wanted |= {"productsFirst": 250, "codesFirst": 10, "itemsFirst": 25}
    assert estimate(queries.load(name), wanted) < 1000
