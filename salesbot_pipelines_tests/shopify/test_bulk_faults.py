"""A bulk operation that fails, is cut off, taken or late is given up for pages, or taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.build_shop import add_location
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.shopify.bulk import BulkOperations
from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.bulk_inventory import inventory_texts
from salesbot_pipelines.shopify.reading.bulk_products import product_texts
from salesbot_pipelines_tests.shopify.bench import Bench, location_of, note, picture, told, truth
from salesbot_pipelines_tests.shopify.bulk_shops import NAMESPACES, read, shop_of

# Faults

SPOILED = [
    ("bulk_denied", {}),
    ("bulk_failed", {"times": None}),
    ("bulk_failed", {"times": None, "partial": True}),
    ("bulk_failed", {"code": "ACCESS_DENIED"}),
    ("bulk_canceled", {"times": None}),
    ("bulk_stuck", {}),
    ("bulk_wrong_count", {"count": 1}),
    ("bulk_wrong_count", {"count": -1}),
    ("bulk_bad_line", {}),
    ("bulk_no_url", {}),
    ("bulk_truncated", {"count": 1, "times": None}),
    ("bulk_truncated", {"count": 2, "times": None}),
]


@pytest.mark.parametrize(("action", "how"), SPOILED)
def test_a_result_that_is_not_whole_is_given_up_for_pages(bench: Bench, action: str, how: dict[str, Any]) -> None:
    shop = shop_of(bench, 14)
    bench.faults.add(action, operation="BulkProducts", **how)
    snapshot, sink = read(bench, shop, "bulk")
    nodes = sink.settled(snapshot)
    assert told(nodes) == truth(shop, NAMESPACES)
    assert snapshot.method == "paged"
    assert snapshot.bulk_failure
    assert snapshot.bulk_failure.count(shop.domain) == 1
    assert not any("__parentId" in node or "incomplete" in node for node in nodes["products"].values())


@pytest.mark.parametrize("action", ["bulk_failed", "bulk_canceled"])
def test_a_failure_that_passes_is_tried_again(bench: Bench, action: str) -> None:
    shop = shop_of(bench)
    bench.faults.add(action, operation="BulkProducts", times=1)
    snapshot, sink = read(bench, shop, "bulk")
    assert told(sink.settled(snapshot)) == truth(shop, NAMESPACES)
    assert snapshot.method == "bulk"


def test_lines_in_any_order_are_joined(bench: Bench) -> None:
    shop = shop_of(bench, 14)
    bench.faults.add("bulk_shuffled", times=None)
    snapshot, sink = read(bench, shop, "bulk")
    assert told(sink.settled(snapshot)) == truth(shop, NAMESPACES)
    assert snapshot.method == "bulk"


@pytest.mark.parametrize("of", ["product", "variant", "media", "stock"])
def test_children_lost_at_the_known_limit_are_fetched(bench: Bench, monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    """Shopify's files have been seen to stop at about 100 children; here it is at 4, and several objects have six."""
    for module in ("bulk_part", "bulk_products", "bulk_inventory"):
        monkeypatch.setattr(f"salesbot_pipelines.shopify.reading.{module}.PROVED_CHILDREN", 4)
    shop = bench.open()
    places = [location_of(shop), *(add_location(shop, f"Store {n}") for n in range(5))]
    gallery, notes = [picture(10_000 + n) for n in range(6)], [note(20_000 + n) for n in range(6)]
    for n in range(3):
        variant = NewVariant(
            "1.00",
            media=gallery if of == "media" else [],
            metafields=notes if of == "variant" else [],
            stock=dict.fromkeys(places if of == "stock" else places[:1], 5),
        )
        metafields = notes if of == "product" else []
        add_product(shop, f"Product {n}", [variant], media=gallery if of == "media" else [], metafields=metafields)
    bench.faults.add("bulk_truncated", count=4, times=None)
    snapshot, sink = read(bench, shop, "bulk")
    assert told(sink.settled(snapshot)) == truth(shop, NAMESPACES)
    assert snapshot.method == "bulk"


@pytest.mark.parametrize(("variants", "pictures"), [(1, 2), (2, 1)])
def test_counted_children_that_are_lost_are_missed(bench: Bench, variants: int, pictures: int) -> None:
    """Whichever they are, while all of the other kind are there."""
    shop = bench.open()
    for n in range(3):
        sold = [NewVariant("1.00", (f"V{v}",), stock={location_of(shop): 1}) for v in range(variants)]
        gallery = [picture(shop.next_number()) for _ in range(pictures)]
        add_product(shop, f"Product {n}", sold, options=("Size",), media=gallery)
    bench.faults.add("bulk_truncated", count=1, times=None)
    snapshot, sink = read(bench, shop, "bulk")
    assert told(sink.settled(snapshot)) == truth(shop, NAMESPACES)
    assert snapshot.method == "paged", "a file that lost what it should hold is no good"


