"""Every document is valid on both API versions, deprecates nothing and asks for nothing private."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from graphql import FieldNode, FragmentDefinitionNode, build_schema, parse, validate, visit
from graphql.language import Visitor
from graphql.validation import NoDeprecatedCustomRule

from salesbot_pipelines.shopify import queries
from salesbot_pipelines_tests.needs import need_material

SDL_DIR = Path(__file__).resolve().parents[3] / "shared" / "shopify"
VERSIONS = ["2026-07", "2026-10"]
NAMESPACES = [(), ("custom",), ("custom", "specs", "facts")]
# Margins, people and money nobody needs; and the deprecated twins of what we do ask.
FORBIDDEN = {
    "unitCost",
    "customers",
    "segments",
    "customerSelection",
    "markets",
    "email",
    "contactEmail",
    "accountOwner",
    "shopOwnerName",
    "staffMembers",
    "totalSales",
    "phone",
    "address1",
    "address2",
    "createdBy",
    "body",
    "recurringCycleLimit",
}


def documents() -> list[tuple[str, str]]:
    found = []
    for name in queries.names():
        if name.startswith("bulk_") and "edges" in queries.load(name).text:
            found += [(f"{name}-{namespace}", queries.bulk_text(name, namespace)) for namespace in (None, "custom")]
        elif "namespace0" in queries.load(name).text:
            found += [(f"{name}-{len(n)}", queries.load_for(name, n).text) for n in NAMESPACES]
        else:
            found.append((name, queries.load(name).text))
    return found


@cache
def admin_schema(version: str):
    path = SDL_DIR / f"admin-{version}.graphql"
    need_material(path, "Shopify's published schema")
    return build_schema(path.read_text(encoding="utf-8"), assume_valid=True)


@pytest.mark.shared
@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_valid_and_asks_for_no_deprecated_field(version: str) -> None:
    schema = admin_schema(version)
    for name, text in documents():
        document = parse(text)
        assert validate(schema, document) == [], name
        assert validate(schema, document, [NoDeprecatedCustomRule]) == [], name


def fields_of(text: str) -> set[str]:
    found: set[str] = set()

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            found.add(node.name.value)

    visit(parse(text), Fields())
    return found


def test_nothing_private_is_asked() -> None:
    for name, text in documents():
        assert not fields_of(text) & FORBIDDEN, name


def test_a_file_that_asks_for_the_margin_would_be_seen() -> None:
    assert fields_of("{ inventoryItem(id: 1) { unitCost { amount } } }") & FORBIDDEN


def test_every_fragment_is_used_and_named_as_its_file() -> None:
    folder = Path(queries.__file__).with_name("queries") / "fragments"
    used = {name for _, text in documents() for name in re.findall(r"\.\.\.([A-Z]\w*)", text)}
    for path in folder.glob("*.graphql"):
        (definition,) = parse(path.read_text(encoding="utf-8")).definitions
        assert isinstance(definition, FragmentDefinitionNode)
        assert definition.name.value == path.stem
        assert path.stem in used


def test_a_document_holds_each_fragment_once() -> None:
    for name, text in documents():
        defined = re.findall(r"^fragment (\w+)", text, re.MULTILINE)
        assert len(defined) == len(set(defined)), name


def test_each_namespace_gets_an_alias_and_a_variable_of_its_own() -> None:
    query = queries.load_for("products", ("custom", "specs"))
    assert "metafields0: metafields(namespace: $namespace0" in query.text
    assert "metafields1: metafields(namespace: $namespace1" in query.text
    assert query.variables({"first": 5}) == {"first": 5, "namespace0": "custom", "namespace1": "specs"}


def test_connections_ask_for_their_page_info() -> None:
    """A list that may go on and does not say so would be cut in silence."""

    class Connections(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            if any(argument.name.value == "first" for argument in node.arguments):
                selected = {s.name.value for s in node.selection_set.selections if isinstance(s, FieldNode)}
                assert {"nodes", "pageInfo"} <= selected, node.name.value

    for _, text in documents():
        visit(parse(text), Connections())


def test_root_listings_are_sorted_by_id() -> None:
    """RELEVANCE, the default of the seed, is unstable without a search."""
    for name in (
        "products",
        "collections",
        "discounts",
        "locations",
        "product_ids",
        "collection_ids",
        "discount_ids",
    ):
        assert "sortKey: ID)" in queries.load(name).text, name


def test_no_document_exceeds_the_size_shopify_accepts() -> None:
    for name, text in documents():
        assert len(text.encode()) < 20_000, name
