"""The schema is a part of Shopify's, and the sandbox answers every field of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
)

from salesbot_pipelines.sandbox.demo import demo_world
from salesbot_pipelines.sandbox.documents import admin_schema
from salesbot_pipelines.sandbox.execute import Engine
from salesbot_pipelines.sandbox.synthetic import make_synthetic

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "shopify"


def differences(ours, theirs):
    """Name everything of `ours` that `theirs` does not have in the same way."""
    found = []
    for name, type_ in ours.type_map.items():
        other = theirs.type_map.get(name)
        if other is None or type(other) is not type(type_):
            found.append(name)
        elif isinstance(type_, GraphQLEnumType):
            found += [f"{name}.{value}" for value in type_.values if value not in other.values]
        elif isinstance(type_, GraphQLUnionType):
            if {t.name for t in type_.types} != {t.name for t in other.types}:
                found.append(name)
        elif isinstance(type_, GraphQLInputObjectType | GraphQLObjectType | GraphQLInterfaceType):
            if name.startswith("__"):
                continue
            if not isinstance(type_, GraphQLInputObjectType):
                known = {i.name for i in other.interfaces}
                found += [f"{name} implements {i.name}" for i in type_.interfaces if i.name not in known]
            for key, field in type_.fields.items():
                found += _field_differences(f"{name}.{key}", field, other.fields.get(key))
    return found


def _field_differences(place, field, other):
    if other is None or str(field.type) != str(other.type):
        return [place]
    if bool(field.deprecation_reason) != bool(other.deprecation_reason):
        return [f"{place} deprecated"]
    arguments, others = getattr(field, "args", {}), getattr(other, "args", {})
    found = [
        f"{place}({name})"
        for name, argument in arguments.items()
        if name not in others
        or str(argument.type) != str(others[name].type)
        or argument.default_value != others[name].default_value
    ]
    missing = [
        f"{place}({name}) is required"
        for name, a in others.items()
        if is_required_argument(a) and name not in arguments
    ]
    return found + missing


@pytest.mark.shared
@pytest.mark.parametrize("version", ["2026-07", "2026-10"])
def test_the_schema_is_a_part_of_the_published_one(version):
    path = PUBLISHED / f"admin-{version}.graphql"
    if not path.is_file():
        pytest.skip(f"no {path.name} beside this checkout")
    theirs = build_schema(path.read_text(encoding="utf-8"), assume_valid=True)
    assert differences(admin_schema(), theirs) == []


def test_a_schema_that_differs_is_noticed():
    theirs = build_schema("type Query { a(x: Int!): Int b: String c: Int } enum E { ONE }")
    ours = build_schema("type Query { a: Int b: Int c: Int! d: Int } enum E { ONE TWO }")
    assert differences(ours, theirs) == ["Query.a(x) is required", "Query.b", "Query.c", "Query.d", "E.TWO"]


GIVEN = {"key": '"care"', "names": '["available", "on_hand"]', "limit": "10"}


def whole_selection(type_, depth, ids):
    """Select every field that needs no id, down to `depth`."""
    schema, parts = admin_schema(), ["__typename"]
    if is_abstract_type(type_):
        for n, member in enumerate(schema.get_possible_types(type_)):
            inner = whole_selection(member, depth, ids)
            aliased = " ".join(part if part == "__typename" else f"m{n}_{part}" for part in inner)
            parts.append(f"... on {member.name} {{ {aliased} }}")
        return parts
    for name, field in type_.fields.items():
        arguments = []
        for key, argument in field.args.items():
            if key == "first":
                arguments.append("first: 1")
            elif is_required_argument(argument):
                given = GIVEN.get(key) or ids.get((type_.name, name))
                if given is None:
                    break
                arguments.append(f"{key}: {given}")
        else:
            text = f"{name}: {name}" + (f"({', '.join(arguments)})" if arguments else "")
            named = get_named_type(field.type)
            if is_leaf_type(named):
                parts.append(text)
            elif depth:
                parts.append(f"{text} {{ {' '.join(whole_selection(named, depth - 1, ids))} }}")
    return parts


@pytest.mark.parametrize("domain", ["tiny-teapots", "awkward-attic", "large-lamps", "synthetic"])
def test_every_field_is_answered(domain):
    world = demo_world()
    world.add(make_synthetic(world.clock, products=5))
    shop = world.shop(f"{domain}.myshopify.com")
    shop.bucket.unlimited = True
    shop.scopes += ["read_markets", "read_customers"]
    ids = {
        ("QueryRoot", one): f'"{shop.all(table)[0]["id"]}"'
        for one, table in {
            "product": "products",
            "productVariant": "variants",
            "inventoryItem": "items",
            "collection": "collections",
            "discountNode": "discounts",
        }.items()
    }
    query_type = admin_schema().query_type
    asked = set()
    for part in whole_selection(query_type, 3, ids):
        name = part.partition(":")[0]
        outcome = Engine().answer(shop, f"{{ {part} }}", {})
        assert outcome.outcome == "ok", (name, outcome.body.get("errors"))
        asked.add(name)
    assert {"shop", "locations", "inventoryItem", "collection"} <= asked
