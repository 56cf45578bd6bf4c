"""What queries cost, and the bucket they are paid from."""

from __future__ import annotations

import pytest

from salesbot_pipelines.sandbox.cost import Bucket, size
from salesbot_pipelines.sandbox.execute import Engine

PRODUCTS = """
query Products($first: Int!) {
  products(first: $first, sortKey: ID) {
    nodes {
      id title category { id fullName } options { name optionValues { name } } seo { title }
      variantsCount { count } mediaCount { count } priceRangeV2 { minVariantPrice { amount } }
      variants(first: 50) {
        nodes { id price selectedOptions { name value } inventoryItem { id tracked } unitPrice { amount } }
        pageInfo { hasNextPage endCursor }
      }
      media(first: 10) {
        nodes { __typename id preview { image { url } } ... on MediaImage { image { url } } ... on Video { id } }
      }
      metafields(first: 20) { nodes { id value } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
LEVELS = 'inventoryLevels(first: %d) { nodes { location { id } quantities(names: ["available"]) { quantity } } }'


def requested(shop, query, variables=None):
    shop.bucket.unlimited = True
    return Engine().answer(shop, query, variables or {}).requested


@pytest.mark.parametrize(
    ("count", "charged"), [(1, 1), (2, 1), (5, 3), (10, 4), (20, 5), (25, 6), (50, 7), (100, 9), (250, 11), (0, 0)]
)
def test_a_connection_is_charged_less_than_its_nodes(count, charged):
    assert size(count) == charged


@pytest.mark.parametrize(("first", "points"), [(10, 226), (50, 394), (250, 618)])
def test_a_products_page_costs_what_was_fitted(shop, first, points):
    assert requested(shop, PRODUCTS, {"first": first}) == points


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ("{ shop { name } }", 1),
        (  # the shape of an answer recorded of Shopify: six connections and two counts for 53 points
            "{ a: locations(first: 10) { edges { cursor } nodes { id } pageInfo { endCursor } } "
            "b: locations(first: 10, includeInactive: true) { nodes { id } pageInfo { endCursor } } "
            "c: locations(first: 10, includeLegacy: true) { nodes { id } } d: locations(first: 10) { nodes { id } } "
            "e: locations(first: 1) { edges { cursor } nodes { id } } "
            "f: locations(first: 10, reverse: true) { nodes { id } } "
            "g: locationsCount { count } h: locationsCount(limit: 1) { count precision } }",
            53,
        ),
        ("{ shop { primaryDomain { host } } }", 2),
        ("{ productsCount { count } }", 10),
        ("{ discountNodesCount { count } discountCodesCount { count } }", 20),
        ('{ collection(id: "gid://shopify/Collection/1") { products(first: 250) { nodes { id } } } }', 14),
        (f"{{ inventoryItems(first: 50) {{ nodes {{ id {LEVELS % 10} }} }} }}", 107),
        (f"{{ inventoryItems(first: 250) {{ edges {{ node {{ id {LEVELS % 10} }} }} }} }}", 167),
        (f'{{ inventoryItem(id: "gid://shopify/InventoryItem/1") {{ {LEVELS % 50} }} }}', 24),
        ("{ webhookSubscriptions(first: 100) { nodes { id apiVersion { handle } } } }", 20),
        ("{ events(first: 100) { nodes { id ... on BasicEvent { subjectId } } } }", 11),
        (
            '{ nodes(ids: ["gid://shopify/Product/1", "gid://shopify/Product/2"]) '
            "{ id ... on Product { seo { title } } } }",
            2,
        ),
        (
            '{ discountNode(id: "gid://shopify/DiscountNode/1") { discount { ... on DiscountCodeBasic '
            "{ codes(first: 250) { nodes { code } } } ... on DiscountAutomaticApp { title } } } }",
            15,
        ),
        (
            'mutation { webhookSubscriptionDelete(id: "gid://shopify/WebhookSubscription/1") '
            "{ userErrors { message } } }",
            10,
        ),
    ],
)
def test_fitted_costs(shop, query, points):
    assert requested(shop, query) == points


def test_the_difference_to_the_actual_cost_flows_back(shop):
    outcome = Engine().answer(shop, PRODUCTS, {"first": 250})
    assert outcome.requested == 618
    # 30 products: 6; of 3 variants, 1 picture, 1 metafield: 8 + (2 + 2*3) + (2 + 4) + (2 + 1)
    assert outcome.actual == 2 + 6 * (8 + 8 + 6 + 3)
    assert shop.bucket.available() == 2000 - outcome.actual
    assert outcome.body["extensions"]["cost"] == {
        "requestedQueryCost": 618,
        "actualQueryCost": outcome.actual,
        "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 2000 - outcome.actual, "restoreRate": 100},
    }


def test_a_query_that_does_not_fit_the_bucket_is_not_run(shop, clock):
    shop.bucket.drain()
    clock.advance(6)
    before = shop.bucket.available()
    outcome = Engine().answer(shop, PRODUCTS, {"first": 250})
    assert before == 600
    assert outcome.outcome == "throttled"
    assert outcome.body["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert outcome.body["extensions"]["cost"]["actualQueryCost"] is None
    assert "data" not in outcome.body
    assert shop.bucket.available() == before
    clock.advance(0.2)
    assert Engine().answer(shop, PRODUCTS, {"first": 250}).outcome == "ok"


def test_a_query_above_a_thousand_points_is_never_run(shop):
    query = PRODUCTS.replace("media(first: 10)", "media(first: 250)").replace(
        "variants(first: 50)", "variants(first: 250)"
    )
    body = Engine().answer(shop, query, {"first": 250}).body
    assert body["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert body["errors"][0]["extensions"]["cost"] > body["errors"][0]["extensions"]["maxCost"] == 1000
    assert set(body) == {"errors"}


def test_a_bucket_fills_up_to_its_brim(clock):
    bucket = Bucket(clock, maximum=4000, restore_rate=200)
    assert bucket.take(3500)
    assert not bucket.take(501)
    clock.advance(1)
    assert bucket.available() == 700
    clock.advance(1_000)
    assert bucket.throttle_status() == {"maximumAvailable": 4000, "currentlyAvailable": 4000, "restoreRate": 200}
