"""The log of calls: what each shop's app asked, what it was charged, and what came back."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

LONGEST_LOG = 20_000


@dataclass(frozen=True)
class LoggedCall:
    """One request to the Admin API. It holds no token; variables are those of the query."""

    time: str
    shop: str
    operation: str | None
    variables: dict[str, Any]
    version_asked: str
    status: int | None
    outcome: str
    requested: int | None = None
    actual: int | None = None
    available_before: int | None = None
    fault: str | None = None


@dataclass
class CallLog:
    """The last calls, oldest first."""

    _calls: deque[LoggedCall] = field(default_factory=lambda: deque(maxlen=LONGEST_LOG))

    def add(self, call: LoggedCall) -> None:
        """Write a call down."""
        self._calls.append(call)

    def of(self, shop: str | None = None, operation: str | None = None) -> list[LoggedCall]:
        """Return the calls of a shop, an operation, or all."""
        return [
            call for call in list(self._calls) if shop in (None, call.shop) and operation in (None, call.operation)
        ]

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()

    def as_json(self, shop: str | None = None) -> list[dict[str, Any]]:
        """Return the calls as plain objects."""
        return [asdict(call) for call in self.of(shop)]
