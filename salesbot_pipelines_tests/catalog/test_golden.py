"""One small shop, from raw nodes to the published document: the example that a reader of the contract can look at.

`samples/shopify_data.json` was read field by field against the contract. Where a change of rules changes it,
`python -m salesbot_pipelines_tests.catalog.test_golden` writes it again, and the change is reviewed there.
"""

import json

import jsonschema
import msgspec
import pytest

from salesbot_pipelines.catalog.hashing import canonical_json
from salesbot_pipelines.catalog.model import Document
from salesbot_pipelines.catalog.schema import document_schema
from salesbot_pipelines_tests.catalog.documents import SAMPLES, build_document, read_json
from salesbot_pipelines_tests.catalog.slow_hashes import slow_content_hash, slow_revision

RAW = SAMPLES / "raw_catalog.json"
GOLDEN = SAMPLES / "shopify_data.json"


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def pretty():
    document, _ = build_document(read_json(RAW))
    return json.dumps(json.loads(canonical_json(document)), indent=1, ensure_ascii=False) + "\n"


def test_the_raw_nodes_become_the_golden_document():
    assert pretty() == GOLDEN.read_text(encoding="utf-8")


def test_nothing_of_the_sample_is_unusable():
    _, findings = build_document(read_json(RAW))
    assert findings.omissions() == ()


def test_the_golden_document_fits_the_schema(golden):
    jsonschema.Draft202012Validator(document_schema(), format_checker=jsonschema.FormatChecker()).validate(golden)


def test_the_golden_document_can_be_read_back_strictly():
    document = msgspec.json.decode(GOLDEN.read_bytes(), type=Document)
    assert json.loads(canonical_json(document)) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_its_hashes_are_those_of_an_independent_definition(golden):
    assert golden["revision"] == slow_revision(golden)
    for product in golden["products"]:
        assert product["content_hash"] == slow_content_hash(product)


def test_no_withheld_code_is_anywhere_in_it():
    text = GOLDEN.read_text(encoding="utf-8").casefold()
    for code in ("maria-welcome", "shipfree"):
        assert code not in text


def test_a_reader_of_the_next_minor_version_is_tolerated(golden):
    newer = golden | {"schema_version": "1.1.0", "new_section": []}
    newer["products"] = [product | {"new_field": 1} for product in golden["products"]]
    jsonschema.Draft202012Validator(document_schema()).validate(newer)
    msgspec.convert(newer, Document)


if __name__ == "__main__":
    GOLDEN.write_text(pretty(), encoding="utf-8")
