"""Long collections: their products come from a bulk result that proves itself, or page by page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.sandbox.build_collections import add_collection
from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.shopify.bulk import BulkResult
from salesbot_pipelines.shopify.reading import bulk_members
from salesbot_pipelines.shopify.reading.bulk_members import BulkMembers
from salesbot_pipelines_tests.shopify.bench import Bench, number_in, told, truth
from salesbot_pipelines_tests.shopify.bulk_shops import read


@pytest.fixture
def shop(bench: Bench) -> Shop:
    """Three collections: two longer than a page, in orders of their own, and a short one."""
    shop = bench.open()
    made = [number_in(add_product(shop, f"P{n}", [NewVariant("1.00")])["id"]) for n in range(620)]
    add_collection(shop, "All", made[::-1])
    add_collection(shop, "Some", made[1::2])
    add_collection(shop, "Few", made[:7])
    return shop


def drained(bench: Bench, shop: Shop) -> int:
    return len(bench.calls.of(shop.domain, "CollectionProducts"))


def test_they_are_as_in_the_shop_without_a_page_of_their_own(bench: Bench, shop: Shop) -> None:
    snapshot, sink = read(bench, shop, "bulk", ("custom",))
    assert told(sink.settled(snapshot)) == truth(shop)
    assert drained(bench, shop) == 0


SPOILED: list[tuple[str, dict[str, Any]]] = [
    ("bulk_denied", {}),
    ("bulk_failed", {}),
    ("bulk_canceled", {}),
    ("bulk_stuck", {}),
    ("bulk_wrong_count", {"count": 1}),
    ("bulk_bad_line", {}),
    ("bulk_no_url", {}),
    ("bulk_truncated", {"count": 300}),
    ("bulk_truncated", {"count": 100}),
    ("bulk_shuffled", {}),
]


@pytest.mark.parametrize(("action", "how"), SPOILED)
def test_a_result_that_does_not_prove_itself_is_not_used(
    bench: Bench, shop: Shop, action: str, how: dict[str, Any]
) -> None:
    bench.faults.add(action, times=None, **how)
    snapshot, sink = read(bench, shop, "bulk", ("custom",))
    assert told(sink.settled(snapshot)) == truth(shop)
    assert drained(bench, shop) > 0


@pytest.mark.parametrize("change", ["first out", "last out", "one in", "order", "its name alone"])
def test_a_collection_that_changed_since_is_drained(bench: Bench, shop: Shop, change: str) -> None:
    """The change comes when the first page is asked for, after the operation has ended."""
    long = shop.all("collections")[0]["id"]
    members = list(shop.members(shop.all("collections")[0]))
    other = number_in(add_product(shop, "Other", [NewVariant("1.00")])["id"])
    changes: dict[str, Callable[[Shop], Any]] = {
        "first out": lambda there: there.remove_from_collection(members[0], long),
        "last out": lambda there: there.remove_from_collection(members[-1], long),
        "one in": lambda there: there.move_product(other, long, len(members)),
        "order": lambda there: there.move_product(members[600], long, 400),
        "its name alone": lambda there: there.update_collection(long, title="Renamed"),
    }
    bench.clock.sleep(5)
    bench.faults.add("change", operation="Collections", change=changes[change])
    snapshot, sink = read(bench, shop, "bulk", ("custom",))
    assert told(sink.settled(snapshot)) == truth(shop)
    assert len(sink.nodes["collections"][0]["product_ids"]) == len(members) + {"one in": 1}.get(
        change, -1 if change.endswith("out") else 0
    )
    assert drained(bench, shop) > 0


def written(folder: Path, lists: dict[int, list[int]], moment: str = "2026-11-25T12:00:00Z") -> BulkResult:
    path = folder / "collections.jsonl"
    lines = [
        f'{{"__typename":"Collection","id":"gid://shopify/Collection/{number}","updatedAt":"{moment}"}}'
        for number in lists
    ]
    lines += [
        f'{{"__typename":"Product","id":"gid://shopify/Product/{product}",'
        f'"__parentId":"gid://shopify/Collection/{number}"}}'
        for number, products in lists.items()
        for product in products
    ]
    path.write_text("".join(f"{line}\n" for line in lines))
    return BulkResult(path, len(lines))


def node(number: int, products: list[int], count: int | None, moment: str = "2026-11-25T12:00:00Z") -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Collection/{number}",
        "updatedAt": moment,
        "productsCount": {"count": count or 10_000, "precision": "EXACT" if count else "AT_LEAST"},
        "products": [{"id": f"gid://shopify/Product/{product}"} for product in products],
    }


@pytest.mark.parametrize(
    "doubt",
    [
        lambda: node(1, [5, 6], None),
        lambda: node(1, [5, 6], 4),
        lambda: node(1, [5, 6], 2),
        lambda: node(1, [6, 5], 3),
        lambda: node(1, [5, 6], 3, "2026-11-25T12:00:01Z"),
        lambda: node(2, [5, 6], 3),
    ],
)
def test_each_doubt_is_enough(tmp_path: Path, doubt: Callable[[], dict[str, Any]]) -> None:
    members = BulkMembers(written(tmp_path, {1: [5, 6, 4]}), "a shop")
    assert members.of(node(1, [5, 6], 3)) == [{"id": f"gid://shopify/Product/{number}"} for number in (5, 6, 4)]
    assert members.of(doubt()) is None


def test_a_product_that_comes_twice_is_a_doubt(tmp_path: Path) -> None:
    assert BulkMembers(written(tmp_path, {1: [5, 6, 5]}), "a shop").of(node(1, [5, 6], 3)) is None


def test_just_as_many_are_held_as_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = written(tmp_path, {1: [1, 2, 3], 2: [4, 5, 6]})
    for most, held in ((6, [1, 2]), (5, [1])):
        monkeypatch.setattr(bulk_members, "MOST_HELD", most)
        members = BulkMembers(result, "a shop")
        asked = {1: node(1, [1], 3), 2: node(2, [4], 3)}
        assert [number for number, asked_for in asked.items() if members.of(asked_for)] == held


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=st.dictionaries(st.integers(1, 9), st.lists(st.integers(1, 99), unique=True, max_size=9), max_size=6))
def test_what_is_held_is_bounded_and_what_is_given_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: dict[int, list[int]]
) -> None:
    monkeypatch.setattr(bulk_members, "MOST_HELD", 12)
    members = BulkMembers(written(tmp_path, lists), "a shop", longer_than=2)
    assert sum(len(held) for held in members._lists.values()) <= 12
    for number, products in lists.items():
        found = members.of(node(number, products[:2], len(products)))
        assert found in (None, [{"id": f"gid://shopify/Product/{product}"} for product in products])
        if sum(map(len, lists.values())) <= 12:
            assert (found is None) == (len(products) <= 2)
