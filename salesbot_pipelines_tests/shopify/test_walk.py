"""Listings that misbehave, what a connection becomes, and collections longer than cursors lead."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from salesbot_pipelines.errors import ShopifyUnavailable
from salesbot_pipelines.shopify.answers import Answer, Problem
from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading import collections, pages
from salesbot_pipelines.shopify.reading.collections import CollectionReader
from salesbot_pipelines.shopify.reading.connections import exact, flatten, flatten_metafields
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.holes import Holes, SectionUnread, mark_holes
from salesbot_pipelines.shopify.reading.ids import Numbers, number_of
from salesbot_pipelines.shopify.reading.pages import drain, page_at, walk
from salesbot_pipelines_tests.shopify.bench import Sink, gid
from salesbot_pipelines_tests.shopify.wire import Wire, client_on, ok


def page(numbers, has_next: bool, cursor: str | None, root: str = "products") -> httpx.Response:
    nodes = [{"id": gid(number)} for number in numbers]
    return ok({root: {"nodes": nodes, "pageInfo": {"hasNextPage": has_next, "endCursor": cursor}}})


def numbers_of(wire: Wire, seen: Numbers | None = None) -> list[int]:
    found = []
    for _, fresh in walk(client_on(wire), load("product_ids"), "products", seen if seen is not None else Numbers()):
        found += [number_of(node["id"]) for node in fresh]
    return found


# Misbehaviour


def test_pages_follow_one_another_by_cursor() -> None:
    wire = Wire(page([1, 2], True, "a"), page([3], True, "b"), page([4], False, None))
    assert numbers_of(wire) == [1, 2, 3, 4]
    assert [variables["after"] for variables in wire.variables] == [None, "a", "b"]


@pytest.mark.parametrize(
    "steps",
    [
        [page([1], True, None)],
        [page([1], True, "a"), page([2], True, "a")],
        [page([1], True, "a"), page([], True, "a")],
        [
            page([1], True, "a"),
            page([2], True, "b"),
            page([1], True, "a"),
            page([2], True, "b"),
            page([1], True, "a"),
        ],
        [page([], True, f"c{n}") for n in range(10)],
    ],
)
def test_a_listing_that_does_not_move_on_ends_with_an_error(steps) -> None:
    wire = Wire(*steps)
    with pytest.raises(ShopifyUnavailable, match="does not move on"):
        numbers_of(wire)
    assert len(wire.requests) <= 6


def test_an_empty_page_in_the_middle_is_passed() -> None:
    wire = Wire(page([1], True, "a"), page([], True, "b"), page([2], False, None))
    assert numbers_of(wire) == [1, 2]


def test_an_object_that_comes_again_is_taken_once() -> None:
    wire = Wire(page([1, 2, 3], True, "a"), page([3, 2, 4], True, "b"), page([4, 5], False, None))
    seen = Numbers()
    assert numbers_of(wire, seen) == [1, 2, 3, 4, 5]
    assert list(seen) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "bad", [None, 7, "", "7", "gid://shopify/Product/", "gid://shopify/Product/1/2", "gid://other/Product/1"]
)
def test_an_object_without_an_id_is_no_answer(bad) -> None:
    body = {"products": {"nodes": [{"id": bad}], "pageInfo": {"hasNextPage": False, "endCursor": None}}}
    with pytest.raises(ShopifyUnavailable):
        numbers_of(Wire(ok(body)))


def test_the_ids_of_levels_carry_a_query() -> None:
    assert number_of("gid://shopify/InventoryLevel/12?inventory_item_id=34") == 12


@pytest.mark.parametrize("data", [{}, {"products": None}, {"products": {"nodes": None}}, {"products": {"nodes": []}}])
def test_a_listing_that_is_not_there_is_unknown(data) -> None:
    problem = Problem("ACCESS_DENIED", "no", ("products",))
    with pytest.raises(SectionUnread) as caught:
        page_at(Answer(data, (problem,)), ("products",))
    assert caught.value.problem is problem


def test_a_connection_is_drained_from_its_cursor() -> None:
    wire = Wire(page([3], True, "b", "product"), page([4], False, None, "product"))
    found = [
        node["id"] for p in drain(client_on(wire), load("product_ids"), {}, ("product",), "a") for node in p.nodes
    ]
    assert found == [gid(3), gid(4)]
    assert [variables["after"] for variables in wire.variables] == ["a", "b"]
    with pytest.raises(ShopifyUnavailable):
        list(drain(client_on(Wire(page([3], True, "a", "product"))), load("product_ids"), {}, ("product",), None))


# Connections


def test_a_connection_becomes_a_plain_list_and_tells_where_it_goes_on() -> None:
    node = {"x": {"nodes": [1, 2], "pageInfo": {"hasNextPage": True, "endCursor": "c"}}}
    assert flatten(node, "x") == "c"
    assert node == {"x": [1, 2]}


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"nodes": None},
        {},
        {"nodes": [], "pageInfo": None},
        {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}},
    ],
)
def test_an_unknown_connection_is_empty_and_says_so(value) -> None:
    node: dict[str, Any] = {"x": value}
    assert flatten(node, "x") is None
    assert node == {"x": [], "incomplete": ["x"]}


def test_a_null_among_the_nodes_is_left_out_and_told() -> None:
    node: dict[str, Any] = {"x": {"nodes": [1, None], "pageInfo": {"hasNextPage": False, "endCursor": None}}}
    assert flatten(node, "x") is None
    assert node == {"x": [1], "incomplete": ["x"]}


def test_metafields_of_all_namespaces_become_one_list() -> None:
    whole = {"nodes": [1], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    more = {"nodes": [2], "pageInfo": {"hasNextPage": True, "endCursor": "c"}}
    node: dict[str, Any] = {"metafields0": whole, "metafields1": more, "metafields2": None, "incomplete": ["media"]}
    assert flatten_metafields(node, 3) == {1: "c"}
    assert node == {"metafields": [1, 2], "incomplete": ["media", "metafields"]}


@pytest.mark.parametrize(
    ("count", "number"),
    [
        ({"count": 5, "precision": "EXACT"}, 5),
        ({"count": 10000, "precision": "AT_LEAST"}, None),
        (None, None),
        ({"count": True, "precision": "EXACT"}, None),
        ({"count": "5", "precision": "EXACT"}, None),
    ],
)
def test_only_an_exact_count_counts(count, number) -> None:
    assert exact(count) == number


def test_holes_are_marked_on_their_objects_and_named_once() -> None:
    holes = Holes()
    nodes: list[dict[str, Any] | None] = [{}, {}, None]
    problems = tuple(
        Problem("ACCESS_DENIED", "no", ("products", "nodes", place, *rest), "read_x")
        for place, rest in [
            (0, ("media",)),
            (1, ("media", "nodes", 4, "image")),
            (1, ("metafields1",)),
            (2, ("media",)),
        ]
    )
    foreign = Problem("ACCESS_DENIED", "no", ("shop", "plan"))
    mark_holes(Answer({}, (*problems, foreign)), ("products", "nodes"), nodes, holes, "products")
    assert nodes == [{"incomplete": ["media"]}, {"incomplete": ["media", "metafields"]}, None]
    assert [(o.section, o.reason, o.detail) for o in holes.all()] == [
        ("products.media", "access_denied", "read_x"),
        ("products.metafields", "access_denied", "read_x"),
    ]


# Beyond the depth of cursors


class LongCollection:
    """One collection, whose listing ends at a depth as Shopify's does; `reverse` turns it round."""

    def __init__(self, size: int, depth: int) -> None:
        self.members, self.depth = list(range(1, size + 1)), depth
        self.deepest = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        variables = json.loads(request.content)["variables"]
        members = self.members[::-1] if variables["reverse"] else self.members
        start = int(variables["after"] or 0)
        assert start < self.depth, "no cursor leads so deep"
        end = start + variables["first"]
        nodes = [{"id": gid(n)} for n in members[start:end]]
        info = {"hasNextPage": end < len(members), "endCursor": str(end)}
        count = {"count": len(members), "precision": "EXACT"}
        return ok(
            {"collection": {"updatedAt": "t", "productsCount": count, "products": {"nodes": nodes, "pageInfo": info}}}
        )


