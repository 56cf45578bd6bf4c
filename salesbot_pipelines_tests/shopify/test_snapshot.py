"""A shop is read whole: whatever its size and shape, and whatever the page sizes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.sandbox.build_collections import add_collection, has_tag
from salesbot_pipelines.sandbox.build_discounts import (
    add_discount,
    in_collections,
    on_quantity,
    percent,
    quantity,
    these,
)
from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.build_shop import add_location
from salesbot_pipelines.shopify.reading import pages, settle
from salesbot_pipelines.shopify.snapshot import ENTITIES, still_there
from salesbot_pipelines_tests.shopify.bench import (
    Bench,
    note,
    number_in,
    picture,
    read_and_compare,
    stock,
)

# Whole shops


def test_an_empty_shop_is_read_and_is_complete(bench: Bench) -> None:
    snapshot, nodes = read_and_compare(bench, bench.open())
    assert snapshot.counts_read == {
        "shop": 1,
        "locations": 1,
        "products": 0,
        "variants": 0,
        "inventory": 0,
        "collections": 0,
        "discounts": 0,
    }
    assert set(nodes) <= set(ENTITIES)


def test_a_shop_with_something_of_everything(bench: Bench) -> None:
    shop = bench.open()
    numbers = [
        number_in(
            add_product(
                shop,
                f"Lamp {n}",
                stock(shop, 1 + n % 4),
                options=("Size",),
                media=[picture(900 + n)],
                metafields=[note(700 + n)],
                tags=["odd" if n % 2 else "even"],
            )["id"]
        )
        for n in range(12)
    ]
    chosen = add_collection(shop, "Chosen", numbers[:5][::-1])
    add_collection(shop, "Odd ones", rule=has_tag("odd"))
    add_discount(shop, "CodeBasic", "Ten off", codes=["TEN"], items=in_collections([chosen]))
    add_discount(
        shop,
        "AutomaticBxgy",
        "Three for two",
        buys=(these(numbers[:2]), quantity(2)),
        items=these(numbers[2:4]),
        value=on_quantity(1, percent(1.0)),
    )
    add_discount(shop, "CodeFreeShipping", "Free ride", codes=["RIDE", "RIDE2"])
    add_discount(shop, "AutomaticApp", "By an app")
    snapshot, nodes = read_and_compare(bench, shop)
    assert snapshot.counts_read["products"] == 12
    assert snapshot.counts_start["products"] == snapshot.counts_end["products"] == 12
    assert snapshot.method == "paged"
    assert snapshot.api_version == "2026-10"
    assert snapshot.stats.calls == len(bench.calls.of(shop.domain))
    assert snapshot.fetched_at <= bench.clock.now()
    shop_node = nodes["shop"][0]
    assert shop_node["shop"]["myshopifyDomain"] == shop.domain
    assert shop_node["policies"] == []
    assert shop_node["locales"] == [{"locale": "en", "primary": True}]


def test_progress_is_told_page_by_page(bench: Bench) -> None:
    shop = bench.open()
    for n in range(7):
        add_product(shop, f"P{n}", stock(shop, 1))
    told_progress: list[tuple[str, int, int | None]] = []
    from salesbot_pipelines.shopify.snapshot import read_snapshot
    from salesbot_pipelines_tests.shopify.bench import Sink

    read_snapshot(
        bench.client(shop, page=3),
        Sink(),
        progress=lambda entity, done, total: told_progress.append((entity, done, total)),
    )
    assert [step for step in told_progress if step[0] == "products"] == [
        ("products", 3, 7),
        ("products", 6, 7),
        ("products", 7, 7),
    ]
    assert {step[0] for step in told_progress} == set(ENTITIES)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_catalogue_and_any_page_size_is_read_each_object_once(bench: Bench, data) -> None:
    shop = bench.open()
    for n in range(data.draw(st.integers(0, 4), label="locations")):
        add_location(shop, f"Place {n}")
    places = [number_in(node["id"]) for node in shop.all("locations")]
    numbers = []
    for n in range(data.draw(st.integers(0, 14), label="products")):
        variants = [
            NewVariant(
                "1.00",
                (f"V{v}",),
                stock=dict.fromkeys(data.draw(st.sets(st.sampled_from(places))), v),
                metafields=[note(shop.next_number()) for _ in range(data.draw(st.integers(0, 2)))],
            )
            for v in range(data.draw(st.integers(1, 5)))
        ]
        product = add_product(
            shop,
            f"Product {n}",
            variants,
            options=("Size",),
            status=data.draw(st.sampled_from(["ACTIVE", "DRAFT", "ARCHIVED", "UNLISTED"])),
            media=[picture(shop.next_number()) for _ in range(data.draw(st.integers(0, 3)))],
            metafields=[
                note(shop.next_number(), ns) for ns in data.draw(st.lists(st.sampled_from(["custom", "app"])))
            ],
        )
        numbers.append(number_in(product["id"]))
    for n in range(data.draw(st.integers(0, 4), label="collections")):
        add_collection(shop, f"Collection {n}", data.draw(st.permutations(numbers)) if numbers else [])
    for n in range(data.draw(st.integers(0, 4), label="discounts")):
        add_discount(
            shop, "CodeBasic", f"D{n}", codes=[f"C{n}-{m}" for m in range(1, 1 + data.draw(st.integers(1, 5)))]
        )
    page = data.draw(st.integers(1, 20), label="page")
    window = data.draw(st.sampled_from([3, 7, 20_000]), label="window")
    with pytest.MonkeyPatch.context() as patch:
        for module in (pages, settle):
            patch.setattr(module, "WINDOW", window)
        read_and_compare(bench, shop, page=page)


# Proving deletions


def test_still_there_tells_the_gone_from_the_rest(bench: Bench) -> None:
    shop = bench.open()
    ids = [
        add_product(shop, f"P{n}", stock(shop, 1), status="ACTIVE" if n % 2 else "DRAFT")["id"] for n in range(600)
    ]
    shop.delete_product(ids[7])
    found = still_there(bench.client(shop), ids)
    assert list(found) == ids
    assert found[ids[7]] is None
    assert found[ids[0]] == {"id": ids[0], "status": "DRAFT", "publishedAt": None}
    assert found[ids[1]]["status"] == "ACTIVE"
    assert len(bench.calls.of(shop.domain, "StillThere")) == 3
    assert still_there(bench.client(shop), []) == {}


def test_the_order_is_what_refers_before_what_is_referred_to(bench: Bench) -> None:
    shop = bench.open()
    add_product(shop, "P", stock(shop, 1))
    bench.read(shop)
    asked = [call.operation for call in bench.calls.of(shop.domain)]
    listings = [name for name in asked if name in ("Discounts", "Collections", "Products", "Inventory", "Locations")]
    assert listings == ["Discounts", "Collections", "Products", "Inventory", "Locations"]
