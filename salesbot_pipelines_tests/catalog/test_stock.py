"""Availability and inventory: the contract's rules in their order, and what is known of the stock."""

import pytest

from salesbot_pipelines.catalog.model import Availability, Inventory, Level
from salesbot_pipelines.catalog.normalise import Findings, normalise_product
from salesbot_pipelines.catalog.normalise.availability import availability_of, best_of
from salesbot_pipelines_tests.catalog.nodes import (
    publish,
    publish_variant,
    raw_levels,
    raw_product,
    raw_variant,
    shop_context,
)


def stock(available, *, tracked=True, policy="deny"):
    return Inventory(
        available=available,
        inventory_item_id="gid://shopify/InventoryItem/1",
        levels=[],
        levels_complete=True,
        policy=policy,
        tracked=tracked,
    )


@pytest.mark.parametrize(
    ("status", "for_sale", "inventory", "available", "named"),
    [
        ("archived", True, stock(5), False, "discontinued"),
        ("archived", False, None, False, "discontinued"),
        ("active", True, None, True, "in_stock"),
        ("active", False, None, False, "out_of_stock"),
        ("active", True, stock(None, tracked=False), True, "in_stock"),
        ("active", True, stock(-3, tracked=False), True, "in_stock"),
        ("active", False, stock(5, tracked=False), False, "out_of_stock"),
        ("active", True, stock(None), True, "in_stock"),  # tracked, and not all levels known
        ("active", True, stock(1), True, "in_stock"),
        ("active", False, stock(1), False, "out_of_stock"),
        ("active", True, stock(0, policy="continue"), True, "backorder"),
        ("active", True, stock(-1, policy="continue"), True, "backorder"),
        ("active", False, stock(0, policy="continue"), False, "out_of_stock"),
        ("active", True, stock(0), True, "out_of_stock"),
        ("active", False, stock(0), False, "out_of_stock"),
    ],
)
def test_availability_follows_the_five_rules(status, for_sale, inventory, available, named):
    assert availability_of(status, for_sale, inventory) == Availability(available=available, status=named)


@pytest.mark.parametrize(
    ("status", "published_at", "for_sale", "available"),
    [
        ("ACTIVE", "2026-01-01T00:00:00Z", True, True),
        ("UNLISTED", "2026-01-01T00:00:00Z", True, True),
        ("DRAFT", "2026-01-01T00:00:00Z", True, False),
        ("ACTIVE", None, True, False),
        ("ACTIVE", "2026-01-01T00:00:00Z", False, False),
        ("ACTIVE", "2026-01-01T00:00:00Z", None, False),
    ],
)
def test_available_means_for_sale_shown_and_published(status, published_at, for_sale, available):
    variant = publish_variant(raw_variant(availableForSale=for_sale), status=status, publishedAt=published_at)
    assert variant.availability.available is available
    assert variant.availability.status == ("in_stock" if available else "out_of_stock")


def test_the_best_variant_speaks_for_the_product():
    order = [
        Availability(True, "in_stock"),
        Availability(True, "backorder"),
        Availability(True, "preorder"),
        Availability(True, "out_of_stock"),
        Availability(False, "in_stock"),
        Availability(False, "out_of_stock"),
        Availability(False, "discontinued"),
    ]
    for rank, one in enumerate(order):
        assert best_of(list(reversed(order[rank:]))) == one


def test_levels_are_joined_summed_named_and_in_order_of_location():
    levels = raw_levels(4, -6)
    levels["levels"].reverse()
    levels["levels"][1]["quantities"] += [
        {"name": "on_hand", "quantity": 7},
        {"name": "incoming", "quantity": 2},
        {"name": "reserved", "quantity": 99},
    ]
    inventory = publish_variant(levels=levels).inventory
    assert inventory.available == -2
    assert inventory.levels == [
        Level(4, 2, "gid://shopify/Location/1", "Main", 7, None),
        Level(-6, None, "gid://shopify/Location/2", None, None, None),
    ]
    assert inventory.levels_complete
    assert inventory.tracked
    assert inventory.policy == "deny"
    assert inventory.inventory_item_id == "gid://shopify/InventoryItem/1"


