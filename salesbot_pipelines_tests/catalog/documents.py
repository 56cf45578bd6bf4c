"""Puts raw nodes together to a whole document, as a refresh does, for tests that need one in memory."""

from decimal import Decimal
from pathlib import Path

import msgspec

from salesbot_pipelines.catalog.hashing import Revision, canonical_json, seal_product
from salesbot_pipelines.catalog.model import SCHEMA_VERSION, Document, Generator, Source
from salesbot_pipelines.catalog.normalise import (
    Findings,
    ShopContext,
    is_sellable,
    normalise_collection,
    normalise_discount,
    normalise_location,
    normalise_product,
    normalise_shop,
)

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def read_json(path):
    """Return JSON with Decimals for floats, as the program reads raw files."""
    return msgspec.json.Decoder(float_hook=Decimal).decode(path.read_bytes())


def build_document(raw):
    """Return (document, findings) of a whole raw catalogue."""
    findings = Findings()
    shop = normalise_shop(raw["shop"])
    locations = sorted(map(normalise_location, raw["locations"]), key=lambda one: int(one.legacy_id))
    sellable = {node["id"] for node in raw["products"] if is_sellable(node, ("active",))}
    context = ShopContext(
        currency=shop.currency,
        url=shop.url,
        domain=shop.domain,
        location_names={one.id: one.name for one in locations},
        is_published=sellable.__contains__,
    )
    levels = {item["id"]: {"id": item["id"], "levels": item["inventoryLevels"]} for item in raw["inventory"]}
    collections = sorted(
        (normalise_collection(node, context, findings) for node in raw["collections"]),
        key=lambda one: int(one.legacy_id),
    )
    products = sorted(
        (
            normalise_product(
                node,
                context,
                levels=levels.get,
                collection_ids=[one.id for one in collections if node["id"] in one.product_ids],
                findings=findings,
            )
            for node in raw["products"]
            if node["id"] in sellable
        ),
        key=lambda one: int(one.legacy_id),
    )
    discounts = sorted(
        (normalise_discount(node, context, findings) for node in raw["discounts"]), key=lambda one: int(one.legacy_id)
    )
    revision = Revision()
    for section, objects in (("collections", collections), ("discounts", discounts), ("locations", locations)):
        for one in objects:
            revision.add(section, canonical_json(one))
    for product in products:
        revision.add("products", seal_product(product))
    revision.add("shop", canonical_json(shop))
    omissions = list(findings.omissions())
    document = Document(
        collections=collections,
        discounts=discounts,
        generated_at="2026-11-01T02:00:31Z",
        generator=Generator(name="salesbot_pipelines", run_id=None, version="1.0.0"),
        locations=locations,
        products=products,
        revision=revision.text(),
        schema_version=SCHEMA_VERSION,
        shop=shop,
        source=Source(
            api_version="2026-10",
            complete=not omissions,
            counts={
                "collections": len(collections),
                "discounts": len(discounts),
                "locations": len(locations),
                "products": len(products),
                "variants": sum(len(product.variants) for product in products),
            },
            fetched_at="2026-11-01T02:00:00Z",
            method="paged",
            omissions=omissions,
            platform="shopify",
            trigger="schedule",
        ),
    )
    return document, findings
