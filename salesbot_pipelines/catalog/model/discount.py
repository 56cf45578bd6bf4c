"""A discount: what it gives, to what, to whom, and which codes may be told.

The effect, the minimum and the effect inside buy_x_get_y are unions told apart by `type`. msgspec writes that tag
first, not in its alphabetical place, so discounts become bytes through `catalog.hashing.canonical_json` only.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from salesbot_pipelines.catalog.model.values import Gid, LegacyId, Money, Percent, Timestamp


class Items(msgspec.Struct, frozen=True, gc=False):
    """What a discount applies to. Only scope `all` means everything; empty lists never do."""

    collection_ids: list[Gid]
    complete: Annotated[bool, Meta(description="false while anything of it was not read.")]
    product_ids: Annotated[list[Gid], Meta(description="Published products only.")]
    scope: Literal["all", "products", "collections"]
    variant_ids: list[Gid]


class Percentage(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="percentage"):
    """A share off the price."""

    percent: Percent


class FixedAmount(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="fixed_amount"):
    """A sum off the order, or off each item."""

    amount: Money
    applies_on_each_item: bool


class FreeShipping(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="free_shipping"):
    """Shipping costs nothing, up to a rate, to some or all countries."""

    countries: Annotated[
        list[str] | None,
        Meta(description="ISO 3166-1 alpha-2. null = everywhere; [] = restricted to countries that are not given."),
    ]
    maximum_shipping_price: Money | None


class GetPercentage(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="percentage"):
    """The items got cost a share less."""

    percent: Percent


class GetFixedAmount(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="fixed_amount"):
    """The items got cost a sum less."""

    amount: Money


class Free(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="free"):
    """The items got cost nothing."""


GetEffect = GetPercentage | GetFixedAmount | Free


class Buy(msgspec.Struct, frozen=True, gc=False):
    """What must be in the cart: so many items, or items for so much."""

    amount: Money | None
    items: Items
    quantity: int | None


class Get(msgspec.Struct, frozen=True, gc=False):
    """What the shopper then gets."""

    effect: GetEffect
    items: Items
    quantity: int | None


class BuyXGetY(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="buy_x_get_y"):
    """Buy some items, get others cheaper."""

    buy: Buy
    get: Get
    uses_per_order_limit: int | None


class AppEffect(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="app"):
    """Terms that cannot be read: name the discount and its dates, quote the summary if there is one."""

    app_title: str | None


Effect = Percentage | FixedAmount | FreeShipping | BuyXGetY | AppEffect


class MinimumSubtotal(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="subtotal"):
    """The cart must be worth so much."""

    amount: Money


class MinimumQuantity(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="quantity"):
    """The cart must hold so many items."""

    quantity: int


Minimum = MinimumSubtotal | MinimumQuantity


class CombinesWith(msgspec.Struct, frozen=True, gc=False):
    """The classes of discounts it may be used together with."""

    order: bool
    product: bool
    shipping: bool


class Discount(msgspec.Struct, gc=False, kw_only=True):
    """One discount, by code or automatic."""

    applies_on_one_time_purchase: bool | None
    applies_on_subscription: bool | None
    audience: Annotated[
        Literal["all", "restricted"],
        Meta(description="restricted: named customers, segments or markets; never listed."),
    ]
    classes: Annotated[list[str], Meta(description="Open set: product, order, shipping.")]
    codes: Annotated[list[str], Meta(description="Only codes that may be told to any shopper.")]
    codes_count: Annotated[int | None, Meta(description="null for automatic discounts.")]
    codes_withheld: bool
    combines_with: CombinesWith
    effect: Effect
    ends_at: Annotated[Timestamp | None, Meta(description="null = open end.")]
    id: Gid
    items: Annotated[Items | None, Meta(description="null for free_shipping, buy_x_get_y and app.")]
    legacy_id: LegacyId
    method: Literal["code", "automatic"]
    minimum: Minimum | None
    once_per_customer: bool | None
    starts_at: Timestamp | None
    status: Annotated[
        Literal["active", "scheduled", "expired"], Meta(description="When fetched; judge again by the dates.")
    ]
    summary: Annotated[str | None, Meta(description="Shopify's own English sentence.")]
    title: str
    updated_at: Timestamp
    usage_count: Annotated[int | None, Meta(description="Shopify updates it late.")]
    usage_limit: int | None
