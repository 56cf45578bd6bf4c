"""What a merchant does leaves the shop whole; generated tables behave like stored ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines.sandbox.demo_teapots import tiny_teapots
from salesbot_pipelines.sandbox.execute import Engine
from salesbot_pipelines.sandbox.shop import NoSuchObject
from salesbot_pipelines.sandbox.tables import GeneratedTable, StoredTable
from salesbot_pipelines.sandbox.verbs import BadChange, apply_change


def ask(shop, query, **variables):
    outcome = Engine().answer(shop, query, variables)
    assert outcome.outcome == "ok", outcome.body
    return outcome.body["data"]


COUNTS = """{ productsCount { count } productVariantsCount { count } inventoryItems(first: 250) { nodes { id } }
  collections(first: 5) { nodes { title productsCount { count } } } }"""


def test_a_deleted_product_leaves_nothing_behind(clock):
    shop = tiny_teapots(clock)
    told = []
    shop.listeners.append(lambda _shop, topic, body: told.append((topic, body)))
    thimble = shop.all("products")[0]
    before = ask(shop, COUNTS)
    shop.delete_product(thimble["id"])
    after = ask(shop, COUNTS)
    assert before["productsCount"]["count"] - after["productsCount"]["count"] == 1
    assert before["productVariantsCount"]["count"] - after["productVariantsCount"]["count"] == 3
    assert len(before["inventoryItems"]["nodes"]) - len(after["inventoryItems"]["nodes"]) == 3
    assert [c["productsCount"]["count"] for c in before["collections"]["nodes"]] == [3, 4, 2]
    assert [c["productsCount"]["count"] for c in after["collections"]["nodes"]] == [2, 3, 2]
    assert ask(shop, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[thimble["id"]]) == {"nodes": [None]}
    assert told == [("products/delete", {"id": int(thimble["legacyResourceId"])})]
    query = """{ events(first: 5, query: "subject_type:PRODUCT action:destroy created_at:>=2026-11-23T12:00:00Z") {
      nodes { ... on BasicEvent { subjectId } } } }"""
    assert ask(shop, query)["events"]["nodes"] == [{"subjectId": thimble["id"]}]
    with pytest.raises(NoSuchObject):
        shop.set_price(thimble["variants"][0]["id"], "1.00")


def test_stock_and_price_reach_every_place_they_are_told_in(clock):
    shop = tiny_teapots(clock)
    topics = []
    shop.listeners.append(lambda _shop, topic, _body: topics.append(topic))
    product = shop.all("products")[0]
    chalk = product["variants"][1]
    shop.set_stock(chalk["id"], 0, location=shop.all("locations")[1]["id"])
    assert (chalk["inventoryQuantity"], chalk["availableForSale"]) == (0, False)
    shop.set_stock(chalk["id"], 6, tell_product=True)
    assert (chalk["inventoryQuantity"], chalk["availableForSale"]) == (6, True)
    assert product["totalInventory"] == 12 + 30 + 6 + 3
    shop.set_price(chalk["id"], "99.00")
    assert product["priceRangeV2"]["maxVariantPrice"]["amount"] == "99.0"
    assert product["updatedAt"] == "2026-11-23T12:00:00Z"
    assert topics == ["inventory_levels/update"] * 2 + ["products/update"] * 2


def test_collections_products_and_the_shop_are_changed(clock):
    shop = tiny_teapots(clock)
    window, gifts, _ = shop.all("collections")
    numbers = [int(product["legacyResourceId"]) for product in shop.all("products")]
    shop.move_product(numbers[7], window["id"], 0)
    shop.move_product(numbers[0], window["id"], 0)
    assert window["_members"] == [numbers[0], numbers[7], numbers[2], numbers[4]]
    shop.remove_from_collection(numbers[7], window["id"])
    assert window["_members"] == [numbers[0], numbers[2], numbers[4]]
    shop.update_product(numbers[1], tags=["gift"], status="DRAFT")
    assert numbers[1] in shop.members(gifts)
    assert shop.products.get(numbers[1])["publishedAt"] is None
    shop.publish(numbers[2], published=False)
    assert shop.products.get(numbers[2])["onlineStoreUrl"] is None
    new = shop.create_product("Late Teapot", "5.00", tags=["gift"])
    assert int(new["legacyResourceId"]) == shop.members(gifts)[-1]
    shop.delete_collection(gifts["id"])
    shop.update_discount(shop.all("discounts")[0]["id"], title="Now eleven")
    shop.delete_discount(shop.all("discounts")[1]["id"])
    shop.update_shop(name="Tinier Teapots")
    found = ask(shop, "{ shop { name } discountNodesCount { count } collectionsCount { count } }")
    assert found == {
        "shop": {"name": "Tinier Teapots"},
        "discountNodesCount": {"count": 1},
        "collectionsCount": {"count": 2},
    }


def test_variants_come_and_go_with_their_stock(clock):
    shop = tiny_teapots(clock)
    told = []
    shop.listeners.append(lambda _shop, topic, body: told.append((topic, body)))
    thimble = shop.all("products")[0]
    before = ask(shop, COUNTS)
    apply_change(
        shop, {"verb": "add_variant", "arguments": {"product": thimble["id"], "price": "1.00", "option": "New"}}
    )
    made = thimble["variants"][-1]
    item = int(made["inventoryItem"]["legacyResourceId"])
    assert (made["position"], made["inventoryQuantity"]) == (4, 1)
    assert thimble["options"][0]["values"][-1] == "New"
    assert thimble["priceRangeV2"]["minVariantPrice"]["amount"] == "1.0"
    assert [topic for topic, _ in told] == ["inventory_items/create", "inventory_levels/connect", "products/update"]
    assert ask(shop, COUNTS)["productVariantsCount"]["count"] == before["productVariantsCount"]["count"] + 1
    told.clear()
    apply_change(shop, {"verb": "remove_variant", "arguments": {"variant": made["id"]}})
    assert told[0] == ("inventory_items/delete", {"id": item})
    assert ask(shop, COUNTS) == before
    for variant in thimble["variants"][1:]:
        apply_change(shop, {"verb": "remove_variant", "arguments": {"variant": variant["id"]}})
    with pytest.raises(BadChange, match="last variant"):
        apply_change(shop, {"verb": "remove_variant", "arguments": {"variant": thimble["variants"][0]["id"]}})


def test_a_collection_ordered_by_price_follows_the_prices(clock):
    shop = tiny_teapots(clock)
    topics = []
    shop.listeners.append(lambda _shop, topic, _body: topics.append(topic))
    products = shop.all("products")[:3]
    arguments = {"title": "Cheap first", "products": [product["id"] for product in products], "sort": "PRICE_ASC"}
    made = apply_change(shop, {"verb": "create_collection", "arguments": arguments})
    for price, product in zip((30, 10, 20), products, strict=True):
        for variant in product["variants"]:
            shop.set_price(variant["id"], f"{price}.00")
    numbers = [int(product["legacyResourceId"]) for product in products]
    assert shop.members(made) == [numbers[1], numbers[2], numbers[0]]
    shop.update_collection(made["id"], sortOrder="PRICE_DESC")
    assert shop.members(made) == [numbers[0], numbers[2], numbers[1]]
    assert topics[0] == "collections/create"
    assert set(topics[1:]) == {"products/update", "collections/update"}


def test_a_discount_is_made(clock):
    shop = tiny_teapots(clock)
    topics = []
    shop.listeners.append(lambda _shop, topic, _body: topics.append(topic))
    arguments = {"type_": "CodeBasic", "title": "Ten off", "codes": ["TEN"]}
    made = apply_change(shop, {"verb": "create_discount", "arguments": arguments})
    assert made["discount"]["createdAt"] == "2026-11-23T12:00:00Z"
    assert shop.all("discounts")[-1] is made
    assert topics == ["discounts/create"]


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "drop_tables"},
        {},
        {"verb": "set_price"},
        {"verb": "set_price", "arguments": {"variant": "x", "price": "1"}},
    ],
)
def test_changes_nobody_understands(clock, change):
    with pytest.raises(BadChange):
        apply_change(tiny_teapots(clock), change)


STEPS = st.lists(st.tuples(st.sampled_from(["own", "put", "remove"]), st.integers(0, 16)), max_size=25)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, above=st.integers(-2, 60), below=st.integers(-2, 60))
def test_a_generated_table_behaves_like_a_stored_one(steps, above, below):
    first, step, size = 5, 3, 10
    generated = GeneratedTable(size, lambda index: {"n": first + index * step, "v": 0}, first=first, step=step)
    stored = StoredTable()
    for index in range(size):
        stored.put(first + index * step, {"n": first + index * step, "v": 0})
    for verb, place in steps:
        number = first + place * step
        for table in (generated, stored):
            if verb == "put":
                table.put(number, {"n": number, "v": 100})
            elif verb == "remove":
                table.remove(number)
            elif (node := table.own(number)) is not None:
                node["v"] += 1
    assert list(generated.scan(above, below)) == list(stored.scan(above, below))
    assert generated.count(above, below) == stored.count(above, below) == len(list(stored.scan(above, below)))
    assert [generated.get(n) for n in range(70)] == [stored.get(n) for n in range(70)]
