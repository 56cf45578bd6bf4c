"""Raw objects put together: any lines over two files are what a dictionary says, and nothing is left over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.refresh.merging import merge
from salesbot_pipelines.refresh.rawfiles import RawFile, RawFiles
from salesbot_pipelines.refresh.stored import StoredRaw, items_in

lines = st.tuples(st.integers(1, 12), st.sampled_from(["plain", "dropped"]), st.integers(0, 3), st.text(max_size=5))
files = st.lists(st.lists(lines, max_size=12), min_size=1, max_size=2)


def node(number: int, kind: str, variants: int, title: str) -> dict[str, Any]:
    gid = f"gid://shopify/Product/{number}"
    if kind == "dropped":
        return {"dropped": True, "id": gid}
    return {"id": gid, "title": title, "variants": [{"id": f"v{n}"} for n in range(variants)]}


def raw_file(folder: Path, entity: str, nodes: list[dict[str, Any]]) -> RawFile:
    made = RawFiles(folder)
    for entry in nodes:
        made.write(entity, entry)
    return made.finish((entity,))[entity]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=files, without=st.sets(st.integers(1, 12), max_size=4))
def test_any_lines_are_what_a_dictionary_says(
    tmp_path: Path, files: list[list[tuple[int, str, int, str]]], without: set[int]
) -> None:
    model: dict[int, dict[str, Any]] = {}
    paths = []
    for place, content in enumerate(files):
        paths.append(raw_file(tmp_path / str(place), "products", [node(*line) for line in content]).path)
        for line in content:
            if line[1] == "dropped":
                model.pop(line[0], None)
            else:
                model[line[0]] = node(*line)
    for number in without:
        model.pop(number, None)
    written: list[bytes] = []
    looked: list[int] = []
    merged = merge(paths, written.append, without=without, look=lambda number, _line: looked.append(number))
    found = [json.loads(line) for line in written]
    assert sorted(found, key=lambda entry: entry["id"]) == sorted(model.values(), key=lambda entry: entry["id"])
    assert list(merged.numbers) == sorted(model)
    assert merged.variants == sum(len(entry["variants"]) for entry in model.values())
    assert looked == [line[0] for content in files for line in content]


def test_lines_are_copied_to_the_letter(tmp_path: Path) -> None:
    """A price keeps its digits and a text its signs, for nothing is read and written again."""
    made = RawFiles(tmp_path)
    line = b'{"id":"gid://shopify/Product/1","price":10.50,"title":"\\u00e9\xc3\xa9","variants":[]}'
    made.write_lines("products", [line])
    written: list[bytes] = []
    merge([made.finish(("products",))["products"].path], written.append)
    assert written == [line]


def test_the_lease_is_kept_while_lines_are_copied(tmp_path: Path) -> None:
    path = raw_file(tmp_path, "products", [node(n, "plain", 1, "") for n in range(1, 2502)]).path
    kept: list[None] = []
    merge([path], lambda _line: None, keep=lambda: kept.append(None))
    assert len(kept) == 6


def product(number: int, *variants: tuple[int, int | None]) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Product/{number}",
        "variants": [
            {
                "id": f"gid://shopify/ProductVariant/{variant}",
                "inventoryItem": None if item is None else {"id": f"gid://shopify/InventoryItem/{item}"},
            }
            for variant, item in variants
        ],
    }


def collection(number: int, *products: int, sort: str = "MANUAL", parts: tuple[int, ...] = ()) -> dict[str, Any]:
    sources = [{"__typename": "S", "collections": [{"id": f"gid://shopify/Collection/{part}"} for part in parts]}]
    return {
        "id": f"gid://shopify/Collection/{number}",
        "product_ids": [f"gid://shopify/Product/{member}" for member in products],
        "sortOrder": sort,
        "sources": [{"__typename": "S", "collections": None}, *sources] if parts else [],
    }


def dropped(kind: str, number: int) -> dict[str, Any]:
    return {"dropped": True, "id": f"gid://shopify/{kind}/{number}"}


@pytest.fixture
def stored(tmp_path: Path) -> StoredRaw:
    products = [
        product(1, (11, 111), (12, 112)),
        product(2, (21, 121)),
        product(3, (31, None)),
        product(4, (41, 141)),
        product(2, (22, 122)),
        dropped("Product", 4),
    ]
    collections = [
        collection(5, 1, 2, sort="PRICE_ASC"),
        collection(6, 1),
        collection(7, parts=(6,)),
        collection(8, 3, parts=(7,)),
        collection(9, 1, 2, 3),
        collection(5, 2, 3, sort="PRICE_ASC"),
        dropped("Collection", 9),
    ]
    raw = {
        "products": raw_file(tmp_path / "p", "products", products),
        "collections": raw_file(tmp_path / "c", "collections", collections),
        "shop": raw_file(tmp_path / "s", "shop", [{"shop": {"currencyCode": "EUR"}}]),
    }
    return StoredRaw(raw, lambda: None)


def test_owners_are_those_of_the_last_lines(stored: StoredRaw) -> None:
    assert stored.products_of(items={111, 121, 122}, variants=set()) == {1, 2}
    assert stored.products_of(items={121}, variants={31, 21}) == {3}
    assert stored.products_of(items={141}, variants={41}) == set()


def test_what_hangs_together_in_collections(stored: StoredRaw) -> None:
    assert stored.holding({1, 2, 4}) == {1: {6}, 2: {5}, 4: set()}
    assert stored.ordered_by_hand({5, 6, 9, 77}) == {6}
    assert stored.made_of({6}) == {6, 7, 8}
    assert stored.made_of({8, 77}) == {8, 77}
    assert stored.members({5, 6, 9}) == 3
    assert stored.currency() == "EUR"


def test_the_items_of_a_line(tmp_path: Path) -> None:
    assert list(items_in(json.dumps(product(1, (11, 111), (12, None))).encode())) == [111]
