"""A shop is read whole: whatever its size and shape, and whatever the page sizes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import NeedsReauth, QueryRejected, ShopifyUnavailable, WrongApiVersion
from salesbot_pipelines.sandbox import paging
from salesbot_pipelines.sandbox.build_collections import add_collection, has_tag
from salesbot_pipelines.sandbox.build_discounts import (
    add_discount,
    in_collections,
    on_quantity,
    percent,
    quantity,
    some_customers,
    these,
)
from salesbot_pipelines.sandbox.build_parts import media_image, metafield
from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.build_shop import add_location
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.shopify.reading import collections, inventory, pages, settle
from salesbot_pipelines.shopify.reading.ids import Numbers
from salesbot_pipelines.shopify.snapshot import ENTITIES, granted_scopes, still_there
from salesbot_pipelines_tests.shopify.bench import Bench, number_in, told, truth


def picture(number: int) -> dict[str, Any]:
    return media_image(number, f"https://cdn.shopify.com/{number}.jpg", alt=f"View {number}")


def note(number: int, namespace: str = "custom") -> dict[str, Any]:
    return metafield(number, namespace, f"key_{number}", "single_line_text_field", f"value {number}")


def location_of(shop: Shop) -> int:
    return number_in(shop.all("locations")[0]["id"])


def stock(shop: Shop, count: int) -> list[NewVariant]:
    place = location_of(shop)
    return [NewVariant(f"{n}.50", (f"V{n}",), sku=f"S{n}", stock={place: n}) for n in range(1, count + 1)]


def read_and_compare(bench: Bench, shop: Shop, **how: Any):
    snapshot, sink = bench.read(shop, **how)
    nodes = sink.settled(snapshot)
    namespaces = how.get("namespaces", ("custom",))
    assert told(nodes) == truth(shop, namespaces)
    assert snapshot.omissions == ()
    assert not any("incomplete" in node for of_entity in nodes.values() for node in of_entity.values())
    return snapshot, nodes


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


# Scopes and holes

ALL = ("read_products", "read_inventory", "read_locations", "read_discounts", "read_legal_policies", "read_locales")


@pytest.mark.parametrize(
    ("missing", "section", "reason"),
    [
        ("read_inventory", "inventory", "access_denied"),
        ("read_locations", "locations", "access_denied"),
        ("read_discounts", "discounts", "access_denied"),
        ("read_legal_policies", "shop.links", "not_requested"),
        ("read_locales", "shop.locale", "not_requested"),
    ],
)
def test_a_missing_scope_is_named_and_its_section_not_asked(
    bench: Bench, missing: str, section: str, reason: str
) -> None:
    shop = bench.open(scopes=[scope for scope in ALL if scope != missing])
    add_product(shop, "P", stock(shop, 2), options=("Size",))
    add_discount(shop, "CodeBasic", "D", codes=["D"])
    snapshot, sink = bench.read(shop)
    (omission,) = snapshot.omissions
    assert (omission.section, omission.reason) == (section, reason)
    assert missing in (omission.detail or "")
    assert not any(call.outcome == "denied" for call in bench.calls.of(shop.domain)), "nothing is asked in vain"
    if section in ENTITIES:
        assert section not in snapshot.counts_read
        assert section not in sink.nodes
    else:
        (node,) = sink.nodes["shop"]
        assert node["policies" if "links" in section else "locales"] is None


def test_write_scopes_will_do(bench: Bench) -> None:
    shop = bench.open(scopes=[scope.replace("read_", "write_") for scope in ALL])
    add_product(shop, "P", stock(shop, 1))
    read_and_compare(bench, shop)


def test_without_read_products_the_merchant_is_asked(bench: Bench) -> None:
    shop = bench.open(scopes=[scope for scope in ALL if scope != "read_products"])
    with pytest.raises(NeedsReauth, match="read_products"):
        bench.read(shop)
    assert granted_scopes(bench.client(shop)) == frozenset(ALL) - {"read_products"}


@pytest.mark.parametrize(
    ("entity", "operation", "path"),
    [
        ("discounts", "Discounts", "discountNodes"),
        ("collections", "Collections", "collections"),
        ("inventory", "Inventory", "inventoryItems"),
        ("locations", "Locations", "locations"),
    ],
)
def test_a_listing_that_is_denied_is_no_empty_list(bench: Bench, entity: str, operation: str, path: str) -> None:
    """The second page is denied: what the first one gave is taken back."""
    shop = bench.open()
    for n in range(6):
        number = number_in(add_product(shop, f"P{n}", stock(shop, 1))["id"])
        add_collection(shop, f"C{n}", [number])
        add_discount(shop, "CodeBasic", f"D{n}", codes=[f"D{n}"])
        add_location(shop, f"L{n}")
    bench.faults.add("partial", operation=operation, nth=2, path=path, required_access="read_something")
    snapshot, sink = bench.read(shop, page=3)
    (omission,) = snapshot.omissions
    assert (omission.section, omission.reason) == (entity, "access_denied")
    assert "read_something" in (omission.detail or "")
    assert sink.nodes[entity] == []
    assert sink.restarted == [entity]
    assert entity not in snapshot.counts_read


def test_a_listing_that_stays_broken_fails_the_reading(bench: Bench) -> None:
    """A catalogue without its discounts is no improvement on the last one that had them."""
    shop = bench.open()
    add_discount(shop, "CodeBasic", "D", codes=["D"])
    bench.faults.add("partial", operation="Discounts", times=None, path="discountNodes", code="INTERNAL_SERVER_ERROR")
    with pytest.raises(ShopifyUnavailable):
        bench.read(shop)
    assert len(bench.calls.of(shop.domain, "Discounts")) >= 3


def test_a_hole_that_stays_is_an_error_in_the_omissions(bench: Bench) -> None:
    shop = bench.open()
    add_product(shop, "P", stock(shop, 1))
    bench.faults.add(
        "partial", operation="Products", times=None, path="products.nodes.0.category", code="INTERNAL_SERVER_ERROR"
    )
    snapshot, sink = bench.read(shop)
    assert [(o.section, o.reason) for o in snapshot.omissions] == [("products.category", "error")]
    assert sink.nodes["products"][0]["incomplete"] == ["category"]


def test_products_that_cannot_be_listed_are_no_catalogue(bench: Bench) -> None:
    shop = bench.open()
    add_product(shop, "P", stock(shop, 1))
    bench.faults.add("partial", operation="Products", times=None, path="products", required_access="read_x")
    with pytest.raises(ShopifyUnavailable):
        bench.read(shop)


def test_a_hole_in_one_product_is_named_on_it(bench: Bench) -> None:
    shop = bench.open()
    for n in range(3):
        add_product(
            shop,
            f"P{n}",
            stock(shop, 1),
            category={"__typename": "TaxonomyCategory", "id": "gid://shopify/T/1", "fullName": "Lamps"},
        )
    bench.faults.add(
        "partial", operation="Products", times=None, path="products.nodes.1.category", required_access="read_x"
    )
    snapshot, sink = bench.read(shop)
    assert [(o.section, o.reason) for o in snapshot.omissions] == [("products.category", "access_denied")]
    assert [node.get("incomplete") for node in sink.nodes["products"]] == [None, ["category"], None]


def test_another_api_version_stops_the_reading(bench: Bench) -> None:
    bench.faults.add("wrong_version", times=None)
    with pytest.raises(WrongApiVersion):
        bench.read(bench.open())


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
