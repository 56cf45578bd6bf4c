"""A refresh that reads only what events named: few calls, and the document of a full read."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.build_discounts import add_discount
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines_tests.refresh.comparing import differences, torn
from salesbot_pipelines_tests.refresh.events import listen

LARGE = "large.myshopify.com"
TABLES = ("products", "collections", "discounts")


@pytest.fixture
def large(rig, world, clock):
    """A shop that is worth it, refreshed once in full; what it tells is listened to."""
    shop = world.add(make_synthetic(clock, LARGE, products=300, variants=2))
    rig.connect(shop)
    rig.publish(LARGE)
    clock.turn(minutes=5)
    return listen(rig, LARGE)


def read_in_full(rig):
    """Read the shop in full, publish it whatever lies there, and give the document."""
    rig.publish(LARGE, full=True)
    return rig.document(LARGE)


def due(rig):
    """Refresh the shop as its events ask for it; give the outcome and the calls by operation."""
    calls = rig.server.sandbox.calls
    calls.clear()
    outcome = rig.publish(LARGE, trigger="webhook")
    return outcome, Counter(call.operation for call in calls.of(LARGE))


def published(document):
    return {key: document[key] for key in ("shop", "locations", "products", "collections", "discounts", "revision")}


def test_a_changed_price_costs_few_calls(rig, world, large):
    shop = world.shop(LARGE)
    variant = shop.all("products")[123]["variants"][1]["id"]
    shop.set_price(variant, "43.21")
    assert large.deliver() == 1
    outcome, calls = due(rig)
    assert (outcome.method, outcome.full_because, outcome.status) == ("incremental", "", Status.PUBLISHED)
    assert "Products" not in calls
    assert "Inventory" not in calls
    assert calls["ProductsById"] == 1
    assert sum(calls.values()) <= 20, calls
    found = rig.document(LARGE)
    assert found["source"]["method"] == "paged"
    assert found["source"]["trigger"] == "webhook"
    assert torn(rig, LARGE) == ""
    status = rig.program.work.status(LARGE)
    assert (status.wanted, status.state) == (status.done, "clean")
    right = read_in_full(rig)
    assert not list(differences(published(right), published(found)))


def test_a_piece_sold_reads_its_item_and_its_product(rig, world, large):
    shop = world.shop(LARGE)
    shop.set_stock(shop.all("products")[7]["variants"][0]["id"], 0)
    large.deliver()
    outcome, calls = due(rig)
    assert outcome.method == "incremental"
    assert calls["Owners"] == calls["ProductsById"] == calls["InventoryById"] == 1
    found = rig.document(LARGE)
    assert found["products"][7]["variants"][0]["inventory"]["available"] == 0
    assert not list(differences(published(read_in_full(rig)), published(found)))


def test_what_is_deleted_goes_and_leaves_no_line(rig, world, large):
    shop = world.shop(LARGE)
    product, collection, discount = (shop.all(table)[2 % len(shop.all(table))] for table in TABLES)
    lines = {entity: entry["lines"] for entity, entry in rig.manifest(LARGE)["raw"].items()}
    shop.delete_product(product["id"])
    shop.delete_collection(collection["id"])
    shop.delete_discount(discount["id"])
    assert large.deliver() == 3
    outcome, _ = due(rig)
    assert outcome.method == "incremental"
    found = rig.manifest(LARGE)["raw"]
    gone = {
        entity: lines[entity] - entry["lines"] for entity, entry in found.items() if lines[entity] != entry["lines"]
    }
    assert gone == {"products": 1, "inventory": 2, "collections": 1, "discounts": 1}
    assert not list(differences(published(read_in_full(rig)), published(rig.document(LARGE))))


def test_raw_objects_do_not_grow_with_the_refreshes(rig, world, large):
    shop = world.shop(LARGE)
    before = {entity: entry["lines"] for entity, entry in rig.manifest(LARGE)["raw"].items()}
    for nth in range(4):
        shop.set_price(shop.all("products")[nth % 2]["variants"][0]["id"], f"{70 + nth}.00")
        large.deliver()
        assert due(rig)[0].method == "incremental"
    assert {entity: entry["lines"] for entity, entry in rig.manifest(LARGE)["raw"].items()} == before
    # And they can be normalised again, as they lie there.
    document = rig.document(LARGE)
    assert rig.publish(LARGE, from_raw=True, full=True).revision == document["revision"]
    shop.set_price(shop.all("products")[5]["variants"][0]["id"], "9.99")
    large.deliver()
    assert due(rig)[0].method == "incremental"


def test_what_changes_nothing_uploads_nothing_and_is_read_again(rig, world, large):
    """A draft is not published, but the collection it stands in must know it when it is."""
    shop = world.shop(LARGE)
    draft = shop.all("products")[49]
    assert draft["status"] == "DRAFT"
    shop.update_product(draft["id"], title="Not yet")
    large.deliver()
    rig.puts()
    outcome, _ = due(rig)
    assert (outcome.method, outcome.status, rig.puts()) == ("incremental", Status.UNCHANGED, [])
    shop.update_product(draft["id"], status="ACTIVE")
    shop.publish(draft["id"])
    shop.set_price(shop.all("products")[0]["variants"][0]["id"], "1.11")
    large.deliver()
    outcome, _ = due(rig)
    assert (outcome.method, outcome.status) == ("incremental", Status.PUBLISHED)
    found = rig.document(LARGE)
    assert "Not yet" in [product["title"] for product in found["products"]]
    assert not list(differences(published(read_in_full(rig)), published(found)))


def test_one_made_without_a_word_is_seen_by_the_counts(rig, world, large):
    shop = world.shop(LARGE)
    shop.create_product("Untold")
    large.waiting.clear()
    shop.set_price(shop.all("products")[0]["variants"][0]["id"], "1.11")
    large.deliver()
    outcome, _ = due(rig)
    assert outcome.method == "paged"
    assert outcome.full_because == "300 products are known and Shopify counts 301"
    assert "Untold" in [product["title"] for product in rig.document(LARGE)["products"]]


def test_a_price_without_a_word_is_found_by_the_daily_refresh(rig, world, large, clock):
    shop = world.shop(LARGE)
    products = shop.all("products")
    shop.set_price(products[3]["variants"][0]["id"], "3.33")
    large.waiting.clear()
    shop.set_price(products[4]["variants"][0]["id"], "4.44")
    large.deliver()
    assert due(rig)[0].method == "incremental"
    prices = {p["legacy_id"]: p["variants"][0]["price"]["amount"] for p in rig.document(LARGE)["products"]}
    assert prices[products[4]["legacyResourceId"]] == "4.44"
    assert prices[products[3]["legacyResourceId"]] != "3.33"
    clock.turn(hours=6)
    shop.set_price(products[5]["variants"][0]["id"], "5.55")
    large.deliver()
    outcome = rig.publish(LARGE, trigger="schedule")
    assert (outcome.method, outcome.changes.changed, outcome.drift) == ("paged", 2, 1)


def test_an_event_does_not_stand_for_the_daily_refresh(rig, world, large, clock):
    scheduled_at = clock.now().isoformat()
    clock.turn(minutes=1)
    shop = world.shop(LARGE)
    shop.set_price(shop.all("products")[0]["variants"][0]["id"], "1.11")
    large.deliver()
    assert due(rig)[0].method == "incremental"
    daily = rig.publish(LARGE, trigger="schedule", not_before=scheduled_at)
    assert (daily.status, daily.method) == (Status.UNCHANGED, "paged")
    assert rig.publish(LARGE, trigger="schedule", not_before=scheduled_at).status is Status.FRESH


def test_a_currency_is_never_put_on_prices_of_another(rig, world, large):
    shop = world.shop(LARGE)
    shop.update_shop(currencyCode="JPY")
    large.waiting.clear()
    shop.set_price(shop.all("products")[0]["variants"][0]["id"], "100")
    large.deliver()
    outcome, _ = due(rig)
    assert (outcome.method, outcome.full_because) == ("paged", "the shop's currency is another one now")


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


def test_a_small_shop_is_read_as_a_whole(rig, world, clock):
    shop = world.add(make_synthetic(clock, LARGE, products=250, variants=1))
    rig.connect(shop)
    rig.publish(LARGE)
    told = listen(rig, LARGE)
    shop.set_price(shop.all("products")[0]["variants"][0]["id"], "1.11")
    told.deliver()
    assert due(rig)[0].full_because == "with 250 products it costs as little"


def test_only_an_event_reads_incrementally(rig, world, large):
    shop = world.shop(LARGE)
    shop.set_price(shop.all("products")[0]["variants"][0]["id"], "1.11")
    large.deliver()
    assert rig.publish(LARGE, trigger="schedule").method == "paged"
    assert rig.publish(LARGE, trigger="webhook", method="paged").method == "paged"
    assert rig.publish(LARGE, trigger="webhook", full=True).method == "paged"


def test_what_the_document_lacks_is_asked_again(rig, world, large):
    """A gap of the last read is no gap for ever: the next refresh closes it, as a full read would."""
    shop = world.shop(LARGE)
    number = int(shop.all("products")[11]["variants"][0]["inventoryItem"]["legacyResourceId"])
    item = shop.items.get(number)
    rig.server.sandbox.faults.add("change", operation="Inventory", change=lambda shop: shop.items.remove(number))
    rig.publish(LARGE, full=True)
    (lacking,) = (o for o in rig.document(LARGE)["source"]["omissions"] if o["reason"] == "error")
    assert lacking["section"].endswith("/inventory")
    shop.items.put(number, item)
    shop.set_price(shop.all("products")[0]["variants"][0]["id"], "1.11")
    large.deliver()
    assert due(rig)[0].method == "incremental"
    assert lacking not in rig.document(LARGE)["source"]["omissions"]
    assert not list(differences(published(read_in_full(rig)), published(rig.document(LARGE))))
