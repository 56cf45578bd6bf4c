"""Breaking the sandbox on purpose: rules that spoil chosen calls, the way networks, proxies and Shopify itself do.

A rule names the calls it wants (shop, operation, from which call on, how often) and one action:

    throttled     the body of an empty bucket, HTTP 200        drain      empty the bucket, then answer truly
    http_429      429 with Retry-After (`seconds`)             status     any other `status`
    disconnect    close the connection without an answer       truncate   promise the whole body, send a part
    html          a proxy's page, HTTP 200                      broken_json, not_object   200, and no answer in it
    slow          wait `seconds`, then answer truly            redirect   302 to `location`
    partial       null at `path`, with an error                errors_only   errors and no data
    wrong_version another X-Shopify-API-Version                max_cost   the body of a query too dear
    change        change the world, then answer truly          freeze     402 (or `status`) from now on
    unauthorized  401                                       lost       do it, then close without an answer
    invalid_grant the token endpoint's 400                  empty, huge   no body; one of 32 MB

`slow`, `drain` and `change` come before the answer and may be joined by another rule; of the rest the first wins.
The next bulk operation is spoiled by: bulk_denied; bulk_failed (`code`, `partial`); bulk_canceled; bulk_stuck;
bulk_truncated (`count` children per parent); bulk_wrong_count (off by `count`); bulk_shuffled; bulk_bad_line;
bulk_no_url. The operation is the name of the query that runs; its download is the operation `bulk_download`.

The operation is the query's name; calls of the token endpoint are named `access_token`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .shop import Shop

BEFORE = ("slow", "drain", "change")
BULK = (
    "bulk_denied",
    "bulk_failed",
    "bulk_canceled",
    "bulk_stuck",
    "bulk_truncated",
    "bulk_wrong_count",
    "bulk_shuffled",
    "bulk_bad_line",
    "bulk_no_url",
)
ACTIONS = (
    "throttled",
    "http_429",
    "status",
    "unauthorized",
    "disconnect",
    "truncate",
    "html",
    "broken_json",
    "not_object",
    "redirect",
    "partial",
    "errors_only",
    "wrong_version",
    "max_cost",
    "freeze",
    "lost",
    "empty",
    "huge",
    "invalid_grant",
    *BEFORE,
    *BULK,
)
Change = Callable[[Shop], Any]


@dataclass
class Rule:
    """Which calls to spoil, and how. `times` None: for ever. A path is a list or dotted text; `*` is every entry."""

    action: str
    shop: str | None = None
    operation: str | None = None
    nth: int = 1
    times: int | None = 1
    status: int | None = None
    seconds: float = 1.0
    path: str | list[str | int] = ""
    message: str | None = None
    code: str | None = None
    required_access: str | None = None
    version: str = "2026-01"
    count: int = 100
    partial: bool = False
    location: str = "https://elsewhere.example/"
    change: Change | dict[str, Any] | None = None
    id: int = 0
    seen: int = 0
    used: int = 0

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"no fault {self.action!r}; there are {', '.join(ACTIONS)}")

    def wants(self, shop: str, operation: str | None) -> bool:
        """Count a call and say whether it is one to spoil."""
        if self.shop not in (None, shop) or self.operation not in (None, operation):
            return False
        self.seen += 1
        wanted = self.seen >= self.nth and (self.times is None or self.used < self.times)
        self.used += wanted
        return wanted

    @property
    def steps(self) -> tuple[str | int, ...]:
        """The path as keys and indices."""
        return (
            tuple(part for part in self.path.split(".") if part) if isinstance(self.path, str) else tuple(self.path)
        )


@dataclass
class Faults:
    """The rules in force."""

    _rules: list[Rule] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, action: str, **settings: Any) -> Rule:
        """Put a rule in force; `settings` are Rule's fields."""
        rule = Rule(action, **settings)
        with self._lock:
            rule.id = next(self._ids)
            self._rules.append(rule)
        return rule

    def remove(self, id_: int) -> None:
        """Lift one rule."""
        with self._lock:
            self._rules = [rule for rule in self._rules if rule.id != id_]

    def clear(self) -> None:
        """Lift all rules."""
        with self._lock:
            self._rules.clear()

    def all(self) -> list[Rule]:
        """Return the rules in force."""
        return list(self._rules)

    def on(self, shop: str, operation: str | None) -> tuple[list[Rule], Rule | None]:
        """Return what comes before the answer of this call, and what spoils it."""
        with self._lock:
            hits = [rule for rule in self._rules if rule.action not in BULK and rule.wants(shop, operation)]
        return [rule for rule in hits if rule.action in BEFORE], next(
            (r for r in hits if r.action not in BEFORE), None
        )

    def on_bulk(self, shop: str, operation: str | None) -> Rule | None:
        """Return what spoils a bulk operation of this shop, of a query of this name, that begins now."""
        with self._lock:
            hits = [rule for rule in self._rules if rule.action in BULK and rule.wants(shop, operation)]
        return hits[0] if hits else None
