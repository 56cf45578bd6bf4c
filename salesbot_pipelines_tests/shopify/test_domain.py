"""What is a shop, and what only looks like one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesbot_pipelines.errors import InvalidShop
from salesbot_pipelines.shopify.domain import parse_shop, shop_base_url


@pytest.mark.parametrize(
    ("text", "shop"),
    [
        ("velo.myshopify.com", "velo.myshopify.com"),
        ("VELO.MyShopify.Com", "velo.myshopify.com"),
        ("a.myshopify.com", "a.myshopify.com"),
        ("0-0-0.myshopify.com", "0-0-0.myshopify.com"),
        ("a" * 60 + ".myshopify.com", "a" * 60 + ".myshopify.com"),
    ],
)
def test_a_shop_is_known_by_its_permanent_domain(text: str, shop: str) -> None:
    assert parse_shop(text) == shop


@pytest.mark.parametrize(
    "text",
    [
        "",
        "velo",
        "velo.com",
        ".myshopify.com",
        "-velo.myshopify.com",
        "velo_bikes.myshopify.com",
        "velo.myshopify.com\n",
        "\nvelo.myshopify.com",
        " velo.myshopify.com",
        "velo.myshopify.com/",
        "velo.myshopify.com.evil.com",
        "evil.com/velo.myshopify.com",
        "evil.com#.myshopify.com",
        "evil.com?.myshopify.com",
        "evil.com\\.myshopify.com",
        "user@velo.myshopify.com",
        "velo.myshopify.com:443",
        "https://velo.myshopify.com",
        "a.b.myshopify.com",
        "velo.myshopify.co",
        "véelo.myshopify.com",
        "ｖelo.myshopify.com",
        "velo。myshopify.com",
        "İ.myshopify.com",
        "\u212a.myshopify.com",  # the Kelvin sign, which lower-cases to k
        "a" * 61 + ".myshopify.com",
        "velo.myshopify.com\0",
    ],
)
def test_everything_else_is_not(text: str) -> None:
    with pytest.raises(InvalidShop):
        parse_shop(text)


@given(st.text(max_size=40))
def test_whatever_passes_is_one_label_under_myshopify(text: str) -> None:
    for candidate in (text, f"{text}.myshopify.com"):
        try:
            shop = parse_shop(candidate)
        except InvalidShop:
            continue
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*\.myshopify\.com", shop, re.ASCII)


def test_the_address_is_the_template_with_the_shop_in_it() -> None:
    assert shop_base_url("https://{shop}", "velo.myshopify.com") == "https://velo.myshopify.com"
    assert (
        shop_base_url("http://127.0.0.1:1/shops/{shop}/", "A.myshopify.com")
        == "http://127.0.0.1:1/shops/a.myshopify.com"
    )
    with pytest.raises(InvalidShop):
        shop_base_url("https://{shop}", "evil.com/")
