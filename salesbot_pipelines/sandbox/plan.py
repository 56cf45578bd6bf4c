"""The parts of a compiled query: what is selected, what it costs, and one execution of it.

`compiler` builds them, `execute` runs them, `settle` walks the result where something had to be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLField, GraphQLOutputType
from graphql.execution.values import get_argument_values

from .cost import size
from .tables import Node

if TYPE_CHECKING:
    from .shop import Shop


class Run:
    """One execution: its shop, its variables, the arguments of every call site, and what was returned."""

    __slots__ = ("arguments", "instances", "pending", "returned", "shop", "troubled", "variables")

    def __init__(self, plan: Plan, shop: Shop, variables: dict[str, Any]) -> None:
        self.shop, self.variables = shop, variables
        self.arguments = [get_argument_values(definition, node, variables) for definition, node in plan.sites]
        self.instances, self.returned = [0] * len(plan.connections), [0] * len(plan.connections)
        self.troubled = False
        self.pending: list[Pending] = []


Take = Callable[[Node, Run], Any]
Pending = tuple[Any, Callable[[Any, Run], Any]]
SKIPPED = object()


@dataclass(frozen=True)
class Refusal:
    """Stands where a value would be, until `settle` turns it into null and an error."""

    message: str
    node: FieldNode | None
    extensions: Mapping[str, Any]


class Marked(dict[str, Any]):
    """An object of an interface or union that remembers which member it was."""

    __slots__ = ("member",)
    member: Selection


@dataclass
class Charge:
    """What a selection costs: its own points and its parts'; of a union, the dearest part."""

    own: float
    parts: list[Charge] = field(default_factory=list)
    dearest: bool = False
    connection: int | None = None

    def points(self, sizes: Sequence[float]) -> float:
        """Return the cost when connection `i` holds `sizes[i]` nodes."""
        costs = [part.points(sizes) for part in self.parts]
        inner = max(costs, default=0) if self.dearest else sum(costs)
        return self.own + (inner if self.connection is None else size(sizes[self.connection]) * inner)


@dataclass
class FieldPlan:
    """One response key: its type and what is selected below it, for those who walk the result."""

    type: GraphQLOutputType
    below: Selection | dict[str, Selection] | None


@dataclass
class Selection:
    """The compiled selection on one object type."""

    fields: dict[str, FieldPlan]
    project: Take
    charges: list[Charge]


@dataclass
class Plan:
    """A compiled operation. `denied`: a scope is missing; `marked`: members of unions remember themselves."""

    root: Selection
    roots: frozenset[str]
    charge: Charge
    sites: list[tuple[GraphQLField, FieldNode]]
    connections: list[int]
    denied: bool
    marked: bool
    mutation: bool

    def requested(self, run: Run) -> int:
        """Return the cost asked for: every connection as large as its `first`."""
        sizes = [run.arguments[place].get("first") or 0 for place in self.connections]
        return int(self.charge.points(sizes))

    def actual(self, run: Run) -> int:
        """Return the cost of what was returned."""
        counts = zip(run.returned, run.instances, strict=True)
        sizes = [returned / instances if instances else 0 for returned, instances in counts]
        return int(self.charge.points(sizes))


def access_denied(name: str, scope: str, node: FieldNode | None) -> Refusal:
    """Return the refusal recorded for a missing scope."""
    required = f"`{scope}` access scope."
    return Refusal(
        f"Access denied for {name} field. Required access: {required}",
        node,
        {
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": required,
        },
    )