def node_of(size: int) -> dict[str, Any]:
    first = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "0"}}
    count = {"count": size, "precision": "EXACT"}
    return {"id": gid(9, "Collection"), "updatedAt": "t", "productsCount": count, "products": first}


@pytest.mark.parametrize("size", [3999, 4000, 4001, 6000, 7999, 8000])
def test_a_collection_beyond_the_depth_is_read_from_both_ends(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """25,000 at Shopify; here 5,000, and we turn round at 4,000."""
    monkeypatch.setattr(collections, "WINDOW", 4000)
    shop, sink = LongCollection(size, 5000), Sink()
    CollectionReader(Reading(client_on(Wire(shop.answer)), sink, ()))._write(node_of(size))
    (written,) = sink.nodes["collections"]
    assert written["product_ids"] == [gid(n) for n in shop.members]
    assert "incomplete" not in written
    assert "products" not in written


def test_a_collection_beyond_both_ends_says_that_it_is_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collections, "WINDOW", 400)
    shop, sink = LongCollection(2000, 500), Sink()
    wire = Wire(lambda r: shop.answer(r) if b"CollectionProducts" in r.content else ok({"nodes": [node_of(2000)]}))
    CollectionReader(Reading(client_on(wire), sink, ()))._write(node_of(2000))
    (written,) = sink.nodes["collections"]
    assert written["incomplete"] == ["product_ids"]
    assert len(written["product_ids"]) >= 800


def test_the_window_stays_well_below_shopifys_depth() -> None:
    assert pages.WINDOW + 250 < 25_000
