"""Reading through pages: cursors, windows, limits, filters, fragments."""

from __future__ import annotations

import msgspec
import pytest

from salesbot_pipelines.sandbox.demo import demo_world
from salesbot_pipelines.sandbox.execute import Engine
from salesbot_pipelines.sandbox.ids import write_cursor
from salesbot_pipelines.sandbox.synthetic import make_synthetic

PAGE = """
query Page($first: Int!, $after: String, $query: String) {
  products(first: $first, after: $after, query: $query, sortKey: ID) {
    nodes { id status }
    pageInfo { hasNextPage endCursor }
  }
}
"""


@pytest.fixture
def engine():
    return Engine()


def read(engine, shop, query, variables=None):
    outcome = engine.answer(shop, query, variables or {})
    assert outcome.outcome == "ok", outcome.body
    return outcome.body["data"]


def walk(engine, shop, first, **variables):
    seen, after = [], None
    while True:
        products = read(engine, shop, PAGE, {"first": first, "after": after, **variables})["products"]
        seen += [node["id"] for node in products["nodes"]]
        after = products["pageInfo"]["endCursor"]
        if not products["pageInfo"]["hasNextPage"]:
            return seen


@pytest.mark.parametrize("first", [1, 7, 29, 30, 31, 250])
def test_pages_hold_every_product_once(engine, shop, first):
    shop.bucket.unlimited = True
    seen = walk(engine, shop, first)
    assert seen == [node["id"] for node in shop.all("products")]
    assert len(set(seen)) == 30


def test_a_product_deleted_between_pages_costs_no_other(engine, shop):
    first = read(engine, shop, PAGE, {"first": 10})["products"]
    shop.delete_product(first["nodes"][9]["id"])
    shop.delete_product(first["nodes"][0]["id"])
    rest = read(engine, shop, PAGE, {"first": 250, "after": first["pageInfo"]["endCursor"]})["products"]["nodes"]
    assert len(rest) == 20


def test_an_id_window_starts_anew(engine, shop):
    ids = [node["id"] for node in shop.all("products")]
    number = ids[11].rpartition("/")[2]
    assert walk(engine, shop, 4, query=f"id:>{number}") == ids[12:]
    assert walk(engine, shop, 4, query=f"id:>={number} id:<{ids[20].rpartition('/')[2]}") == ids[11:20]
    assert walk(engine, shop, 4, query=f"id:{number}") == [ids[11]]


def test_filters_of_status_and_time(engine, shop):
    products = shop.all("products")
    shop.update_product(products[3]["id"], status="ARCHIVED")
    assert walk(engine, shop, 250, query="status:archived") == [products[3]["id"]]
    assert len(walk(engine, shop, 250, query="status:active,draft")) == 29
    assert walk(engine, shop, 250, query="updated_at:>'2026-11-23T11:59:59Z'") == [products[3]["id"]]
    assert walk(engine, shop, 250, query="updated_at:>=2026-11-23T13:00:00+01:00") == [products[3]["id"]]
    assert len(walk(engine, shop, 250, query="no_such_key:1")) == 30


def test_a_query_not_understood_is_refused(engine, shop):
    outcome = engine.answer(shop, PAGE, {"first": 5, "query": "title:a OR title:b"})
    assert outcome.body["data"] is None
    assert outcome.body["errors"][0]["path"] == ["products"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [("", "first or last"), ("(first: 251)", "250"), ("(last: 5)", "forwards"), ('(first: 1, after: "x")', "cursor")],
)
def test_pages_asked_for_wrongly(engine, shop, arguments, words):
    body = engine.answer(shop, f"{{ products{arguments} {{ nodes {{ id }} }} }}", {}).body
    assert words in body["errors"][0]["message"]
    assert body["data"] is None


def test_no_cursor_leads_beyond_25000_objects(engine, clock):
    big = make_synthetic(clock, products=25_300, variants=1)
    last = big.products.get(8_000_000_000_000 + 24_999 * 32)
    cursor = write_cursor(int(last["legacyResourceId"]), 25_000)
    body = engine.answer(big, PAGE, {"first": 250, "after": cursor}).body
    assert "25000" in body["errors"][0]["message"]
    nodes = read(engine, big, PAGE, {"first": 250, "query": f"id:>{last['legacyResourceId']}"})["products"]["nodes"]
    assert len(nodes) == 250


def test_counts_say_how_sure_they_are(engine, clock):
    big = make_synthetic(clock, products=25_300, variants=1)
    found = read(
        engine, big, "{ a: productsCount { count precision } b: productsCount(limit: null) { count precision } }"
    )
    assert found["a"] == {"count": 10_000, "precision": "AT_LEAST"}
    assert found["b"] == {"count": 25_001, "precision": "AT_LEAST"}
    window = read(engine, big, '{ productsCount(query: "id:>8000000640000", limit: null) { count precision } }')
    assert window["productsCount"] == {"count": 25_300 - 20_001, "precision": "EXACT"}


