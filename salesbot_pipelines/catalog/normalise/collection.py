"""One collection and the published products in it."""

from __future__ import annotations

from typing import Any, Literal

from salesbot_pipelines.catalog.model import Collection
from salesbot_pipelines.catalog.normalise.context import Raw, ShopContext
from salesbot_pipelines.catalog.normalise.findings import Findings, Unusable
from salesbot_pipelines.catalog.normalise.media import normalise_image
from salesbot_pipelines.catalog.normalise.moment import EPOCH, moment
from salesbot_pipelines.catalog.normalise.raw import (
    connection,
    exact_count,
    gid_of,
    integer,
    key_of,
    legacy_id,
    lower,
)
from salesbot_pipelines.catalog.normalise.text import description
from salesbot_pipelines.catalog.normalise.url import page_url


def normalise_collection(raw: Raw, context: ShopContext, findings: Findings) -> Collection:
    """Return a raw collection as it is published; `Unusable` says that it has no id."""
    key = key_of(raw)
    if key is None:
        raise Unusable("/collections", f"a collection has no Shopify id: {raw.get('title')!r}")
    gid, digits = key
    pointer = f"/collections/{digits}"
    handle = raw.get("handle") or ""
    nodes, complete = connection(raw, "product_ids" if "product_ids" in raw else "products")
    read = list(dict.fromkeys(product for node in nodes if legacy_id(product := gid_of(node))))
    stated = integer((raw.get("productsCount") or {}).get("count"))
    count = exact_count(raw.get("productsCount"))
    if not complete or (count is not None and count != len(read)):
        complete = False
        findings.add(
            f"{pointer}/product_ids",
            "truncated",
            f"{len(read)} of {'more' if count is None else count} products were read",
        )
    if (updated_at := moment(raw.get("updatedAt"))) is None:
        findings.add(f"{pointer}/updated_at", "error", "Shopify gave no time")
        updated_at = EPOCH
    return Collection(
        description=description(raw.get("descriptionHtml")),
        handle=handle,
        id=gid,
        image=normalise_image(raw.get("image")),
        legacy_id=digits,
        product_ids=[product for product in read if context.is_published(product)],
        product_ids_complete=complete,
        products_count=max(0, len(read) if stated is None else stated),
        sort_order=lower(raw.get("sortOrder")) or "manual",
        title=raw.get("title") or "",
        type=_type(raw.get("sources"), pointer, findings),
        updated_at=updated_at,
        url=page_url(context.url, "collections", handle),
    )


def _type(sources: Any, pointer: str, findings: Findings) -> Literal["manual", "smart"]:
    """Return smart when a source holds conditions or sub-collections, whatever else was picked by hand."""
    if sources is None:
        findings.add(f"{pointer}/type", "error", "its sources were not read: published as manual")
    return "smart" if any(_follows_rules(source) for source in sources or ()) else "manual"


def _follows_rules(source: dict[str, Any]) -> bool:
    sides = (source.get("inclusion") or {}, source.get("exclusion") or {})
    return bool(source.get("collections")) or any(side.get("conditions") for side in sides)
