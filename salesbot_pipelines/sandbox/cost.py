"""What a query costs, and the leaky bucket it is paid from.

Shopify publishes the idea but not the tariff. The figures here were fitted to recorded answers: an object 1,
a scalar 0, a connection 2 plus size(N) times its node, an interface or union its dearest member, a mutation 10,
a count at the root 10, `MoneyV2` and `pageInfo` 0. Clients may use them as a first guess and must believe the answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .clock import Clock

MAX_QUERY_COST = 1000
MUTATION_COST = 10
ROOT_COUNT_COST = 10
CONNECTION_COST = 2


def size(count: float) -> int:
    """Return how many nodes a connection of `count` is charged for: sublinear, 11 for 250."""
    return max(1, math.floor(2 * math.log(count))) if count > 0 else 0


@dataclass
class Bucket:
    """The points one app may spend at one shop; `restore_rate` flow back each second."""

    clock: Clock
    maximum: float = 2000
    restore_rate: float = 100
    unlimited: bool = False
    _available: float = field(init=False)
    _seen_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._available = self.maximum
        self._seen_at = self.clock.monotonic()

    def available(self) -> float:
        """Return the points at hand now."""
        moment = self.clock.monotonic()
        self._available = min(self.maximum, self._available + (moment - self._seen_at) * self.restore_rate)
        self._seen_at = moment
        return self.maximum if self.unlimited else self._available

    def take(self, points: float) -> bool:
        """Pay `points` if they are there; say whether they were."""
        if points > self.available():
            return False
        self._available -= points
        return True

    def give_back(self, points: float) -> None:
        """Return what a query was charged beyond its actual cost."""
        self._available = min(self.maximum, self.available() + points)

    def drain(self) -> None:
        """Leave nothing, as a query run elsewhere by the same app would."""
        self.available()
        self._available = 0.0

    def throttle_status(self) -> dict[str, int]:
        """Return the object every answer carries; whole points, as Shopify writes them."""
        return {
            "maximumAvailable": int(self.maximum),
            "currentlyAvailable": int(self.available()),
            "restoreRate": int(self.restore_rate),
        }
