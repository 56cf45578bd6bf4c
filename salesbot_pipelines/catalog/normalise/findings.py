"""What a normaliser says when Shopify's answer cannot be used: `Findings` for a part, `Unusable` for the whole.

Both end as omissions in the document, so that nothing is missing without a word. Judging how much may be missing is
`catalog.problems`' work.
"""

from __future__ import annotations

import msgspec

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


class Findings(msgspec.Struct):
    """Everything that could not be used, in the order it was met; what one process met can be sent to another."""

    kept: list[Omission] = []
    beyond: dict[tuple[str, str], int] = {}
    """How many were not kept, by section and reason."""

    @property
    def total(self) -> int:
        """How many were met."""
        return len(self.kept) + sum(self.beyond.values())

    def add(self, pointer: str, reason: str, detail: str) -> None:
        """Note one part: a JSON pointer, a reason of the contract (truncated, error, ...), and words for people."""
        self._take(Omission(section=pointer, reason=reason, detail=detail))

    def extend(self, later: Findings) -> None:
        """Note what another one met after this one, as if this one had met it."""
        for omission in later.kept:
            self._take(omission)
        for kind, count in later.beyond.items():
            self._count(kind, count)

    def omissions(self) -> tuple[Omission, ...]:
        """Return the kept ones, and one line per section and reason for those beyond."""
        more = (
            Omission(section=f"/{section}/*", reason=reason, detail=f"{count} more of this kind")
            for (section, reason), count in sorted(self.beyond.items())
        )
        return (*self.kept, *more)

    def _take(self, omission: Omission) -> None:
        if len(self.kept) < KEPT:
            self.kept.append(omission)
        else:
            section = omission.section
            self._count((section.split("/")[1] if "/" in section else section, omission.reason), 1)

    def _count(self, kind: tuple[str, str], count: int) -> None:
        self.beyond[kind] = self.beyond.get(kind, 0) + count
