"""The `query:` language, as far as it is played here: terms joined by blanks or AND, no OR, NOT or brackets.

`id:` terms become a range of numbers, so that windows cost nothing. An unknown key matches everything, as
recorded of Shopify; a construct this sandbox does not know is refused loudly instead of being guessed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from .clock import stamp
from .tables import Node

EVERYTHING = (-1, 1 << 62)
_TERM = re.compile(r"""\s*(?:(?P<key>[A-Za-z_]+):)?(?P<op>>=|<=|>|<)?(?P<value>"[^"]*"|'[^']*'|\S+)""")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}


class UnknownFilter(ValueError):
    """A `query:` this sandbox cannot read."""


@dataclass
class Filter:
    """A read `query:`: a range of numbers and the tests an object must pass."""

    above: int = EVERYTHING[0]
    below: int = EVERYTHING[1]
    tests: list[Callable[[Node], bool]] = field(default_factory=list)

    def passes(self, node: Node) -> bool:
        return all(test(node) for test in self.tests)


def _inner(node: Node) -> Node:
    """A DiscountNode's searchable fields lie in its discount."""
    discount = node.get("discount")
    return discount if isinstance(discount, dict) else node


_TEXT: dict[str, Callable[[Node], Any]] = {
    "status": lambda node: _inner(node).get("status"),
    "handle": operator.itemgetter("handle"),
    "title": lambda node: _inner(node).get("title"),
    "vendor": operator.itemgetter("vendor"),
    "product_type": operator.itemgetter("productType"),
    "tag": operator.itemgetter("tags"),
    "sku": operator.itemgetter("sku"),
    "gift_card": lambda node: str(node["isGiftCard"]).lower(),
    "published_status": lambda node: "published" if node["publishedAt"] else "unpublished",
    "product_id": operator.itemgetter("_product"),
    "subject_type": operator.itemgetter("subjectType"),
    "action": operator.itemgetter("action"),
    "operation_type": operator.itemgetter("type"),
}
_TIMES: dict[str, Callable[[Node], Any]] = {
    "updated_at": lambda node: _inner(node).get("updatedAt"),
    "created_at": lambda node: _inner(node).get("createdAt"),
    "published_at": operator.itemgetter("publishedAt"),
    "starts_at": lambda node: _inner(node).get("startsAt"),
    "ends_at": lambda node: _inner(node).get("endsAt"),
}


def _narrow(result: Filter, sign: str, text: str) -> None:
    if not text.isdigit():
        raise UnknownFilter(f"id:{sign}{text} is no number")
    number = int(text)
    if sign in ("", ">=", ">"):
        result.above = max(result.above, number if sign == ">" else number - 1)
    if sign in ("", "<=", "<"):
        result.below = min(result.below, number if sign == "<" else number + 1)


def _text_test(read: Callable[[Node], Any], text: str) -> Callable[[Node], bool]:
    wanted = {part.strip().casefold() for part in text.split(",")}

    def test(node: Node) -> bool:
        found = read(node)
        values: Iterable[Any] = found if isinstance(found, list) else (found,)
        return any(str(value).casefold() in wanted for value in values if value is not None)

    return test


def _time_test(read: Callable[[Node], Any], sign: str, text: str) -> Callable[[Node], bool]:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnknownFilter(f"{text} is no time") from error
    wanted = stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    compare = _COMPARE[sign or "="]

    def test(node: Node) -> bool:
        found = read(node)
        return found is not None and compare(found, wanted)

    return test


@lru_cache(maxsize=1000)
def read_filter(text: str | None) -> Filter:
    """Read a `query:` argument; raises UnknownFilter."""
    result = Filter()
    place, text = 0, (text or "").strip()
    while place < len(text):
        match = _TERM.match(text, place)
        if match is None:
            raise UnknownFilter(text[place:])
        place = match.end()
        key, sign = (match["key"] or "").lower(), match["op"] or ""
        value = match["value"].strip("\"'")
        if not key:
            if value == "AND" and not sign:
                continue
            raise UnknownFilter(f"{match[0].strip()!r}: only key:value terms are played here")
        if key == "id":
            _narrow(result, sign, value)
        elif key in _TIMES:
            result.tests.append(_time_test(_TIMES[key], sign, value))
        elif key in _TEXT:
            result.tests.append(_text_test(_TEXT[key], value))
    return result
