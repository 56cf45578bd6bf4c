"""What is kept in memory while a listing is read: no more for a large catalogue than for a small one."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

import httpx

from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.products import ProductReader
from salesbot_pipelines_tests.shopify.bench import gid
from salesbot_pipelines_tests.shopify.wire import FakeClock, Wire, client_on, ok


class Endless:
    """A catalogue of `total` products with three variants each, made while it is read."""

    def __init__(self, total: int) -> None:
        self.total = total

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        variables = asked["variables"]
        if "ids" in variables:
            return ok(
                {
                    "nodes": [
                        {"id": i, "product": {"updatedAt": "t"}, "media": LIST, "metafields0": LIST}
                        for i in variables["ids"]
                    ]
                }
            )
        start = int(variables["after"] or 0)
        end = min(self.total, start + 100)
        nodes = [product(n) for n in range(start + 1, end + 1)]
        return ok(
            {"products": {"nodes": nodes, "pageInfo": {"hasNextPage": end < self.total, "endCursor": str(end)}}}
        )


LIST = {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}


def product(number: int) -> dict[str, Any]:
    variants = [
        {
            "id": gid(number * 10 + v, "ProductVariant"),
            "sku": "x" * 200,
            "inventoryItem": {"id": gid(number * 10 + v)},
        }
        for v in range(3)
    ]
    return {
        "id": gid(number),
        "updatedAt": "t",
        "descriptionHtml": "y" * 1000,
        "variantsCount": {"count": 3, "precision": "EXACT"},
        "variants": {**LIST, "nodes": variants},
        "media": LIST,
        "metafields0": LIST,
    }


class Nowhere:
    written = 0

    def write(self, entity: str, node: Any) -> None:
        self.written += 1

    def write_lines(self, entity: str, lines: list[bytes]) -> None:
        self.written += len(lines)

    def restart(self, entity: str) -> None:
        raise AssertionError


def peak_of_reading(total: int) -> int:
    wire = Wire(Endless(total).answer)
    wire.requests = type("Forgetful", (list,), {"append": lambda self, request: None})()
    sink = Nowhere()
    reader = ProductReader(Reading(client_on(wire, FakeClock()), sink, ("custom",)))
    tracemalloc.start()
    reader.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sink.written == total
    return peak


def test_memory_does_not_grow_with_the_catalogue() -> None:
    usual = gc.get_threshold()
    gc.set_threshold(700, 10, 10)  # garbage that waits for its collector is no growth; a program waits longer
    try:
        peak_of_reading(100)  # what is cached once
        small, large = peak_of_reading(300), peak_of_reading(1800)
    finally:
        gc.set_threshold(*usual)
    assert large < 1.2 * small
