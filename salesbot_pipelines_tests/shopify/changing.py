"""Goods for a shop that changes while it is read, and the history that says which states were ever true."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.shop import Shop
from salesbot_pipelines_tests.shopify.bench import Bench, number_in, truth


def goods(shop: Shop, count: int, variants: int = 2) -> list[int]:
    place = number_in(shop.all("locations")[0]["id"])
    made = []
    for n in range(count):
        specs = [NewVariant("1.00", (f"V{v}",), stock={place: v}) for v in range(variants)]
        made.append(number_in(add_product(shop, f"P{n}", specs, options=("Size",))["id"]))
    return made


class History:
    """Every state each object was in, from the beginning of the reading to its end."""

    def __init__(self, bench: Bench, shop: Shop, namespaces=("custom",)) -> None:
        self.bench, self.shop, self.namespaces = bench, shop, namespaces
        self.states: defaultdict[str, defaultdict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
        self.always: dict[str, set[int]] = {}
        self.note()

    def note(self) -> None:
        self.bench.clock.seconds += 1  # `updatedAt` has whole seconds
        for entity, objects in truth(self.shop, self.namespaces).items():
            for number, state in objects.items():
                if state not in self.states[entity][number]:
                    self.states[entity][number].append(state)
            self.always[entity] = self.always.get(entity, set(objects)) & set(objects)

    def change(self, what: Any) -> Any:
        def changing(shop: Shop) -> None:
            what(shop)
            self.note()

        return changing

    def check(
        self, view: dict[str, dict[int, Any]], entities=("products", "collections", "discounts", "inventory")
    ) -> None:
        for entity in entities:
            assert self.always[entity] <= set(view[entity]), f"{entity}: what was there all the time is there"
            for number, state in view[entity].items():
                assert state in self.states[entity][number], f"{entity} {number} was never so"
