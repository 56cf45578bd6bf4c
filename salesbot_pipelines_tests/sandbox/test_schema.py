"""The schema is a part of Shopify's, and the sandbox answers every field of it."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from graphql import get_named_type, is_abstract_type, is_leaf_type, is_required_argument, parse, print_ast

from salesbot_pipelines import sandbox
from salesbot_pipelines.sandbox.demo_attic import awkward_attic
from salesbot_pipelines.sandbox.demo_teapots import tiny_teapots
from salesbot_pipelines.sandbox.documents import admin_schema
from salesbot_pipelines.sandbox.execute import Engine
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines_tests.needs import need_material

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "shopify"
OURS = Path(sandbox.__file__).with_name("schema.graphql")
DEFINITION = re.compile(r"^(?:type|input|enum|interface|union|scalar) (\w+)", re.MULTILINE)


def definitions(text, wanted=None):
    """Read the definitions of a text, by name; only those wanted, since the published text holds 3,500."""
    starts = [(match.start(), match[1]) for match in DEFINITION.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    kept = [
        text[start:end] for (start, name), end in zip(starts, ends, strict=True) if wanted is None or name in wanted
    ]
    return {node.name.value: node for node in parse("\n".join(kept), no_location=True).definitions}


def told(entry):
    """Describe a field, an argument or an enum value, but for its own arguments and descriptions."""
    default = getattr(entry, "default_value", None)
    type_ = getattr(entry, "type", None)
    deprecated = any(mark.name.value == "deprecated" for mark in entry.directives)
    return type_ and print_ast(type_), default and print_ast(default), deprecated


def differences(ours, theirs):
    """Name everything of `ours` that `theirs` does not have in the same way."""
    found = []
    for name, node in ours.items():
        other = theirs.get(name)
        if other is None or other.kind != node.kind:
            found.append(name)
            continue
        known = {print_ast(one) for one in getattr(other, "interfaces", ())}
        found += [
            f"{name} implements {print_ast(one)}"
            for one in getattr(node, "interfaces", ())
            if print_ast(one) not in known
        ]
        if node.kind == "union_type_definition" and {t.name.value for t in node.types} != {
            t.name.value for t in other.types
        }:
            found.append(name)
        for part in ("fields", "values"):
            entries = {entry.name.value: entry for entry in getattr(other, part, None) or ()}
            for entry in getattr(node, part, None) or ():
                found += entry_differences(f"{name}.{entry.name.value}", entry, entries.get(entry.name.value))
    return found


def entry_differences(place, entry, other):
    if other is None or told(entry) != told(other):
        return [place]
    arguments = {one.name.value: one for one in getattr(entry, "arguments", ())}
    others = {one.name.value: one for one in getattr(other, "arguments", ())}
    found = [
        f"{place}({name})" for name, one in arguments.items() if name not in others or told(one) != told(others[name])
    ]
    required = {
        name for name, one in others.items() if one.type.kind == "non_null_type" and one.default_value is None
    }
    return found + [f"{place}({name}) is required" for name in sorted(required - set(arguments))]


@pytest.mark.shared
@pytest.mark.parametrize("version", ["2026-07", "2026-10"])
def test_the_schema_is_a_part_of_the_published_one(version):
    path = PUBLISHED / f"admin-{version}.graphql"
    need_material(path, "Shopify's published schema")
    ours = definitions(OURS.read_text(encoding="utf-8"))
    theirs = definitions(path.read_text(encoding="utf-8"), wanted=set(ours))
    assert len(ours) > 150
    assert differences(ours, theirs) == []


def test_a_schema_that_differs_is_noticed():
    theirs = definitions(
        "type Q implements N { a(x: Int!): Int b: String c: Int e(y: Int = 1): Int f: Int @deprecated }\n"
        "enum E { ONE }\nunion U = Q | E\ninput I { a: Int }"
    )
    ours = definitions(
        "type Q implements N & M { a: Int b: Int c: Int! d: Int e(y: Int = 2, z: Int): Int f: Int }\n"
        "enum E { ONE TWO }\nunion U = Q\ntype I { a: Int }"
    )
    assert differences(ours, theirs) == [
        "Q implements M",
        "Q.a(x) is required",
        "Q.b",
        "Q.c",
        "Q.d",
        "Q.e(y)",
        "Q.e(z)",
        "Q.f",
        "E.TWO",
        "U",
        "I",
    ]


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


@pytest.mark.parametrize("make", [tiny_teapots, awkward_attic, partial(make_synthetic, products=5)])
def test_every_field_is_answered(make, clock):
    shop = make(clock)
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
