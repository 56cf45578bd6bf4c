"""All shops of a sandbox, by domain."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from .bulk import BulkDesk
from .clock import Clock, SystemClock
from .shop import Shop
from .shop_tables import Listener


class UnknownShop(KeyError):
    """No such shop in this world."""


class World:
    """The shops. `lock` guards them: requests and changes take it, so a test may change a shop that is being read."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.lock = threading.RLock()
        self.listeners: list[Listener] = []
        self.bulk = BulkDesk(self.clock)
        self._shops: dict[str, Shop] = {}

    def add(self, shop: Shop) -> Shop:
        """Take a shop into the world, or replace the one of its domain."""
        with self.lock:
            shop.lock, shop.listeners, shop.bulk = self.lock, self.listeners, self.bulk
            self._shops[shop.domain] = shop
        return shop

    def shop(self, domain: str) -> Shop:
        """Return a shop; raises UnknownShop."""
        try:
            return self._shops[domain]
        except KeyError:
            raise UnknownShop(domain) from None

    def find(self, domain: str) -> Shop | None:
        """Return a shop or None."""
        return self._shops.get(domain)

    def __iter__(self) -> Iterator[Shop]:
        return iter(list(self._shops.values()))

    def __len__(self) -> int:
        return len(self._shops)
