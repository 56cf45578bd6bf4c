"""Compiles the selection on a connection: `nodes`, `edges`, `pageInfo` over one page of its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLObjectType, GraphQLOutputType, SelectionSetNode, get_named_type

from .cost import CONNECTION_COST
from .paging import Page, RefusedField, cut
from .plan import Charge, FieldPlan, Refusal, Run, Selection, Take
from .tables import Node

if TYPE_CHECKING:
    from .compiler import Compiler

Part = Callable[[Page, Run], Any]
_PAGE_INFO: dict[str, Callable[[Page], Any]] = {
    "__typename": lambda _page: "PageInfo",
    "hasNextPage": lambda page: page.has_next,
    "hasPreviousPage": lambda page: page.start > 0,
    "startCursor": Page.start_cursor,
    "endCursor": Page.end_cursor,
}
EdgePart = Callable[[Page, int, Run], Any]


def compile_connection(
    compiler: Compiler, type_: GraphQLObjectType, sets: Sequence[SelectionSetNode], take: Take, node: FieldNode
) -> tuple[Selection, Take, Charge]:
    """Return what is selected, how it is taken, and what it costs; `take` finds the source to cut a page from."""
    place = len(compiler.sites) - 1
    number = len(compiler.connections)
    compiler.connections.append(place)
    fields: dict[str, FieldPlan] = {}
    charges: list[Charge] = []
    parts: list[tuple[str, Part]] = []
    for key, nodes in compiler.grouped(type_, sets).items():
        plan, part = _part(compiler, type_, nodes, charges)
        parts.append((key, part))
        if plan is not None:
            fields[key] = plan

    def connection(parent: Node, run: Run) -> Any:
        source = take(parent, run)
        if source is None or isinstance(source, Refusal):
            return source
        try:
            page = cut(source, run.arguments[place])
        except RefusedField as error:
            run.troubled = True
            return Refusal(error.message, node, {"code": error.code})
        run.instances[number] += 1
        run.returned[number] += len(page.nodes)
        return {key: part(page, run) for key, part in parts}

    selection = Selection(fields, lambda page, _run: page, charges)
    return selection, connection, Charge(CONNECTION_COST, charges, connection=number)


def _part(
    compiler: Compiler, type_: GraphQLObjectType, nodes: list[FieldNode], charges: list[Charge]
) -> tuple[FieldPlan | None, Part]:
    name = nodes[0].name.value
    if name == "__typename":
        return None, lambda _page, _run: type_.name
    definition = type_.fields[name]
    sets = [node.selection_set for node in nodes if node.selection_set]
    if name == "edges":
        edge_type = get_named_type(definition.type)
        assert isinstance(edge_type, GraphQLObjectType)
        fields, parts = _edge(compiler, edge_type, sets, charges)
        plan = FieldPlan(definition.type, Selection(fields, lambda edge, _run: edge, []))
        return plan, lambda page, run: [
            {key: part(page, place, run) for key, part in parts} for place in range(len(page.nodes))
        ]
    if name == "pageInfo":
        info = [
            (key, _PAGE_INFO[found[0].name.value])
            for key, found in compiler.grouped(_page_info_type(definition.type), sets).items()
        ]
        return None, lambda page, _run: {key: tell(page) for key, tell in info}
    below, charge = compiler.below(definition.type, sets)
    shape = compiler.shape(definition.type, below)
    charges.append(charge)
    return FieldPlan(definition.type, below), lambda page, run: shape(page.nodes, run)


def _page_info_type(type_: GraphQLOutputType) -> GraphQLObjectType:
    """Return the object type behind `PageInfo!`."""
    named = get_named_type(type_)
    assert isinstance(named, GraphQLObjectType)
    return named


def _edge(
    compiler: Compiler, type_: GraphQLObjectType, sets: Sequence[SelectionSetNode], charges: list[Charge]
) -> tuple[dict[str, FieldPlan], list[tuple[str, EdgePart]]]:
    fields: dict[str, FieldPlan] = {}
    parts: list[tuple[str, EdgePart]] = []
    for key, nodes in compiler.grouped(type_, sets).items():
        name = nodes[0].name.value
        if name == "node":
            definition = type_.fields["node"]
            below, charge = compiler.below(
                definition.type, [node.selection_set for node in nodes if node.selection_set]
            )
            fields[key] = FieldPlan(definition.type, below)
            charges.append(charge)
            parts.append((key, _edge_node(compiler.shape(definition.type, below))))
        elif name == "cursor":
            parts.append((key, lambda page, place, _run: page.cursor(place)))
        else:
            parts.append((key, lambda _page, _place, _run: type_.name))
    return fields, parts


def _edge_node(shape: Callable[[Any, Run], Any]) -> EdgePart:
    return lambda page, place, run: shape(page.nodes[place], run)
