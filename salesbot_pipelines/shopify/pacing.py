"""Waiting before a call instead of after a refusal: the bucket of points of one app at one shop, as its answers
describe it.

The promise: a call is sent when the points it will be asked for should be there, so THROTTLED is an exception.
Somebody else may spend from the same bucket: each answer corrects the picture, and how fast and how suddenly others
have spent is reckoned with from then on. https://shopify.dev/docs/api/usage/limits
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock

from salesbot_pipelines.shopify.clock import Clock

_SHORTEST_SLEEP = 0.001  # a remainder below a clock's resolution would be waited for without end
_STANDARD_RATE = 100.0
_SLACK = 1.0  # currentlyAvailable is a whole number, rounded
_MEMORY_SECONDS = 20.0  # what others spent counts for about so long
_CAUTION = 1.25  # others are taken to be a little faster than they were: a refusal costs more than a moment
_CALM = 0.97  # a margin nobody needed shrinks by this with each answer
_LARGEST_MARGIN = 0.25  # of the bucket: more would leave points lying that flow over


@dataclass(frozen=True)
class Bucket:
    """`extensions.cost.throttleStatus` of an answer."""

    maximum: float
    available: float
    restore_rate: float


@dataclass(frozen=True)
class Turn:
    """Leave to send one call of `points`."""

    points: float
    waited_seconds: float
    unshared: float  # points that would be in the bucket now if nobody else spent
    elapsed: float  # seconds since the last answer


class Pacer:
    """One shop's bucket, shared by all threads that read the shop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._bucket: Bucket | None = None
        self._seen_at = 0.0
        self._in_flight = 0.0
        self._foreign_rate = 0.0
        self._margin = 0.0

    @property
    def maximum(self) -> float:
        """The most points the bucket can hold; infinite until an answer has said it."""
        bucket = self._bucket
        return math.inf if bucket is None else bucket.maximum

    @property
    def restore_rate(self) -> float:
        """Points a second; those of the standard plan until an answer has said it."""
        bucket = self._bucket
        return _STANDARD_RATE if bucket is None else bucket.restore_rate

    def reserve(self, points: float) -> Turn:
        """Wait until `points` should be there and count them as spent. Every turn is settled once."""
        started = self._clock.monotonic()
        while True:
            with self._lock:
                seconds = self._seconds_until(points)
                if seconds <= 0:
                    now = self._clock.monotonic()
                    turn = Turn(points, now - started, self._available(0.0), now - self._seen_at)
                    self._in_flight += points
                    return turn
            self._clock.sleep(max(seconds, _SHORTEST_SLEEP))

    def settle(self, turn: Turn, bucket: Bucket | None, *, charged: float = 0.0) -> None:
        """End a call; `bucket` is what its answer said, `charged` the points it cost in the end."""
        with self._lock:
            self._in_flight = max(0.0, self._in_flight - turn.points)
            if bucket is None:
                return
            if self._bucket is not None:
                foreign = turn.unshared - charged - bucket.available
                self._learn(foreign if foreign > 2 * _SLACK else 0.0, turn.elapsed, bucket)
            self._bucket, self._seen_at = bucket, self._clock.monotonic()

    def _seconds_until(self, points: float) -> float:
        bucket = self._bucket
        if bucket is None or bucket.restore_rate <= 0:
            return 0.0
        # More than the bucket holds never comes: such a call goes out at a full bucket, and Shopify itself refuses
        # it.
        needed = max(points, min(points + self._margin + _SLACK, 0.95 * bucket.maximum))
        available = self._available(self._foreign_rate)
        return (min(needed, bucket.maximum) - available) / self._speed(self._foreign_rate)

    def _available(self, foreign_rate: float) -> float:
        """Shopify counted before we read its answer, so on our account this is never too high."""
        bucket = self._bucket
        if bucket is None:
            return 0.0
        restored = self._speed(foreign_rate) * (self._clock.monotonic() - self._seen_at)
        return min(bucket.maximum, bucket.available + restored) - self._in_flight

    def _speed(self, foreign_rate: float) -> float:
        assert self._bucket is not None
        # Were others as fast as the bucket fills, we would wait for ever: take a tenth, and learn from the refusal.
        return max(self._bucket.restore_rate - _CAUTION * foreign_rate, 0.1 * self._bucket.restore_rate)

    def _learn(self, foreign: float, elapsed: float, told: Bucket) -> None:
        """Others spent `foreign` points since the last answer: part of it was their pace, the rest a surprise."""
        seconds = max(elapsed, 0.2)
        surprise = foreign - self._foreign_rate * seconds
        weight = 1 - math.exp(-seconds / _MEMORY_SECONDS)
        # Faster than the bucket fills nobody spends for long: that was a burst, and the margin's affair.
        pace = min(foreign / seconds, told.restore_rate)
        self._foreign_rate += weight * (pace - self._foreign_rate)
        self._margin = min(max(self._margin * _CALM, surprise), _LARGEST_MARGIN * told.maximum)
        if self._margin < 1:
            self._margin = 0.0
