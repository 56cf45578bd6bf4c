"""The whole document, the shop it is of, and where it came from."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from salesbot_pipelines.catalog.model.collection import Collection
from salesbot_pipelines.catalog.model.discount import Discount
from salesbot_pipelines.catalog.model.product import Product
from salesbot_pipelines.catalog.model.values import Currency, Gid, LegacyId, Sha256, Timestamp, Uri

SCHEMA_VERSION = "1.0.0"
"""MAJOR removes or retypes, MINOR adds optional knowledge, PATCH is wording."""


class Omission(msgspec.Struct, frozen=True, gc=False):
    """Something that should be in the document and is not."""

    detail: str | None
    reason: Annotated[str, Meta(description="Open set: access_denied, not_requested, truncated, error.")]
    section: Annotated[
        str, Meta(description="A section's name, or a JSON pointer such as /products/<legacy_id>/variants.")
    ]


class Generator(msgspec.Struct, frozen=True, gc=False):
    """The program that wrote the document."""

    name: str
    run_id: str | None
    version: str


class Source(msgspec.Struct, frozen=True, gc=False):
    """Which Shopify answers the document stands on, and what they lacked."""

    api_version: Annotated[
        str,
        Meta(pattern="^20[0-9]{2}-(01|04|07|10)$", description="The version that answered, not the one asked for."),
    ]
    complete: Annotated[bool, Meta(description="true exactly when there are no omissions.")]
    counts: Annotated[dict[str, int], Meta(description="Objects written per section, and variants.")]
    fetched_at: Annotated[Timestamp, Meta(description="When the fetch began: freshness is never overstated.")]
    method: Annotated[Literal["paged", "bulk"], Meta(description="How the products came.")]
    omissions: list[Omission]
    platform: Literal["shopify"]
    trigger: Annotated[str, Meta(description="Open set: schedule, webhook, backfill, manual.")]


class Link(msgspec.Struct, frozen=True, gc=False):
    """A page of the shop, such as its refund policy."""

    title: str | None
    type: Annotated[str, Meta(description="Open set: privacy_policy, refund_policy, terms_of_service, ...")]
    url: Uri


class Shop(msgspec.Struct, gc=False, kw_only=True):
    """The shop itself."""

    country: Annotated[str | None, Meta(description="ISO 3166-1 alpha-2.")]
    currency: Annotated[Currency, Meta(description="The currency of every variant's price.")]
    domain: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$",
            description="The permanent domain: the shop's key everywhere.",
        ),
    ]
    id: Gid
    legacy_id: LegacyId
    links: list[Link]
    locale: Annotated[str | None, Meta(description="The primary one, such as de.")]
    name: str
    taxes_included: Annotated[bool | None, Meta(description="Are the prices gross?")]
    timezone: Annotated[str | None, Meta(description="IANA name.")]
    url: Annotated[Uri, Meta(description="The primary domain, without a slash at the end.")]


class Location(msgspec.Struct, gc=False, kw_only=True):
    """A place that holds stock."""

    active: bool
    city: str | None
    country: Annotated[str | None, Meta(description="ISO 3166-1 alpha-2.")]
    fulfills_online_orders: bool | None
    id: Gid
    legacy_id: LegacyId
    name: str


class Document(msgspec.Struct, gc=False, kw_only=True):
    """One shop's whole catalogue. Writers write every field; readers ignore what they do not know."""

    collections: list[Collection]
    discounts: list[Discount]
    generated_at: Annotated[Timestamp, Meta(description="When it was written; not part of the revision.")]
    generator: Generator
    locations: list[Location]
    products: Annotated[list[Product], Meta(description="By legacy_id as a number.")]
    revision: Annotated[
        Sha256,
        Meta(description="Over collections, discounts, locations, products and shop, times of change left out."),
    ]
    schema_version: Annotated[str, Meta(pattern=r"^1\.[0-9]+\.[0-9]+$", description="Semver of this contract.")]
    shop: Shop
    source: Source
