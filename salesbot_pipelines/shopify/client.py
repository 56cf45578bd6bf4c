"""The Admin GraphQL client of one shop: one query in, one judged answer out, whatever happens on the way.

The promise: calls are paced before they are sent; what passes by itself is repeated with full jitter until a
deadline; a refused token is renewed once; an answer is bounded in size and time; no redirect is ever followed with
a token. What an answer means is `answers`' work, what is asked stands in `queries`, walking pages in `reading`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import httpx
import msgspec

from salesbot_pipelines.errors import AccessRevoked, ShopifyError, ShopifyUnavailable, Throttled
from salesbot_pipelines.shopify.answers import Answer, AnswerTooLarge, CostTooHigh, Reply, judge, read_bucket
from salesbot_pipelines.shopify.clock import Clock, SystemClock
from salesbot_pipelines.shopify.cost import CostBook
from salesbot_pipelines.shopify.domain import parse_shop, shop_base_url
from salesbot_pipelines.shopify.effort import Effort, Limits
from salesbot_pipelines.shopify.pacing import Bucket, Pacer, Turn
from salesbot_pipelines.shopify.queries import Query
from salesbot_pipelines.shopify.tokens import AccessTokens

Variables = Mapping[str, Any]
Smaller = Callable[[Variables], Variables | None]
"""Makes the same question easier, or says None when it cannot."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,512}")
_PARTIAL_ATTEMPTS = 3
_HEAVY_AFTER = 2  # failures in a row after which a page is suspected to be too heavy for a gateway


@dataclass(frozen=True)
class Call:
    """One HTTP exchange, for logs and metrics; holds no secret and nothing of the shop's catalogue."""

    shop: str
    query: str
    outcome: str
    seconds: float
    waited_seconds: float
    requested_cost: float | None
    actual_cost: float | None


@dataclass
class Stats:
    """What reading has cost so far."""

    calls: int = 0
    points_requested: float = 0.0
    points_actual: float = 0.0
    throttled: int = 0
    waited_seconds: float = 0.0
    largest_cost: float = 0.0
    bytes_received: int = 0

    def since(self, before: Stats) -> Stats:
        """Return what has come since `before`; the largest cost is that of all calls."""
        return Stats(
            calls=self.calls - before.calls,
            points_requested=self.points_requested - before.points_requested,
            points_actual=self.points_actual - before.points_actual,
            throttled=self.throttled - before.throttled,
            waited_seconds=self.waited_seconds - before.waited_seconds,
            largest_cost=self.largest_cost,
            bytes_received=self.bytes_received - before.bytes_received,
        )


def open_http(*, connections: int = 32) -> httpx.Client:
    """Return the HTTP client all shops of a process share: no redirects, no proxy or netrc from the environment."""
    return httpx.Client(
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(connect=10.0, read=45.0, write=30.0, pool=60.0),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        headers={"User-Agent": "salesbot-pipelines"},
    )


