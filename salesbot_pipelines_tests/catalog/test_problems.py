"""Every rule at its boundary, and the words that a person reads."""

import pytest

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.catalog.problems import SECTIONS, Reading, Rules, problems

READ = {"collections": 4, "discounts": 5, "inventory": 30, "locations": 2, "products": 10, "shop": 1, "variants": 30}


def reading(**changes):
    fields = {
        "shop_asked": "a.myshopify.com",
        "shop_answered": "a.myshopify.com",
        "currency": "EUR",
        "counts_read": READ,
        "counts_published": {"products": 10},
    }
    return Reading(**(fields | changes))


def codes(rules=None, **changes):
    return [one.code for one in problems(reading(**changes), rules or Rules())]


def only(rules=None, **changes):
    (problem,) = problems(reading(**changes), rules or Rules())
    return problem


def without(*sections):
    return {section: count for section, count in READ.items() if section not in sections}


def omission(section, reason="truncated"):
    return Omission(detail=None, reason=reason, section=section)


def test_a_sound_reading_has_no_problem():
    assert codes() == []
    assert codes(counts_start=dict(READ), counts_end=dict(READ), counts_before={"products": 10}) == []


def test_another_shop_answered():
    problem = only(shop_answered="b.myshopify.com")
    assert problem.code == "other_shop"
    assert not problem.retryable
    assert "a.myshopify.com was asked and b.myshopify.com answered" in problem.text
    assert "no shop answered" in only(shop_answered=None).text


@pytest.mark.parametrize("currency", [None, ""])
def test_the_currency_is_missing(currency):
    problem = only(currency=currency)
    assert (problem.code, problem.retryable) == ("currency_missing", True)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_neither_read_nor_named(section):
    problem = only(counts_read=without(section))
    assert (problem.code, problem.retryable) == ("section_missing", True)
    assert problem.text.startswith(f"{section} were neither read nor named")
    for named in (section, f"/{section}"):
        assert codes(counts_read=without(section), omissions=[omission(named, "access_denied")]) == []
    for other in (f"/{section}/1", f"x{section}", "", "/"):
        assert codes(counts_read=without(section), omissions=[omission(other)]) == ["section_missing"]


def test_variants_are_no_section_of_their_own():
    assert codes(counts_read=without("variants")) == []


@pytest.mark.parametrize("section", ["products", "variants", "collections", "discounts", "locations"])
@pytest.mark.parametrize(
    ("start", "end", "is_fine"),
    [
        *((0, 0, True), (None, None, True), (0, None, True), (None, 0, True)),
        *((1, 1, False), (-1, -1, False), (1, None, False), (None, 1, False), (-1, None, False), (None, -1, False)),
        *((-1, 1, True), (1, -1, True), (0, 5, True), (5, 0, True), (-5, 0, True), (0, -5, True)),
        *((1, 5, False), (5, 1, False), (-5, -1, False), (-1, -5, False)),
    ],
)
def test_what_was_read_lies_between_shopifys_two_counts(section, start, end, is_fine):
    def count(offset):
        return {} if offset is None else {section: READ[section] + offset}

    found = codes(counts_start=count(start), counts_end=count(end))
    assert found == ([] if is_fine else ["count_mismatch"])


def test_inexact_counts_are_no_check():
    assert codes(counts_start={"products": None}, counts_end={"products": None}) == []


def test_a_count_mismatch_names_its_numbers():
    problem = only(counts_start={"products": 13}, counts_end={"products": 12})
    assert problem.retryable
    assert "10 products were read and Shopify counts 12 to 13" in problem.text
    assert "counts 12:" in only(counts_start={"products": 12}, counts_end={"products": 12}).text


def test_counts_of_sections_that_were_not_read_are_no_mismatch():
    denied = [omission("discounts", "access_denied")]
    assert codes(counts_read=without("discounts"), counts_start={"discounts": 5}, omissions=denied) == []


