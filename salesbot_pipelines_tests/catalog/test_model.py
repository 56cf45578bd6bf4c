"""Declared order is alphabetical order, so plain encoding is canonical; tagged unions need sorting."""

import json

import msgspec
import pytest

from salesbot_pipelines.catalog import model
from salesbot_pipelines.catalog.hashing import canonical_json
from salesbot_pipelines.catalog.model import Money, Omission
from salesbot_pipelines_tests.catalog.documents import SAMPLES, build_document, read_json
from salesbot_pipelines_tests.catalog.slow_hashes import slow_json

STRUCTS = [
    thing
    for name in model.__all__
    if isinstance(thing := getattr(model, name), type) and issubclass(thing, msgspec.Struct)
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_fields_are_alphabetical_and_none_has_a_default(struct):
    assert list(struct.__struct_fields__) == sorted(struct.__struct_fields__)
    assert struct.__struct_defaults__ == ()


def test_every_struct_is_exported():
    modules = (model.values, model.product, model.collection, model.discount, model.document)
    declared = {
        thing.__name__
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, msgspec.Struct) and thing.__module__ == module.__name__
    }
    assert declared == {struct.__name__ for struct in STRUCTS}


def test_canonical_json_is_the_standard_librarys_sorted_dump():
    document, _ = build_document(read_json(SAMPLES / "raw_catalog.json"))
    for one in (
        document,
        document.shop,
        document.source,
        *document.products,
        *document.discounts,
        *document.collections,
    ):
        line = canonical_json(one)
        assert line == slow_json(json.loads(line))


def test_plain_encoding_of_what_holds_no_union_is_canonical_too():
    document, _ = build_document(read_json(SAMPLES / "raw_catalog.json"))
    for one in (document.shop, *document.locations, *document.products, *document.collections):
        assert msgspec.json.encode(one) == canonical_json(one)


def test_dicts_are_sorted_and_text_stays_as_it_is():
    assert (
        canonical_json({"b": "é\u2028\x7f/<", "a": [1, None, True]})
        == '{"a":[1,null,true],"b":"é\u2028\x7f/<"}'.encode()
    )


def test_money_takes_no_further_keys():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"amount": "1.00", "currency": "EUR", "amount_minor": 100}, Money)


def test_omissions_are_positional_free():
    assert Omission(detail=None, reason="error", section="shop") == msgspec.convert(
        {"section": "shop", "reason": "error", "detail": None}, Omission
    )