class AdminClient:
    """Talks to one shop's Admin API in one version. Safe for threads that read the same shop."""

    def __init__(
        self,
        shop: str,
        tokens: AccessTokens,
        http: httpx.Client,
        *,
        api_version: str,
        shop_url: str = "https://{shop}",
        clock: Clock | None = None,
        on_call: Callable[[Call], None] | None = None,
        limits: Limits | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.shop = parse_shop(shop)
        self.api_version = api_version
        self.clock: Clock = clock or SystemClock()
        self.costs = CostBook()
        self.http = http
        self.limits = limits or Limits()
        self.chance = chance or random.Random()  # noqa: S311 - jitter, not a secret
        self._pacer = Pacer(self.clock)
        self._tokens = tokens
        self._url = f"{shop_base_url(shop_url, self.shop)}/admin/api/{api_version}/graphql.json"
        self._on_call = on_call
        self._stats = Stats()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"AdminClient({self.shop!r}, api_version={self.api_version!r})"

    @property
    def stats(self) -> Stats:
        """A copy of the figures so far."""
        with self._lock:
            return replace(self._stats)

    @property
    def restore_rate(self) -> float:
        """The points a second Shopify grants for this shop; the standard plan's 100 until an answer has said it."""
        return self._pacer.restore_rate

    def page_size(self, query: Query, variables: Variables | None = None) -> int:
        """Return the largest page to ask of a query now, by what is known of its price and of the bucket."""
        return self.costs.page_size(query, query.variables(variables), self._pacer.maximum)

    def execute(
        self,
        query: Query,
        variables: Variables | None = None,
        *,
        expect_cost: float | None = None,
        smaller: Smaller | None = None,
    ) -> Answer:
        """Return the answer to a query; its data may have holes, which `Answer.problems` names.

        Waits and repeats as `limits` allow; `smaller` is asked for an easier question when this one is too heavy.
        Raises the errors of `answers.judge` once repeating does not help.
        """
        effort = Effort(self.clock, self.limits, self.chance)
        asked = query.variables(variables)
        while True:
            token = effort.token(self._tokens)
            try:
                answer = self._exchange(query, asked, token, expect_cost)
            except Throttled as error:
                effort.wait_for_points(error)
            except (CostTooHigh, AnswerTooLarge):
                fewer = smaller(asked) if smaller is not None else None
                if fewer is None:
                    raise
                self.costs.too_much(query, asked)
                asked = dict(fewer)
            except ShopifyUnavailable as error:
                effort.back_off(error)
                if smaller is not None and effort.failures >= _HEAVY_AFTER:
                    self.costs.too_slow(query, asked)
                    asked = dict(smaller(asked) or asked)
            except AccessRevoked as error:
                effort.renew(self._tokens, token, error)
            else:
                if effort.failures >= _PARTIAL_ATTEMPTS or not any(problem.passing for problem in answer.problems):
                    return answer
                effort.back_off(ShopifyUnavailable(f"{self.shop} left out a part of its answer", shop=self.shop))

    def _exchange(self, query: Query, asked: Variables, token: str, expect_cost: float | None) -> Answer:
        if not _TOKEN.fullmatch(token):
            # The HTTP library would print such a value in its own error.
            raise AccessRevoked(
                f"the access token of {self.shop} cannot be one: it holds unprintable signs", shop=self.shop
            )
        expected = self.costs.expected(query, asked) if expect_cost is None else expect_cost
        turn = self._pacer.reserve(expected)
        started = self.clock.monotonic()
        bucket: Bucket | None = None
        answer: Answer | None = None
        outcome, charged, received = "ok", 0.0, 0
        try:
            reply = self._send(msgspec.json.encode({"query": query.text, "variables": asked}), token)
            received = len(reply.body)
            try:
                answer = judge(reply, shop=self.shop, api_version=self.api_version)
            except ShopifyError:
                bucket = read_bucket(reply.body)
                raise
            bucket, charged = answer.bucket, answer.actual_cost or 0.0
            self._learn(query, asked, answer)
            return answer
        except ShopifyError as error:
            outcome = type(error).__name__
            raise
        finally:
            self._pacer.settle(turn, bucket, charged=charged)
            self._count(query, turn, answer, outcome, self.clock.monotonic() - started, received)

    def _send(self, content: bytes, token: str) -> Reply:
        """Return the whole answer, read under a cap of bytes and of seconds; broken connections become one error."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Shopify-Access-Token": token}
        latest = self.clock.monotonic() + self.limits.answer_seconds
        body = bytearray()
        try:
            with self.http.stream(
                "POST", self._url, content=content, headers=headers, follow_redirects=False
            ) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > self.limits.answer_bytes:
                        raise AnswerTooLarge(
                            f"{self.shop} sent more than {self.limits.answer_bytes} bytes in one answer",
                            shop=self.shop,
                        )
                    if self.clock.monotonic() > latest:
                        raise ShopifyUnavailable(f"{self.shop} did not end its answer in time", shop=self.shop)
                return Reply(response.status_code, response.headers, bytes(body), self.clock.now())
        except httpx.RequestError as error:
            raise ShopifyUnavailable(
                f"{self.shop} could not be reached: {type(error).__name__}", shop=self.shop
            ) from error

    def _learn(self, query: Query, asked: Variables, answer: Answer) -> None:
        if answer.requested_cost is not None:
            self.costs.learn(query, asked, answer.requested_cost)

    def _count(
        self, query: Query, turn: Turn, answer: Answer | None, outcome: str, seconds: float, received: int
    ) -> None:
        requested = answer.requested_cost if answer else None
        actual = answer.actual_cost if answer else None
        with self._lock:
            stats = self._stats
            stats.calls += 1
            stats.points_requested += requested or 0.0
            stats.points_actual += actual or 0.0
            stats.throttled += outcome == Throttled.__name__
            stats.waited_seconds += turn.waited_seconds
            stats.largest_cost = max(stats.largest_cost, requested or 0.0)
            stats.bytes_received += received
        if self._on_call is not None:
            self._on_call(Call(self.shop, query.name, outcome, seconds, turn.waited_seconds, requested, actual))
