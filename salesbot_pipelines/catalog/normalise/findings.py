"""What a normaliser says when Shopify's answer cannot be used: `Findings` for a part, `Unusable` for the whole.

Both end as omissions in the document, so that nothing is missing without a word. Judging how much may be missing is
`catalog.problems`' work.
"""

from __future__ import annotations

from collections import Counter

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.errors import SalesbotError

KEPT = 100
"""Findings kept word by word; beyond that they are counted, so that memory does not grow with a broken catalogue."""


class Unusable(SalesbotError):
    """One raw object cannot be published at all; the caller writes an omission in its place."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        self.detail = detail

    def omission(self) -> Omission:
        """Return what the document says of it."""
        return Omission(section=self.pointer, reason="error", detail=self.detail)


class Findings:
    """Everything that could not be used, in the order it was met."""

    def __init__(self) -> None:
        self.total = 0
        self._kept: list[Omission] = []
        self._beyond: Counter[tuple[str, str]] = Counter()

    def add(self, pointer: str, reason: str, detail: str) -> None:
        """Note one part: a JSON pointer, a reason of the contract (truncated, error, ...), and words for people."""
        self.total += 1
        if len(self._kept) < KEPT:
            self._kept.append(Omission(section=pointer, reason=reason, detail=detail))
        else:
            self._beyond[pointer.split("/")[1] if "/" in pointer else pointer, reason] += 1

    def omissions(self) -> tuple[Omission, ...]:
        """Return the kept ones, and one line per section and reason for those beyond."""
        more = (
            Omission(section=f"/{section}/*", reason=reason, detail=f"{count} more of this kind")
            for (section, reason), count in sorted(self._beyond.items())
        )
        return (*self._kept, *more)