@pytest.mark.parametrize(("pictures", "read_again"), [(1, 0), (2, 5)])
def test_only_what_has_an_order_is_read_again_when_lines_have_none(
    bench: Bench, pictures: int, read_again: int
) -> None:
    shop = bench.open()
    for n in range(5):
        sold = [NewVariant("1.00", stock={location_of(shop): 1})]
        add_product(shop, f"Product {n}", sold, media=[picture(shop.next_number()) for _ in range(pictures)])
    bench.faults.add("bulk_shuffled", times=None)
    snapshot, sink = read(bench, shop, "bulk")
    assert told(sink.settled(snapshot)) == truth(shop, NAMESPACES)
    asked = bench.calls.of(shop.domain, "ProductsById")
    assert sum(len(call.variables["ids"]) for call in asked) == read_again


@pytest.mark.parametrize("at", [0, 1, 1000, 5000])
@pytest.mark.parametrize("action", ["truncate", "disconnect"])
def test_a_download_that_breaks_off_is_taken_up_again(bench: Bench, action: str, at: int) -> None:
    shop = shop_of(bench, 14)
    bench.faults.add(action, operation="bulk_download", times=3, **({"count": at} if action == "truncate" else {}))
    snapshot, sink = read(bench, shop, "bulk")
    assert told(sink.settled(snapshot)) == truth(shop, NAMESPACES)
    assert snapshot.method == "bulk"


def test_a_download_cut_at_any_kilobyte_gives_the_same_file(bench: Bench, tmp_path: Path) -> None:
    shop = shop_of(bench, 14)

    def fetched(name: str) -> bytes:
        folder = tmp_path / name
        folder.mkdir()
        return BulkOperations(bench.client(shop), folder).run(product_texts(NAMESPACES))["products"].path.read_bytes()

    whole = fetched("whole")
    assert len(whole) > 16 * 1024
    for at in (*range(0, len(whole), 1024), len(whole) - 1):
        bench.faults.add("truncate", operation="bulk_download", times=1, count=at)
        assert fetched(f"cut at {at}") == whole


def test_an_address_that_ended_is_asked_for_again_and_then_given_up(bench: Bench) -> None:
    shop = shop_of(bench)
    bench.faults.add("status", operation="bulk_download", status=403, times=1)
    snapshot, _ = read(bench, shop, "bulk")
    assert snapshot.method == "bulk"
    bench.server.sandbox.bulk.rules.url_seconds = -1
    snapshot, sink = read(bench, shop, "bulk")
    assert snapshot.method == "paged"
    assert told(sink.settled(snapshot)) == truth(shop, NAMESPACES)


def test_the_download_carries_no_token(bench: Bench, tmp_path: Path) -> None:
    shop = shop_of(bench, 1)
    seen = []
    bench.http.event_hooks["request"].append(seen.append)
    try:
        BulkOperations(bench.client(shop), tmp_path).run(inventory_texts())
    finally:
        bench.http.event_hooks["request"].clear()
    downloads = [request for request in seen if "/bulk/" in request.url.path]
    assert downloads
    assert not any("x-shopify-access-token" in request.headers for request in downloads)


# Places


def started(bench: Bench, shop: Shop) -> str:
    answer = bench.client(shop).execute(load("bulk_run"), {"query": inventory_texts()["inventory"]})
    return answer.data["bulkOperationRunQuery"]["bulkOperation"]["id"]


def test_operations_of_others_are_waited_for_and_left_alone(bench: Bench) -> None:
    shop = shop_of(bench)
    bench.server.sandbox.bulk.rules.run_seconds = 40
    foreign = [started(bench, shop) for _ in range(5)]
    snapshot, sink = read(bench, shop, "bulk")
    assert snapshot.method == "bulk"
    assert told(sink.settled(snapshot)) == truth(shop, NAMESPACES)
    states = {node["id"]: node["status"] for node in shop.all("operations")}
    assert {states[gid] for gid in foreign} == {"COMPLETED"}
    assert not bench.calls.of(shop.domain, "BulkCancel")


def test_places_that_stay_taken_lead_to_pages(bench: Bench) -> None:
    shop = shop_of(bench)
    bench.server.sandbox.bulk.rules.run_seconds = 10_000
    for _ in range(5):
        started(bench, shop)
    snapshot, sink = read(bench, shop, "bulk")
    assert snapshot.method == "paged"
    assert "hold all places" in (snapshot.bulk_failure or "")
    assert told(sink.settled(snapshot)) == truth(shop, NAMESPACES)


def test_what_nobody_waits_for_is_cancelled(bench: Bench) -> None:
    shop = shop_of(bench)
    bench.server.sandbox.bulk.rules.run_seconds = 10_000
    snapshot, _ = read(bench, shop, "bulk")
    assert snapshot.method == "paged"
    assert len(bench.calls.of(shop.domain, "BulkCancel")) == len(product_texts(NAMESPACES)) + 2  # stock, and members
    assert not [node for node in shop.all("operations") if node["status"] in ("CREATED", "RUNNING")]
