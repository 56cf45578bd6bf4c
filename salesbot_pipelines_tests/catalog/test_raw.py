"""Reading raw nodes: every shape of a connection, numbers, texts; and findings that do not grow without end."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.catalog.normalise import Findings, Unusable, nodes_of
from salesbot_pipelines.catalog.normalise import findings as findings_module
from salesbot_pipelines.catalog.normalise.findings import KEPT
from salesbot_pipelines.catalog.normalise.raw import (
    exact_count,
    gid_of,
    ids_in_order,
    integer,
    legacy_id,
    lower,
    text,
    uri,
)
from salesbot_pipelines.errors import SalesbotError


@pytest.mark.parametrize(
    ("value", "nodes", "complete"),
    [
        ([1, 2], [1, 2], True),
        ([], [], True),
        ([1, None], [1], True),
        (None, [], False),
        ("text", [], False),
        ({"nodes": [1]}, [1], True),
        ({"nodes": [1, None], "pageInfo": {"hasNextPage": True}}, [1], False),
        ({"nodes": [], "edges": [{"node": 1}], "pageInfo": None}, [], True),
        ({"edges": [{"node": 1}, {"node": None}, None], "pageInfo": {"hasNextPage": False}}, [1], True),
        ({"edges": None}, [], True),
        ({"pageInfo": {"hasNextPage": None}}, [], True),
    ],
)
def test_connections_in_every_shape(value, nodes, complete):
    assert nodes_of(value) == (nodes, complete)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((5, 5), (-5, -5), (0, 0), ("3", 3), ("-3", -3), ("+3", 3), (2**64 - 1, 2**64 - 1), (-(2**63), -(2**63))),
        *((str(2**64 - 1), 2**64 - 1), (2**64, None), (-(2**63) - 1, None), ("9" * 20, None), ("9" * 5000, None)),
        *((True, None), (1.0, None), ("1.0", None), ("", None), ("٣", None), (" 3", None), (None, None), ([], None)),
    ],
)
def test_whole_numbers(value, number):
    assert integer(value) == number


@pytest.mark.parametrize(
    ("value", "count"),
    [
        *(({"count": 5, "precision": "EXACT"}, 5), ({"count": 5}, 5), ({"count": 5, "precision": "AT_LEAST"}, None)),
        ({"count": 5, "precision": None}, None),
        *((None, None), (5, None), ({}, None), ({"count": None}, None)),
    ],
)
def test_only_exact_counts_prove_something(value, count):
    assert exact_count(value) == count


@pytest.mark.parametrize(
    ("gid", "digits"),
    [
        ("gid://shopify/Product/1", "1"),
        ("gid://shopify/InventoryLevel/12?inventory_item_id=3", "12"),
        ("gid://shopify/InventoryLevel/12?a\nb", "12"),
        *(("gid://shopify/Product/", None), ("gid://shopify/Product/1/2", None), ("gid://shopify/Pro-duct/1", None)),
        *(("gid://shopify/Product/١", None), ("Gid://shopify/Product/1", None), ("1", None), (None, None), (1, None)),
    ],
)
def test_legacy_ids(gid, digits):
    assert legacy_id(gid) == digits


def test_ids_sort_as_numbers_and_come_once():
    ids = [f"gid://shopify/Product/{number}" for number in (10, 9, 10, 788032119674292922)]
    assert ids_in_order([*ids, None, "x"]) == [ids[1], ids[0], ids[3]]


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://a.example/b?c=d#e", "https://a.example/b?c=d#e"),
        ("https://a.example/a b\n", "https://a.example/a%20b%0A"),
        ('https://a.example/"<>\\^`{|}', "https://a.example/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        *(("", None), (None, None), (7, None)),
    ],
)
def test_urls_hold_only_what_a_uri_may(value, url):
    assert uri(value) == url


@pytest.mark.parametrize(
    ("value", "spelled", "optional"),
    [("ACTIVE", "active", "ACTIVE"), ("", None, None), (None, None, None), (7, None, None)],
)
def test_enum_names_and_optional_texts(value, spelled, optional):
    assert lower(value) == spelled
    assert text(value) == optional


@pytest.mark.parametrize("node", ["gid://shopify/Product/1", {"id": "gid://shopify/Product/1"}])
def test_ids_come_bare_or_in_nodes(node):
    assert gid_of(node) == "gid://shopify/Product/1"


def test_findings_keep_their_order_and_their_words():
    findings = Findings()
    findings.add("/products/1/variants", "truncated", "1 of 2")
    findings.add("/discounts/2", "error", "unreadable")
    assert findings.total == 2
    assert findings.omissions() == (
        Omission("1 of 2", "truncated", "/products/1/variants"),
        Omission("unreadable", "error", "/discounts/2"),
    )


def test_findings_are_counted_beyond_a_bound():
    findings = Findings()
    for number in range(KEPT + 5):
        findings.add(f"/products/{number}/variants", "truncated", "some")
    findings.add("/discounts/1", "error", "x")
    findings.add("shop", "error", "x")
    assert findings.total == KEPT + 7
    *kept, one, two, three = findings.omissions()
    assert len(kept) == KEPT
    assert one == Omission("1 more of this kind", "error", "/discounts/*")
    assert two == Omission("5 more of this kind", "truncated", "/products/*")
    assert three == Omission("1 more of this kind", "error", "/shop/*")


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["/products/1/media", "/products/2", "shop"]), st.sampled_from("ab"))),
        max_size=12,
    )
)
def test_findings_of_parts_one_after_the_other_are_those_of_the_whole(parts):
    whole, joined = Findings(), Findings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings_module, "KEPT", 5)
        for number, part in enumerate(parts):
            apart = Findings()
            for pointer, reason in part:
                whole.add(pointer, reason, str(number))
                apart.add(pointer, reason, str(number))
            joined.extend(pickle.loads(pickle.dumps(apart)))
    assert joined == whole
    assert joined.omissions() == whole.omissions()


def test_unusable_is_of_the_tree_of_errors_and_becomes_an_omission():
    error = Unusable("/products/1", "no variants")
    assert isinstance(error, SalesbotError)
    assert not error.retryable
    assert error.omission() == Omission("no variants", "error", "/products/1")
    assert str(error) == "/products/1: no variants"
