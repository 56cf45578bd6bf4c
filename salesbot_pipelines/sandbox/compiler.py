"""Compiles a validated query once into projections over plain dicts.

An object's scalar fields are picked by one `itemgetter`; everything else is a closure per selected field. The same
walk writes down what each field costs. Executing is then a matter of calling, which is what lets a page of 250
products answer in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
)
from graphql.execution.values import get_directive_values

from . import connections
from .cost import MUTATION_COST, ROOT_COUNT_COST
from .fields import RESOLVERS
from .paging import RefusedField
from .plan import SKIPPED, Charge, FieldPlan, Marked, Plan, Refusal, Run, Selection, Take, access_denied
from .scopes import required_scope
from .tables import Node

Grouped = dict[str, list[FieldNode]]
Below = Selection | dict[str, Selection]
_FREE_TYPES = frozenset({"MoneyV2", "PageInfo"})
_ABSTRACT = (GraphQLInterfaceType, GraphQLUnionType)


def _projection(keys: list[str], names: list[str], later: list[tuple[str, Take]]) -> Take:
    """Return the projection that picks `names` as `keys`, then fills in what must be computed."""
    pick: Callable[[Node], Any] = itemgetter(*names) if len(names) > 1 else lambda node: (node[names[0]],)
    labels = tuple(keys)
    if not later:
        return lambda node, _run: dict(zip(labels, pick(node), strict=True))

    def project(node: Node, run: Run) -> Node:
        out = dict(zip(labels, pick(node), strict=True))
        for key, take in later:
            value = take(node, run)
            if value is SKIPPED:
                del out[key]
            else:
                out[key] = value
        return out

    return project


def _conditional(take: Take, node: FieldNode) -> Take:
    """Return `take`, unless a directive leaves the field out."""

    def when(parent: Node, run: Run) -> Any:
        skip = get_directive_values(GraphQLSkipDirective, node, run.variables)
        include = get_directive_values(GraphQLIncludeDirective, node, run.variables)
        if (skip and skip["if"]) or (include and not include["if"]):
            return SKIPPED
        return take(parent, run)

    return when if node.directives else take


class Compiler:
    """Compiles one operation for one set of granted scopes."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        is_granted: Callable[[str], bool],
        *,
        marked: bool,
    ) -> None:
        self._schema, self._fragments, self._is_granted, self._marked = schema, fragments, is_granted, marked
        self.sites: list[tuple[GraphQLField, FieldNode]] = []
        self.connections: list[int] = []
        self._denied = False

    def compile(self, operation: OperationDefinitionNode) -> Plan:
        """Return the plan of an operation that has passed validation."""
        mutation = operation.operation.value == "mutation"
        root_type = self._schema.mutation_type if mutation else self._schema.query_type
        assert root_type is not None
        sets = [operation.selection_set]
        root = self.selection(root_type, sets)
        charge = Charge(MUTATION_COST * len(root.fields)) if mutation else Charge(0, root.charges)
        roots = frozenset(
            nodes[0].name.value for nodes in self.grouped(root_type, [operation.selection_set]).values()
        )
        return Plan(root, roots, charge, self.sites, self.connections, self._denied, self._marked, mutation)

    def grouped(self, type_: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> Grouped:
        """Return the fields that apply to the type, by response key."""
        result: Grouped = {}
        for node in self._collect(type_, sets):
            result.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return result

    def _collect(self, type_: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> Iterator[FieldNode]:
        for node in (node for selected in sets for node in selected.selections):
            if isinstance(node, FieldNode):
                yield node
                continue
            assert isinstance(node, InlineFragmentNode | FragmentSpreadNode)
            part = node if isinstance(node, InlineFragmentNode) else self._fragments[node.name.value]
            condition = self._schema.type_map[part.type_condition.name.value] if part.type_condition else type_
            if condition is type_ or (
                isinstance(condition, _ABSTRACT) and self._schema.is_sub_type(condition, type_)
            ):
                yield from self._collect(type_, [part.selection_set])

    def selection(self, type_: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> Selection:
        """Return the compiled selection on an object type."""
        keys, names = [], []
        later: list[tuple[str, Take]] = []
        fields: dict[str, FieldPlan] = {}
        charges: list[Charge] = []
        for key, nodes in self.grouped(type_, sets).items():
            plan, take, charge = self._field(type_, nodes)
            keys.append(key)
            names.append(nodes[0].name.value if take is None else "__typename")
            if take is not None:
                later.append((key, _conditional(take, nodes[0])))
            if plan is not None:
                fields[key] = plan
            if charge is not None:
                charges.append(charge)
        return Selection(fields, _projection(keys, names, later), charges)

    def _field(
        self, type_: GraphQLObjectType, nodes: list[FieldNode]
    ) -> tuple[FieldPlan | None, Take | None, Charge | None]:
        """Return a field's plan, how it is taken (None: picked by its name), and what it costs."""
        name = nodes[0].name.value
        if name == "__typename":
            return None, lambda _node, _run: type_.name, None
        definition = type_.fields[name]
        scope = required_scope(type_.name, name)
        if scope and not self._is_granted(scope):
            self._denied = True
            refusal = access_denied(name, scope, nodes[0])
            return FieldPlan(definition.type, None), lambda _node, _run: refusal, None
        named = get_named_type(definition.type)
        if is_leaf_type(named):
            plain = (type_.name, name) not in RESOLVERS and not nodes[0].directives
            return FieldPlan(definition.type, None), None if plain else self._source(type_, nodes[0]), None
        take = self._source(type_, nodes[0])
        sets = [node.selection_set for node in nodes if node.selection_set]
        if named.name.endswith("Connection"):
            assert isinstance(named, GraphQLObjectType)
            below, take, charge = self.connection(named, sets, take, nodes[0])
            return FieldPlan(definition.type, below), take, charge
        inner, charge = self.below(definition.type, sets)
        if named.name == "Count" and type_ is self._schema.query_type:
            charge = Charge(ROOT_COUNT_COST)
        shape = self.shape(definition.type, inner)
        return FieldPlan(definition.type, inner), lambda node, run: shape(take(node, run), run), charge

    def connection(
        self, type_: GraphQLObjectType, sets: Sequence[SelectionSetNode], take: Take, node: FieldNode
    ) -> tuple[Selection, Take, Charge]:
        """Return what is selected on a connection, how its page is taken, and what it costs."""
        return connections.compile_connection(self, type_, sets, take, node)

    def below(self, type_: GraphQLOutputType, sets: Sequence[SelectionSetNode]) -> tuple[Below, Charge]:
        """Return what is selected on a composite type, per member for an interface or union, and its cost."""
        named = get_named_type(type_)
        if isinstance(named, _ABSTRACT):
            members = {member.name: self.selection(member, sets) for member in self._schema.get_possible_types(named)}
            return members, Charge(0, [Charge(1, member.charges) for member in members.values()], dearest=True)
        assert isinstance(named, GraphQLObjectType)
        selection = self.selection(named, sets)
        return selection, Charge(0 if named.name in _FREE_TYPES else 1, selection.charges)

    def _source(self, type_: GraphQLObjectType, node: FieldNode) -> Take:
        """Return how the unprojected value of a field is found."""
        name = node.name.value
        resolve = RESOLVERS.get((type_.name, name))
        place = len(self.sites)
        self.sites.append((type_.fields[name], node))
        if resolve is None:
            return lambda parent, _run: parent[name]

        def take(parent: Node, run: Run) -> Any:
            try:
                return resolve(parent, run.shop, run.arguments[place])
            except RefusedField as error:
                run.troubled = True
                return Refusal(error.message, node, {"code": error.code})

        return take

    def shape(self, type_: GraphQLOutputType, below: Below) -> Callable[[Any, Run], Any]:
        """Return how a value of the type becomes its answer."""
        if isinstance(type_, GraphQLNonNull):
            return self.shape(type_.of_type, below)
        if isinstance(type_, GraphQLList):
            one = self.shape(type_.of_type, below)
            return lambda value, run: value if value is None else [one(entry, run) for entry in value]
        if isinstance(below, Selection):
            project = below.project
            return lambda value, run: project(value, run) if isinstance(value, dict) else value
        return self._member(below)

    def _member(self, members: dict[str, Selection]) -> Callable[[Any, Run], Any]:
        def plain(value: Any, run: Run) -> Any:
            if isinstance(value, dict):
                return members[value["__typename"]].project(value, run)
            run.troubled |= isinstance(value, Refusal)
            return value

        def marking(value: Any, run: Run) -> Any:
            if not isinstance(value, dict):
                run.troubled |= isinstance(value, Refusal)
                return value
            selection = members[value["__typename"]]
            result = Marked(selection.project(value, run))
            result.member = selection
            return result

        return marking if self._marked else plain
