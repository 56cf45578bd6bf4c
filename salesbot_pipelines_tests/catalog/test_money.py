"""Money, percentages and measures: one spelling for one value, exact."""

import json
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines import sandbox
from salesbot_pipelines.catalog.model import Money
from salesbot_pipelines.catalog.normalise.currencies import EXPONENTS, exponent_of, is_currency
from salesbot_pipelines.catalog.normalise.money import decimal_text, money, money_v2, number, percent_text, priced

SDL = Path(sandbox.__file__).with_name("schema.graphql")


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("19.9", "USD", "19.90"),
        ("19.90", "USD", "19.90"),
        ("10.0", "USD", "10.00"),
        ("10", "USD", "10.00"),
        ("0.125", "USD", "0.125"),  # finer than a cent: kept
        ("10.000", "USD", "10.00"),
        ("0.1250", "USD", "0.125"),
        ("1990.0", "JPY", "1990"),
        ("1990.5", "JPY", "1990.5"),
        ("1.25", "KWD", "1.250"),
        ("3", "CLF", "3.0000"),
        ("1E+2", "USD", "100.00"),
        ("1e-3", "USD", "0.001"),
        ("-5", "USD", "-5.00"),
        ("-0.00", "USD", "0.00"),
        ("0", "JPY", "0"),
        ("+7.5", "USD", "7.50"),
        (".5", "USD", "0.50"),
        ("5.", "USD", "5.00"),
        ("007", "USD", "7.00"),
        ("007.50", "USD", "7.50"),
        ("00.50", "USD", "0.50"),
        ("99999999999999999999.99", "USD", "99999999999999999999.99"),
        (Decimal("12.3"), "EUR", "12.30"),
        (12, "EUR", "12.00"),
        (0.1, "EUR", "0.10"),
        ("1", "XAU", "1"),  # gold has no minor unit
        ("1", "QQQ", "1.00"),  # unknown to the table
    ],
)
def test_money_has_one_spelling(amount, currency, written):
    assert money(amount, currency) == Money(amount=written, currency=currency)


@pytest.mark.parametrize(
    "amount",
    [
        *(
            "",
            " 1",
            "1 ",
            "1_000",
            "1,5",
            "NaN",
            "Infinity",
            "-inf",
            "1e99999",
            "1e61",
            "1e-65",
            "٣",
            "0x10",
            "1.2.3",
            "-",
            ".",
        ),
        *(
            "9" * 62,
            "0" * 131,
            None,
            True,
            [],
            {},
            float("nan"),
            float("inf"),
            Decimal("NaN"),
            Decimal("1E+4000"),
            10**61,
        ),
    ],
)
def test_what_is_no_amount_is_no_money(amount):
    assert money(amount, "USD") is None


@pytest.mark.parametrize("currency", ["", "usd", "US", "USDC", "ÄÖÜ", "USD\n", None, 7])
def test_what_is_no_currency_makes_no_money(currency):
    assert money("1.00", currency) is None


def test_a_number_that_python_refuses_to_spell_is_no_amount():
    assert money(10**5000, "USD") is None


def test_the_longest_amounts_still_pass():
    assert money("1e60", "JPY").amount == "1" + "0" * 60
    assert money(10**61 - 1, "JPY").amount == "9" * 61
    assert money("0" * 69 + "9" * 61, "JPY").amount == "9" * 61
    assert money("1e-64", "JPY").amount == "0." + "0" * 63 + "1"


def test_the_same_text_gives_the_same_instance():
    assert priced("5.00", "USD")[1] is priced("5.00", "USD")[1]


def test_money_v2_reads_its_own_currency_and_falls_back_to_the_shops():
    assert money_v2({"amount": "5.0", "currencyCode": "CAD"}, "USD") == Money("5.00", "CAD")
    assert money_v2({"amount": "5.0", "currencyCode": None}, "USD") == Money("5.00", "USD")
    assert money_v2({"amount": None, "currencyCode": "CAD"}, "USD") is None
    assert money_v2(None, "USD") is None
    assert money_v2("5.0", "USD") is None


@pytest.mark.parametrize(
    ("fraction", "percent"),
    [
        *(
            (0.1, "10"),
            (Decimal("0.125"), "12.5"),
            (1, "100"),
            (1.0, "100"),
            ("0.15", "15"),
            (0, "0"),
            (Decimal("0.0"), "0"),
        ),
        *((0.333, "33.3"), (Decimal("2.5"), "250"), (Decimal("1E-7"), "0.00001")),
        *((-0.1, None), (None, None), ("ten", None), (float("nan"), None)),
    ],
)
def test_a_fraction_becomes_a_percentage(fraction, percent):
    assert percent_text(fraction) == percent


def test_percentages_do_not_round_to_the_threads_precision():
    with localcontext() as context:
        context.prec = 3
        assert percent_text(Decimal("0.123456")) == "12.3456"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        *((0.5, "0.5"), (Decimal("0.50"), "0.5"), ("1E+2", "100"), (3, "3"), (0.0, "0"), ("-0", "0"), (100, "100")),
        *((Decimal("1.10"), "1.1"), (Decimal("-2.0"), "-2"), (1e-7, "0.0000001"), (None, None), (False, None)),
    ],
)
def test_measures_are_plain_decimals(value, written):
    assert decimal_text(value) == written


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**17), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_the_usual_spelling_means_what_any_other_does(cents, currency):
    amount = f"{cents // 100}.{cents % 100:02}"
    usual, other = priced(amount, currency), priced(f"+{amount}0", currency)
    assert usual == other
    assert usual[0] == Decimal(amount)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40),
    st.sampled_from(sorted(EXPONENTS)),
)
def test_no_value_is_changed_and_every_one_is_padded(amount, currency):
    if number(amount) is None:  # too fine or too long for a price
        return
    written = money(amount, currency).amount
    assert Decimal(written) == amount
    assert len(written.partition(".")[2]) >= EXPONENTS[currency]
    assert money(written, currency).amount == written
    assert json.loads(json.dumps(written)) == written


@settings(max_examples=200, deadline=None)
@given(st.text() | st.floats() | st.integers() | st.none())
def test_no_value_makes_it_raise(value):
    for made in (money(value, "USD"), decimal_text(value), percent_text(value)):
        assert made is None or made


@pytest.mark.parametrize(
    ("exponent", "codes"),
    [
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    ],
)
def test_the_currencies_that_have_no_cents(exponent, codes):
    assert {exponent_of(code) for code in codes.split()} == {exponent}
    if exponent:
        assert {code for code, known in EXPONENTS.items() if known == exponent} == set(codes.split())


def test_the_iso_table_is_whole():
    assert all(is_currency(code) for code in EXPONENTS)
    assert len(EXPONENTS) == 191


def test_every_currency_shopify_knows_is_in_the_table():
    body = SDL.read_text(encoding="utf-8").partition("enum CurrencyCode {")[2].partition("}")[0]
    named = set(body.split())
    # A stablecoin of four letters: no ISO code, so an amount in it cannot be published.
    assert {code for code in named if code not in EXPONENTS} == {"USDC"}
