"""Lists that no page holds: nested ones drained by cursor, and those beyond the depth at which paging ends."""

from __future__ import annotations

from typing import Any

import pytest

from salesbot_pipelines.errors import QueryRejected
from salesbot_pipelines.sandbox import paging
from salesbot_pipelines.sandbox.build_collections import add_collection
from salesbot_pipelines.sandbox.build_discounts import (
    add_discount,
    in_collections,
    on_quantity,
    percent,
    quantity,
    some_customers,
    these,
)
from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.build_shop import add_location
from salesbot_pipelines.shopify.reading import collections, inventory, pages, settle
from salesbot_pipelines.shopify.reading.ids import Numbers
from salesbot_pipelines_tests.shopify.bench import (
    Bench,
    location_of,
    note,
    number_in,
    picture,
    read_and_compare,
    stock,
)

# Deep


def test_2048_variants_are_drained(bench: Bench) -> None:
    shop = bench.open()
    add_product(shop, "Small", stock(shop, 1))
    add_product(shop, "Everything", stock(shop, 2048), options=("Size",))
    add_product(shop, "Also small", stock(shop, 2))
    snapshot, _nodes = read_and_compare(bench, shop)
    assert snapshot.counts_read["variants"] == 2051
    assert [call.actual for call in bench.calls.of(shop.domain, "ProductVariants")], "beyond 250 it goes by cursor"


@pytest.mark.parametrize("count", [49, 50, 51, 249, 250, 251, 500, 501])
def test_the_edges_of_pages_of_variants(bench: Bench, count: int) -> None:
    shop = bench.open()
    add_product(shop, "Edge", stock(shop, count), options=("Size",))
    read_and_compare(bench, shop)


def test_media_and_metafields_of_products_and_variants_are_drained(bench: Bench) -> None:
    shop = bench.open()
    place = location_of(shop)
    gallery = [picture(10_000 + n) for n in range(300)]
    deep = NewVariant(
        "5.00",
        ("A",),
        stock={place: 1},
        media=gallery[:7],
        metafields=[note(20_000 + n) for n in range(45)] + [note(30_000, "other")],
    )
    notes = [note(40_000 + n) for n in range(300)]
    add_product(shop, "Gallery", [deep, *stock(shop, 2)], options=("Size",), media=gallery, metafields=notes)
    add_product(shop, "A few", [deep], media=gallery[:11], metafields=notes[:21])
    add_product(
        shop,
        "Plain",
        [NewVariant("5.00", stock={place: 1}, media=gallery[:1], metafields=notes[:30])],
        media=gallery[:1],
    )
    _, nodes = read_and_compare(bench, shop)
    plain = next(node for node in nodes["products"].values() if node["title"] == "Plain")
    assert plain["variants"][0]["media"] == plain["media"], "a variant's media are whole, not ids alone"


def test_several_namespaces_are_read_and_no_other(bench: Bench) -> None:
    shop = bench.open()
    place = location_of(shop)
    spread = [note(n, namespace) for n, namespace in enumerate(["custom", "specs", "secret"] * 30, start=100)]
    add_product(shop, "Tagged", [NewVariant("1.00", stock={place: 1}, metafields=spread[:20])], metafields=spread)
    read_and_compare(bench, shop, namespaces=("custom", "specs"))
    _, nodes = read_and_compare(bench, shop, namespaces=())
    (product,) = nodes["products"].values()
    assert product["metafields"] == product["variants"][0]["metafields"] == []


def test_too_many_namespaces_are_refused_by_name(bench: Bench) -> None:
    with pytest.raises(QueryRejected, match="9 metafield namespaces") as caught:
        bench.read(bench.open(), namespaces=tuple("abcdefghi"))
    assert "SALESBOT_METAFIELD_NAMESPACES" in caught.value.advice


@pytest.mark.parametrize("places", [9, 10, 11, 100, 260])
def test_all_locations_of_an_item_are_read(bench: Bench, places: int) -> None:
    shop = bench.open()
    here = [location_of(shop), *(add_location(shop, f"Store {n}") for n in range(places - 1))]
    for n in range(8):
        add_product(shop, f"Everywhere {n}", [NewVariant("1.00", stock=dict.fromkeys(here, n))])
    add_product(shop, "Nowhere", [NewVariant("1.00", stock=None)])
    read_and_compare(bench, shop, page=3)


def test_closed_and_legacy_locations_are_read(bench: Bench) -> None:
    shop = bench.open()
    add_location(shop, "Closed", active=False)
    add_location(shop, "Fulfilled by others", legacy=True)
    read_and_compare(bench, shop)


