"""A batch of raw products, and what becomes of each line."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from salesbot_pipelines.catalog.model import Generator
from salesbot_pipelines.refresh.assembly import Assembly, Reading, _is_anything
from salesbot_pipelines.refresh.levels import write_levels
from salesbot_pipelines.refresh.members import MembersWriter
from salesbot_pipelines.refresh.normalising import Task, batches, normalise_batch
from salesbot_pipelines.refresh.rawfiles import RawFiles
from salesbot_pipelines.shopify.nodes import line_of
from salesbot_pipelines.shopify.snapshot import ENTITIES
from salesbot_pipelines_tests.catalog.nodes import raw_product, raw_variant, shop_context


@pytest.fixture
def task(tmp_path):
    levels, members = tmp_path / "levels", tmp_path / "members.sqlite"
    write_levels(levels, [])
    with closing(MembersWriter(members)) as writer:
        writer.put("gid://shopify/Collection/9", [raw_product()["id"]])
    context = replace(shop_context(), is_published=_is_anything)
    return Task(levels=levels, members=members, context=context, statuses=frozenset({"active"}), stock_was_read=True)


def test_a_line_that_takes_a_product_away_is_told_apart_from_one_that_is_not_published(task):
    gone = {"dropped": True, "id": "gid://shopify/Product/7"}
    draft = {**raw_product(), "id": "gid://shopify/Product/8", "status": "DRAFT"}
    made = normalise_batch(task, [line_of(gone), line_of(draft)])
    assert (made.numbers, made.lines, made.variants) == ([7, 8], [b"", b""], [0, 0])
    assert (made.dropped, made.unusable, made.findings.total) == ([7], 0, 0)


def test_a_product_is_published_with_its_collections_and_what_was_gone_is_named(task):
    product = raw_product()
    made = normalise_batch(task, [line_of(product)])
    assert b'"collection_ids":["gid://shopify/Collection/9"]' in made.lines[0]
    assert made.variants == [len(product["variants"])]
    assert {omission.detail.partition(" ")[2] for omission in made.findings.kept} == {"was gone when stock was read"}
    silent = normalise_batch(replace(task, stock_was_read=False), [line_of(product)])
    assert (silent.lines, silent.findings.total) == (made.lines, 0)


def test_a_product_that_cannot_be_sold_is_counted_and_named(task):
    made = normalise_batch(task, [line_of({**raw_product(), "variants": [raw_variant(price="none")]})])
    assert (made.lines, made.unusable) == ([b""], 1)
    assert made.findings.kept[-1].section == f"/products/{made.numbers[0]}"


def test_batches_lose_no_line_and_are_bounded(monkeypatch):
    lines = [b"x" * size for size in (3, 9, 1, 20, 2, 2)]
    monkeypatch.setattr("salesbot_pipelines.refresh.normalising._BATCH_BYTES", 10)
    assert list(batches(lines)) == [lines[:2], lines[2:4], lines[4:]]
    assert list(batches([])) == []


@pytest.mark.parametrize("is_taken_away", [True, False])
def test_what_was_found_in_a_product_that_is_taken_away_is_no_lack(tmp_path, is_taken_away):
    files = RawFiles(tmp_path)
    shop = {"id": "gid://shopify/Shop/7", "name": "Shop", "myshopifyDomain": "s.myshopify.com", "currencyCode": "USD"}
    files.write("shop", {"shop": shop, "policies": None, "locales": None})
    files.write("products", {**raw_product(), "variants": [raw_variant(price="none")]})
    if is_taken_away:
        files.write("products", {"dropped": True, "id": raw_product()["id"]})
    now = datetime(2026, 11, 26, tzinfo=UTC)
    assembled = Assembly(tmp_path, statuses=("active",), progress=lambda *_: None).make(
        files.finish(ENTITIES),
        Reading(api_version="2026-10", fetched_at=now, method="paged", omissions=()),
        trigger="manual",
        generator=Generator(name="a test", run_id=None, version="1"),
        generated_at=now,
    )
    assert assembled.counts["products"] == 0
    assert [found.section for found in assembled.findings if found.section.startswith("/products/")] == (
        [] if is_taken_away else ["/products/1/variants/1", "/products/1"]
    )
