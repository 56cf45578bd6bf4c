"""Bulk results give what pages give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.build_shop import add_location
from salesbot_pipelines.sandbox.bulk_rules import complaints
from salesbot_pipelines.sandbox.cost import Bucket
from salesbot_pipelines.shopify.bulk import BulkOperations
from salesbot_pipelines.shopify.reading import scatter
from salesbot_pipelines.shopify.reading.bulk_inventory import inventory_texts
from salesbot_pipelines.shopify.reading.bulk_products import product_texts
from salesbot_pipelines.shopify.reading.products import ProductReader
from salesbot_pipelines.shopify.snapshot import read_snapshot
from salesbot_pipelines_tests.shopify.bench import Bench, Sink, note, number_in, picture, told
from salesbot_pipelines_tests.shopify.bulk_shops import NAMESPACES, compare, read, shop_of
from salesbot_pipelines_tests.shopify.changing import History

# The same nodes


@pytest.mark.parametrize("namespaces", [(), ("custom",), NAMESPACES])
def test_bulk_gives_the_nodes_that_pages_give(bench: Bench, namespaces) -> None:
    shop = shop_of(bench)
    snapshot = compare(bench, shop, namespaces)
    assert snapshot.method == "bulk"
    assert snapshot.bulk_failure is None


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("part_bytes", [2_000, 10**6])
def test_products_come_in_order_also_those_that_were_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, shuffled: bool, part_bytes: int
) -> None:
    monkeypatch.setattr(scatter, "PART_BYTES", part_bytes)
    shop = shop_of(bench, 12)
    if shuffled:
        bench.faults.add("bulk_shuffled", times=None)
    sink, again = Sink(), set()
    plain = ProductReader.whole

    def whole(self: ProductReader, wanted: Iterable[tuple[str, int]]) -> Iterator[tuple[str, dict | None]]:
        for gid, node in plain(self, wanted):
            again.add(number_in(gid))
            yield gid, node

    monkeypatch.setattr(ProductReader, "whole", whole)
    assert read_snapshot(bench.client(shop), sink, method="bulk").method == "bulk"
    numbers = [number_in(node["id"]) for node in sink.nodes["products"]]
    assert numbers == sorted(numbers)
    assert again - {max(numbers)}


def test_an_empty_shop_gives_no_file_and_no_product(bench: Bench) -> None:
    snapshot = compare(bench, bench.open())
    assert snapshot.method == "bulk"
    assert snapshot.counts_read["products"] == 0


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.integers(0, 12), st.integers(1, 3000))
def test_any_shop_in_any_number_of_parts(bench: Bench, seed: int, products: int, part_bytes: int) -> None:
    shop = shop_of(bench, products, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scatter, "PART_BYTES", part_bytes)
        assert compare(bench, shop).method == "bulk"


def test_more_than_a_page_of_everything(bench: Bench) -> None:
    """The file holds all of it; what is beyond belief is read by id."""
    shop = bench.open()
    place = number_in(shop.all("locations")[0]["id"])
    media = [picture(10_000 + n) for n in range(260)]
    specs = [NewVariant("1.00", (f"V{n}",), stock={place: n}, media=media[n : n + 1]) for n in range(300)]
    add_product(
        shop, "Large", specs, options=("Size",), media=media, metafields=[note(20_000 + n) for n in range(120)]
    )
    assert compare(bench, shop).method == "bulk"


def test_all_stock_of_an_item_with_many_locations(bench: Bench) -> None:
    shop = bench.open()
    places = [add_location(shop, f"Store {n}") for n in range(130)]
    for n in range(4):
        add_product(shop, f"P{n}", [NewVariant("1.00", stock=dict.fromkeys(places[: 40 * n], n))])
    assert compare(bench, shop).method == "bulk"


def test_without_read_inventory_stock_is_named(bench: Bench) -> None:
    shop = shop_of(bench)
    shop.scopes.remove("read_inventory")
    snapshot, sink = read(bench, shop, "bulk")
    assert snapshot.method == "bulk"
    assert [(o.section, o.reason) for o in snapshot.omissions] == [("inventory", "access_denied")]
    assert "inventory" not in sink.nodes


# Changes meanwhile


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_changes_while_bulk_runs_is_settled(bench: Bench, data) -> None:
    bench.faults.clear()
    shop = shop_of(bench, 6)
    numbers = [number_in(node["id"]) for node in shop.all("products")]
    history = History(bench, shop, NAMESPACES)
    verbs = [
        lambda s: s.delete_product(numbers[0]),
        lambda s: s.update_product(numbers[1], title="Changed"),
        lambda s: s.set_price(s.products.get(numbers[2])["variants"][0]["id"], "77.00"),
        lambda s: s.create_product("Late"),
    ]
    for verb in verbs:
        operation = data.draw(st.sampled_from(["BulkRun", "BulkPoll", "ProductsCount", "ProductsById"]))
        bench.faults.add("change", operation=operation, nth=data.draw(st.integers(1, 3)), change=history.change(verb))
    snapshot, sink = read(bench, shop, "bulk")
    history.check(told(sink.settled(snapshot)), entities=("products",))
    assert snapshot.method == "bulk"


def test_a_product_that_moves_between_two_operations_is_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page would have old words and new pictures: a product that never was."""
    shop = bench.open()
    place = number_in(shop.all("locations")[0]["id"])
    media = [picture(10_000), picture(10_001)]
    made = add_product(shop, "Old", [NewVariant("1.00", stock={place: 1}, media=media[:1])], media=media)
    history = History(bench, shop)
    real = BulkOperations._start
    texts: list[str] = []

    def start(self: BulkOperations, text: str) -> str:
        if len(texts) == 1:
            made["variants"][0]["media"] = media[1:]
            history.change(lambda s: s.update_product(made["id"], title="New"))(shop)
        texts.append(text)
        gid = real(self, text)
        for operation in bench.server.sandbox.bulk._of(shop):
            assert operation.whole.wait(10)
        return gid

    monkeypatch.setattr(BulkOperations, "_start", start)
    snapshot, sink = read(bench, shop, "bulk", ("custom",))
    nodes = sink.settled(snapshot)
    history.check(told(nodes), entities=("products",))
    (product,) = nodes["products"].values()
    assert product["title"] == "New"
    assert snapshot.method == "bulk"