@pytest.mark.parametrize(
    ("section", "named", "is_excused"),
    [
        ("products", "products", True),
        ("products", "/products", True),
        ("products", "/products/*", False),
        ("products", "/products/1/variants", False),
        ("products", "products.variants", False),
        ("variants", "variants", True),
        ("variants", "products.variants", True),
        ("variants", "/products/1/variants", True),
        ("variants", "/products/*", True),
        ("variants", "products", False),
        ("variants", "products.variants.metafields", False),
        ("variants", "/products/1", False),
        ("variants", "/products/1/media", False),
        ("variants", "/collections/1/variants", False),
        ("discounts", "products", False),
    ],
)
def test_a_shortfall_that_is_named_is_no_problem_but_a_surplus_is(section, named, is_excused):
    omissions = [omission("/locations/1"), omission(named)]
    more, fewer = {section: READ[section] + 1}, {section: READ[section] - 1}
    assert codes(counts_end=more, omissions=omissions) == ([] if is_excused else ["count_mismatch"])
    assert codes(counts_end=fewer, omissions=omissions) == ["count_mismatch"]


def test_duplicates():
    assert codes(duplicates={"products": 0, "variants": 0}) == []
    problem = only(duplicates={"products": 2, "collections": 0})
    assert (problem.code, problem.retryable) == ("duplicates", True)
    assert problem.text.startswith("2 products came more than once")
    assert codes(duplicates={"products": 1, "variants": 1}) == ["duplicates", "duplicates"]


# Loss

GONE = {
    "counts_before": {"products": 100},
    "counts_read": READ | {"products": 60},
    "counts_published": {"products": 60},
}


@pytest.mark.parametrize(
    ("lost", "before", "percent", "least", "is_fine"),
    [
        *((30, 100, 30, 3, True), (31, 100, 30, 3, False), (29, 100, 30, 3, True)),
        *((3, 9, 30, 3, False), (2, 2, 30, 3, True), (3, 3, 30, 3, False), (3, 3, 30, 4, True), (4, 4, 30, 4, False)),
        *((1, 1000, 0, 1, False), (1, 1000, 0, 2, True), (0, 1000, 0, 0, True), (100, 100, 100, 0, True)),
        *((1, 3, 33, 1, False), (1, 3, 34, 1, True)),
    ],
)
def test_a_loss_beyond_the_share_and_the_least_number_is_refused(lost, before, percent, least, is_fine):
    rules = Rules(max_loss_percent=percent, min_loss=least)
    told = codes(rules, counts_before={"products": before}, counts_published={"products": before}, lost_ids=lost)
    assert told == ([] if is_fine else ["loss"])
    left = {"products": before - lost}
    counted = codes(rules, counts_before={"products": before}, counts_published=left, counts_end={"products": 10})
    assert [code for code in counted if code != "no_products"] == ([] if is_fine else ["loss"])


@pytest.mark.parametrize(
    ("checked", "still_there", "is_fine"),
    [(40, (), True), (41, (), True), (39, (), False), (0, (), False), (40, ("gid://shopify/Product/1",), False)],
)
def test_a_loss_is_fine_when_every_lost_product_is_proved_gone(checked, still_there, is_fine):
    found = codes(**GONE, lost_ids=40, lost_ids_checked=checked, lost_ids_still_there=still_there)
    assert found == ([] if is_fine else ["loss"])


def test_a_loss_names_its_numbers_and_its_proof():
    unproved = only(**GONE, lost_ids=40, lost_ids_checked=7)
    assert unproved.retryable
    assert "40 of the 100 products in the last document are missing, over 30 %" in unproved.text
    assert "only 7 of them were asked for by id" in unproved.text
    assert "SALESBOT_MAX_LOSS_PERCENT" in unproved.text
    four = only(**GONE, lost_ids=40, lost_ids_checked=40, lost_ids_still_there=("a", "b", "c", "d"))
    assert "4 of them are still for sale (a, b, c, ...)" in four.text
    three = only(**GONE, lost_ids=40, lost_ids_checked=40, lost_ids_still_there=("a", "b", "c"))
    assert "(a, b, c)" in three.text


def test_the_first_document_has_nothing_to_lose():
    assert codes(counts_before=None, lost_ids=0) == []
    assert codes(counts_before={}, counts_published={"products": 0}) == []
    assert codes(Rules(max_loss_percent=0, min_loss=0), counts_published={"products": 0}) == []


