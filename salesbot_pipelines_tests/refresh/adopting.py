"""Refreshes that leave bulk operations running at Shopify, and what the next one makes of them.

Looked at are the operations of products and stock. Any other that a reading may begin ends at once here, and is not
counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from salesbot_pipelines.errors import ShopifyUnavailable
from salesbot_pipelines.refresh.outcome import Outcome
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.sandbox.tables import Node
from salesbot_pipelines.state.tables import bulk_operations
from salesbot_pipelines.state.transactions import reading
from salesbot_pipelines_tests.refresh.comparing import differences, without_times
from salesbot_pipelines_tests.rig import Rig, open_second

NAMES = ("inventory", "products", "variant_media")
HOUR = 3600.0


@dataclass
class Running:
    """The rig's shop, read by bulk operations that take an hour."""

    rig: Rig
    shop: Shop

    def leave(self, trigger: str = "schedule") -> None:
        """Refresh until the operations run and Shopify is out of reach; it answers again afterwards."""
        faults = self.rig.server.sandbox.faults
        self.at_start(3, lambda: faults.add("status", operation="BulkPoll", status=503, times=None))
        outcome = self.rig.refresh(self.shop.domain, trigger=trigger, method="bulk")[self.shop.domain]
        faults.clear()
        assert isinstance(outcome.error, ShopifyUnavailable), outcome
        assert self.remembered() == set(NAMES)
        assert set(self.states().values()) <= {"CREATED", "RUNNING"}

    def at_start(self, nth: int, act: Callable[[], Any]) -> None:
        """Do something when the next reading starts its second, or a later, operation."""
        before = len(self.operations())
        done: list[Any] = []

        def look(_shop: Shop) -> None:
            if not done and len(self.operations()) - before == nth - 1 > 0:
                done.append(act())

        self.rig.server.sandbox.faults.add("change", operation="BulkRun", change=look, times=None)

    def while_waiting(self, act: Callable[[], Any]) -> None:
        """Do something at the first question that is asked after each remembered operation was asked for."""
        before, asked = len(self.shop.all("operations")), 0

        def look(shop: Shop) -> None:
            nonlocal asked
            asked += 1
            others = len(shop.all("operations")) - before  # one question each: they have ended
            if asked == others + len(NAMES) + 1:
                act()

        self.rig.server.sandbox.faults.add("change", operation="BulkPoll", change=look, times=None)

    def remembered(self) -> set[str]:
        with reading(self.rig.program.engine) as connection:
            return set(connection.execute(select(bulk_operations.c.name)).scalars())

    def operations(self) -> list[Node]:
        return [node for node in self.shop.all("operations") if of_goods(node)]

    def states(self) -> dict[str, str]:
        """How every operation stands at Shopify, by id."""
        with self.shop.lock:
            self.rig.server.sandbox.bulk.refresh(self.shop)
            return {node["id"]: node["status"] for node in self.operations()}

    def next(self, trigger: str = "webhook", rig: Rig | None = None, **batch: Any) -> tuple[Outcome, Counter[str]]:
        """Publish the shop once more; give the outcome and the calls by operation, `begun` among them."""
        calls = self.rig.server.sandbox.calls
        calls.clear()
        known = {node["id"] for node in self.operations()}
        batch.setdefault("method", "bulk")
        outcome = (rig or self.rig).publish(self.shop.domain, trigger=trigger, **batch)
        seen = Counter(call.operation for call in calls.of(self.shop.domain))
        seen["begun"] = len({node["id"] for node in self.operations()} - known)
        return outcome, seen

    def pending(self) -> int:
        status = self.rig.program.work.status(self.shop.domain)
        return status.wanted - status.done

    def wrong(self) -> list[str]:
        """Where the document differs from one that is read now, page by page, by a program that knows nothing."""
        home = self.rig.settings.home
        number = sum(1 for _ in home.parent.iterdir())
        with open_second(self.rig, home.with_name(f"beside-{number}")) as second:
            second.connect(self.shop)
            second.publish(self.shop.domain, method="paged")
            right = without_times(second.document(self.shop.domain))
        return list(differences(right, without_times(self.rig.document(self.shop.domain))))


def of_goods(operation: Node) -> bool:
    """Is it one of products or stock?"""
    found = re.search(r"\{\s*(\w+)\s*(?:\([^)]*\)\s*)?\{\s*edges", operation["query"])
    return found is not None and found[1] in ("products", "productVariants", "inventoryItems")


def running(rig: Rig, shop: Shop) -> Running:
    """Connect the shop and publish it once, page by page; from then on its bulk operations take an hour."""
    shop.bucket.unlimited = True
    rig.connect(shop)
    rig.publish(shop.domain, method="paged")
    desk = rig.server.sandbox.bulk
    desk.rules.run_seconds = HOUR
    by_the_clock = desk._is_due
    desk._is_due = lambda operation: not of_goods(operation.node) or by_the_clock(operation)  # type: ignore[method-assign]
    return Running(rig, shop)
