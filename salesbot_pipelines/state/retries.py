"""When a failed shop is tried again, and when a person must look."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

Jitter = Callable[[float, float], float]
"""Returns a random number between its two arguments."""

LONGEST_WAIT = timedelta(hours=1)
"""No shop is put off for longer than this at a time."""

full_jitter: Jitter = random.SystemRandom().uniform


@dataclass(frozen=True)
class RetryRules:
    """How failures are spaced, and how many it takes until the shop is parked.

    The wait is random between nothing and `base` x 2^attempts, `cap` at most, so that shops which
    failed together do not come back together; a failure that no repetition heals waits the cap at
    once. The defaults park a shop after some seven hours of the former kind and twenty of the latter.
    """

    base_seconds: float = 30.0
    cap_seconds: float = LONGEST_WAIT.total_seconds()
    park_after: int = 20

    def __post_init__(self) -> None:
        if self.cap_seconds > LONGEST_WAIT.total_seconds():
            raise ValueError(f"the longest wait is {LONGEST_WAIT}")

    def wait(self, attempts: int, *, retryable: bool, jitter: Jitter) -> timedelta:
        """Return the wait after a failure that `attempts` failures in a row came before."""
        if not retryable:
            return timedelta(seconds=self.cap_seconds)
        # 2 to the 64th is more than any cap; far beyond it the power would overflow.
        limit = min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempts, 64))
        return timedelta(seconds=jitter(0.0, limit))