def test_ten_locations_sort_as_numbers():
    inventory = publish_variant(levels=raw_levels(*range(12))).inventory
    assert [level.available for level in inventory.levels] == list(range(12))


def test_a_level_takes_the_time_of_its_available_quantity_first():
    levels = raw_levels(1)
    levels["levels"][0] |= {"updatedAt": "2026-01-01T00:00:00Z"}
    assert publish_variant(levels=levels).inventory.levels[0].updated_at == "2026-01-01T00:00:00Z"
    levels["levels"][0]["quantities"][0]["updatedAt"] = "2026-02-01T00:00:00+01:00"
    assert publish_variant(levels=levels).inventory.levels[0].updated_at == "2026-01-31T23:00:00Z"


def test_an_untracked_item_has_no_sum():
    raw = raw_variant(inventoryItem={"id": "gid://shopify/InventoryItem/1", "tracked": False})
    variant = publish_variant(raw, levels=raw_levels(3))
    assert variant.inventory.available is None
    assert not variant.inventory.tracked
    assert variant.availability.status == "in_stock"


def test_no_levels_at_all_is_none_left():
    assert publish_variant(levels=raw_levels()).inventory.available == 0


@pytest.mark.parametrize("incomplete", [True, ["inventoryLevels"]])
def test_levels_read_in_part_give_no_sum_and_a_finding(incomplete):
    findings = Findings()
    inventory = publish_variant(levels=raw_levels(3, incomplete=incomplete), findings=findings).inventory
    assert inventory.available is None
    assert not inventory.levels_complete
    assert [(one.section, one.reason) for one in findings.omissions()] == [
        ("/products/1/variants/1/inventory/levels", "truncated")
    ]


def test_a_level_without_a_location_is_left_out_and_told():
    levels = raw_levels(3, 4)
    levels["levels"][0]["location"] = None
    findings = Findings()
    inventory = publish_variant(levels=levels, findings=findings).inventory
    assert [level.available for level in inventory.levels] == [4]
    assert not inventory.levels_complete
    assert findings.total == 1


def test_a_level_without_a_number_makes_the_sum_unknown():
    inventory = publish_variant(levels=raw_levels(3, None)).inventory
    assert inventory.available is None
    assert inventory.levels_complete


def test_sums_beyond_64_bits_are_unknown_not_an_error():
    assert publish_variant(levels=raw_levels(2**64 - 1, 1)).inventory.available is None


def test_an_inactive_level_does_not_count():
    levels = raw_levels(3, 4)
    levels["levels"][1]["isActive"] = False
    inventory = publish_variant(levels=levels).inventory
    assert inventory.available == 3
    assert len(inventory.levels) == 1
    assert inventory.levels_complete


@pytest.mark.parametrize("item", [None, {}, {"id": None}, {"id": "no gid"}])
def test_without_levels_or_item_there_is_no_inventory(item):
    assert publish_variant(levels=None).inventory is None
    assert publish_variant(raw_variant(inventoryItem=item), levels=raw_levels(1)).inventory is None


def test_levels_are_asked_for_by_the_items_gid():
    asked = []
    normalise_product(
        raw_product(variants=[raw_variant(1), raw_variant(2)]),
        shop_context(),
        levels=lambda gid: asked.append(gid),
        collection_ids=(),
        findings=Findings(),
    )
    assert asked == ["gid://shopify/InventoryItem/1", "gid://shopify/InventoryItem/2"]


@pytest.mark.parametrize(("given_policy", "policy"), [("CONTINUE", "continue"), ("DENY", "deny"), (None, "deny")])
def test_the_policy_is_shopifys(given_policy, policy):
    variant = publish_variant(raw_variant(inventoryPolicy=given_policy), levels=raw_levels(0))
    assert variant.inventory.policy == policy


def test_a_products_stock_is_its_best_variants():
    raw = raw_product(variants=[raw_variant(1, availableForSale=False), raw_variant(2)])
    assert publish(raw).availability == Availability(True, "in_stock")
