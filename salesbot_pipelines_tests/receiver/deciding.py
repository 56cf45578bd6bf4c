"""An installed shop with published objects, requests about it, and a desk that decides them."""

from __future__ import annotations

from salesbot_pipelines.receiver.control import ControlWorker
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines_tests.receiver.harness import PAYLOAD, SHOP

CUSTOMER = {"customer": {"id": 41, "email": "ada@customers.example"}, "orders_to_redact": [101]}


def put_objects(door, shop: str = SHOP) -> None:
    install = door.installs.require(shop)
    keys = ShopKeys(install.owner, shop)
    for key in (keys.document, keys.manifest, keys.products, keys.raw("products")):
        door.door.program.store.put(key, b"{}", content_type="application/json")


def objects(door) -> list[str]:
    return list(door.door.program.store.list("users/"))


def request(door, topic: str, body=None, shop: str = SHOP):
    fields = {"shop_domain": shop, "shop_id": 1, "title": PAYLOAD, **(body or {})}
    if topic == "app/uninstalled":
        fields = {"myshopify_domain": shop, "id": 1, "title": PAYLOAD}
    answer = door.post(fields, topic=topic, shop=shop)
    assert (answer.status_code, answer.content) == (200, b"")


def events(door, state=None):
    return door.door.control_events.listed(state)


def decided(door, state: str, count: int = 1):
    return door.wait_until(lambda: len(found := events(door, state)) >= count and found)


def new_worker(door) -> ControlWorker:
    return ControlWorker(door.door.desk, metrics=door.door.metrics, journal=door.door.journal)