def test_the_usual_rules_are_those_of_the_settings():
    assert Rules() == Rules(max_loss_percent=30, min_loss=3, max_unusable_percent=5)


def test_ids_that_were_not_looked_up_prove_nothing():
    shorter = {"counts_before": {"products": 100}, "counts_published": {"products": 60}}
    assert codes(**shorter) == ["loss"]
    assert codes(**shorter, lost_ids=2, lost_ids_checked=2) == ["loss"]
    assert codes(**shorter, lost_ids=40, lost_ids_checked=40) == []
    assert codes(Rules(0, 1), counts_before={"products": 1}, counts_published={}) == ["no_products", "loss"]
    emptied = {"counts_before": {"products": 2}, "counts_published": {"products": 0}, "counts_end": {"products": 10}}
    assert codes(**emptied) == ["no_products"]


@pytest.mark.parametrize("end", [{"products": 5}, {"products": None}, {}])
def test_no_product_is_left_without_proof(end):
    fields = {
        "counts_read": READ | {"products": 0},
        "counts_published": {"products": 0},
        "counts_before": {"products": 2},
    }
    found = problems(reading(**fields, counts_end=end, lost_ids=2), Rules())
    problem = next(one for one in found if one.code == "no_products")
    assert problem.retryable
    assert "no product is left of the 2 in the last document" in problem.text
    assert f"counts {end.get('products') or 'an unknown number'}" in problem.text


@pytest.mark.parametrize(
    "changes",
    [
        {"counts_end": {"products": 0}},
        {"counts_before": {"products": 0}},
        {"counts_before": None},
        {"lost_ids_checked": 2},
        {"counts_published": {"products": 1}},
    ],
)
def test_no_product_left_is_fine_when_the_shop_is_empty_or_they_are_gone(changes):
    fields = {
        "counts_read": READ | {"products": 0},
        "counts_published": {},
        "counts_before": {"products": 2},
        "lost_ids": 2,
    }
    assert codes(**(fields | changes)) == []


def test_dangling_references():
    assert codes(dangling=()) == []
    problem = only(dangling=[f"collection {number}" for number in range(5)])
    assert (problem.code, problem.retryable) == ("dangling_references", True)
    assert problem.text.startswith("5 references point nowhere (collection 0, collection 1, collection 2, ...)")


@pytest.mark.parametrize(
    ("unusable", "read", "percent", "is_fine"),
    [
        *(
            (5, 100, 5, True),
            (6, 100, 5, False),
            (0, 0, 5, True),
            (1, 0, 5, False),
            (1, 20, 5, True),
            (1, 19, 5, False),
        ),
        *((0, 10, 0, True), (1, 10, 0, False), (10, 10, 100, True)),
    ],
)
def test_the_share_of_unusable_products(unusable, read, percent, is_fine):
    found = problems(
        reading(unusable_products=unusable, counts_read=READ | {"products": read}),
        Rules(max_unusable_percent=percent),
    )
    assert [one.code for one in found] == ([] if is_fine else ["unusable_products"])
    for one in found:
        assert f"{unusable} of {read} products cannot be published, more than {percent} %" in one.text
        assert not one.retryable


def test_all_problems_are_told_at_once_and_each_says_what_to_do():
    found = problems(
        Reading(
            shop_asked="a.myshopify.com",
            shop_answered="b.myshopify.com",
            currency=None,
            counts_read={"products": 0},
            counts_published={},
            counts_start={"products": 9},
            counts_end={"products": 9},
            counts_before={"products": 9},
            duplicates={"products": 1},
            lost_ids=9,
            dangling=["x"],
            unusable_products=1,
        ),
        Rules(),
    )
    assert {one.code for one in found} == {
        *("other_shop", "currency_missing", "section_missing", "count_mismatch", "duplicates"),
        *("no_products", "loss", "dangling_references", "unusable_products"),
    }
    assert len([one for one in found if one.code == "section_missing"]) == 5
    for one in found:
        assert ": " in one.text  # what is wrong: what to do
