"""Turns refusals inside a result into nulls and errors, by the rules of GraphQL: a null in a place that must not be
null takes its parent along, up to the nearest place that may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql import FieldNode, GraphQLList, GraphQLNonNull, GraphQLOutputType, get_location

from .plan import FieldPlan, Marked, Refusal, Selection

Errors = list[dict[str, Any]]
Steps = tuple[str | int, ...]


class _TakesParent(Exception):
    """A null where none may be."""


def locations_of(node: FieldNode | None) -> list[dict[str, int]]:
    """Return the `locations` entry of an error about a field of the query."""
    if node is None or node.loc is None:
        return []
    place = get_location(node.loc.source, node.loc.start)
    return [{"line": place.line, "column": place.column}]


def settle(data: dict[str, Any], root: Selection) -> tuple[dict[str, Any] | None, Errors]:
    """Return the data without refusals, and the errors they became."""
    errors: Errors = []
    try:
        return _fields(data, root, (), errors), errors
    except _TakesParent:
        return None, errors


def _fields(value: dict[str, Any], selection: Selection, path: Steps, errors: Errors) -> dict[str, Any]:
    result = {}
    for key, entry in value.items():
        plan = selection.fields.get(key)
        result[key] = entry if plan is None else _settle(entry, plan.type, plan, (*path, key), errors)
    return result


def _settle(value: Any, type_: GraphQLOutputType, plan: FieldPlan, path: Steps, errors: Errors) -> Any:
    if isinstance(type_, GraphQLNonNull):
        result = _nullable(value, type_.of_type, plan, path, errors)
        if result is None:
            raise _TakesParent
        return result
    try:
        return _nullable(value, type_, plan, path, errors)
    except _TakesParent:
        return None


def _nullable(value: Any, type_: GraphQLOutputType, plan: FieldPlan, path: Steps, errors: Errors) -> Any:
    if isinstance(value, Refusal):
        errors.append(
            {
                "message": value.message,
                "locations": locations_of(value.node),
                "extensions": dict(value.extensions),
                "path": list(path),
            }
        )
        return None
    if isinstance(type_, GraphQLList) and isinstance(value, list):
        return [_settle(entry, type_.of_type, plan, (*path, place), errors) for place, entry in enumerate(value)]
    if isinstance(value, dict):
        selection = value.member if isinstance(value, Marked) else plan.below
        if isinstance(selection, Selection):
            return _fields(value, selection, path, errors)
    return value


def refuse_at(data: Any, steps: Sequence[str | int], refusal: Refusal) -> int:
    """Put a refusal at every place the steps lead to (`*` is every entry of a list); return how many."""
    if data is None or not steps:
        return 0
    step, rest = steps[0], steps[1:]
    if step == "*":
        keys: list[Any] = list(range(len(data))) if isinstance(data, list) else list(data)
    elif isinstance(data, list):
        keys = [int(step)] if str(step).isdigit() and int(step) < len(data) else []
    else:
        keys = [step] if isinstance(data, dict) and step in data else []
    if rest:
        return sum(refuse_at(data[key], rest, refusal) for key in keys)
    for key in keys:
        data[key] = refusal
    return len(keys)
