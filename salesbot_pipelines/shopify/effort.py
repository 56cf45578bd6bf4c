"""How often and how long one call is tried: the back-off, the wait for points, the single renewal of a token.

The promise: every wait has an end, and the error that is raised at the end is the last one Shopify gave.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from salesbot_pipelines.errors import AccessRevoked, ShopifyError, ShopifyUnavailable, Throttled
from salesbot_pipelines.shopify.clock import Clock
from salesbot_pipelines.shopify.tokens import AccessTokens


@dataclass(frozen=True)
class Limits:
    """How long and how large; seconds and bytes."""

    deadline_seconds: float = 180.0  # of one call with all its repetitions
    throttle_seconds: float = 900.0  # the same while Shopify only says that we are too fast
    first_backoff_seconds: float = 0.5
    longest_backoff_seconds: float = 20.0
    answer_seconds: float = 60.0  # of one answer, however slowly it drips
    answer_bytes: int = 64 * 1024 * 1024


class Effort:
    """The tries of one call."""

    def __init__(self, clock: Clock, limits: Limits, chance: random.Random) -> None:
        self._clock = clock
        self._limits = limits
        self._chance = chance
        self._started = clock.monotonic()
        self._renewed: str | None = None
        self.failures = 0

    def token(self, tokens: AccessTokens) -> str:
        """Return the token to send: the renewed one once there is one."""
        return self._renewed or tokens.current()

    def renew(self, tokens: AccessTokens, rejected: str, error: AccessRevoked) -> None:
        """Get another token, once; raise `error` when Shopify refuses that one too."""
        if self._renewed is not None:
            raise error
        try:
            fresh = tokens.renew(rejected)
        except ShopifyError as refusal:
            refusal.shop = refusal.shop or error.shop  # a token without a shop of its own cannot name it
            raise
        if fresh == rejected:
            raise error
        self._renewed = fresh

    def back_off(self, error: ShopifyUnavailable) -> None:
        """Wait a random part of a doubling time; raise `error` when the deadline would pass.

        Full jitter: callers that failed together do not come back together.
        """
        most = min(self._limits.longest_backoff_seconds, self._limits.first_backoff_seconds * 2.0**self.failures)
        self.failures += 1
        self._wait(self._chance.uniform(0, most), self._limits.deadline_seconds, error)

    def wait_for_points(self, error: Throttled) -> None:
        """Wait as long as Shopify wishes, at least a second; raise `error` when this call may not take so long."""
        self._wait(max(1.0, error.wait_seconds), self._limits.throttle_seconds, error)

    def _wait(self, seconds: float, deadline_seconds: float, error: ShopifyUnavailable | Throttled) -> None:
        if self._clock.monotonic() + seconds - self._started > deadline_seconds:
            raise error
        self._clock.sleep(seconds)
