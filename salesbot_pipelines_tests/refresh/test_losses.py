"""A document that would lose a large part of the shop: published when the loss is proved, refused when it is not."""

import pytest

from salesbot_pipelines.catalog.normalise import Unusable
from salesbot_pipelines.errors import CatalogRefused, ShopifyUnavailable
from salesbot_pipelines.refresh import judgement, normalising
from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.build_products import NewVariant, add_product
from salesbot_pipelines.sandbox.build_shop import add_location, open_shop

DOMAIN = "loss.myshopify.com"
PRODUCTS = 10


class Hiding:
    """A table whose listings and counts leave some objects out, as a broken index does; by id they are there."""

    def __init__(self, table, hidden):
        self._table = table
        self._hidden = set(hidden)

    def __getattr__(self, name):
        return getattr(self._table, name)

    def scan(self, above, below):
        return (node for node in self._table.scan(above, below) if int(node["legacyResourceId"]) not in self._hidden)

    def count(self, above, below):
        return sum(1 for _ in self.scan(above, below))


@pytest.fixture
def shop(rig, world, clock):
    made = open_shop(DOMAIN, clock)
    made.bucket.unlimited = True
    place = add_location(made, "Here")
    for n in range(PRODUCTS):
        add_product(made, f"Product {n}", [NewVariant(f"{n + 1}.00", stock={place: n})])
    rig.connect(world.add(made))
    rig.publish(DOMAIN)
    return made


def numbers(shop):
    return [int(node["legacyResourceId"]) for node in shop.all("products")]


def hide(shop, count):
    """Hide products with their variants; return what undoes it."""
    products, variants = shop.products, shop.variants
    hidden = numbers(shop)[:count]
    shop.products = Hiding(products, hidden)
    gone = [int(v["legacyResourceId"]) for number in hidden for v in products.get(number)["variants"]]
    shop.variants = Hiding(variants, gone)

    def undo():
        shop.products, shop.variants = products, variants

    return undo


def refused(rig, *codes):
    before = rig.document_bytes(DOMAIN)
    error = rig.refresh(DOMAIN)[DOMAIN].error
    assert isinstance(error, CatalogRefused), error
    assert set(codes) <= set(error.problems)
    assert rig.document_bytes(DOMAIN) == before
    assert rig.program.work.status(DOMAIN).last_error == error.public_text
    return error


def asked_by_id(rig):
    return rig.server.sandbox.calls.of(DOMAIN, "StillThere")


@pytest.mark.parametrize("count", [1, 6, 10])
def test_products_that_were_deleted_are_proved_gone(rig, shop, count):
    for number in numbers(shop)[:count]:
        shop.delete_product(number)
    outcome = rig.publish(DOMAIN)
    assert (outcome.status, outcome.counts["products"]) == (Status.PUBLISHED, PRODUCTS - count)
    asked = [gid for call in asked_by_id(rig) for gid in call.variables["ids"]]
    assert len(asked) == count
    assert [product["title"] for product in rig.document(DOMAIN)["products"]] == [
        f"Product {n}" for n in range(count, PRODUCTS)
    ]


def test_a_twentieth_may_be_missing_without_a_question(rig, shop):
    for n in range(PRODUCTS):
        shop.create_product(f"More {n}")
    rig.publish(DOMAIN)
    first, second = numbers(shop)[:2]
    shop.delete_product(first)
    assert rig.publish(DOMAIN).counts["products"] == 2 * PRODUCTS - 1
    assert asked_by_id(rig) == []
    shop.create_product("One more")
    rig.publish(DOMAIN)
    shop.delete_product(second)
    shop.delete_product(numbers(shop)[0])
    rig.publish(DOMAIN)
    assert len(asked_by_id(rig)) == 1


def test_a_loss_of_any_size_is_asked_for_some_at_a_time(rig, shop, monkeypatch):
    monkeypatch.setattr(judgement, "_ASKED_AT_ONCE", 4)
    for number in numbers(shop):
        shop.delete_product(number)
    assert rig.publish(DOMAIN).counts["products"] == 0
    assert [len(call.variables["ids"]) for call in asked_by_id(rig)] == [4, 4, 2]


def test_products_that_were_taken_off_the_shop_are_no_loss_either(rig, shop):
    for number in numbers(shop)[:6]:
        shop.publish(number, published=False)
    assert rig.publish(DOMAIN).counts["products"] == 4


@pytest.mark.parametrize("count", [4])
def test_products_that_are_missing_and_still_for_sale_are_refused(rig, shop, count):
    undo = hide(shop, count)
    error = refused(rig, "loss")
    assert f"{count} of the {PRODUCTS} products" in str(error)
    assert error.retryable
    undo()
    shop.update_shop(name="Whole again")
    assert rig.publish(DOMAIN).counts["products"] == PRODUCTS


def test_all_products_missing_and_still_for_sale_is_refused(rig, shop):
    hide(shop, PRODUCTS)
    refused(rig, "loss")


def test_a_share_below_the_limit_is_believed(rig, shop):
    hide(shop, 3)
    assert rig.publish(DOMAIN).counts["products"] == PRODUCTS - 3


