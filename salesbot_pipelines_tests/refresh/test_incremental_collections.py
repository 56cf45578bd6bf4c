"""What follows from a changed product for collections, when only the product's own event came."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from salesbot_pipelines.sandbox.makers import create_collection
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines_tests.refresh.comparing import differences
from salesbot_pipelines_tests.refresh.events import Told, listen
from salesbot_pipelines_tests.rig import Rig

SHOP = "ordered.myshopify.com"


class Ordered:
    """A shop with a collection of each kind, read once in full; what it tells is listened to."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        clock = rig.program.clock
        self.shop = rig.world.add(make_synthetic(clock, SHOP, products=12, variants=1))
        self.products = [product["id"] for product in self.shop.all("products")]
        some = self.products[:6]
        self.by_hand = create_collection(self.shop, "By hand", products=some)["id"]
        self.by_price = create_collection(self.shop, "By price", products=some, sort="PRICE_ASC")["id"]
        self.sale = create_collection(self.shop, "Sale", tag="sale")["id"]
        inner = int(self.sale.rpartition("/")[2])
        self.of_sale = create_collection(self.shop, "All of sale", collections=[inner], rule=self._is_on_sale)["id"]
        rig.connect(self.shop)
        rig.publish(SHOP)
        clock.turn(minutes=5)
        self.told: Told = listen(rig, SHOP)

    @staticmethod
    def _is_on_sale(product: dict[str, Sequence[str]]) -> bool:
        return "sale" in product["tags"]

    def refresh(self) -> set[str]:
        """Refresh by the products' events alone; give the collections that were asked for by id."""
        self.told.waiting = [event for event in self.told.waiting if event.topic.startswith("products/")]
        assert self.told.deliver() > 0
        calls = self.rig.server.sandbox.calls
        calls.clear()
        outcome = self.rig.publish(SHOP, trigger="webhook", method="incremental")
        assert (outcome.method, outcome.full_because) == ("incremental", "")
        found = self.rig.document(SHOP)
        asked = {
            gid for call in calls.of(SHOP) if call.operation == "CollectionsById" for gid in call.variables["ids"]
        }
        self.rig.publish(SHOP, full=True)
        right = self.rig.document(SHOP)
        for table in ("products", "collections", "discounts", "revision"):
            assert not list(differences({table: right[table]}, {table: found[table]}))
        return asked

    def members(self, gid: str) -> list[str]:
        return next(node["product_ids"] for node in self.rig.document(SHOP)["collections"] if node["id"] == gid)


@pytest.fixture
def ordered(rig):
    return Ordered(rig)


def test_a_price_moves_its_product_within_the_collections_that_are_ordered_by_it(ordered):
    first = ordered.members(ordered.by_price)[0]
    variant = next(product for product in ordered.shop.all("products") if product["id"] == first)["variants"][0]["id"]
    ordered.shop.set_price(variant, "99999.00")
    asked = ordered.refresh()
    assert ordered.members(ordered.by_price)[-1] == first
    assert ordered.by_price in asked
    assert ordered.by_hand not in asked, "its order follows from nothing"


def test_a_tag_moves_its_product_into_a_collection_and_into_what_is_made_of_it(ordered):
    ordered.shop.update_product(ordered.products[8], tags=["sale"])
    asked = ordered.refresh()
    assert ordered.members(ordered.sale) == ordered.members(ordered.of_sale) == [ordered.products[8]]
    assert {ordered.sale, ordered.of_sale} <= asked
    ordered.shop.update_product(ordered.products[8], tags=[])
    ordered.refresh()
    assert ordered.members(ordered.sale) == ordered.members(ordered.of_sale) == []


def test_a_deleted_product_leaves_every_collection(ordered):
    gone = ordered.members(ordered.by_hand)[2]
    ordered.shop.delete_product(gone)
    asked = ordered.refresh()
    assert gone not in ordered.members(ordered.by_hand)
    assert {ordered.by_hand, ordered.by_price} <= asked
