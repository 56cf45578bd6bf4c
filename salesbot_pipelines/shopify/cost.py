"""What a call will cost: a first guess from the query's text, and from then on what Shopify itself said.

Shopify publishes the idea of its prices and not the tariff. The formula here was fitted to recorded answers and may
be wrong tomorrow; so it is only believed until the first answer, which corrects it for all page sizes of the same
query. Waiting for points is `pacing`'s work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from threading import Lock
from typing import Any

from salesbot_pipelines.shopify.queries import Query

LARGEST_PAGE = 250
"""No connection gives more at once. https://shopify.dev/docs/api/usage/pagination-graphql"""

_COMFORTABLE_COST = 920.0
_COMFORTABLE_BYTES = 8 * 1024 * 1024
_CALM_ANSWERS = 3
_FREE = frozenset({"pageInfo", "edges", "nodes", "node"})
_MONEY = frozenset({"amount", "currencyCode"})
# A connection is charged size(N) = floor(2 ln N) nodes. These are the largest N of each size: anything between
# costs the same.
_WORTHWHILE = (250, 244, 148, 90, 54, 33, 20, 12, 7, 4, 2, 1)


def size(count: float) -> int:
    """Return how many nodes a connection of `count` is charged for: 1 for 2, 7 for 50, 11 for 250 (fitted)."""
    return max(1, math.floor(2 * math.log(count))) if count >= 1 else 0


def estimate(query: Query, variables: Mapping[str, Any]) -> float:
    """Return the points this call will be asked for, by the fitted formula."""
    return _Tariff(variables, _parsed(query.text)).total()


class CostBook:
    """What the queries of one shop cost, by name and page size; safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: dict[tuple[str, int], float] = {}
        self._ratio: dict[str, float] = {}
        self._bytes_per_object: dict[str, float] = {}
        self._ceiling: dict[str, int] = {}
        self._caution: dict[str, int] = {}
        self._calm: dict[str, int] = {}

    def expected(self, query: Query, variables: Mapping[str, Any]) -> float:
        """Return the points this call will be asked for: as before at this page size, else by the formula."""
        with self._lock:
            known = self._seen.get(_key(query, variables))
            ratio = self._ratio.get(query.name, 1.0)
        return known if known is not None else math.ceil(ratio * estimate(query, variables))

    def learn(self, query: Query, variables: Mapping[str, Any], requested: float) -> None:
        """Note what an answer said of its own price."""
        guess = estimate(query, variables)
        with self._lock:
            self._seen[_key(query, variables)] = requested
            if guess > 0:
                self._ratio[query.name] = requested / guess
            self._relax(query.name)

    def weigh(self, query: Query, answer_bytes: int, objects: int) -> None:
        """Note how heavy the objects of an answer were, so that the next page fits into memory."""
        if objects > 0:
            weight = answer_bytes / objects
            with self._lock:
                before = self._bytes_per_object.get(query.name, weight)
                self._bytes_per_object[query.name] = max(weight, (before + weight) / 2)

    def too_much(self, query: Query, variables: Mapping[str, Any]) -> None:
        """Note that Shopify does not answer this page size: it is never asked again."""
        with self._lock:
            most = max(1, _page(variables) // 2)
            self._ceiling[query.name] = min(self._ceiling.get(query.name, LARGEST_PAGE), most)

    def too_slow(self, query: Query, variables: Mapping[str, Any]) -> None:
        """Note that this page size failed again and again, perhaps because it is heavy: be careful for some pages."""
        with self._lock:
            self._caution[query.name] = max(1, _page(variables) // 2)
            self._calm[query.name] = 0

    def _relax(self, name: str) -> None:
        """Double a careful page size after some answers: an outage must not make all reading dear."""
        if name in self._caution:
            self._calm[name] += 1
            if self._calm[name] >= _CALM_ANSWERS:
                self._calm[name] = 0
                self._caution[name] *= 2
                if self._caution[name] >= LARGEST_PAGE:
                    del self._caution[name]

    def page_size(self, query: Query, variables: Mapping[str, Any], bucket: float) -> int:
        """Return the largest page that stays comfortable in points, bytes, and what the bucket can ever hold.

        Large pages are cheap pages, for the price grows with the logarithm.
        """
        limit = min(_COMFORTABLE_COST, 0.9 * bucket)
        with self._lock:
            most = min(self._ceiling.get(query.name, LARGEST_PAGE), self._caution.get(query.name, LARGEST_PAGE))
            weight = self._bytes_per_object.get(query.name, 0.0)
        if weight > 0:
            most = min(most, max(1, int(_COMFORTABLE_BYTES / weight)))
        for page in (most, *(page for page in _WORTHWHILE if page < most)):
            if self.expected(query, {**variables, "first": page}) <= limit:
                return page
        # What is dear for another reason than its size does not get cheaper by asking for one.
        depends = self.expected(query, {**variables, "first": 1}) < self.expected(query, {**variables, "first": most})
        return 1 if depends else most


def _key(query: Query, variables: Mapping[str, Any]) -> tuple[str, int]:
    return query.name, _page(variables)


def _page(variables: Mapping[str, Any]) -> int:
    """A page is `first` objects of a listing, or as many as ids are asked for."""
    ids = variables.get("ids")
    return len(ids) if ids is not None else int(variables.get("first", 1))


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    from graphql import parse  # a fifth of a second to import: only who reads a shop pays it

    return parse(text, no_location=True)


class _Tariff:
    """The formula, walked over a parsed document; its nodes are graphql-core's, which is imported late."""

    def __init__(self, variables: Mapping[str, Any], document: Any) -> None:
        self._variables = variables
        named = {node.name.value: node for node in document.definitions if node.kind == "fragment_definition"}
        self._fragments: dict[str, Any] = named
        self._operation = next(node for node in document.definitions if node.kind == "operation_definition")

    def total(self) -> float:
        fields = list(self._fields(self._operation.selection_set))
        if self._operation.operation.value == "mutation":
            return 10.0 * len(fields)
        return sum(10.0 if field.name.value.endswith("Count") else self._field(field) for field in fields)

    def _fields(self, selections: Any) -> Iterator[Any]:
        return (selection for selection in selections.selections if selection.kind == "field")

    def _field(self, field: Any) -> float:
        if field.selection_set is None:
            return 0.0
        inside = self._inside(field.selection_set)
        first = self._first(field)
        if first is not None:
            return 2.0 + size(first) * (1.0 + inside)
        names = {inner.name.value for inner in self._fields(field.selection_set)}
        if not field.arguments and (field.name.value in _FREE or (names and names <= _MONEY)):
            return inside
        return 1.0 + inside

    def _inside(self, selections: Any) -> float:
        """The fields here, and of the alternative types only the dearest."""
        own, dearest = 0.0, 0.0
        for selection in selections.selections:
            if selection.kind == "field":
                own += self._field(selection)
            elif selection.kind == "inline_fragment":
                dearest = max(dearest, self._inside(selection.selection_set))
            else:
                own += self._inside(self._fragments[selection.name.value].selection_set)
        return own + dearest

    def _first(self, field: Any) -> float | None:
        for argument in field.arguments:
            if argument.name.value == "first":
                value = argument.value
                return float(self._variables.get(value.name.value, 1) if value.kind == "variable" else value.value)
        return None
