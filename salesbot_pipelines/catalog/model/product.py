"""A product with its variants and their stock."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from salesbot_pipelines.catalog.model.values import (
    Amount,
    AtLeastOne,
    Availability,
    Currency,
    DecimalText,
    Description,
    Gid,
    LegacyId,
    Measure,
    Media,
    Metafield,
    Money,
    PriceRange,
    Sha256,
    Timestamp,
    Uri,
)


class Barcode(msgspec.Struct, frozen=True, gc=False):
    """One barcode; only GTINs were checked."""

    type: Annotated[str, Meta(description="GTIN for 8, 12, 13 or 14 digits with a right check digit, else OTHER.")]
    value: str


class Category(msgspec.Struct, frozen=True, gc=False):
    """A place in a taxonomy."""

    id: Annotated[str | None, Meta(description="The node's id; a gid in Shopify's own taxonomy.")]
    taxonomy: Annotated[str, Meta(description="Open set: shopify, google_product_category, merchant.")]
    value: Annotated[str, Meta(description="The path, parts joined by ' > '.")]


class OptionValue(msgspec.Struct, frozen=True, gc=False):
    """One choice of an option."""

    id: str | None
    label: str


class Option(msgspec.Struct, frozen=True, gc=False):
    """What a shopper chooses, such as size, with its choices."""

    name: str
    position: AtLeastOne
    values: list[OptionValue]


class SelectedOption(msgspec.Struct, frozen=True, gc=False):
    """The choice that a variant stands for."""

    label: str
    name: str


class Seo(msgspec.Struct, frozen=True, gc=False):
    """The merchant's texts for search engines."""

    description: str | None
    title: str | None


class UnitPrice(msgspec.Struct, frozen=True, gc=False):
    """Price per measure, in UCP's shape: `amount` buys one `reference`; the pack holds `measure`."""

    amount: Amount
    currency: Currency
    measure: Annotated[Measure | None, Meta(description="What the pack holds, such as 750 ml.")]
    reference: Annotated[Measure | None, Meta(description="What the amount buys, such as 1 l.")]


class Weight(msgspec.Struct, frozen=True, gc=False):
    """The shipping weight."""

    unit: Literal["g", "kg", "oz", "lb"]
    value: DecimalText


class Level(msgspec.Struct, frozen=True, gc=False):
    """The stock of one item at one location; numbers may be negative (oversold)."""

    available: int | None
    incoming: int | None
    location_id: Gid
    location_name: Annotated[str | None, Meta(description="null without read_locations.")]
    on_hand: int | None
    updated_at: Timestamp | None


class Inventory(msgspec.Struct, frozen=True, gc=False):
    """The stock of one variant over all locations."""

    available: Annotated[
        int | None,
        Meta(description="Sum over the levels, may be negative; null: not tracked, or not all levels known."),
    ]
    inventory_item_id: Gid
    levels: list[Level]
    levels_complete: bool
    policy: Annotated[Literal["deny", "continue"], Meta(description="May it be sold below zero?")]
    tracked: bool


class Variant(msgspec.Struct, gc=False, kw_only=True):
    """One thing that can be put into a cart."""

    availability: Availability
    barcodes: list[Barcode]
    created_at: Timestamp
    id: Gid
    inventory: Annotated[Inventory | None, Meta(description="null when read_inventory is not granted.")]
    legacy_id: LegacyId
    list_price: Annotated[Money | None, Meta(description="The struck-through price; only when above the price.")]
    media: list[Media]
    metadata: list[Metafield]
    options: list[SelectedOption]
    position: AtLeastOne
    price: Annotated[Money, Meta(description="What the shopper pays now, before discounts.")]
    requires_shipping: bool | None
    sku: Annotated[str | None, Meta(description="Not unique.")]
    taxable: bool | None
    title: str
    unit_price: UnitPrice | None
    updated_at: Timestamp
    url: Annotated[Uri | None, Meta(description="The product's page with ?variant=legacy_id.")]
    weight: Weight | None


class Product(msgspec.Struct, gc=False, kw_only=True):
    """One product of the default content, with everything a bot may say of it."""

    availability: Annotated[Availability, Meta(description="The best of the variants.")]
    categories: list[Category]
    collection_ids: list[Gid]
    content_hash: Annotated[
        Sha256,
        Meta(description="Over this product without content_hash and every updated_at: equal = nothing changed."),
    ]
    created_at: Timestamp
    description: Description
    gift_card: bool
    handle: Annotated[str, Meta(description="Unique in the shop, but it may change: never a key.")]
    id: Gid
    legacy_id: LegacyId
    list_price_range: PriceRange | None
    media: list[Media]
    metadata: list[Metafield]
    options: list[Option]
    price_range: PriceRange
    product_type: str | None
    published_at: Annotated[Timestamp | None, Meta(description="On the online store; null: not published.")]
    seo: Seo
    status: Literal["active", "draft", "archived", "unlisted"]
    tags: Annotated[list[str], Meta(extra_json_schema={"uniqueItems": True})]
    title: str
    updated_at: Annotated[Timestamp, Meta(description="Moves on orders too: no sign of a changed catalogue.")]
    url: Annotated[Uri | None, Meta(description="The product's page; null when it is not published.")]
    variants: Annotated[list[Variant], Meta(min_length=1, description="By position.")]
    variants_complete: bool
    vendor: str | None
