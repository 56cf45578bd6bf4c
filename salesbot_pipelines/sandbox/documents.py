"""Query texts, parsed and validated once, and the error bodies of those that are not valid.

Wordings and codes are those recorded of Shopify where they are known, graphql-core's elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

_UNKNOWN_FIELD = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")
_NO_SELECTION = re.compile(r"Field '(\w+)' of type '([\w!\[\]]+)' must have a selection of subfields")


@cache
def admin_schema() -> GraphQLSchema:
    """Return the schema this sandbox plays."""
    return build_schema(Path(__file__).with_name("schema.graphql").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Document:
    """A valid query text."""

    operations: dict[str, OperationDefinitionNode]
    fragments: dict[str, FragmentDefinitionNode]

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation asked for; without a name, the only one there is."""
        if name:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None


def _error(error: GraphQLError) -> dict[str, Any]:
    body: dict[str, Any] = {
        "message": error.message,
        "locations": [{"line": place.line, "column": place.column} for place in error.locations or ()],
    }
    if isinstance(error, GraphQLSyntaxError):
        body["extensions"] = {"code": "PARSE_ERROR"}
    elif match := _UNKNOWN_FIELD.match(error.message):
        field, type_ = match.groups()
        body["message"] = f"Field '{field}' doesn't exist on type '{type_}'"
        body["extensions"] = {"code": "undefinedField", "typeName": type_, "fieldName": field}
    elif match := _NO_SELECTION.match(error.message):
        field, type_ = match.group(1), match.group(2).strip("[]!")
        body["message"] = (
            f"Field must have selections (field '{field}' returns {type_} but has no selections. "
            f"Did you mean '{field} {{ ... }}'?)"
        )
        body["extensions"] = {"code": "selectionMismatch", "nodeName": f"field '{field}'", "typeName": type_}
    return body


@lru_cache(maxsize=500)
def read_document(text: str) -> Document | tuple[dict[str, Any], ...]:
    """Return the document of a query text, or the errors it earns."""
    try:
        tree = parse(text)
    except GraphQLSyntaxError as error:
        return (_error(error),)
    if errors := validate(admin_schema(), tree):
        return tuple(_error(error) for error in errors)
    return Document(
        {
            (node.name.value if node.name else ""): node
            for node in tree.definitions
            if isinstance(node, OperationDefinitionNode)
        },
        {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)},
    )


def read_variables(
    operation: OperationDefinitionNode, given: dict[str, Any]
) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the coerced variables, or the errors they earn."""
    values = get_variable_values(admin_schema(), operation.variable_definitions, given)
    if isinstance(values, dict):
        return values
    return [
        {
            "message": error.message,
            "locations": [{"line": place.line, "column": place.column} for place in error.locations or ()],
            "extensions": {"code": "INVALID_VARIABLE"},
        }
        for error in values
    ]