def test_a_loss_that_is_meant_is_let_through_by_the_operator(rig, shop, tmp_path, world, clock):
    hide(shop, 6)
    refused(rig, "loss")
    object.__setattr__(rig.program.settings, "max_loss_percent", 100)
    assert rig.publish(DOMAIN).counts["products"] == 4


def test_a_loss_that_cannot_be_asked_for_is_not_published(rig, shop):
    for number in numbers(shop)[:6]:
        shop.delete_product(number)
    rig.server.sandbox.faults.add("status", status=503, operation="StillThere", times=None)
    before = rig.document_bytes(DOMAIN)
    assert isinstance(rig.refresh(DOMAIN)[DOMAIN].error, ShopifyUnavailable)
    assert rig.document_bytes(DOMAIN) == before
    rig.server.sandbox.faults.clear()
    assert rig.publish(DOMAIN).counts["products"] == 4


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "UNEXPECTED"])
def test_an_answer_that_is_null_by_an_error_proves_nothing(rig, shop, code):
    """The products are for sale; asked by id, Shopify fails for them. That is not the same as gone."""
    hide(shop, 6)
    for place in range(6):
        rig.server.sandbox.faults.add("partial", operation="StillThere", times=None, code=code, path=["nodes", place])
    before = rig.document_bytes(DOMAIN)
    assert isinstance(rig.refresh(DOMAIN)[DOMAIN].error, ShopifyUnavailable)
    assert rig.document_bytes(DOMAIN) == before


def test_a_shop_that_is_emptied_is_published_empty(rig, shop):
    for number in numbers(shop):
        shop.delete_product(number)
    assert rig.publish(DOMAIN).counts["products"] == 0
    assert rig.document(DOMAIN)["products"] == []
    assert rig.publish(DOMAIN).status is Status.UNCHANGED


def test_an_empty_shop_is_published_the_first_time(rig, world, clock):
    rig.connect(world.add(open_shop("empty.myshopify.com", clock)))
    outcome = rig.publish("empty.myshopify.com")
    assert (outcome.status, outcome.counts["products"], outcome.omissions) == (Status.PUBLISHED, 0, outcome.omissions)


def test_a_published_list_that_was_damaged_lets_no_loss_through_and_is_made_anew(rig, shop):
    """Without the list nobody knows which products to ask for."""
    path = rig.program.store.root / rig.keys(DOMAIN).products
    for damage in (lambda: path.unlink(), lambda: path.write_bytes(b"not JSON\n")):
        damage()
        undo = hide(shop, 6)
        refused(rig, "loss")
        undo()
        assert rig.publish(DOMAIN).status is Status.PUBLISHED
        assert len(path.read_bytes().splitlines()) == PRODUCTS


def test_a_proved_loss_that_was_killed_halfway_is_published_by_the_next(rig, shop):
    """The list that lies there is the new one, the manifest the old one: what was judged fit stays fit."""
    manifest = rig.program.store.root / rig.keys(DOMAIN).manifest
    old = manifest.read_bytes()
    for number in numbers(shop)[:6]:
        shop.delete_product(number)
    rig.publish(DOMAIN)
    manifest.write_bytes(old)
    assert rig.publish(DOMAIN).counts["products"] == 4
    assert rig.manifest(DOMAIN)["counts"]["products"] == 4


def test_what_new_rules_cannot_use_is_refused_when_it_is_normalised_again(rig, shop, monkeypatch):
    def unusable(*_, **__):
        raise Unusable("/products", "by the new rules")

    monkeypatch.setattr(normalising, "normalise_product", unusable)
    before = rig.document_bytes(DOMAIN)
    error = rig.refresh(DOMAIN, from_raw=True)[DOMAIN].error
    assert isinstance(error, CatalogRefused)
    assert "unusable_products" in error.problems
    assert rig.document_bytes(DOMAIN) == before


def test_another_shop_that_answers_is_refused(rig, shop):
    shop.update_shop(myshopifyDomain="somebody-else.myshopify.com")
    error = refused(rig, "other_shop")
    assert "somebody-else.myshopify.com answered" in str(error)
    assert not error.retryable


def test_a_shop_without_a_currency_is_refused(rig, shop):
    before = rig.document_bytes(DOMAIN)
    shop.update_shop(currencyCode="???")
    error = rig.refresh(DOMAIN)[DOMAIN].error
    assert isinstance(error, CatalogRefused)
    assert "currency" in str(error)
    assert rig.document_bytes(DOMAIN) == before


def test_counts_that_do_not_fit_are_refused(rig, shop):
    """Shopify counts one product more than it lists, and goes on doing so."""
    hidden = numbers(shop)[:1]
    whole = shop.products
    shop.products = Hiding(whole, hidden)
    shop.products.count = whole.count
    before = rig.document_bytes(DOMAIN)
    error = rig.refresh(DOMAIN)[DOMAIN].error
    assert "Shopify counts 10" in str(error)
    assert rig.document_bytes(DOMAIN) == before
