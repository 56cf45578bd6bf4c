"""Which codes of a discount may be told to any shopper, and titles and summaries that give the others away.

The promise: doubt withholds. A code is told only when every code was read, there are few, the discount is running,
anybody may use it, and more than once. Whatever is withheld appears in no other field either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from salesbot_pipelines.catalog.normalise.context import Raw
from salesbot_pipelines.catalog.normalise.raw import connection, exact_count, integer, text

MOST_TOLD = 3
"""More codes than this are handed out one by one, not told to everybody."""
NEUTRAL_TITLE = "Discount"
_SHORTEST_INSIDE = 4
"""Shorter codes (10, A1) are looked for as the whole text only: inside a sentence they are ordinary words."""


@dataclass(frozen=True, slots=True)
class Codes:
    """`told` is what the document may hold; `read` is everything seen, and never leaves the normaliser."""

    told: tuple[str, ...]
    count: int | None
    withheld: bool
    read: tuple[str, ...]
    all_read: bool

    def __repr__(self) -> str:
        return f"Codes(count={self.count}, withheld={self.withheld})"


AUTOMATIC = Codes(told=(), count=None, withheld=False, read=(), all_read=True)


def judge_codes(raw: Raw, *, is_public: bool, is_active: bool, incomplete: bool) -> Codes:
    """Judge the codes of a code discount; `incomplete` says that they could not all be fetched."""
    nodes, complete = connection(raw, "codes")
    read = tuple(dict.fromkeys(code for node in nodes if (code := _code(node))))
    exact = exact_count(raw.get("codesCount"))
    stated = integer((raw.get("codesCount") or {}).get("count"))
    all_read = complete and not incomplete
    if exact is not None:
        all_read = all_read and exact <= len(read)
    elif stated is not None:
        all_read = False  # a lower bound proves nothing
    withheld = (
        not all_read
        or not is_public
        or not is_active
        or max(len(read), stated or 0) > MOST_TOLD
        or integer(raw.get("usageLimit")) == 1
    )
    count = stated if stated is not None else (len(read) if all_read else None)
    return Codes(told=() if withheld else read, count=count, withheld=withheld, read=read, all_read=all_read)


def _code(node: object) -> str | None:
    return text(node.get("code") if isinstance(node, dict) else node)


def safe_texts(title: str | None, summary: str | None, codes: Codes) -> tuple[str, str | None]:
    """Return title and summary without any withheld code.

    Codes made in Shopify's admin bear the code as their title. Where not every code was read, a title of one word
    may be one of the others.
    """
    if codes.withheld:
        if summary is not None and _gives_away(summary, codes):
            summary = None
        if title is not None and (_gives_away(title, codes) or (not codes.all_read and len(title.split()) == 1)):
            title = summary
    return title or NEUTRAL_TITLE, summary


def _gives_away(words: str, codes: Codes) -> bool:
    """Say whether a text is a code, or holds one as a word of its own."""
    return any(_is_same(words, code) or _is_inside(code, words) for code in codes.read)


def _is_same(words: str, code: str) -> bool:
    # Shopify takes codes in any case.
    return words.casefold().strip() == code.casefold().strip()


def _is_inside(code: str, words: str) -> bool:
    secret = code.strip()
    if len(secret) < _SHORTEST_INSIDE:
        return False
    # A code THREE is not told by the title "Three for two", a code Summer24 is by "SUMMER24 sale".
    any_case = re.NOFLAG if secret.isalpha() else re.IGNORECASE
    return re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", words, any_case) is not None