# Choosing


def test_auto_takes_pages_for_what_they_do_quickly_and_bulk_for_the_rest(bench: Bench) -> None:
    shop = shop_of(bench)
    assert read(bench, shop, "auto")[0].method == "paged"
    shop.bucket = Bucket(bench.clock, 2000, 0.2)
    shop.bucket.unlimited = True
    assert read(bench, shop, "auto")[0].method == "bulk"


def test_progress_is_told_while_bulk_runs(bench: Bench) -> None:
    shop = shop_of(bench)
    bench.server.sandbox.bulk.rules.run_seconds = 5
    steps: list[tuple[str, int, int | None]] = []
    read_snapshot(bench.client(shop), Sink(), method="bulk", progress=lambda *step: steps.append(step))
    assert steps[-1][0] == "locations"
    assert ("products", 8, 8) in steps


# Texts and files


@pytest.mark.parametrize("namespaces", [(), ("custom",), ("custom", 'we"ird\\')])
def test_the_texts_keep_shopifys_rules(namespaces: tuple[str, ...]) -> None:
    for name, text in (product_texts(namespaces) | inventory_texts()).items():
        assert complaints(text) == [], name
        assert "$" not in text


def test_a_result_is_never_more_than_the_whole(bench: Bench, tmp_path: Path) -> None:
    shop = shop_of(bench)
    bench.faults.add("bulk_failed", times=None, partial=True)
    with pytest.raises(BulkFailed) as caught:
        BulkOperations(bench.client(shop), tmp_path).run(inventory_texts())
    assert caught.value.status == "FAILED"
    assert caught.value.error_code == "INTERNAL_SERVER_ERROR"
    assert list(tmp_path.iterdir()) == []
