"""The fast hashes are the slow ones, whatever the texts hold, and move only when the content does."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines.catalog.hashing import Revision, canonical_json, content_hash, hash_form, seal_product
from salesbot_pipelines_tests.catalog.documents import SAMPLES, build_document, read_json
from salesbot_pipelines_tests.catalog.nodes import publish, raw_levels, raw_product, raw_variant
from salesbot_pipelines_tests.catalog.slow_hashes import slow_content_hash, slow_json, slow_revision, without_times

TRAPS = [
    '","updated_at":"2026-01-01T00:00:00Z',
    ',"updated_at":null',
    '"updated_at":"x","content_hash":"sha256:00"',
    '\\","updated_at":"',
    '\\\\","content_hash":"","x":"',
    "updated_at",
    "content_hash",
    '","content_hash":""',
    "\\",
    '"',
    ',"',
    "\x00\x1f\x7f",
    "é\u2028\U0001f600",
]
TEXT = st.lists(st.sampled_from(TRAPS) | st.text(max_size=6), max_size=4).map("".join)


@st.composite
def trapped_products(draw):
    """Products whose every free text may look like the keys that the hash leaves out."""
    return raw_product(
        title=draw(TEXT),
        handle=draw(TEXT),
        descriptionHtml=draw(TEXT),
        vendor=draw(TEXT),
        tags=draw(st.lists(TEXT, max_size=2)),
        seo={"title": draw(TEXT), "description": draw(TEXT)},
        updatedAt=draw(st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.25Z", None])),
        createdAt=draw(st.sampled_from(["2026-01-01T00:00:00Z", None])),
        metafields=[{"namespace": "custom", "key": f"k{draw(TEXT)}", "type": draw(TEXT), "value": draw(TEXT)}],
        options=[{"name": draw(TEXT), "position": 1, "values": [draw(TEXT)]}],
        variants=[
            raw_variant(
                number,
                title=draw(TEXT),
                sku=draw(TEXT),
                barcode=draw(TEXT),
                selectedOptions=[{"name": draw(TEXT), "value": draw(TEXT)}],
            )
            for number in range(1, draw(st.integers(2, 3)))
        ],
    )


@settings(max_examples=150, deadline=None)
@given(trapped_products(), st.sampled_from([None, (), (1,), (1, -2)]))
def test_the_fast_hash_is_the_slow_one(raw, available):
    product = publish(raw, levels=None if available is None else raw_levels(*available))
    plain = content_hash(product)
    line = seal_product(product)
    parsed = json.loads(line)
    assert line == slow_json(parsed) == canonical_json(product)
    assert parsed["content_hash"] == product.content_hash == plain == slow_content_hash(parsed)
    assert hash_form(line) == slow_json(without_times(parsed))
    assert content_hash(product) == plain  # also of a product that is sealed already


@settings(max_examples=60, deadline=None)
@given(st.lists(trapped_products(), max_size=3), st.integers(0, 2))
def test_the_fast_revision_is_the_slow_one(raws, others):
    document, _ = build_document(read_json(SAMPLES / "raw_catalog.json"))
    products = [publish(raw) for raw in raws]
    revision = Revision()
    for collection in document.collections[:others]:
        revision.add("collections", canonical_json(collection))
    for discount in document.discounts[: others * 3]:
        revision.add("discounts", canonical_json(discount))
    for location in document.locations[:others]:
        revision.add("locations", canonical_json(location))
    for product in products:
        revision.add("products", seal_product(product))
    revision.add("shop", canonical_json(document.shop))
    document.collections = document.collections[:others]
    document.discounts = document.discounts[: others * 3]
    document.locations = document.locations[:others]
    document.products = products
    assert revision.text() == slow_revision(json.loads(canonical_json(document)))


def test_sealing_twice_changes_nothing():
    product = publish(raw_product())
    assert seal_product(product) == seal_product(product)


def hash_of(**changes):
    product = publish(raw_product(**changes))
    seal_product(product)
    return product.content_hash


@pytest.mark.parametrize(
    "changes",
    [
        {"updatedAt": "2030-01-01T00:00:00Z"},
        {"variants": [raw_variant(updatedAt="2030-01-01T00:00:00Z")]},
        {"tags": [], "metafields": [], "options": []},
    ],
)
def test_what_is_no_content_moves_no_hash(changes):
    assert hash_of(**changes) == hash_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Shirt!"},
        {"variants": [raw_variant(price="10.01")]},
        {"variants": [raw_variant(compareAtPrice="11.00")]},
        {"variants": [raw_variant(availableForSale=False)]},
        {"variants": [raw_variant(), raw_variant(2)]},
        {"tags": ["new"]},
        {"createdAt": "2025-12-31T00:00:00Z"},
        {"publishedAt": "2025-12-31T00:00:00Z"},
        {"descriptionHtml": "<p>"},
        {"metafields": [{"namespace": "a", "key": "b", "type": "c", "value": "d"}]},
    ],
)
def test_content_moves_the_hash(changes):
    assert hash_of(**changes) != hash_of()


def test_the_stock_of_a_level_moves_the_hash_and_its_time_does_not():
    def stocked(available, updated_at):
        levels = raw_levels(available)
        levels["levels"][0]["updatedAt"] = updated_at
        return content_hash(publish(raw_product(), levels=levels))

    assert stocked(3, None) == stocked(3, "2026-01-01T00:00:00Z")
    assert stocked(3, None) != stocked(4, None)


@pytest.mark.parametrize(
    "order",
    [("discounts", "collections"), ("products", "locations"), ("shop", "products"), ("shop", "shop")],
)
def test_a_revision_takes_sections_in_order_only(order):
    revision = Revision()
    revision.add(order[0], b"{}")
    with pytest.raises(ValueError, match="order"):
        revision.add(order[1], b"{}")


def test_a_revision_without_a_shop_is_not_finished():
    revision = Revision()
    with pytest.raises(ValueError, match="shop"):
        revision.text()
    revision.add("products", b'{"a":1}')
    with pytest.raises(ValueError, match="shop"):
        revision.text()


def test_a_revision_knows_no_other_section():
    with pytest.raises(ValueError):
        Revision().add("inventory", b"{}")


def test_the_empty_catalogue_has_a_revision():
    revision = Revision()
    revision.add("shop", b'{"name":"x"}')
    empty = {"shop": {"name": "x"}, "locations": [], "products": [], "collections": [], "discounts": []}
    assert revision.text() == revision.text() == slow_revision(empty)
