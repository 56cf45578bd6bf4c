"""The files a refresh works on: raw objects, sorted lines, stock by item, collections by product."""

import gzip
import hashlib
import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import RawMissing
from salesbot_pipelines.refresh import levels as levels_of_items
from salesbot_pipelines.refresh.levels import Levels, write_levels
from salesbot_pipelines.refresh.members import Members, MembersWriter
from salesbot_pipelines.refresh.rawfiles import RawFiles, read_nodes, stored_raw_file
from salesbot_pipelines.refresh.sortedlines import SortedLines, holds
from salesbot_pipelines.shopify.nodes import gid_number


def test_raw_objects_come_back_as_they_were_written(tmp_path):
    files = RawFiles(tmp_path)
    nodes = [
        {"id": "gid://shopify/Product/1", "percentage": Decimal("0.125"), "title": "Käse 茶 \u2028"},
        {"id": "2"},
    ]
    for node in nodes:
        files.write("products", node)
    described = files.finish(("products", "discounts"))
    assert list(read_nodes(described["products"].path)) == nodes
    assert described["products"].lines == 2
    assert list(read_nodes(described["discounts"].path)) == []


def test_the_same_nodes_give_the_same_bytes(tmp_path):
    digests = set()
    for name in ("a", "b"):
        files = RawFiles(tmp_path / name)
        files.write("products", {"id": "1"})
        digests.add(files.finish(("products",))["products"].sha256)
    assert len(digests) == 1


def test_a_restarted_entity_forgets_its_lines(tmp_path):
    files = RawFiles(tmp_path)
    files.write("products", {"id": "1"})
    files.restart("products")
    files.restart("discounts")
    files.write("products", {"id": "2"})
    assert list(read_nodes(files.finish(("products",))["products"].path)) == [{"id": "2"}]


def test_a_stored_raw_object_must_be_the_one_that_is_named(tmp_path):
    path = tmp_path / "products.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id":"1"}\n', mtime=0))
    with pytest.raises(RawMissing, match="products"):
        stored_raw_file("products", path, sha256="0" * 64, lines=1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.integers(0, 99))))
@example([(1, True, 0), (0, False, 0), (1, False, 0)])  # the removal was taken for one of an id never seen
def test_sorted_lines_hold_the_last_line_of_each_id_in_order(tmp_path_factory, events):
    folder = tmp_path_factory.mktemp("lines")
    lines = SortedLines(folder / "products.jsonl")
    expected = {}
    for number, stays, value in events:
        line = json.dumps([number, value]).encode() if stays else b""
        lines.add(number, line, weight=value if stays else 0)
        expected.pop(number, None)
        if stays:
            expected[number] = value
    made, ids = lines.finish()
    content = (folder / "products.jsonl").read_bytes()
    assert (made.size, made.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    written = [json.loads(line) for line in (folder / "products.jsonl").read_bytes().splitlines()]
    assert written == [[number, expected[number]] for number in sorted(expected)]
    assert list(ids) == sorted(expected)
    assert lines.weight == sum(expected.values())
    assert all(holds(ids, number) == (number in expected) for number in range(32))
    assert [path.name for path in folder.iterdir()] == ["products.jsonl"]


def test_lines_that_are_given_up_are_closed(tmp_path):
    lines = SortedLines(tmp_path / "products.jsonl")
    lines.add(1, b"a")
    lines.close()
    with pytest.raises(ValueError, match="closed"):
        lines.add(2, b"b")


def test_stock_is_found_by_item_and_fractions_stay_exact(tmp_path):
    item = "gid://shopify/InventoryItem/77"
    write_levels(
        tmp_path / "levels",
        [
            b'{"id":"%b","inventoryLevels":[]}' % item.encode(),
            b'{"inventoryLevels":[{"a":1.5}],"id":"%b"}' % item.encode(),
            b'{"id":"gid://shopify/InventoryItem/76","incomplete":["inventoryLevels"],"inventoryLevels":[]}',
        ],
    )
    with closing(Levels(tmp_path / "levels")) as levels:
        assert levels.of(item) == {"id": item, "incomplete": False, "levels": [{"a": Decimal("1.5")}]}
        assert levels.of("gid://shopify/InventoryItem/76")["incomplete"] is True
        assert levels.of("gid://shopify/InventoryItem/78") is None
        assert "levels.index" in Path("/proc/self/maps").read_text()
    assert "levels.index" not in Path("/proc/self/maps").read_text()
    assert levels  # it is not its end that closed the files


@given(st.lists(st.integers(1, 12)), st.lists(st.integers(0, 13)), st.integers(1, 400))
def test_of_any_lines_the_last_of_an_item_is_found(tmp_path_factory, numbers, wanted, ahead):
    """Whatever the order they are asked for in, and however much is read at once."""
    path = tmp_path_factory.mktemp("any") / "levels"
    lines = [
        b'{"id":"gid://shopify/InventoryItem/%d","inventoryLevels":[%d]}' % (number, place)
        for place, number in enumerate(numbers)
    ]
    write_levels(path, lines)
    last = {number: place for place, number in enumerate(numbers)}
    with mock.patch.object(levels_of_items, "_AHEAD_BYTES", ahead), closing(Levels(path)) as levels:
        for number in [*range(14), *wanted]:
            found = levels.of(f"gid://shopify/InventoryItem/{number}")
            assert (found and found["levels"]) == ([last[number]] if number in last else None)


def test_collections_are_found_by_product(tmp_path):
    path = tmp_path / "members.sqlite"
    with closing(MembersWriter(path)) as writer:
        writer.put("gid://shopify/Collection/9", ["gid://shopify/Product/1", "gid://shopify/Product/2"])
        writer.put("gid://shopify/Collection/10", ["gid://shopify/Product/1"])
        writer.put("gid://shopify/Collection/9", ["gid://shopify/Product/1"])
    with closing(Members(path)) as members:
        assert members.collection_ids(1) == ["gid://shopify/Collection/9", "gid://shopify/Collection/10"]
        assert members.collection_ids(2) == []


@pytest.mark.parametrize(
    ("gid", "number"),
    [("gid://shopify/Product/1", 1), ("gid://shopify/InventoryLevel/5?inventory_item_id=8", 5)],
)
def test_the_number_of_a_gid(gid, number):
    assert gid_number(gid) == number
