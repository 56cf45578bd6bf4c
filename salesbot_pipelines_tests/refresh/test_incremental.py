"""A refresh that reads only what events named: few calls, and the document of a full read."""

from __future__ import annotations

from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.synthetic import make_synthetic
from salesbot_pipelines_tests.refresh.comparing import differences, torn
from salesbot_pipelines_tests.refresh.events import listen
from salesbot_pipelines_tests.refresh.large_shop import LARGE, due, published, read_in_full

TABLES = ("products", "collections", "discounts")


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
