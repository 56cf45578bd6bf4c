"""Keys: the published layout to the letter, and nothing that leads anywhere else."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import InvalidShop, StoreRefused
from salesbot_pipelines.spaces.keys import ShopKeys, check_key, probe_key

OWNER = "0b1f8a5e-2c5d-4f7a-9a53-6f8a3a1f2b10"
SHOP = "green-tea.myshopify.com"


def test_the_layout() -> None:
    keys = ShopKeys(OWNER, SHOP)
    assert keys.prefix == f"users/{OWNER}/shopify/{SHOP}/"
    assert keys.document == f"users/{OWNER}/shopify/{SHOP}/shopify_data.json"
    assert keys.manifest == f"users/{OWNER}/shopify/{SHOP}/manifest.json"
    assert keys.products == f"users/{OWNER}/shopify/{SHOP}/products.jsonl"
    assert keys.discounts == f"users/{OWNER}/shopify/{SHOP}/discounts.jsonl"
    assert keys.collections == f"users/{OWNER}/shopify/{SHOP}/collections.jsonl"
    assert keys.raw("products") == f"users/{OWNER}/shopify/{SHOP}/raw/products.jsonl.gz"


@pytest.mark.parametrize(
    "shop",
    [
        "", "myshopify.com", ".myshopify.com", "-a.myshopify.com", "a.myshopify.com\n", "A.myshopify.com",
        "a_b.myshopify.com",
        "a.myshopify.com.evil.com", "evil.com/a.myshopify.com", "a/../b.myshopify.com", "a.b.myshopify.com",
        "a.myshopify.com/", "á.myshopify.com", "a" * 61 + ".myshopify.com", "a.myshopifyxcom",
    ],
)  # fmt: skip
def test_another_shop_is_refused(shop: str) -> None:
    with pytest.raises(InvalidShop):
        ShopKeys(OWNER, shop)


@pytest.mark.parametrize(
    "owner", ["", "..", "a/b", OWNER.upper(), OWNER.replace("-", ""), f"{{{OWNER}}}", f"{OWNER}\n"]
)
def test_another_owner_is_refused(owner: str) -> None:
    with pytest.raises(StoreRefused):
        ShopKeys(owner, SHOP)


@pytest.mark.parametrize("entity", ["", "..", "a/b", "Products", "a.b", "a\n", "_a", "a__b"])
def test_another_entity_is_refused(entity: str) -> None:
    with pytest.raises(StoreRefused):
        ShopKeys(OWNER, SHOP).raw(entity)


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="abz059-._/\\%: \n\0AZé商", max_size=70), st.uuids())
def test_whatever_is_accepted_stays_below_its_prefix(name: str, owner: uuid.UUID) -> None:
    try:
        keys = ShopKeys(str(owner), f"{name}.myshopify.com")
    except InvalidShop:
        assert not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", name)
        return
    for key in (keys.document, keys.manifest, keys.products, keys.raw("shop")):
        assert check_key(key).startswith(f"users/{owner}/shopify/{name}.myshopify.com/")
        assert key.count("/") <= 5


@settings(max_examples=50, deadline=None)
@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True), min_size=2, max_size=2, unique=True))
def test_no_shop_lies_below_another(names: list[str]) -> None:
    """The first version replaced dots by underscores, which two names can share."""
    first, second = (ShopKeys(OWNER, f"{name}.myshopify.com").prefix for name in names)
    assert not first.startswith(second)
    assert not second.startswith(first)


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab./\\ \n\0é-"), max_size=12))
def test_a_checked_key_cannot_climb_or_hide(key: str) -> None:
    try:
        check_key(key)
    except StoreRefused:
        return
    assert all(part and not part.startswith(".") for part in key.split("/"))
    assert not set(key) & set("\\\n\0")


def test_probe_keys_lie_beside_the_shops() -> None:
    assert probe_key() != probe_key()
    assert check_key(probe_key()).startswith("probes/")
