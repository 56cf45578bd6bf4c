"""What makes an event's refresh read the whole shop after all, and that this heals it."""

from __future__ import annotations

import json

import pytest

from salesbot_pipelines.sandbox.build_discounts import add_discount
from salesbot_pipelines_tests.refresh.comparing import differences
from salesbot_pipelines_tests.refresh.large_shop import LARGE, due, published, read_in_full


def _many(rig, shop, _told, _clock):
    for product in shop.all("products")[:251]:
        shop.update_product(product["id"], vendor="Another")


def _nameless(rig, _shop, told, _clock):
    told.hear(None, "products/update", {"title": "no id"})


def _turned(rig, _shop, _told, clock):
    clock.turn(hours=27)


def _marked(rig, _shop, _told, _clock):
    rig.program.work.want(LARGE)


def _taken_over(rig, _shop, _told, _clock):
    work = rig.program.work
    assert work.failed(work.lease(LARGE, "another", 60), "killed while it wrote", retryable=True)


def _lacking(rig, _shop, _told, _clock):
    rig.program.store.delete(rig.keys(LARGE).raw("inventory"))


def _unread(rig, _shop, _told, _clock):
    manifest = rig.manifest(LARGE)
    manifest["read_omissions"].append({"section": "products.media", "reason": "error", "detail": None})
    _rewrite(rig, manifest)


def _by_another(rig, _shop, _told, _clock):
    _rewrite(rig, {**rig.manifest(LARGE), "read_by": "0.0.1"})


def _other_namespaces(rig, _shop, _told, _clock):
    _rewrite(rig, {**rig.manifest(LARGE), "namespaces": ["custom", "specs"]})


def _older_manifest(rig, _shop, _told, _clock):
    manifest = rig.manifest(LARGE)
    del manifest["namespaces"], manifest["read_by"]
    _rewrite(rig, manifest)


def _fewer_scopes(rig, shop, told, _clock):
    shop.grant([scope for scope in shop.scopes if scope != "read_discounts"])
    told.waiting.clear()


def _discounts(rig, shop, _told, _clock):
    for nth in range(501):
        add_discount(shop, "CodeBasic", f"D{nth}", codes=[f"D{nth}"])


def _rewrite(rig, manifest):
    rig.program.store.put(rig.keys(LARGE).manifest, json.dumps(manifest).encode(), content_type="application/json")


REASONS = [
    (lambda rig, shop, told, clock: shop.update_shop(name="Another"), "shop/update concerns the whole shop"),
    (
        lambda rig, shop, told, clock: shop.tell("locations/create", {"id": 1}),
        "locations/create concerns the whole shop",
    ),
    (_nameless, "products/update does not name what it is about"),
    (_many, "251 objects changed"),
    (_turned, "the last full read began more than 26 hours ago"),
    (_marked, "somebody else than an event asked for it"),
    (_taken_over, "what lies in the store may be half of something"),
    (_lacking, "what lies in the store may be half of something"),
    (_unread, "the last read had gaps"),
    (_by_another, "another version of this program read the shop last"),
    (_other_namespaces, "the metafields' namespaces are set otherwise now"),
    (_older_manifest, "another version of this program read the shop last"),
    (_fewer_scopes, "what the app may read, or what Shopify tells, is not the same as before"),
    (_discounts, "the shop has 503 discounts"),
]


@pytest.mark.parametrize(("happens", "reason"), REASONS, ids=[reason for _, reason in REASONS])
def test_what_everything_is_read_for(rig, world, large, clock, happens, reason):
    shop = world.shop(LARGE)
    happens(rig, shop, large, clock)
    shop.set_price(shop.all("products")[0]["variants"][0]["id"], "1.11")
    large.deliver()
    outcome, calls = due(rig)
    assert (outcome.method, outcome.full_because) == ("paged", reason)
    assert calls["Products"] > 1
    status = rig.program.work.status(LARGE)
    assert status.wanted == status.done
    assert not list(differences(published(read_in_full(rig)), published(rig.document(LARGE))))
    # It has been healed by that.
    shop.set_price(shop.all("products")[1]["variants"][0]["id"], "2.22")
    large.deliver()
    if happens is not _discounts:
        assert due(rig)[0].method == "incremental"
