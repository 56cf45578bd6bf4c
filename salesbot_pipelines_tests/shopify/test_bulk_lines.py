"""Lines of a bulk result: where each belongs, whether they stood in order, and which is broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.shopify.nodes import node_of
from salesbot_pipelines.shopify.reading import bulk_lines
from salesbot_pipelines.shopify.reading.bulk_lines import Order, heads_in, inside_of, number_of_kind, read_lines

SHOP = "a.myshopify.com"
PRODUCT = b'{"__typename":"Product","id":"gid://shopify/Product/%d","title":"a"}'
VARIANT = (
    b'{"__typename":"ProductVariant","id":"gid://shopify/ProductVariant/%d","position":%d,'
    b'"__parentId":"gid://shopify/Product/%d"}'
)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are decoded two or three at a time."""
    monkeypatch.setattr(bulk_lines, "_BYTES_AT_ONCE", 200)


def written(folder: Path, *lines: bytes) -> Path:
    path = folder / "result.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def ordered(path: Path) -> bool:
    order = Order()
    for line in read_lines(path, path.read_bytes().count(b"\n"), SHOP):
        order.note(line)
    return order.kept


def test_lines_of_any_make_are_understood(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        PRODUCT % 5,
        VARIANT % (7, 1, 5),
        b' { "__parentId" : "gid:\\/\\/shopify\\/Product\\/5", "id":"gid://shopify/Metafield/9?x=1" }',
        b'{"id":"gid://shopify/Collection/3","updatedAt":"2026-01-01T00:00:00Z"}',
        b'{"__typename":"ProductVariant","id":"gid://shopify/ProductVariant/7","product":{"id":"gid://shopify/Product/5"}}',
    )
    found = list(read_lines(path, 5, SHOP))
    assert [line[:3] for line in found] == [(5, 0, ""), (7, 5, "Product"), (9, 5, "Product"), (3, 0, ""), (7, 0, "")]
    assert [line[3].kind for line in found] == ["Product", "ProductVariant", "", "", "ProductVariant"]
    assert found[3][3].updated_at == "2026-01-01T00:00:00Z"
    assert found[4][3].product is not None
    assert found[4][3].product.id == "gid://shopify/Product/5"
    assert b"".join(line[4] for line in found) == path.read_bytes()


@pytest.mark.parametrize(
    "broken",
    [
        b'{"id":"gid://shopify/Product/5"',
        b'{"id":"gid://shopify/Product/5"},{"id":"gid://shopify/Product/6"}',
        b'{"id":"gid://shopify/Product/five"}',
        b'{"id":5}',
        b'{"id":"gid://shopify/Product/5","__parentId":"five"}',
        b"[]",
        b"",
    ],
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
@given(place=st.integers(0, 9))
def test_a_broken_line_is_named_by_its_place(tmp_path: Path, broken: bytes, place: int) -> None:
    lines = [PRODUCT % number for number in range(9)]
    lines.insert(place, broken)
    with pytest.raises(BulkFailed, match=rf"^{SHOP}: line {place + 1} of the result is broken$"):
        list(read_lines(written(tmp_path, *lines), 10, SHOP))


def test_a_broken_text_is_found_when_its_line_is_decoded() -> None:
    with pytest.raises(BulkFailed, match="a line of the result is broken"):
        heads_in([PRODUCT % 1, (PRODUCT % 2).replace(b'"a"', b'"\xff"')], SHOP)


def test_what_is_broken_over_two_lines_stays_broken(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"id":"gid://shopify/Product/5","title":"a', b'b"}')
    with pytest.raises(BulkFailed, match="line 1 of the result"):
        list(read_lines(path, 2, SHOP))


def test_there_must_be_as_many_lines_as_shopify_counts(tmp_path: Path) -> None:
    path = written(tmp_path, PRODUCT % 1, PRODUCT % 2)
    for expected in (1, 3):
        with pytest.raises(BulkFailed, match=f"has 2 lines and Shopify counts {expected}"):
            list(read_lines(path, expected, SHOP))


def test_order_is_parents_first_and_variants_by_position(tmp_path: Path) -> None:
    product = PRODUCT % 1
    assert ordered(written(tmp_path, product, VARIANT % (3, 1, 1), VARIANT % (2, 2, 1)))
    assert ordered(written(tmp_path, product, VARIANT % (3, 1, 1), VARIANT % (2, 1, 1)))
    assert not ordered(written(tmp_path, product, VARIANT % (3, 2, 1), VARIANT % (2, 1, 1)))
    assert not ordered(written(tmp_path, VARIANT % (3, 1, 1), product))
    other = PRODUCT % 2
    assert ordered(written(tmp_path, product, other, VARIANT % (3, 2, 1), VARIANT % (4, 1, 2)))
    unplaced = (VARIANT % (2, 1, 1)).replace(b'"position":1', b'"position":"first"')
    assert ordered(written(tmp_path, product, unplaced, VARIANT % (3, 1, 1)))
    assert not ordered(written(tmp_path, product, VARIANT % (3, 1, 1), unplaced))


def test_a_line_tells_the_number_of_a_kind() -> None:
    line = b'{"__typename":"ProductVariant","id":"gid://shopify/ProductVariant/7","__parentId":"gid://shopify/Product/5"}\n'
    assert number_of_kind("ProductVariant", line) == 7
    assert number_of_kind("Product", line) == 5
    assert number_of_kind("InventoryItem", line) == 0


TEXTS = st.text('ab\u00e9"\\{},:/_\n', max_size=9) | st.sampled_from(
    ['","__parentId":"gid://shopify/Product/5"}', '{"__typename":"Product",', "gid://shopify/Product/5", "é"]
)
FIELDS = st.dictionaries(
    st.sampled_from(["title", "price", "position2", "__parent", "typename"]),
    st.recursive(
        TEXTS | st.none() | st.integers(-9, 9), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)
    ),
)


@given(
    fields=FIELDS,
    named=st.fixed_dictionaries(
        {"id": st.just("gid://shopify/Media/7")},
        optional={
            "__typename": st.sampled_from(["Media", "Product"]),
            "__parentId": st.sampled_from(["gid://shopify/Product/5", "gid://shopify/Product/5?a=é"]),
        },
    ),
    shuffled=st.randoms(),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" , ", " :")]),
    escaped=st.booleans(),
    with_kind=st.booleans(),
)
def test_a_line_without_its_parent_and_kind_is_the_same_node_however_it_is_written(
    fields: dict[str, Any],
    named: dict[str, Any],
    shuffled: Any,
    separators: tuple[str, str],
    escaped: bool,
    with_kind: bool,
) -> None:
    keys = [*named, *fields]
    shuffled.shuffle(keys)
    node = {key: (named | fields)[key] for key in keys}
    line = json.dumps(node, separators=separators, ensure_ascii=escaped).encode() + b"\n"
    (head,) = heads_in([line], SHOP)
    node.pop("__parentId", None)
    if not with_kind:
        node.pop("__typename", None)
    assert node_of(b"{%b}" % inside_of(line, head, with_kind=with_kind)) == node


def test_a_line_as_shopify_writes_it_is_cut_and_not_written_anew() -> None:
    line = rb'{"__typename":"Media","id":"gid://shopify/Media/7","alt":"caf\u00e9","__parentId":"gid://shopify/Product/5"}'
    (head,) = heads_in([line], SHOP)
    assert inside_of(line + b"\n", head) == rb'"id":"gid://shopify/Media/7","alt":"caf\u00e9"'
    assert inside_of(line, head, with_kind=True) == line[1 : line.index(b',"__parentId')]