@pytest.mark.parametrize("size", [250, 251, 777])
def test_long_collections_keep_the_shops_order(bench: Bench, size: int) -> None:
    shop = bench.open()
    numbers = [number_in(add_product(shop, f"P{n}", [NewVariant("1.00")])["id"]) for n in range(size)]
    add_collection(shop, "Backwards", numbers[::-1])
    add_collection(shop, "Interleaved", numbers[::2] + numbers[1::2])
    add_collection(shop, "Short", numbers[:3])
    read_and_compare(bench, shop)


def test_codes_and_items_of_discounts_are_drained_on_both_sides(bench: Bench) -> None:
    shop = bench.open()
    numbers = [number_in(add_product(shop, f"P{n}", stock(shop, 2), options=("Size",))["id"]) for n in range(300)]
    variants = [number_in(node["id"]) for node in shop.all("variants")]
    groups = [add_collection(shop, f"C{n}", numbers[:2]) for n in range(60)]
    add_discount(
        shop, "CodeBasic", "Many codes", codes=[f"CODE{n}" for n in range(1300)], items=these(numbers, variants[:260])
    )
    add_discount(shop, "CodeBasic", "Groups", codes=[f"G{n}" for n in range(11)], items=in_collections(groups))
    for kind in ("CodeBxgy", "AutomaticBxgy"):
        add_discount(
            shop,
            kind,
            kind,
            buys=(these(numbers[:27], variants), quantity(2)),
            items=these(numbers[30:290], variants[:10]),
            value=on_quantity(1, percent(0.5)),
        )
    add_discount(shop, "AutomaticBasic", "Secret", items=these(numbers[:26]), context=some_customers())
    for kind in ("CodeFreeShipping", "CodeApp"):
        add_discount(shop, kind, kind, codes=[f"{kind}{n}" for n in range(12)])
    _, nodes = read_and_compare(bench, shop)
    assert "Ada Secret" not in str(nodes)


def test_more_codes_than_anybody_publishes_are_cut_and_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from salesbot_pipelines.shopify.reading import discounts

    monkeypatch.setattr(discounts, "MOST_CODES", 300)
    shop = bench.open()
    add_discount(shop, "CodeBasic", "Endless", codes=[f"X{n}" for n in range(1000)])
    _snapshot, sink = bench.read(shop)
    (node,) = sink.nodes["discounts"]
    assert node["incomplete"] == ["codes"]
    assert 300 <= len(node["discount"]["codes"]) <= 510


# Wide


def test_lists_beyond_the_depth_of_cursors_are_read_in_windows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shopify ends paging and counting at 25,000; here at 60."""
    monkeypatch.setattr(paging, "DEEPEST_POSITION", 60)
    for module in (pages, settle, collections):
        monkeypatch.setattr(module, "WINDOW", 40)
    shop = bench.open()
    numbers = [number_in(add_product(shop, f"P{n}", stock(shop, 1))["id"]) for n in range(175)]
    for n in range(70):
        add_collection(shop, f"C{n}", numbers[n : n + 2])
        add_discount(shop, "AutomaticBasic", f"D{n}")
    snapshot, _ = read_and_compare(bench, shop, page=15)
    assert snapshot.counts_start["products"] is None, "not counted exactly"
    assert snapshot.counts_end["products"] == 175, "added up over windows"
    assert any(call.variables.get("query") for call in bench.calls.of(shop.domain, "Products"))


def test_a_small_shop_is_read_without_a_search(bench: Bench) -> None:
    """What is searched is known later than what is listed."""
    shop = bench.open()
    for n in range(30):
        add_product(shop, f"P{n}", stock(shop, 1))
    bench.read(shop, page=7)
    assert not any(call.variables.get("query") for call in bench.calls.of(shop.domain))


def test_numbers_are_kept_once_in_any_order() -> None:
    numbers = Numbers()
    assert [numbers.add(n) for n in (5, 9, 7, 7, 1, 9, 10)] == [True, True, True, False, True, False, True]
    assert list(numbers) == [1, 5, 7, 9, 10]
    assert 7 in numbers
    assert 8 not in numbers
    assert 11 not in numbers
    numbers.discard(7)
    numbers.discard(8)
    assert list(numbers) == [1, 5, 9, 10]
    assert numbers.every(2) == [5, 10]


def test_stock_that_the_listing_missed_is_fetched_by_id(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = bench.open()
    for n in range(9):
        add_product(shop, f"P{n}", stock(shop, 1))
    real = inventory.walk

    def short(*args: Any, **more: Any):
        for page, fresh in real(*args, **more):
            lost, kept = fresh[:2], fresh[2:]
            for node in lost:
                args[3].discard(number_in(node["id"]))
            yield page, kept

    monkeypatch.setattr(inventory, "walk", short)
    read_and_compare(bench, shop)
