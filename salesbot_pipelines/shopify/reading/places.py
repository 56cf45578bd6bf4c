"""The shop itself with its policies and languages, and its locations: small, and read in one or two calls each."""

from __future__ import annotations

from typing import Any

from salesbot_pipelines.errors import ShopifyUnavailable
from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.holes import mark_holes
from salesbot_pipelines.shopify.reading.pages import walk


def read_shop(reading: Reading) -> None:
    """Write the shop: its node, and its policies and locales or None where the app may not see them."""
    answer = reading.client.execute(load("shop"))
    shop = answer.data.get("shop")
    if not isinstance(shop, dict):
        raise ShopifyUnavailable(f"{reading.client.shop} did not tell its own name", shop=reading.client.shop)
    policies = _optional(reading, "read_legal_policies", "policies", "shop.links")
    reading.sink.write(
        "shop",
        {
            "shop": shop,
            "policies": None if policies is None else (policies.get("shop") or {}).get("shopPolicies"),
            "locales": (_optional(reading, "read_locales", "locales", "shop.locale") or {}).get("shopLocales"),
        },
    )
    reading.step("shop")


def read_locations(reading: Reading) -> None:
    """Write every location, closed ones and those of fulfilment services too: stock may lie there."""
    seen = reading.seen["locations"]
    for page, fresh in walk(reading.client, load("locations"), "locations", seen, windows=False):
        reading.duplicates["locations"] += len(page.nodes) - len(fresh)
        mark_holes(page.answer, ("locations", "nodes"), page.nodes, reading.holes, "locations")
        for node in fresh:
            reading.sink.write("locations", node)
        reading.step("locations")


def _optional(reading: Reading, scope: str, query: str, section: str) -> dict[str, Any] | None:
    if not reading.granted(scope):
        reading.holes.add(section, "not_requested", f"{scope} is not granted")
        return None
    answer = reading.client.execute(load(query))
    for problem in answer.problems:
        reading.holes.add_problem(section, problem)
    return answer.data
