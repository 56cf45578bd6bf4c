"""The small values that products, collections and discounts share.

A scalar's pattern lives here once, as an annotated type, so that the generated schema and a strict decode of a
published file agree. Structs are frozen: the normalisers hand the same instance to many owners.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$",
        description="RFC 3339 in UTC; it always ends in Z.",
        extra_json_schema={"format": "date-time"},
    ),
]
Gid = Annotated[
    str,
    Meta(
        pattern=r"^gid://shopify/[A-Za-z]+/[0-9]+(\?.*)?$",
        description="Shopify's global id: the only key to join by.",
    ),
]
LegacyId = Annotated[
    str,
    Meta(
        pattern="^[0-9]+$", description="The digits of the gid, as text: 18-digit ids do not fit a JavaScript number."
    ),
]
Sha256 = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217, three letters.")]
Amount = Annotated[
    str,
    Meta(
        pattern=r"^-?[0-9]+(\.[0-9]+)?$",
        description="Exact decimal in major units, padded to the currency's ISO 4217 exponent: 19.90, 1990, 1.250.",
    ),
]
DecimalText = Annotated[
    str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="A measured number, exact, without trailing zeros.")
]
Percent = Annotated[
    str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?$", description="10 is ten per cent; Shopify sends the fraction 0.1.")
]
Uri = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
AtLeastOne = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]


class Money(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An amount and its currency."""

    amount: Amount
    currency: Currency


class PriceRange(msgspec.Struct, frozen=True, gc=False):
    """The lowest and the highest price over the variants."""

    max: Money
    min: Money


class Description(msgspec.Struct, frozen=True, gc=False):
    """The merchant's text twice: as written, and without its markup."""

    html: Annotated[str | None, Meta(description="As the merchant wrote it. Untrusted: sanitise before rendering.")]
    plain: Annotated[str, Meta(description="Without tags, styles and scripts; a line per block, entities decoded.")]


class Media(msgspec.Struct, frozen=True, gc=False):
    """A picture, or the preview picture of a video or model."""

    alt_text: str | None
    height: Annotated[int | None, Meta(description="Pixels.")]
    type: Annotated[str, Meta(description="Open set: image, video, model_3d, external_video.")]
    url: Annotated[Uri, Meta(description="Of a video or model: its preview picture.")]
    width: Annotated[int | None, Meta(description="Pixels.")]


class Metafield(msgspec.Struct, frozen=True, gc=False):
    """One custom value of a product or variant."""

    key: str
    namespace: str
    type: Annotated[str, Meta(description="Shopify's metafield type, such as list.product_reference.")]
    value: Annotated[str, Meta(description="The raw text that Shopify stores, whatever the type.")]


class Availability(msgspec.Struct, frozen=True, gc=False):
    """May it be bought, and in which state is its stock."""

    available: Annotated[
        bool, Meta(description="May be bought now: for sale, product active or unlisted, and published.")
    ]
    status: Annotated[
        str, Meta(description="Open set: in_stock, backorder, preorder, out_of_stock, discontinued (UCP's names).")
    ]


class Measure(msgspec.Struct, frozen=True, gc=False):
    """A quantity of a unit, such as 750 ml."""

    unit: Annotated[str | None, Meta(description="Lower-case unit: ml, kg, m2, item, ...; null when unknown.")]
    value: DecimalText
