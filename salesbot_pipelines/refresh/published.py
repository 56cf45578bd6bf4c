"""Reading back what is published, one product at a time: for the table of changes and the proof of losses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from salesbot_pipelines.catalog.changes import Row
from salesbot_pipelines.errors import ObjectMissing
from salesbot_pipelines.spaces.store import ObjectStore


class PublishedProduct(msgspec.Struct):
    """The three fields of a published product that comparing needs."""

    legacy_id: str
    content_hash: str
    title: str


_decode = msgspec.json.Decoder(PublishedProduct).decode


def stored_products(store: ObjectStore, key: str) -> Iterator[PublishedProduct]:
    """Read the published `products.jsonl`; nothing when there is none."""
    try:
        with store.open(key) as lines:
            yield from map(_decode, lines)
    except ObjectMissing:
        return


def made_products(path: Path) -> Iterator[PublishedProduct]:
    """Read a `products.jsonl` that is about to be published."""
    with path.open("rb") as lines:
        yield from map(_decode, lines)


def rows(products: Iterable[PublishedProduct]) -> Iterator[Row]:
    """Give what `catalog.changes` compares."""
    return ((product.legacy_id, product.content_hash, product.title) for product in products)
