"""A collection and the published products in it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from salesbot_pipelines.catalog.model.values import Description, Gid, LegacyId, Media, NotNegative, Timestamp, Uri


class Collection(msgspec.Struct, gc=False, kw_only=True):
    """A group of products, hand-picked or by rule."""

    description: Description
    handle: str
    id: Gid
    image: Media | None
    legacy_id: LegacyId
    product_ids: Annotated[list[Gid], Meta(description="The published ones, in the shop's order.")]
    product_ids_complete: bool
    products_count: Annotated[NotNegative, Meta(description="Shopify's count; it includes unpublished products.")]
    sort_order: Annotated[str, Meta(description="Lower-case name: manual, best_selling, price_asc, ...")]
    title: str
    type: Annotated[Literal["manual", "smart"], Meta(description="smart: some of it follows from rules.")]
    updated_at: Timestamp
    url: Uri | None
