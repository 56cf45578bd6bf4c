"""The files of a join: what is there, and that nothing stays."""

from __future__ import annotations

from pathlib import Path

from salesbot_pipelines.shopify.nodes import line_of
from salesbot_pipelines.shopify.reading.bulk_join import cut, join_far, join_part, remove_joined, spread
from salesbot_pipelines_tests.shopify.bench import gid


def test_nothing_is_left_of_a_part_that_is_done_with(tmp_path: Path) -> None:
    """Lines that name only a variant among them: each lay in one more file, and so did the variants' owners."""
    variant = {"__typename": "ProductVariant", "id": gid(7, "ProductVariant"), "__parentId": gid(5)}
    main = [
        {"__typename": "Product", "id": gid(5), "updatedAt": "then"},
        variant,
        {"__typename": "Metafield", "id": gid(1, "Metafield"), "__parentId": variant["id"]},
    ]
    media = [
        {"__typename": "ProductVariant", "id": variant["id"], "product": {"id": gid(5), "updatedAt": "then"}},
        {"__typename": "MediaImage", "id": gid(3, "MediaImage"), "__parentId": variant["id"]},
    ]
    results = {"products": tmp_path / "products.jsonl", "variant_media": tmp_path / "variant_media.jsonl"}
    for path, nodes in zip(results.values(), (main, media), strict=True):
        path.write_bytes(b"".join(line_of(node) + b"\n" for node in nodes))
    where = cut(tmp_path, "a.myshopify.com", results)
    for (name, path), lines in zip(results.items(), (3, 2), strict=True):
        assert spread(where, name, path, lines)
    join_far(where)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"products.jsonl", "variant_media.jsonl", "near-products-0", "near-variant_media-0"}
    (joined,) = join_part(where, True, 0)
    assert b"Metafield/1" in joined.line
    assert b"MediaImage/3" in joined.line
    assert {path.name for path in tmp_path.iterdir()} == names, "it may be done again, if a process dies"
    remove_joined(where, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"products.jsonl", "variant_media.jsonl"}
