"""Stock out of the lines of a bulk result, without the pages that would read again what a join lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.shopify.nodes import line_of, node_of
from salesbot_pipelines.shopify.reading import scatter
from salesbot_pipelines.shopify.reading.bulk_levels import cut, join_part, remove_joined, spread
from salesbot_pipelines_tests.shopify.bench import gid

SHOP = "a.myshopify.com"


def item(number: int) -> dict[str, str]:
    return {"__typename": "InventoryItem", "id": gid(number, "InventoryItem")}


def level(number: int, of: int) -> dict[str, str]:
    return {
        "__typename": "InventoryLevel",
        "id": f"{gid(100 + number, 'InventoryLevel')}?inventory_item_id={of}",
        "__parentId": gid(of, "InventoryItem"),
    }


def written(folder: Path, *nodes: dict[str, str]) -> Path:
    path = folder / "inventory.jsonl"
    path.write_bytes(b"".join(line_of(node) + b"\n" for node in nodes))
    return path


@pytest.mark.parametrize("part_bytes", [80, 200, 10**6])
def test_levels_lie_in_their_items_and_items_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr(scatter, "PART_BYTES", part_bytes)
    path = written(
        tmp_path, item(9), level(1, 9), level(2, 9), item(4), item(7), level(1, 7), level(2, 5), level(3, 9)
    )
    where = cut(tmp_path, SHOP, path)
    assert (where.parts > 1) == (part_bytes < 10**6)
    assert spread(where, path, 8) is False, "a level without its item before it"
    found = [join_part(where, part) for part in range(where.parts)]
    assert [number for items in found for number in items.numbers] == [4, 7, 9]
    assert [count for items in found for count in items.levels] == [0, 1, 3]
    nodes = [node_of(line) for items in found for line in items.lines]
    assert nodes == [
        {"id": gid(4, "InventoryItem"), "inventoryLevels": []},
        {"id": gid(7, "InventoryItem"), "inventoryLevels": [{"id": level(1, 7)["id"]}]},
        {"id": gid(9, "InventoryItem"), "inventoryLevels": [{"id": level(n, 9)["id"]} for n in (1, 2, 3)]},
    ]
    for part in range(where.parts):
        remove_joined(where, part)
    assert list(tmp_path.iterdir()) == [path]


def test_a_result_with_items_before_their_levels_is_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, item(4), item(7), level(1, 7), level(1, 4))
    where = cut(tmp_path, SHOP, path)
    assert spread(where, path, 4) is True
    with pytest.raises(BulkFailed, match="has 4 lines and Shopify counts 5"):
        spread(where, path, 5)
