"""Shops for bulk operations, and reading them both ways."""

from __future__ import annotations

import random
from typing import Any

from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.build_shop import add_location
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines.shopify.bulk import Patience
from salesbot_pipelines.shopify.snapshot import Snapshot, read_snapshot
from salesbot_pipelines_tests.shopify.bench import Bench, Sink, note, number_in, picture

NAMESPACES = ("custom", "specs")


def shop_of(bench: Bench, products: int = 8, *, seed: int = 1) -> Shop:
    """A shop with a bit of everything that a bulk result must put together again."""
    chance, shop = random.Random(seed), bench.open()
    places = [number_in(shop.all("locations")[0]["id"]), add_location(shop, "Second"), add_location(shop, "Third")]
    for n in range(products):
        media = [picture(shop.next_number()) for _ in range(chance.randint(0, 4))]
        variants = [
            NewVariant(
                f"{v}.50",
                (f"V{v}",),
                stock={place: chance.randint(-2, 9) for place in chance.sample(places, chance.randint(0, 3))},
                media=chance.sample(media, min(len(media), chance.randint(0, 2))),
                metafields=[note(shop.next_number(), chance.choice(NAMESPACES)) for _ in range(chance.randint(0, 3))],
            )
            for v in range(chance.randint(1, 5))
        ]
        notes = [
            note(shop.next_number(), chance.choice([*NAMESPACES, "secret"])) for _ in range(chance.randint(0, 5))
        ]
        add_product(shop, f"Product {n}", variants, options=("Size",), media=media, metafields=notes)
    return shop


def read(bench: Bench, shop: Shop, method: str, namespaces=NAMESPACES, **more: Any) -> tuple[Snapshot, Sink]:
    sink = Sink()
    patience = more.pop("patience", Patience(busy_seconds=60, run_seconds=120))
    client = bench.client(shop, **more)
    return read_snapshot(client, sink, namespaces=namespaces, method=method, patience=patience), sink


def compare(bench: Bench, shop: Shop, namespaces=NAMESPACES) -> Snapshot:
    """Read both ways: node by node the same."""
    paged, pages = read(bench, shop, "paged", namespaces)
    snapshot, bulk = read(bench, shop, "bulk", namespaces)
    for entity in ("products", "inventory"):
        assert bulk.settled(snapshot).get(entity) == pages.settled(paged).get(entity)
    assert snapshot.counts_read == paged.counts_read
    assert snapshot.omissions == paged.omissions
    return snapshot
