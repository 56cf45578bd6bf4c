"""Random changes at random moments of a read: each object comes out as it was at some moment in between."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.sandbox.build_collections import add_collection
from salesbot_pipelines.sandbox.build_discounts import add_discount, percent
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines_tests.shopify.bench import Bench, told
from salesbot_pipelines_tests.shopify.changing import History, goods

OPERATIONS = [
    "Discounts",
    "DiscountsCount",
    "Collections",
    "CollectionProducts",
    "Products",
    "VariantExtras",
    "ProductsById",
    "ProductVariants",
    "ProductsCount",
    "ProductIds",
    "Inventory",
    "Locations",
]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_random_changes_at_random_moments(bench: Bench, data) -> None:
    bench.faults.clear()
    shop = bench.open()
    made = goods(shop, data.draw(st.integers(1, 9)), variants=data.draw(st.sampled_from([1, 3, 60])))
    collection = add_collection(shop, "C", made)
    history = History(bench, shop)
    fresh = iter(range(1000))

    def one_of(s: Shop) -> dict[str, Any] | None:
        there = s.all("products")
        return there[next(fresh) * 7 % len(there)] if there else None

    def edit(s: Shop) -> None:
        if product := one_of(s):
            s.update_product(product["id"], title=f"Edited {next(fresh)}")

    def price(s: Shop) -> None:
        if product := one_of(s):
            s.set_price(product["variants"][-1]["id"], f"{next(fresh)}.00")

    def delete(s: Shop) -> None:
        if product := one_of(s):
            s.delete_product(product["id"])

    def create(s: Shop) -> None:
        s.create_product(f"Created {next(fresh)}")

    def collect(s: Shop) -> None:
        s.update_collection(collection, title=f"Renamed {next(fresh)}")

    def discount(s: Shop) -> None:
        add_discount(s, "AutomaticBasic", f"D{next(fresh)}", value=percent(0.2))

    verbs = [edit, price, delete, create, collect, discount]
    for _ in range(data.draw(st.integers(1, 6))):
        bench.faults.add(
            "change",
            operation=data.draw(st.sampled_from(OPERATIONS)),
            nth=data.draw(st.integers(1, 3)),
            change=history.change(data.draw(st.sampled_from(verbs))),
        )
    snapshot, sink = bench.read(shop, page=data.draw(st.integers(1, 10)))
    history.check(told(sink.settled(snapshot)), entities=("products", "collections", "discounts"))
    assert snapshot.omissions == ()
