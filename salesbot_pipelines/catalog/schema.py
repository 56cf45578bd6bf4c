"""The JSON Schema of the contract, generated from the model.

`shopify_data.schema.json` beside this file is its checked-in output and ships with the package; a test compares the
two. `python -m salesbot_pipelines.catalog.schema` prints it.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import msgspec

from salesbot_pipelines.catalog.model import Document
from salesbot_pipelines.catalog.model.values import Gid, LegacyId, Timestamp

_SCALARS: dict[str, Any] = {"gid": Gid, "legacy_id": LegacyId, "ts": Timestamp}


def document_schema() -> dict[str, Any]:
    """Return the schema of the whole document, draft 2020-12."""
    _, components = msgspec.json.schema_components([Document], ref_template="#/$defs/{name}")
    scalars = {name: msgspec.json.schema(scalar) for name, scalar in _SCALARS.items()}
    definitions = scalars | {_snake(name): _tidy(body, scalars) for name, body in components.items()}
    root = definitions.pop("document")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:salesbot:shopify_data:1",
        **root,
        "title": "shopify_data.json, contract v1",
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }


def schema_text() -> str:
    """Return the schema as the checked-in file holds it."""
    return json.dumps(document_schema(), indent=1, ensure_ascii=False) + "\n"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _tidy(body: Any, scalars: dict[str, dict[str, Any]]) -> Any:
    """Name definitions as the document names its fields, and write each scalar's pattern once."""
    if isinstance(body, list):
        return [_tidy(part, scalars) for part in body]
    if not isinstance(body, dict):
        return body
    for name, scalar in scalars.items():
        if body.get("pattern") == scalar["pattern"]:
            own_words = (
                {} if body.get("description") == scalar["description"] else {"description": body["description"]}
            )
            return {"$ref": f"#/$defs/{name}"} | own_words
    tidy = {
        key: _tidy(value, scalars)
        for key, value in body.items()
        if key != "discriminator" and not _is_name(key, value)
    }
    if "$ref" in tidy:
        tidy["$ref"] = "#/$defs/" + _snake(tidy["$ref"].rpartition("/")[2])
    if "discriminator" in body:
        tidy["oneOf"] = tidy.pop("anyOf")
    return tidy


def _is_name(key: str, value: Any) -> bool:
    """Say whether this is a struct's own title, not a field that is called title."""
    return key == "title" and isinstance(value, str)


if __name__ == "__main__":
    sys.stdout.write(schema_text())
