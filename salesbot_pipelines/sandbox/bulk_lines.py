"""A bulk query's result, line by line: every node of a connection is a line of its own, children name their parent.

Projections are those of the ordinary compiler; only a connection is not cut into a page but left for later, so its
parent's line comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from graphql import FieldNode, GraphQLObjectType, SelectionSetNode, get_named_type

from .compiler import Compiler
from .documents import Document, admin_schema, read_document
from .ids import Cursor, number_of
from .paging import Listing, Picked
from .plan import SKIPPED, Charge, Pending, Plan, Refusal, Run, Selection, Take
from .scopes import is_granted
from .shop import Shop
from .tables import Node

BATCH = 250


def _refused_is_null(value: Any) -> None:
    """A field that refuses to answer is null in a line; there is no place for its error."""
    assert isinstance(value, Refusal)


_encode = msgspec.json.Encoder(enc_hook=_refused_is_null).encode


class BulkCompiler(Compiler):
    """Compiles connections into "later"."""

    def connection(
        self, type_: GraphQLObjectType, sets: Sequence[SelectionSetNode], take: Take, _node: FieldNode
    ) -> tuple[Selection, Take, Charge]:
        edges = self.grouped(type_, sets)["edges"]
        edge_type = get_named_type(type_.fields["edges"].type)
        assert isinstance(edge_type, GraphQLObjectType)
        nodes = self.grouped(edge_type, [edge.selection_set for edge in edges if edge.selection_set])["node"]
        definition = edge_type.fields["node"]
        below, charge = self.below(definition.type, [node.selection_set for node in nodes if node.selection_set])
        shape = self.shape(definition.type, below)

        def later(parent: Node, run: Run) -> Any:
            run.pending.append((take(parent, run), shape))
            return SKIPPED

        return Selection({}, lambda node, _run: node, []), later, charge


def compile_bulk(text: str, shop: Shop) -> Plan:
    """Return the plan of a bulk query that has passed the rules."""
    document = read_document(text)
    assert isinstance(document, Document)
    operation = document.operation(None)
    assert operation is not None
    granted = tuple(shop.scopes)
    compiler = BulkCompiler(
        admin_schema(), document.fragments, lambda scope: is_granted(granted, scope), marked=False
    )
    return compiler.compile(operation)


def _batches(source: Any) -> Iterator[Sequence[Node]]:
    """Yield the objects of a connection, some at a time."""
    if isinstance(source, Listing):
        after: Cursor | None = None
        while True:
            page = source.page(BATCH, after)
            yield page.nodes
            if not page.has_next:
                return
            after = Cursor(number_of(page.nodes[-1]["id"]), page.start + len(page.nodes))
    elif isinstance(source, Picked):
        for start in range(0, len(source.numbers), BATCH):
            yield [node for n in source.numbers[start : start + BATCH] if (node := source.table.get(n))]
    elif isinstance(source, list):
        yield source


class Writer:
    """Writes the lines of one operation."""

    def __init__(self, plan: Plan, shop: Shop, *, grouped: bool, most_children: int | None) -> None:
        self.plan, self.shop, self.grouped, self.most_children = plan, shop, grouped, most_children
        self.roots = self.lines = 0
        self._run = Run(plan, shop, {})

    def batches(self) -> Iterator[bytes]:
        """Yield the result in pieces; the shop is locked while one is made, so changes fall between them."""
        with self.shop.lock:
            pending = self._project({"__typename": "QueryRoot"}, self.plan.root.project)[1]
        for source, shape in pending:
            found = _batches(source)
            while True:
                with self.shop.lock:
                    nodes = next(found, None)
                    if nodes is None:
                        break
                    self.roots += len(nodes)
                    lines = list(self._grouped(nodes, shape, None) if self.grouped else self._by_level(nodes, shape))
                self.lines += len(lines)
                yield b"".join(lines)

    def _project(self, node: Node, shape: Callable[[Any, Run], Any]) -> tuple[Node, list[Pending]]:
        run = self._run
        run.pending = []
        line: Node = shape(node, run)
        return line, run.pending

    def _children(self, source: Any) -> Iterator[Node]:
        return islice((node for nodes in _batches(source) for node in nodes), self.most_children)

    def _line(self, node: Node, shape: Callable[[Any, Run], Any], parent: str | None) -> tuple[bytes, list[Pending]]:
        line, pending = self._project(node, shape)
        if parent is not None:
            line["__parentId"] = parent
        return _encode(line) + b"\n", pending

    def _grouped(self, nodes: Any, shape: Callable[[Any, Run], Any], parent: str | None) -> Iterator[bytes]:
        """Yield each object followed by its children."""
        for node in nodes:
            line, pending = self._line(node, shape, parent)
            yield line
            for source, inner in pending:
                yield from self._grouped(self._children(source), inner, node["id"])

    def _by_level(self, nodes: Sequence[Node], shape: Callable[[Any, Run], Any]) -> Iterator[bytes]:
        """Yield the objects of a batch, then the children of all, then theirs: no child stands beside its parent."""
        level: list[tuple[Node, Callable[[Any, Run], Any], str | None]] = [(node, shape, None) for node in nodes]
        while level:
            following: list[tuple[Node, Callable[[Any, Run], Any], str | None]] = []
            for node, form, parent in level:
                line, pending = self._line(node, form, parent)
                yield line
                for source, inner in pending:
                    following += [(child, inner, node["id"]) for child in self._children(source)]
            level = following
