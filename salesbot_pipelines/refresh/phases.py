"""How long each phase of a refresh took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from salesbot_pipelines.shopify.clock import Clock


class Phases:
    """Adds up the seconds of each phase, by its name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Count the time of a block, however it ends."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            spent = self._clock.monotonic() - began
            self.seconds[phase] = self.seconds.get(phase, 0.0) + spent
