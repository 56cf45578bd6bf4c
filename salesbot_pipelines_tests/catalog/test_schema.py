"""The schema is the model's, it is checked in, and it says what the agreed contract says."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from salesbot_pipelines.catalog import schema
from salesbot_pipelines.catalog.schema import document_schema, schema_text
from salesbot_pipelines_tests.needs import need_material

CHECKED_IN = Path(schema.__file__).with_name("shopify_data.schema.json")
AGREED = Path(__file__).resolve().parents[3] / "shared" / "contract" / "shopify_data.schema.json"

# Where our schema says more than the agreed one; docs/decisions holds the reasons. Nothing here says less.
TIGHTER = {
    "/products/*/variants/*/unit_price": "closed shape: amount, currency, measure, reference",
    "/products/*/variants/*/weight": "closed shape: unit, value",
    "/discounts/*/minimum": "two shapes, told apart by type",
    "/discounts/*/effect[buy_x_get_y]/get/effect": "three shapes, told apart by type",
}


def test_the_checked_in_schema_is_up_to_date():
    assert CHECKED_IN.read_text(encoding="utf-8") == schema_text(), (
        f"write {CHECKED_IN.name} again: python -m salesbot_pipelines.catalog.schema prints it"
    )


def test_the_module_prints_it():
    printed = subprocess.run(
        [sys.executable, "-m", "salesbot_pipelines.catalog.schema"], capture_output=True, check=True, encoding="utf-8"
    )
    assert printed.stdout == schema_text()


def test_it_is_a_valid_schema_without_words_of_another_dialect():
    body = document_schema()
    jsonschema.Draft202012Validator.check_schema(body)
    assert body["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert body["$id"] == "urn:salesbot:shopify_data:1"
    assert '"discriminator"' not in json.dumps(body)  # OpenAPI's, not JSON Schema's


def test_every_definition_is_used():
    text = schema_text()
    for name in document_schema()["$defs"]:
        assert f'"#/$defs/{name}"' in text


@pytest.mark.shared
def test_it_means_what_the_agreed_schema_means():
    need_material(AGREED, "the contract's schema as the document's readers have it")
    agreed = json.loads(AGREED.read_text(encoding="utf-8"))
    differences = dict(compare("", agreed, agreed, document_schema(), document_schema()))
    assert differences.keys() == TIGHTER.keys(), differences


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("product.required", lambda product: product["required"].remove("tags")),
        ("product.tags", lambda product: product["properties"]["tags"].pop("uniqueItems")),
        ("product.status", lambda product: product["properties"]["status"]["enum"].append("hidden")),
        ("product.vendor", lambda product: product["properties"]["vendor"].update(type="string")),
        ("product.content_hash", lambda product: product["properties"]["content_hash"].update(pattern="^.*$")),
        ("product.variants", lambda product: product["properties"]["variants"].pop("minItems")),
        ("product.new", lambda product: product["properties"].update(new={"type": "string"})),
    ],
)
def test_the_comparison_sees_a_difference(path, change):
    need_material(AGREED, "the contract's schema as the document's readers have it")
    agreed = json.loads(AGREED.read_text(encoding="utf-8"))
    change(agreed["$defs"]["product"])
    differences = dict(compare("", agreed, agreed, document_schema(), document_schema()))
    assert len(differences.keys() - TIGHTER.keys()) == 1, path


def compare(path, left, left_root, right, right_root):
    """Yield (path, what) for every place where two schemas do not mean the same."""
    left, left_null = _meaning(left, left_root)
    right, right_null = _meaning(right, right_root)
    if left_null != right_null:
        yield path, f"nullable: {left_null} against {right_null}"
    if "branches" in left and "branches" in right:
        if left["branches"].keys() != right["branches"].keys():
            yield path, f"{sorted(left['branches'])} against {sorted(right['branches'])}"
        for name in left["branches"].keys() & right["branches"].keys():
            yield from compare(
                f"{path}[{name}]", left["branches"][name], left_root, right["branches"][name], right_root
            )
        return
    if "branches" in left or "branches" in right:
        yield path, "several shapes in one of them only"
        return
    for word in sorted((left.keys() | right.keys()) - {"properties", "items", "additionalProperties"}):
        if left.get(word) != right.get(word):
            yield path, f"{word}: {left.get(word)!r} against {right.get(word)!r}"
    yield from _compare_fields(path, left, left_root, right, right_root)
    if "items" in left or "items" in right:
        yield from compare(f"{path}/*", left.get("items", {}), left_root, right.get("items", {}), right_root)
    further = [side.get("additionalProperties", True) for side in (left, right)]
    if all(isinstance(side, dict) for side in further):
        yield from compare(f"{path}/*", further[0], left_root, further[1], right_root)
    elif further[0] != further[1]:
        yield path, f"further keys: {further[0]} against {further[1]}"


def _compare_fields(path, left, left_root, right, right_root):
    agreed, ours = left.get("properties", {}), right.get("properties", {})
    for name in sorted(ours.keys() | agreed.keys()):
        if name in ours and name in agreed:
            yield from compare(f"{path}/{name}", agreed[name], left_root, ours[name], right_root)
        elif agreed:  # where the agreed object is open, its required fields tell the difference
            yield f"{path}/{name}", "in one of them only"


def _meaning(body, root):
    """Return a schema without its wording, and whether null is allowed."""
    body = dict(body)
    while "$ref" in body:
        target = root
        for part in body.pop("$ref").lstrip("#/").split("/"):
            target = target[part]
        body = {**target, **body}
    for word in ("description", "title", "$schema", "$id", "$defs"):
        body.pop(word, None)
    null = False
    branches = body.pop("anyOf", None) or body.pop("oneOf", None)
    if branches is not None:
        null = {"type": "null"} in branches
        branches = [branch for branch in branches if branch != {"type": "null"}]
        if len(branches) == 1:
            inner, inner_null = _meaning(branches[0], root)
            return {**inner, **body}, null or inner_null
        return {"branches": {_tag(branch, root): branch for branch in branches}}, null
    if isinstance(body.get("type"), list):
        null = "null" in body["type"]
        (body["type"],) = [kind for kind in body["type"] if kind != "null"]
    if "const" in body:
        body["enum"] = [body.pop("const")]
    if "enum" in body:
        body["enum"] = sorted(body["enum"])
        body.pop("type", None)
    if "required" in body:
        body["required"] = sorted(body["required"])
    return body, null


def _tag(branch, root):
    inner, _ = _meaning(branch, root)
    (tag,) = _meaning(inner["properties"]["type"], root)[0]["enum"]
    return tag
