"""Answers one GraphQL request: read, price, pay, run, give back.

The order is Shopify's: a query that does not fit the bucket is never run, and the difference between the requested
and the actual cost flows back afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from graphql import OperationDefinitionNode

from .compiler import Compiler
from .cost import MAX_QUERY_COST
from .documents import Document, admin_schema, read_document, read_variables
from .plan import Plan, Refusal, Run
from .remembered import LASTING, Kept, Remembered
from .scopes import is_granted
from .settle import refuse_at, settle
from .shop import Shop

_RATE_LIMITS = "https://shopify.dev/api/usage/rate-limits"


@dataclass
class Outcome:
    """An answer's body, and what the call log tells about it."""

    body: dict[str, Any]
    outcome: str
    requested: int | None = None
    actual: int | None = None


@dataclass(frozen=True)
class Spoil:
    """A refusal to be put into an answer on purpose, at the places `steps` lead to."""

    steps: tuple[str | int, ...]
    message: str = "Internal error. Looks like something went wrong on our end."
    extensions: dict[str, Any] = field(default_factory=lambda: {"code": "INTERNAL_SERVER_ERROR"})


def throttled_body(shop: Shop, requested: int) -> dict[str, Any]:
    """Return the answer of an empty bucket; it comes with HTTP 200."""
    return {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": _RATE_LIMITS}}],
        "extensions": {"cost": _cost(shop, requested, None)},
    }


def too_dear_body(requested: int) -> dict[str, Any]:
    """Return the answer to a query above the limit of one query; recorded without `extensions.cost`."""
    return {
        "errors": [
            {
                "message": f"Query cost is {requested}, "
                f"which exceeds the single query max cost limit ({MAX_QUERY_COST}).",
                "extensions": {
                    "code": "MAX_COST_EXCEEDED",
                    "cost": requested,
                    "maxCost": MAX_QUERY_COST,
                    "documentation": _RATE_LIMITS,
                },
            }
        ]
    }


def _cost(shop: Shop, requested: int, actual: int | None) -> dict[str, Any]:
    return {
        "requestedQueryCost": requested,
        "actualQueryCost": actual,
        "throttleStatus": shop.bucket.throttle_status(),
    }


class Engine:
    """Answers requests; keeps every compiled query, and up to `remember_bytes` of answers."""

    def __init__(self, *, remember_bytes: int = 0) -> None:
        self.remembered = Remembered(remember_bytes)
        self._plans: dict[tuple[str, str, tuple[str, ...], bool], Plan] = {}

    def answer(
        self,
        shop: Shop,
        text: str,
        variables: dict[str, Any],
        operation_name: str | None = None,
        spoils: tuple[Spoil, ...] = (),
    ) -> Outcome:
        """Return the answer to one request of the shop's app."""
        document = read_document(text)
        if not isinstance(document, Document):
            return Outcome({"errors": list(document)}, "invalid")
        operation = document.operation(operation_name)
        if operation is None:
            message = f"No operation named {operation_name!r}" if operation_name else "An operation name is required"
            return Outcome({"errors": [{"message": message}]}, "invalid")
        values = read_variables(operation, variables)
        if isinstance(values, list):
            return Outcome({"errors": values}, "invalid")
        plan = self._plan(text, document, operation, shop, marked=bool(spoils))
        run = Run(plan, shop, values)
        requested = plan.requested(run)
        if requested > MAX_QUERY_COST:
            return Outcome(too_dear_body(requested), "max_cost", requested)
        if not shop.bucket.take(requested):
            return Outcome(throttled_body(shop, requested), "throttled", requested)
        lasting = not spoils and plan.roots <= LASTING
        key = self.remembered.key(shop, text, operation_name, values) if lasting else None
        if (kept := self.remembered.get(key)) is not None:
            return self._paid(shop, {"data": msgspec.Raw(kept.data)}, requested, kept.actual)
        data = plan.root.project(_ROOT, run)
        if run.troubled and not plan.marked and not plan.mutation:
            plan = self._plan(text, document, operation, shop, marked=True)
            run = Run(plan, shop, values)
            data = plan.root.project(_ROOT, run)
        body: dict[str, Any] = {"data": data}
        actual = min(requested, plan.actual(run))
        if plan.denied or run.troubled or plan.marked:
            self._settle(body, plan, spoils)
        elif key is not None:
            kept = Kept(msgspec.json.encode(data), actual)
            self.remembered.keep(key, kept)
            body = {"data": msgspec.Raw(kept.data)}
        return self._paid(shop, body, requested, actual)

    def _paid(self, shop: Shop, body: dict[str, Any], requested: int, actual: int) -> Outcome:
        """Give back what was charged too much and tell the cost."""
        shop.bucket.give_back(requested - actual)
        body["extensions"] = {"cost": _cost(shop, requested, actual)}
        return Outcome(body, "errors" if "errors" in body else "ok", requested, actual)

    def _settle(self, body: dict[str, Any], plan: Plan, spoils: tuple[Spoil, ...]) -> None:
        for spoil in spoils:
            refuse_at(body["data"], spoil.steps, Refusal(spoil.message, None, spoil.extensions))
        body["data"], errors = settle(body["data"], plan.root)
        if errors:
            body["errors"] = errors

    def _plan(
        self, text: str, document: Document, operation: OperationDefinitionNode, shop: Shop, *, marked: bool
    ) -> Plan:
        name = operation.name.value if operation.name else ""
        key = (text, name, tuple(shop.scopes), marked)
        plan = self._plans.get(key)
        if plan is None:
            granted = tuple(shop.scopes)
            compiler = Compiler(
                admin_schema(), document.fragments, lambda scope: is_granted(granted, scope), marked=marked
            )
            plan = compiler.compile(operation)
            if plan.denied and not marked:
                plan = self._plan(text, document, operation, shop, marked=True)
            if len(self._plans) > 1000:
                self._plans.clear()
            self._plans[key] = plan
        return plan


_ROOT: dict[str, Any] = {"__typename": "QueryRoot"}
