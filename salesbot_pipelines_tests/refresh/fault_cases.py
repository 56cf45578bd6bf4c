"""What the fault matrix tries: every fault of the wire, and the calls of a refresh at which it strikes."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from salesbot_pipelines.shopify import queries

READ_SECONDS = 0.3
"""How long the matrix waits for an answer; a slow one takes longer."""


@dataclass(frozen=True)
class Fault:
    """One way to spoil a call: the sandbox's action and its settings."""

    name: str
    action: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    at_root: bool = False
    """It nulls the call's first root field."""
    stays: bool = False
    """It is no passing fault: one is enough to end the refresh."""


def denied(field_name: str) -> dict[str, str]:
    return {"required_access": field_name}


FAULTS = (
    Fault("THROTTLED in a 200", "throttled"),
    Fault("an empty bucket", "drain"),
    Fault("429 with Retry-After", "http_429", {"seconds": 120}),
    Fault("500", "status", {"status": 500}),
    Fault("502", "status", {"status": 502}),
    Fault("503", "status", {"status": 503}),
    Fault("disconnect", "disconnect"),
    Fault("answer lost after the work", "lost"),
    Fault("truncated", "truncate"),
    Fault("HTML in a 200", "html"),
    Fault("broken JSON", "broken_json"),
    Fault("no JSON object", "not_object"),
    Fault("empty body", "empty"),
    Fault("slow", "slow", {"seconds": 2.5 * READ_SECONDS}),
    Fault("partial: INTERNAL_SERVER_ERROR", "partial", at_root=True),
    Fault("partial: another error", "partial", {"code": "UNEXPECTED"}, at_root=True, stays=True),
    Fault("partial: ACCESS_DENIED", "partial", denied("read_something"), at_root=True, stays=True),
    Fault("errors only: INTERNAL_SERVER_ERROR", "errors_only"),
    Fault("errors only: another", "errors_only", {"code": "undefinedField"}, stays=True),
    Fault("errors only: ACCESS_DENIED", "errors_only", {"code": "ACCESS_DENIED"}, stays=True),
    Fault("max cost", "max_cost", stays=True),
    Fault("401", "unauthorized", stays=True),
    Fault("402 from now on", "freeze", {"status": 402}, stays=True),
    Fault("402", "status", {"status": 402}, stays=True),
    Fault("403", "status", {"status": 403}, stays=True),
    Fault("404", "status", {"status": 404}, stays=True),
    Fault("423", "status", {"status": 423}, stays=True),
    Fault("400", "status", {"status": 400}, stays=True),
    Fault("wrong version", "wrong_version", stays=True),
    Fault("redirect", "redirect", stays=True),
)


CALLS = {
    "CollectionProducts": 5,
    "Collections": 3,
    "CollectionsCount": 1,
    "DiscountBuys": 2,
    "DiscountCodes": 2,
    "DiscountGets": 4,
    "Discounts": 3,
    "DiscountsCount": 1,
    "Inventory": 7,
    "InventoryById": 1,
    "InventoryLevels": 2,
    "Locales": 1,
    "Locations": 3,
    "Policies": 1,
    "Preflight": 1,
    "PreflightDiscounts": 1,
    "ProductMedia": 2,
    "ProductMetafields": 2,
    "ProductVariants": 2,
    "Products": 5,
    "ProductsById": 2,
    "ProductsCount": 1,
    "Shop": 1,
    "VariantExtras": 3,
    "VariantMetafields": 2,
    "VariantsCount": 1,
}
"""How often a paged refresh of the small shop calls each operation; a test compares it with a refresh."""

BULK_CALLS = {"BulkPoll": 4, "BulkRun": 4, "bulk_download": 4}
"""The calls that a refresh by bulk operations makes instead."""

