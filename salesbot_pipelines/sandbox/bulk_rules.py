"""The written rules of bulk queries, with the texts Shopify refuses by.

At least one and at most five connections; at most two levels below the root; contents by `edges { node }`; a parent
of a nested connection selects a bare `id`; no connection inside a list; no `node` at the root; a query, no mutation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_list_type,
)

from .documents import Document, admin_schema, read_document

LONGEST_TEXT = 65_535
_NODES = (
    "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
    "'{first} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. Invalid connection fields: {names}."
)
_NO_ID = (
    "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of "
    "'ID' return type. Connection fields without 'id': {names}."
)


@dataclass
class _Found:
    """What a walk over a query met."""

    document: Document
    connections: int = 0
    deepest: int = 0
    by_nodes: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)
    in_list: bool = False

    def fields(self, selected: SelectionSetNode | None, owner: str) -> Iterator[tuple[FieldNode, str]]:
        """Yield the fields of a selection with the type they belong to, fragments opened."""
        for node in selected.selections if selected else ():
            if isinstance(node, FieldNode):
                yield node, owner
            elif isinstance(node, InlineFragmentNode):
                yield from self.fields(
                    node.selection_set, node.type_condition.name.value if node.type_condition else owner
                )
            elif isinstance(node, FragmentSpreadNode):
                part = self.document.fragments[node.name.value]
                yield from self.fields(part.selection_set, part.type_condition.name.value)

    def walk(
        self, selected: SelectionSetNode | None, owner: str, depth: int, inside: str | None, listed: bool
    ) -> bool:
        """Walk a selection; say whether it holds a connection. `inside` is the connection whose node this is."""
        nested = has_id = False
        for node, type_name in self.fields(selected, owner):
            has_id |= node.name.value == "id" and node.alias is None
            type_ = _type_of(type_name, node.name.value)
            if type_ is None or node.selection_set is None:
                continue
            named = get_named_type(type_).name
            if named.endswith("Connection"):
                nested = True
                self._connection(node, named, depth, listed=listed)
            else:
                nested |= self.walk(node.selection_set, named, depth, None, listed=listed or _is_list(type_))
        if inside is not None and nested and not has_id:
            self.without_id.append(inside)
        return nested

    def _connection(self, node: FieldNode, named: str, depth: int, *, listed: bool) -> None:
        self.connections += 1
        self.deepest = max(self.deepest, depth)
        self.in_list |= listed
        name = node.name.value
        for part, part_owner in self.fields(node.selection_set, named):
            if part.name.value == "nodes":
                self.by_nodes.append(name)
            if part.name.value != "edges":
                continue
            edge = get_named_type(_type_of(part_owner, "edges") or _nothing()).name
            for inner, _ in self.fields(part.selection_set, edge):
                if inner.name.value == "node":
                    target = get_named_type(_type_of(edge, "node") or _nothing()).name
                    self.walk(inner.selection_set, target, depth + 1, name, listed=False)


def _nothing() -> GraphQLOutputType:
    raise AssertionError("a validated query selects fields that exist")


def _type_of(owner: str, name: str) -> GraphQLOutputType | None:
    type_ = admin_schema().type_map[owner]
    known = type_.fields.get(name) if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else None
    return known.type if known else None


def _is_list(type_: GraphQLOutputType) -> bool:
    return is_list_type(type_.of_type if isinstance(type_, GraphQLNonNull) else type_)


def complaints(text: str) -> list[str]:
    """Return the texts a bulk query is refused by; none for a good one."""
    if len(text.encode()) > LONGEST_TEXT:
        return [f"Query is too long (maximum is {LONGEST_TEXT} bytes)"]
    document = read_document(text)
    if not isinstance(document, Document):
        return [f"Invalid bulk query: {error['message']}" for error in document]
    operation = document.operation(None)
    if operation is None or operation.operation is not OperationType.QUERY:
        return ["Invalid operation type. Only `query` operations are supported."]
    found = _Found(document)
    roots = {node.name.value for node, _ in found.fields(operation.selection_set, "QueryRoot")}
    found.walk(operation.selection_set, "QueryRoot", 0, None, listed=False)
    result = []
    if found.by_nodes:
        names = ", ".join(f"'{name}'" for name in found.by_nodes)
        result.append(_NODES.format(first=found.by_nodes[0], names=names))
    if roots & {"node", "nodes"}:
        result.append("Bulk queries cannot contain a top level `node` field.")
    if found.deepest > 2:
        result.append("Bulk queries cannot contain connections with a nesting depth greater than 2.")
    if found.connections > 5:
        result.append("Bulk queries cannot contain more than 5 connections.")
    if found.without_id:
        result.append(_NO_ID.format(names=", ".join(found.without_id)))
    if found.in_list:
        result.append("Queries that contain a connection field within a list field are not currently supported.")
    if found.connections == 0:
        result.append("Bulk queries must contain at least one connection.")
    return result
