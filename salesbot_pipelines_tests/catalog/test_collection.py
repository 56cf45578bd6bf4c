"""Collections: which products, which kind, and whether all of it was read."""

import pytest

from salesbot_pipelines.catalog.model import Media
from salesbot_pipelines.catalog.normalise import Findings, Unusable, normalise_collection
from salesbot_pipelines_tests.catalog.nodes import publish_collection, raw_collection, sections, shop_context


def products(*numbers):
    return [f"gid://shopify/Product/{number}" for number in numbers]


def conditions(*, included=(), excluded=None, **more):
    return {
        "__typename": "CollectionConditionsSource",
        "inclusion": {"conditions": list(included)},
        "exclusion": excluded,
    } | more


@pytest.mark.parametrize(
    ("sources", "kind"),
    [
        ([], "manual"),
        ([conditions()], "manual"),  # hand-picked
        ([conditions(included=[{"id": "1"}])], "smart"),
        ([conditions(excluded={"conditions": [{"id": "1"}]})], "smart"),
        ([conditions(excluded={"conditions": []}, inclusion=None)], "manual"),
        ([conditions(), conditions(included=[{"id": "1"}])], "smart"),  # both: smart
        (
            [{"__typename": "CollectionSubCollectionsSource", "collections": [{"id": "gid://shopify/Collection/2"}]}],
            "smart",
        ),
        ([{"__typename": "CollectionSubCollectionsSource", "collections": []}], "manual"),
    ],
)
def test_a_collection_is_smart_when_a_source_follows_rules(sources, kind):
    findings = Findings()
    assert publish_collection(sources=sources, findings=findings).type == kind
    assert findings.total == 0


def test_sources_that_were_not_read_are_told():
    findings = Findings()
    assert publish_collection(sources=None, findings=findings).type == "manual"
    assert sections(findings) == [("/collections/1/type", "error")]


def test_products_keep_the_shops_order_and_only_published_ones_are_named():
    shop = shop_context(is_published=lambda gid: gid not in products(2))
    findings = Findings()
    collection = publish_collection(
        product_ids=[*products(30, 2, 4), "nonsense"],
        productsCount={"count": 3, "precision": "EXACT"},
        shop=shop,
        findings=findings,
    )
    assert collection.product_ids == products(30, 4)
    assert collection.products_count == 3
    assert collection.product_ids_complete
    assert findings.total == 0


@pytest.mark.parametrize(
    ("changes", "count", "complete"),
    [
        ({"productsCount": {"count": 2, "precision": "EXACT"}}, 2, False),
        ({"productsCount": {"count": 0, "precision": "EXACT"}}, 0, False),
        ({"productsCount": {"count": 10001, "precision": "AT_LEAST"}}, 10001, True),
        ({"productsCount": None}, 1, True),  # not in every version
        ({"productsCount": {"count": None}}, 1, True),
        ({"productsCount": {"count": -1}}, 0, False),
        ({"incomplete": ["product_ids"]}, 1, False),
        ({"incomplete": ["products"]}, 1, True),  # the ids are what was read
        ({"product_ids": None}, 1, False),
    ],
)
def test_completeness_and_count(changes, count, complete):
    findings = Findings()
    collection = publish_collection(**changes, findings=findings)
    assert (collection.products_count, collection.product_ids_complete) == (count, complete)
    assert sections(findings) == ([] if complete else [("/collections/1/product_ids", "truncated")])


def test_a_product_that_came_twice_counts_once():
    collection = publish_collection(product_ids=products(1, 1))
    assert collection.product_ids == products(1)
    assert collection.product_ids_complete


def test_products_as_nodes_are_read_too():
    nodes = {"nodes": [{"id": gid} for gid in products(2, 1)], "pageInfo": {"hasNextPage": False}}
    raw = {"products": nodes, "productsCount": {"count": 2, "precision": "EXACT"}}
    node = raw_collection() | raw
    del node["product_ids"]
    assert normalise_collection(node, shop_context(), Findings()).product_ids == products(2, 1)


def test_small_fields():
    collection = publish_collection(
        descriptionHtml="<p>Hot</p>", image={"url": "https://c.example/i.jpg", "width": 3, "height": 2, "altText": ""}
    )
    assert (collection.description.plain, collection.description.html) == ("Hot", "<p>Hot</p>")
    assert collection.image == Media(None, 2, "image", "https://c.example/i.jpg", 3)
    assert (collection.sort_order, collection.legacy_id, collection.title) == ("price_asc", "1", "Summer")
    assert collection.url == "https://shop.example/collections/summer"


def test_absent_fields():
    findings = Findings()
    collection = publish_collection(
        title=None, handle=None, sortOrder=None, image={"url": None}, updatedAt=None, findings=findings
    )
    assert (collection.title, collection.handle, collection.url, collection.image) == ("", "", None, None)
    assert collection.sort_order == "manual"
    assert collection.updated_at == "1970-01-01T00:00:00Z"
    assert sections(findings) == [("/collections/1/updated_at", "error")]


def test_a_collection_without_an_id_is_unusable():
    with pytest.raises(Unusable) as raised:
        publish_collection(id=None, title="Lost one")
    assert raised.value.pointer == "/collections"
    assert "Lost one" in raised.value.detail
