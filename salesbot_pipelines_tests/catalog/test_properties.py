"""Whatever Shopify's schema allows is published as the contract says, or named; and order without meaning is none."""

import json

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.catalog.hashing import canonical_json, content_hash, seal_product
from salesbot_pipelines.catalog.model import Collection, Discount, Location, Product, Shop
from salesbot_pipelines.catalog.normalise import (
    Findings,
    Unusable,
    is_sellable,
    normalise_collection,
    normalise_discount,
    normalise_location,
    normalise_product,
    normalise_shop,
)
from salesbot_pipelines.catalog.schema import document_schema
from salesbot_pipelines_tests.catalog import strategies as raw
from salesbot_pipelines_tests.catalog.documents import SAMPLES, build_document, read_json
from salesbot_pipelines_tests.catalog.nodes import publish, raw_levels, raw_product, raw_variant, shop_context
from salesbot_pipelines_tests.catalog.slow_hashes import slow_json

modest = settings(
    max_examples=70,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
DEFINITIONS = document_schema()["$defs"]
VALIDATORS = {
    name: jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": DEFINITIONS})
    for name in ("product", "collection", "discount", "shop", "location")
}
SHOPS = st.builds(
    shop_context,
    currency=st.sampled_from(["USD", "JPY", "KWD", "XXX"]),
    is_published=st.sampled_from([lambda gid: True, lambda gid: False, lambda gid: gid.endswith("1")]),
)


def fits(name, struct, line):
    """Check a published line against the schema, the structs, and the standard library's idea of canonical JSON."""
    parsed = json.loads(line)
    VALIDATORS[name].validate(parsed)
    assert line == slow_json(parsed)
    assert canonical_json(msgspec.json.decode(line, type=struct)) == line


def is_told(unusable, section):
    """Check that an unusable object says where it would have been."""
    assert unusable.pointer.startswith(section)
    assert unusable.detail


@modest
@given(raw.products(), raw.LEVELS, SHOPS, st.lists(raw.gids("Collection"), max_size=3))
@example(raw_product(variants=[raw_variant(price="1E+2", position=10**30)]), None, shop_context(), [])
def test_any_product_is_published_or_unusable(node, levels, shop, collection_ids):
    findings = Findings()
    is_sellable(node, ("active", "unlisted"))
    try:
        product = normalise_product(
            node, shop, levels=lambda _: levels, collection_ids=collection_ids, findings=findings
        )
    except Unusable as unusable:
        is_told(unusable, "/products")
        return
    fits("product", Product, seal_product(product))
    if not product.variants_complete:
        assert findings.total


@modest
@given(raw.COLLECTION, SHOPS)
def test_any_collection_is_published_or_unusable(node, shop):
    findings = Findings()
    try:
        collection = normalise_collection(node, shop, findings)
    except Unusable as unusable:
        is_told(unusable, "/collections")
        return
    fits("collection", Collection, canonical_json(collection))
    assert set(collection.product_ids) <= {gid for gid in collection.product_ids if shop.is_published(gid)}
    if not collection.product_ids_complete:
        assert findings.total


@settings(modest, max_examples=150)
@given(raw.discounts(), SHOPS)
def test_any_discount_is_published_or_unusable(node, shop):
    findings = Findings()
    try:
        discount = normalise_discount(node, shop, findings)
    except Unusable as unusable:
        is_told(unusable, "/discounts")
        return
    fits("discount", Discount, canonical_json(discount))
    if discount.codes:
        assert discount.status == "active"
        assert discount.audience == "all"
        assert discount.usage_limit != 1
        assert len(discount.codes) <= 3
        assert not discount.codes_withheld
    if discount.items is not None and not discount.items.complete:
        assert findings.total


@modest
@given(raw.SHOP)
def test_any_shop_is_published_or_unusable(node):
    try:
        shop = normalise_shop(node)
    except Unusable as unusable:
        is_told(unusable, "/shop")
        return
    fits("shop", Shop, canonical_json(shop))
    assert not shop.url.endswith("/")


@modest
@given(raw.LOCATION)
def test_any_location_is_published_or_unusable(node):
    try:
        location = normalise_location(node)
    except Unusable as unusable:
        is_told(unusable, "/locations")
        return
    fits("location", Location, canonical_json(location))


def test_lone_surrogates_do_not_pass_the_decoder():
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(b'{"title":"\\ud800"}')


# Order without meaning

FREE_LISTS = (
    "tags",
    "metafields",
    "levels",
    "quantities",
    "discountClasses",
    "countries",
    "products",
    "productVariants",
)


def shuffled(value, random, name=""):
    """Return the same JSON with its keys, and its lists whose order means nothing, in another order."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key], random, key) for key in keys}
    if isinstance(value, list):
        parts = [shuffled(part, random) for part in value]
        if name in FREE_LISTS:
            random.shuffle(parts)
        return parts
    return value


@modest
@given(raw.PRODUCT, st.randoms(use_true_random=False), st.lists(st.integers(-3, 9), max_size=3))
def test_the_hash_does_not_know_the_order_of_fields_tags_metafields_and_levels(node, random, available):
    node |= {"id": "gid://shopify/Product/1"}
    node["metafields"] = [
        {"namespace": "custom", "key": f"k{number}", "type": "t", "value": str(number)} for number in range(3)
    ]
    node["variants"] = [raw_variant(number, position=number) for number in range(1, 4)]
    collection_ids = [f"gid://shopify/Collection/{number}" for number in (3, 20, 100)]
    levels = raw_levels(*available)
    other = shuffled(node, random)
    random.shuffle(other["variants"])
    assert content_hash(publish(node, levels=levels, collection_ids=collection_ids)) == content_hash(
        publish(other, levels=shuffled(levels, random), collection_ids=shuffled(collection_ids, random))
    )


@modest
@given(raw.discounts(raw.TYPENAMES), st.randoms(use_true_random=False))
def test_a_discount_does_not_know_the_order_of_what_it_applies_to(node, random):
    node["id"] = "gid://shopify/DiscountCodeNode/1"

    def line(discount):
        return canonical_json(normalise_discount(discount, shop_context(), Findings()))

    assert line(node) == line(shuffled(node, random))


@settings(modest, max_examples=10)
@given(st.randoms(use_true_random=False))
def test_the_revision_does_not_know_the_order_of_a_catalogue(random):
    nodes = read_json(SAMPLES / "raw_catalog.json")
    document, _ = build_document(nodes)
    for section in ("locations", "products", "inventory", "collections", "discounts"):
        random.shuffle(nodes[section])
    again, _ = build_document(shuffled(nodes, random))
    assert canonical_json(again) == canonical_json(document)


@modest
@given(raw.PRODUCT, st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_hash_changes_exactly_when_a_price_does(node, cents, other_cents):
    def hash_at(price):
        node["variants"] = [raw_variant(price=price)]
        return content_hash(publish(node | {"id": "gid://shopify/Product/1"}))

    one, other = (f"{value // 100}.{value % 100:02}" for value in (cents, other_cents))
    assert (hash_at(one) == hash_at(other)) == (cents == other_cents)
