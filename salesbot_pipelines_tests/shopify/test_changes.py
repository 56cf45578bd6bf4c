"""The catalogue changes while it is read: what comes out is, object by object, the shop of some moment in between."""

from __future__ import annotations

from typing import Any

import pytest

from salesbot_pipelines.errors import SnapshotUnstable
from salesbot_pipelines.sandbox.build_collections import add_collection
from salesbot_pipelines.sandbox.build_discounts import add_discount, percent, these
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines_tests.shopify.bench import Bench, number_in, told, truth
from salesbot_pipelines_tests.shopify.changing import History, goods


def test_a_product_that_vanishes_after_it_was_read_is_dropped(bench: Bench) -> None:
    shop = bench.open()
    made = goods(shop, 10)
    bench.faults.add("change", operation="Products", nth=3, change=lambda s: s.delete_product(made[0]))
    snapshot, sink = bench.read(shop, page=3)
    assert snapshot.dropped == {"products": frozenset({made[0]})}
    assert snapshot.counts_read["products"] == snapshot.counts_end["products"] == 9
    view = told(sink.settled(snapshot))
    assert view["products"] == truth(shop)["products"]


def test_a_product_that_vanishes_before_it_was_read_is_not_there(bench: Bench) -> None:
    shop = bench.open()
    made = goods(shop, 10)
    bench.faults.add("change", operation="Products", nth=2, change=lambda s: s.delete_product(made[-1]))
    snapshot, sink = bench.read(shop, page=3)
    assert told(sink.settled(snapshot))["products"] == truth(shop)["products"]
    assert snapshot.dropped == {}


def test_a_product_that_is_made_too_late_for_the_listing_is_fetched(bench: Bench) -> None:
    shop = bench.open()
    goods(shop, 4)
    bench.faults.add("change", operation="ProductsCount", nth=1, change=lambda s: s.create_product("Late"))
    snapshot, sink = bench.read(shop)
    view = told(sink.settled(snapshot))
    assert view["products"] == truth(shop)["products"]
    assert view["inventory"] == truth(shop)["inventory"], "and so is its stock"
    assert snapshot.counts_read["products"] == 5


@pytest.mark.parametrize("operation", ["CollectionsCount", "DiscountsCount"])
def test_late_and_vanished_collections_and_discounts(bench: Bench, operation: str) -> None:
    shop = bench.open()
    made = goods(shop, 3)
    collections = [add_collection(shop, f"C{n}", made) for n in range(3)]
    discounts = [add_discount(shop, "CodeBasic", f"D{n}", codes=[f"D{n}"]) for n in range(3)]

    def change(s: Shop) -> None:
        s.delete_collection(collections[0])
        s.delete_discount(discounts[0])
        for n in range(2):
            add_collection(s, f"Late {n}", made[:1])
            add_discount(s, "AutomaticBasic", f"Late {n}", items=these(made), value=percent(0.1))

    bench.faults.add("change", operation=operation, nth=1, change=change)
    snapshot, sink = bench.read(shop)
    view = told(sink.settled(snapshot))
    entity = "collections" if operation == "CollectionsCount" else "discounts"
    assert view[entity] == truth(shop)[entity]
    assert snapshot.dropped == {entity: frozenset({collections[0] if entity == "collections" else discounts[0]})}


def test_a_product_that_changes_between_its_page_and_its_extras_is_read_again(bench: Bench) -> None:
    shop = bench.open()
    made = goods(shop, 4)
    history = History(bench, shop)

    def change(s: Shop) -> None:
        s.update_product(made[1], title="New title", vendor="New vendor")

    bench.faults.add("change", operation="VariantExtras", change=history.change(change))
    snapshot, sink = bench.read(shop)
    nodes = sink.settled(snapshot)
    history.check(told(nodes))
    assert nodes["products"][made[1]]["title"] == "New title"
    assert len(bench.calls.of(shop.domain, "ProductsById")) == 1


def test_a_product_that_vanishes_between_its_page_and_its_extras(bench: Bench) -> None:
    shop = bench.open()
    made = goods(shop, 4)
    bench.faults.add("change", operation="VariantExtras", change=lambda s: s.delete_product(made[1]))
    snapshot, sink = bench.read(shop)
    assert told(sink.settled(snapshot))["products"] == truth(shop)["products"]


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_large_product_that_changes_between_its_pages_is_read_anew(bench: Bench, nth: int) -> None:
    shop = bench.open()
    (made,) = goods(shop, 1, variants=900)
    history = History(bench, shop)

    def change(s: Shop) -> None:
        s.set_price(number_in(s.all("products")[0]["variants"][0]["id"]), f"{nth}.99")
        s.update_product(made, title=f"Title {nth}")

    bench.faults.add("change", operation="ProductVariants", nth=nth, change=history.change(change))
    snapshot, sink = bench.read(shop)
    nodes = sink.settled(snapshot)
    history.check(told(nodes))
    assert len(nodes["products"][made]["variants"]) == 900
    assert "incomplete" not in nodes["products"][made]


