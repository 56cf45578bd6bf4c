"""What may not be read, or cannot be, is named: never an empty list."""

from __future__ import annotations

import pytest

from salesbot_pipelines.errors import NeedsReauth, ShopifyUnavailable, WrongApiVersion
from salesbot_pipelines.sandbox.build_collections import add_collection
from salesbot_pipelines.sandbox.build_discounts import (
    add_discount,
)
from salesbot_pipelines.sandbox.build_products import add_product
from salesbot_pipelines.sandbox.build_shop import add_location
from salesbot_pipelines.shopify.snapshot import ENTITIES, granted_scopes
from salesbot_pipelines_tests.shopify.bench import (
    Bench,
    number_in,
    read_and_compare,
    stock,
)

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