MOVING_CALLS = {
    "CollectionIds": 3,
    "CollectionsById": 1,
    "CollectionsCount": 2,
    "OneDiscount": 2,
    "DiscountIds": 3,
    "DiscountsCount": 2,
    "ProductIds": 5,
    "ProductsById": 1,
    "ProductsCount": 2,
    "StillThere": 3,
}
"""The calls that a refresh makes to agree with a shop that changed while it was read."""

BULK_FAULTS = (
    *(Fault(f"operation {code}", "bulk_failed", {"code": code}) for code in ("INTERNAL_SERVER_ERROR", "TIMEOUT")),
    Fault("operation ACCESS_DENIED", "bulk_failed", {"code": "ACCESS_DENIED", "partial": True}),
    Fault("operation denied", "bulk_denied"),
    Fault("operation canceled", "bulk_canceled"),
    Fault("operation stuck", "bulk_stuck"),
    Fault("children cut off", "bulk_truncated", {"count": 2}),
    Fault("wrong count", "bulk_wrong_count", {"count": 1}),
    Fault("lines shuffled", "bulk_shuffled"),
    Fault("a line that is no JSON", "bulk_bad_line"),
    Fault("no address of the result", "bulk_no_url"),
)
"""What becomes of an operation that was begun. Pages are read then, so all of them end well."""


@dataclass(frozen=True)
class Case:
    """One fault at one call. `times` None: at every call of the operation from this one on.

    The shop stands still and is read by pages or by bulk operations, or it is `moving` under the read.
    """

    fault: Fault
    operation: str | None
    nth: int
    place: str
    times: int | None = 1
    path: tuple[str | int, ...] = ()
    situation: str = "paged"

    @property
    def name(self) -> str:
        where = "." + ".".join(map(str, self.path)) if self.path else ""
        often = "" if self.times == 1 else ", lasting"
        moving = " moving" if self.situation == "moving" else ""
        return f"{self.fault.name}{often} @ {self.operation or self.situation}{where} {self.place}{moving}"


def cases() -> list[Case]:
    """Give every fault at the first, middle and last call of every operation, once and lasting.

    Those of a shop that moves come last: they leave other objects behind than the matrix knows.
    """
    return [
        *_at_calls(CALLS, "paged"),
        *_at_calls(BULK_CALLS, "bulk"),
        *(
            Case(fault, None, nth, place, times, situation="bulk")
            for fault in BULK_FAULTS
            for nth, place, times in ((1, "first", 1), (2, "middle", 1), (4, "last", 1), (1, "first", None))
        ),
        *_at_calls(MOVING_CALLS, "moving"),
    ]


def _at_calls(calls: Mapping[str, int], situation: str) -> Iterator[Case]:
    for fault, (operation, count) in itertools.product(FAULTS, calls.items()):
        if fault.at_root and operation not in _roots():
            continue
        places = {count: "last", (count + 1) // 2: "middle", 1: "first"}
        path = (_roots()[operation],) if fault.at_root else ()
        for nth, place in sorted(places.items()):
            yield Case(fault, operation, nth, place, 1, path, situation)
            if not fault.stays or nth == 1:
                yield Case(fault, operation, nth, place, None, path, situation)


@cache
def _roots() -> dict[str, str]:
    """Give the first root field of each operation, by its name in the answer."""
    found = {}
    for name in queries.names():
        told = re.match(r"(?:query|mutation) (\w+)(?:\([^)]*\))? \{\s+(\w+)", queries.load(name).text)
        assert told, name
        found[told[1]] = told[2]
    return found


def sample(of: Sequence[Case], count: int) -> list[Case]:
    """Take `count` cases, the same each time: every fault as often as the others, at calls chosen by a fixed dice."""
    dice = random.Random(7)
    by_fault: dict[str, list[Case]] = {}
    for case in dice.sample(of, len(of)):
        by_fault.setdefault(case.fault.name, []).append(case)
    rounds = itertools.zip_longest(*by_fault.values())
    return [case for taken in rounds for case in taken if case is not None][:count]