def test_a_product_that_changes_all_the_time_is_named_and_holds_nobody_up(bench: Bench) -> None:
    shop = bench.open()
    (made,) = goods(shop, 1, variants=600)
    goods(shop, 3)

    def change(s: Shop) -> None:
        bench.clock.seconds += 2
        s.update_product(made, vendor=f"Vendor {bench.clock.seconds}")

    bench.faults.add("change", operation="ProductVariants", times=None, change=change)
    snapshot, sink = bench.read(shop)
    nodes = sink.settled(snapshot)
    assert nodes["products"][made]["incomplete"] == ["variants"]
    assert isinstance(nodes["products"][made]["variants"][0]["metafields"], list)
    assert len(nodes["products"]) == 4
    assert len(bench.calls.of(shop.domain, "ProductVariants")) < 10


@pytest.mark.parametrize("removes", [True, False])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_long_collection_that_is_rearranged_between_its_pages(bench: Bench, nth: int, removes: bool) -> None:
    shop = bench.open()
    made = goods(shop, 700, variants=1)
    collection = add_collection(shop, "Long", made)
    history = History(bench, shop)

    def change(s: Shop) -> None:
        s.move_product(made[600], collection, 0)
        if removes:
            s.remove_from_collection(made[3], collection)
        s.update_collection(collection, title="Rearranged")

    bench.faults.add("change", operation="CollectionProducts", nth=nth, change=history.change(change))
    snapshot, sink = bench.read(shop)
    history.check(told(sink.settled(snapshot)), entities=("collections",))
    assert "incomplete" not in sink.nodes["collections"][0]


@pytest.mark.parametrize("operation", ["DiscountCodes", "DiscountGets"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_large_discount_that_changes_between_its_pages(bench: Bench, operation: str, nth: int) -> None:
    shop = bench.open()
    made = goods(shop, 400, variants=1)
    discount = add_discount(shop, "CodeBasic", "Large", codes=[f"C{n}" for n in range(600)], items=these(made))
    history = History(bench, shop)

    def change(s: Shop) -> None:
        known = s.all("discounts")[0]["discount"]
        gets = {**known["customerGets"], "items": these(made[:-5])}
        s.update_discount(discount, title="Changed", codes=known["codes"][:-5], customerGets=gets)

    bench.faults.add("change", operation=operation, nth=nth, change=history.change(change))
    snapshot, sink = bench.read(shop)
    history.check(told(sink.settled(snapshot)), entities=("discounts",))
    assert "incomplete" not in sink.nodes["discounts"][0]


def test_a_catalogue_that_never_stands_still_is_unstable(bench: Bench) -> None:
    """The count never agrees with the list, however often they are compared."""
    shop = bench.open()
    goods(shop, 4)
    made: list[dict[str, Any]] = []

    def more(s: Shop) -> None:
        made.append(s.create_product("Now"))

    def less(s: Shop) -> None:
        s.delete_product(number_in(made.pop()["id"]))

    # One is made before each list and gone before each count, in step with us.
    bench.faults.add("change", operation="ProductIds", times=None, change=lambda s: (more(s), more(s)))
    bench.faults.add(
        "change", operation="ProductsCount", nth=2, times=None, change=lambda s: [less(s) for _ in made[:]]
    )
    bench.faults.add("change", operation="ProductsCount", nth=1, times=1, change=more)
    with pytest.raises(SnapshotUnstable) as caught:
        bench.read(shop)
    assert caught.value.retryable
    assert len(bench.calls.of(shop.domain, "ProductsCount")) <= 6


def test_a_count_that_passes_by_while_ids_are_compared_will_do(bench: Bench) -> None:
    """A shop that gets a new product every few seconds is not unstable."""
    shop = bench.open()
    goods(shop, 4)
    bench.faults.add("change", operation="ProductsCount", times=None, change=lambda s: s.create_product("One more"))
    snapshot, _ = bench.read(shop)
    assert snapshot.counts_start["products"] <= snapshot.counts_read["products"] <= len(shop.all("products"))
    assert snapshot.counts_end["products"] == snapshot.counts_read["products"]


def test_a_listing_that_lost_a_page_is_made_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from salesbot_pipelines.shopify.reading import products

    shop = bench.open()
    goods(shop, 20)
    real = products.walk

    def losing(client, query, root, seen, *rest, **more):
        for place, (page, fresh) in enumerate(real(client, query, root, seen, *rest, **more)):
            if place == 1:
                for node in fresh:
                    seen.discard(number_in(node["id"]))
                fresh = []
            yield page, fresh

    monkeypatch.setattr(products, "walk", losing)
    snapshot, sink = bench.read(shop, page=4)
    assert told(sink.settled(snapshot))["products"] == truth(shop)["products"]