def test_fragments_aliases_and_directives(engine):
    shop = demo_world().shop("awkward-attic.myshopify.com")
    query = """
    query Mixed($more: Boolean!, $id: ID!) {
      first: discountNodes(first: 13) { edges { cursor node { ...Named } } }
      nodes(ids: ["gid://shopify/Product/1", $id]) { __typename id ... on Product { title } }
      shop { name @include(if: $more) domain: myshopifyDomain email @skip(if: true) }
    }
    fragment Named on DiscountNode {
      discount {
        __typename
        ... on DiscountCodeBasic { title codes(first: 2) { nodes { code } } codesCount { count } }
        ... on DiscountAutomaticBxgy { title customerBuys { value { ... on DiscountPurchaseAmount { amount } } } }
      }
    }
    """
    found = read(engine, shop, query, {"more": False, "id": shop.all("products")[0]["id"]})
    types = {edge["node"]["discount"]["__typename"] for edge in found["first"]["edges"]}
    assert len(types) == 8
    codes = [e["node"]["discount"] for e in found["first"]["edges"] if e["node"]["discount"].get("codesCount")]
    assert {
        "codes": {"nodes": [{"code": "ATTIC-000"}, {"code": "ATTIC-001"}]},
        "codesCount": {"count": 120},
    }.items() <= codes[1].items()
    assert found["nodes"][0] is None
    assert found["nodes"][1]["__typename"] == "Product"
    assert found["shop"] == {"domain": "awkward-attic.myshopify.com"}


def test_a_collection_keeps_its_own_order(engine):
    shop = demo_world().shop("awkward-attic.myshopify.com")
    query = """query Members($after: String) { collections(first: 2) { nodes { title productsCount { count }
      products(first: 8, after: $after, sortKey: COLLECTION_DEFAULT) { nodes { id } pageInfo { endCursor } } } } }"""
    ids = [node["id"] for node in shop.all("products")]
    everything, backwards = read(engine, shop, query)["collections"]["nodes"]
    assert [node["id"] for node in everything["products"]["nodes"]] == ids[:8]
    assert [node["id"] for node in backwards["products"]["nodes"]] == ids[::-1][:8]
    after = backwards["products"]["pageInfo"]["endCursor"]
    again = read(engine, shop, query, {"after": after})["collections"]["nodes"][1]
    assert [node["id"] for node in again["products"]["nodes"]] == ids[::-1][8:16]


def test_a_changed_synthetic_product_is_read_changed(engine, shop):
    product = shop.all("products")[4]
    variant = product["variants"][1]
    shop.set_price(variant["id"], "777.00")
    shop.set_stock(variant["id"], 41)
    query = """query One($id: ID!, $item: ID!) {
      product(id: $id) {
        totalInventory priceRangeV2 { maxVariantPrice { amount } } variants(first: 9) { nodes { price } } }
      inventoryItem(id: $item) {
        inventoryLevels(first: 5) { nodes { quantities(names: ["available"]) { quantity } } } } }"""
    found = read(engine, shop, query, {"id": product["id"], "item": variant["inventoryItem"]["id"]})
    assert found["product"]["variants"]["nodes"][1]["price"] == "777.00"
    assert found["product"]["priceRangeV2"]["maxVariantPrice"]["amount"] == "777.0"
    assert found["inventoryItem"]["inventoryLevels"]["nodes"][0]["quantities"] == [{"quantity": 41}]
    others = product["totalInventory"] - variant["inventoryQuantity"]
    assert found["product"]["totalInventory"] == others + 41


def test_remembered_answers_are_the_same_until_the_shop_changes(shop):
    shop.bucket.unlimited = True
    query = "{ products(first: 2) { nodes { id title } } shop { name } }"
    plain, keeping = Engine(), Engine(remember_bytes=1 << 20)
    first = msgspec.json.encode(keeping.answer(shop, query, {}).body)
    assert first == msgspec.json.encode(plain.answer(shop, query, {}).body)
    assert msgspec.json.encode(keeping.answer(shop, query, {}).body) == first
    shop.update_product(shop.all("products")[0]["id"], title="Renamed")
    assert b"Renamed" in msgspec.json.encode(keeping.answer(shop, query, {}).body)
    small = Engine(remember_bytes=len(first))
    for n in range(1, 9):
        small.answer(shop, query.replace("first: 2", f"first: {n % 2 + 1}"), {})
    assert small.remembered._used <= len(first)
