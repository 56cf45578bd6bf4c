"""Which codes may be told, and that a withheld one is nowhere in the document."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines.catalog.hashing import canonical_json
from salesbot_pipelines.catalog.normalise import Findings, normalise_discount
from salesbot_pipelines.catalog.normalise.codes import Codes, safe_texts
from salesbot_pipelines_tests.catalog.nodes import publish_discount, raw_discount, sections, shop_context

EXACT = "EXACT"


def codes(*names):
    return [{"code": name} for name in names]


def count(number, precision=EXACT):
    return {"count": number, "precision": precision}


@pytest.mark.parametrize("limit", [None, 0, 2, 100])
@pytest.mark.parametrize("names", [("A",), ("A", "B"), ("A", "B", "C")])
def test_few_codes_that_anybody_may_use_are_told(names, limit):
    discount = publish_discount(codes=codes(*names), codesCount=count(len(names)), usageLimit=limit)
    assert (discount.codes, discount.codes_count, discount.codes_withheld) == (list(names), len(names), False)


@pytest.mark.parametrize(
    "changes",
    [
        {"context": {"__typename": "DiscountCustomers"}},
        {"context": None},
        {"status": "SCHEDULED"},
        {"status": "EXPIRED"},
        {"status": None},
        {"usageLimit": 1},
        {"codes": codes("A", "B", "C", "D"), "codesCount": count(4)},
        {"codesCount": count(4)},
        {"codesCount": count(2)},  # one more than was read
        {"codesCount": count(1, "AT_LEAST")},
        {"codes": None},
        {"codes": None, "codesCount": None},
        {"codes": {"nodes": codes("TEN10"), "pageInfo": {"hasNextPage": True}}},
        {"incomplete": ["codes"]},
    ],
)
def test_any_doubt_withholds_them_all(changes):
    discount = publish_discount(**changes)
    assert discount.codes == []
    assert discount.codes_withheld


@pytest.mark.parametrize("name", ["codes", "discount.codes", "discount"])
def test_undrained_codes_of_the_node_itself_withhold(name):
    raw = raw_discount() | {"incomplete": [name]}
    assert normalise_discount(raw, shop_context(), Findings()).codes_withheld


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({"codesCount": count(2)}, True),
        ({"codesCount": count(3)}, True),
        ({"codesCount": count(4)}, False),  # of four, none would be told anyway
        ({"codesCount": None, "codes": None}, True),
        ({"incomplete": ["codes"]}, True),
        ({"incomplete": ["codes"], "codesCount": count(4)}, False),
        ({"codesCount": count(1)}, False),
        ({"usageLimit": 1}, False),
    ],
)
def test_codes_that_were_not_read_are_named_where_they_might_have_been_told(changes, is_told):
    findings = Findings()
    publish_discount(**changes, findings=findings)
    assert sections(findings) == ([("/discounts/1/codes", "truncated")] if is_told else [])


@pytest.mark.parametrize(
    ("changes", "published"),
    [
        ({"codesCount": count(9)}, 9),
        ({"codesCount": count(10001, "AT_LEAST")}, 10001),
        ({"codesCount": None}, 1),
        ({"codesCount": None, "codes": {"nodes": codes("A"), "pageInfo": {"hasNextPage": True}}}, None),
        ({"codesCount": None, "codes": None}, None),
        ({"codesCount": count(0), "codes": []}, 0),
    ],
)
def test_the_count_is_shopifys_or_that_of_a_whole_reading(changes, published):
    assert publish_discount(**changes).codes_count == published


def test_no_code_at_all_is_nothing_withheld():
    discount = publish_discount(codes=[], codesCount=count(0))
    assert (discount.codes, discount.codes_withheld) == ([], False)


def test_codes_come_once_and_empty_ones_do_not():
    discount = publish_discount(codes=[*codes("A", "A", "", None), "B"], codesCount=count(2))
    assert discount.codes == ["A", "B"]


def test_automatic_discounts_have_none_to_withhold():
    for kind in ("AutomaticBasic", "AutomaticBxgy", "AutomaticFreeShipping", "AutomaticApp"):
        discount = publish_discount(kind, codes=codes("X"), codesCount=count(1), status="EXPIRED", title="X")
        assert (discount.codes, discount.codes_count, discount.codes_withheld) == ([], None, False)
        assert discount.title == "X"


# The trap: titles and summaries that give a code away


def judged(*read, all_read=True, withheld=True):
    return Codes(told=(), count=len(read), withheld=withheld, read=read, all_read=all_read)


@pytest.mark.parametrize(
    ("title", "summary", "read", "safe"),
    [
        ("SAVE-MARIA", "10% off", ("save-maria",), ("10% off", "10% off")),
        (" Save-Maria ", None, ("SAVE-MARIA",), ("Discount", None)),
        ("Winter sale", "10% off", ("SAVE",), ("Winter sale", "10% off")),
        ("Use SECRET9 now", "10% off", ("secret9",), ("10% off", "10% off")),
        ("Three for two", "Buy 2", ("THREE",), ("Three for two", "Buy 2")),
        ("Say THREE", "Buy 2", ("THREE",), ("Buy 2", "Buy 2")),
        ("SECRET9S", "10% off", ("SECRET9",), ("SECRET9S", "10% off")),
        ("10", "10% off", ("10",), ("10% off", "10% off")),
        ("Ten", "SECRET9", ("SECRET9",), ("Ten", None)),
        ("SECRET9", "take secret9", ("SECRET9",), ("Discount", None)),
        ("A+B (50%)", "x", ("A+B (50%)",), ("x", "x")),
        (None, "10% off", ("X",), ("Discount", "10% off")),
        ("", None, (), ("Discount", None)),
    ],
)
def test_a_withheld_code_is_replaced_in_title_and_summary(title, summary, read, safe):
    assert safe_texts(title, summary, judged(*read)) == safe


def test_a_one_word_title_may_be_a_code_that_was_not_read():
    assert safe_texts("VIP2026", "10% off", judged("A", all_read=False)) == ("10% off", "10% off")
    assert safe_texts("VIP 2026", "10% off", judged("A", all_read=False)) == ("VIP 2026", "10% off")
    assert safe_texts("VIP2026", "10% off", judged("A")) == ("VIP2026", "10% off")


def test_told_codes_need_no_replacement():
    assert safe_texts("TEN10", "use TEN10", judged("TEN10", withheld=False)) == ("TEN10", "use TEN10")


def test_the_secret_is_in_no_repr():
    assert "SECRET9" not in repr(judged("SECRET9"))


CODE = st.text(alphabet="ABCabc019-+.ß ", min_size=4, max_size=8).filter(
    lambda code: code.strip() and len(code.strip()) >= 4
)


@settings(max_examples=150, deadline=None)
@given(
    CODE, st.sampled_from(["{}", "Use {} now", "({})", "{}!", "x {}"]), st.sampled_from(["{}", "Take {}.", "10% off"])
)
def test_no_withheld_code_leaves_the_normaliser(code, title, summary):
    discount = publish_discount(
        title=title.format(code), summary=summary.format(code), codes=codes(code), codesCount=count(1), usageLimit=1
    )
    assert discount.title in ("Discount", "10% off")
    assert discount.summary in (None, "10% off")
    assert code.strip() not in canonical_json(discount).decode().replace('"Discount"', "").replace("10% off", "")
